"""Rows of a source that cannot be read: counted, and how many of them are too many."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from attrex.errors import ConfigError
from attrex.types import Product

REASONS = 3
"""Reasons that are kept, the first ones."""


@dataclass
class RowTally:
    """How many rows of a source there are, and how many of them cannot be read."""

    rows: int = 0  #: also those that a damaged part is known to have
    unreadable: int = 0
    damaged: int = 0  #: parts of the source, of which nothing can be read
    reasons: list[str] = field(default_factory=list)  #: of the first three

    def add(self, product: Product, rows: int = 1, damaged: bool = False) -> Product:
        """Count a product, which is given back; ``rows`` of the source that it stands for."""
        self.rows += rows
        if product.error is not None:
            self.unreadable += rows
            self.damaged += damaged
            if len(self.reasons) < REASONS:
                self.reasons.append(product.error)
        return product


@dataclass(frozen=True)
class BadRowLimit:
    """How many rows may be unreadable. By default 1 % of them, and no part of a file.

    :param most: a number of rows, or, with ``percent``, a share of them in percent.
    """

    most: float = 1.0
    percent: bool = True

    @classmethod
    def parse(cls, text: str | int | None) -> BadRowLimit:
        """Of ``"20"`` rows or ``"5%"`` of them; None: the default. Raises :class:`ConfigError` for anything else."""
        if text is None:
            return cls()
        found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(%?)\s*", str(text))
        if not found or (found[2] and float(found[1]) > 100) or (not found[2] and "." in found[1]):
            raise ConfigError(
                f"max_bad_rows should be a number of rows such as 20, or a share such as 5%, got {text!r}"
            )
        return cls(float(found[1]), bool(found[2]))

    def is_exceeded(self, tally: RowTally) -> bool:
        """Whether too many rows cannot be read. A damaged part is too much, for nobody knows what it held, unless all
        rows may be unreadable."""
        if self.percent:
            return (self.most < 100 and tally.damaged > 0) or 100 * tally.unreadable > self.most * tally.rows
        return tally.damaged > 0 or tally.unreadable > self.most

    def __str__(self) -> str:
        return f"{self.most:g} %" if self.percent else f"{self.most:,.0f}"
