"""A product's texts as windows of token ids.

A text longer than the encoder takes is cut into overlapping windows; each unit is *owned* by the one window that sees
most of its context, and spans are read only from the window that owns their first unit. Nothing is dropped without a
trace: :attr:`EncodedProduct.coverage` says how much of the text was read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from attrex.config import Config
from attrex.encoding.units import Unit, UnitTokenizer, coverage, special_token_id
from attrex.shop.schema import Schema
from attrex.types import Product


@dataclass(slots=True)
class Window:
    """What the text encoder reads at once."""

    ids: list[int]
    units: list[Unit]
    unit_index: list[int]  #: position of each unit's first token in `ids`
    owned: tuple[int, int]  #: units whose spans are taken from this window: first, last (exclusive)
    first: int = 0  #: number of its first unit in the product


@dataclass(slots=True)
class EncodedProduct:
    """A product's windows, and how much of its text they cover."""

    windows: list[Window]
    coverage: float
    fields: list[str]
    warnings: list[str] = field(default_factory=list)


class ProductEncoder:
    """Turns products into windows for one tokenizer, configuration and schema.

    :raises ConfigError: for a tokenizer that :class:`~attrex.encoding.units.UnitTokenizer` cannot use.
    """

    def __init__(self, tokenizer: Any, config: Config, schema: Schema) -> None:
        self.tokenizer, self.config, self.schema = tokenizer, config, schema
        self.room = config.text.max_tokens - 2  #: tokens of a window besides the first and the last
        #: most tokens of a category, with the separator behind it
        self.most_ahead = self.room // 4 if config.text.category else 0
        self.units = UnitTokenizer(
            tokenizer,
            config.text.units,
            model=config.text.model,
            most=self.room - self.most_ahead,
            split=bool(config.text.split_words),
        )
        self.cls = special_token_id(tokenizer, "cls_token")
        self.sep = special_token_id(tokenizer, "sep_token")
        self.pad = special_token_id(tokenizer, "pad_token")

    def encode(self, product: Product) -> EncodedProduct:
        """Windows of a product; none, and a warning, where no text can be read."""
        texts = list(product.fields.values())
        units = [unit for i, text in enumerate(texts) for unit in self.units.units(i, text)]
        ahead = self._ahead(product)
        cuts = self._cuts(units, self.room - len(ahead))
        windows = [self._window(units, first, last, owned, ahead) for first, last, owned in cuts]
        encoded = EncodedProduct(windows, coverage(texts, units), list(product.fields))
        if not units:
            encoded.warnings.append("no text that the tokenizer can read")
        return encoded

    def _ahead(self, product: Product) -> list[int]:
        """What each window says before the texts: the category and a separator, where `text.category` asks for it."""
        if not self.most_ahead or not product.category:
            return []
        ids = [i for unit in self.units.units(0, product.category) for i in unit.ids][: self.most_ahead - 1]
        return [*ids, self.sep] if ids else []

    def _cuts(self, units: Sequence[Unit], room: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
        """(first, last, owned) of each window of ``room`` tokens; ``owned`` counts from the window's first unit."""
        if not units:
            return
        # Where each unit's tokens start and end if the product were one window, with a separator between fields.
        starts, ends, at = [], [], 0
        for i, unit in enumerate(units):
            at += i > 0 and unit.field != units[i - 1].field
            starts.append(at)
            at += len(unit.ids)
            ends.append(at)
        bounds = [(0, bisect_right(ends, room))]
        while (last := bounds[-1][1]) < len(units):
            # As much overlap as was asked for, and no more than leaves room for the next unit.
            back = max(ends[last - 1] - self.config.text.overlap, ends[last] - room)
            first = bisect_left(starts, back)
            bounds.append((first, bisect_right(ends, starts[first] + room)))
        # In the overlap of two windows each owns the half that it sees with more context.
        middles = [0, *((after[0] + before[1]) // 2 for before, after in pairwise(bounds)), len(units)]
        for (first, last), (low, high) in zip(bounds, pairwise(middles), strict=True):
            yield first, last, (low - first, high - first)

    def _window(
        self, units: Sequence[Unit], first: int, last: int, owned: tuple[int, int], ahead: Sequence[int]
    ) -> Window:
        ids, index = [self.cls, *ahead], []
        for at in range(first, last):
            if at > first and units[at].field != units[at - 1].field:
                ids.append(self.sep)
            index.append(len(ids))
            ids.extend(units[at].ids)
        ids.append(self.sep)
        return Window(ids, list(units[first:last]), index, owned, first)
