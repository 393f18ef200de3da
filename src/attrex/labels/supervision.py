"""What a table's cells are taken for in training: how many are known, how many are in doubt, and how doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from attrex.labels.mentions import UnlabelledMentions
from attrex.shop.schema import Schema
from attrex.types import CellState, Product


@dataclass(slots=True)
class Supervision:
    """What is known of the cells of labelled products, all counts by attribute."""

    products: int = 0  #: readable ones
    complete: int = 0  #: products whose labels are all there are
    located: Counter[str] = field(default_factory=Counter)
    not_located: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    ruled_out: Counter[str] = field(default_factory=Counter)  #: blank, but the category cannot have the attribute
    blank: Counter[str] = field(default_factory=Counter)  #: all other blank cells
    blank_mentioned: Counter[str] = field(default_factory=Counter)  #: those of them whose text names a known value
    not_located_mentioned: Counter[str] = field(default_factory=Counter)  #: filled, and the text names another value

    @property
    def mostly_in_doubt(self) -> bool:
        """Whether more cells are in doubt than located: the tags of those in doubt then teach nothing."""
        doubtful = self.blank_mentioned.total() + self.not_located_mentioned.total()
        return doubtful > self.located.total()

    @property
    def table(self) -> str:
        """`complete`, or `partly filled`."""
        return "complete" if self.complete == self.products else "partly filled"

    def totals(self) -> dict[str, int]:
        """Cells of each kind, over all attributes."""
        kinds = ("located", "not_located", "absent", "ruled_out", "blank", "blank_mentioned", "not_located_mentioned")
        return {kind: getattr(self, kind).total() for kind in kinds}

    def by_attribute(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many cells of each attribute are located, filled but not located, absent (ruled out, too), blank."""
        return {
            name: {
                "located": self.located[name],
                "not_located": self.not_located[name],
                "absent": self.absent[name] + self.ruled_out[name],
                "blank": self.blank[name],
            }
            for name in names
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "products": self.products,
            "complete_products": self.complete,
            "cells": self.totals(),
            "mentions_in_blank_cells": dict((+self.blank_mentioned).most_common()),
            "mostly_in_doubt": self.mostly_in_doubt,
        }

    def render(self) -> str:
        """One line for a person."""
        n = self.totals()
        if self.table == "complete":
            return f"all {self.products:,} products are marked complete: what is not labelled is absent"
        cells = max(1, sum(n[kind] for kind in ("located", "not_located", "absent", "ruled_out", "blank")))
        return (
            f"the table is partly filled: {n['blank'] / cells:.0%} of the cells are blank and unknown; the texts of "
            f"{n['blank_mentioned']:,} of them name a known value, as do those of {n['not_located_mentioned']:,} cells "
            "that are filled with another one"
            + ("; these are more than the located ones" if self.mostly_in_doubt else "")
        )


def supervision(products: Sequence[Product], schema: Schema, mentions: UnlabelledMentions | None) -> Supervision:
    """Count the cells of readable products; without ``mentions`` none is in doubt."""
    found = Supervision()
    names = schema.names
    sizes: Counter[str | None] = Counter()  # category -> products that are not complete
    known: Counter[tuple[str | None, str]] = Counter()  # of those, cells that are not blank
    for product in products:
        if product.error is not None:
            continue
        found.products += 1
        found.complete += product.complete
        named = {*product.table, *(s.attribute for s in product.spans or ())}
        for attribute in names if product.complete else named.intersection(names):
            getattr(found, product.cell_state(attribute).name.lower())[attribute] += 1
            if not product.complete:
                known[product.category, attribute] += 1
        if not product.complete:
            sizes[product.category] += 1
            for attribute in {s.attribute for s in (mentions.unknown(product) if mentions else ())}:
                state = product.cell_state(attribute)
                found.blank_mentioned[attribute] += state == CellState.BLANK
                found.not_located_mentioned[attribute] += state == CellState.NOT_LOCATED
    # What is left of each category's cells: of thousands of attributes a product's table fills a dozen.
    for category, size in sizes.items():
        allowed = set(schema.categories.get(category or "", names))
        for attribute in names:
            kind = found.blank if attribute in allowed else found.ruled_out
            kind[attribute] += size - known[category, attribute]
    return found
