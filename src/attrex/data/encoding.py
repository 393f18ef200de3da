"""A product's texts as windows of token ids, with exact character offsets and, where there are labels, tags.

A *unit* is what one tag stands for: a word, a word piece, or a character (`text.units`). A text longer than the encoder takes
is cut into overlapping windows; each unit is *owned* by the one window that sees most of its context, and spans are read only
from the window that owns their first unit. Nothing is dropped without a trace: :attr:`EncodedProduct.coverage` says how much
of the text was read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from attrex.config import Config
from attrex.model.tags import BEGIN, INSIDE, OUTSIDE
from attrex.schema import Schema
from attrex.types import CellState, Product, Span

CONTINUATION = 3
_JOINERS = {"\u200d", "\ufe0f", "\ufe0e"}  # zero-width joiner and variation selectors belong to the character before


class Unit(NamedTuple):
    """One tagged unit: token ids, and characters start..end (exclusive) of a field."""

    ids: tuple[int, ...]
    field: int
    start: int
    end: int
    continues: bool = False  #: a word piece that is not the first of its word


@dataclass(slots=True)
class Labels:
    """What is known of one window: the state of every cell, and the tags of the cells that are located in it."""

    cells: list[int]  #: per attribute of the schema, `CellState`
    pairs: dict[int, list[int]]  #: attribute -> tag per unit
    flat: list[int]  #: tag per unit over all attributes: 0 = O, 2a + 1 = B, 2a + 2 = I


@dataclass(slots=True)
class Window:
    """What the text encoder reads at once."""

    ids: list[int]
    units: list[Unit | None]  #: None: the [CLS] position of presets with a pad tag
    unit_index: list[int]  #: position of each unit's first token in `ids`
    owned: tuple[int, int]  #: units whose spans are taken from this window: first, last (exclusive)
    labels: Labels | None = None


@dataclass(slots=True)
class EncodedProduct:
    """A product's windows, and how much of its text they cover."""

    windows: list[Window]
    coverage: float
    fields: list[str]
    warnings: list[str] = field(default_factory=list)


class ProductEncoder:
    """Turns products into windows for one tokenizer, configuration and schema."""

    def __init__(self, tokenizer: Any, config: Config, schema: Schema) -> None:
        self.tokenizer, self.config, self.schema = tokenizer, config, schema
        self.backend = tokenizer.backend_tokenizer
        self.backend.no_truncation()
        self.backend.no_padding()
        self.cls: int = tokenizer.cls_token_id
        self.sep: int = tokenizer.sep_token_id
        self.pad: int = tokenizer.pad_token_id
        self.unknown: int = tokenizer.unk_token_id
        self.units = self._resolve_units(config.text.units)
        self._vocabulary: dict[str, int] = tokenizer.get_vocab() if self.units == "char" else {}
        self._index = {name: i for i, name in enumerate(schema.names)}

    def _resolve_units(self, units: str) -> str:
        if units != "auto":
            return units
        pre_tokenizer = str(type(self.backend.pre_tokenizer).__name__)
        return "word" if pre_tokenizer == "BertPreTokenizer" else "piece"

    def encode(self, product: Product, *, labels: bool = False) -> EncodedProduct:
        """Windows of a product; with ``labels``, each with its :class:`Labels`."""
        texts = list(product.fields.values())
        units = [unit for i, text in enumerate(texts) for unit in self._tokenize(i, text)]
        encoded = EncodedProduct(
            [self._window(units[a:b], own) for a, b, own in self._cuts(units)],
            _coverage(texts, units),
            list(product.fields),
        )
        if not units:
            encoded.warnings.append("no text that the tokenizer can read")
        if labels:
            self._label(product, encoded)
        return encoded

    # ---- units ----------------------------------------------------------------------------------------------------

    def _tokenize(self, index: int, text: str) -> Iterator[Unit]:
        if self.units == "char":
            for i, char in enumerate(text):
                if not char.isspace():
                    yield Unit((self._char_id(char),), index, i, i + 1)
            return
        read = self.backend.encode(text, add_special_tokens=False)
        if self.units == "legacy_wordpiece":
            # The release tags per character but reads word pieces: its i-th tag sits on the i-th piece.
            for i in range(len(text)):
                yield Unit((read.ids[i] if i < len(read.ids) else self.pad,), index, i, i + 1)
            return
        pieces = zip(read.ids, read.offsets, read.word_ids, strict=True)
        if self.units == "piece":
            word = None
            for token, (start, end), at in pieces:
                start = _skip_space(text, start, end)
                if start < end:
                    yield Unit((token,), index, start, _whole(text, end), at is not None and at == word)
                    word = at
            return
        yield from _words(index, text, pieces)

    def _char_id(self, char: str) -> int:
        for form in (char, char.lower()):
            if form in self._vocabulary:
                return self._vocabulary[form]
        return self.unknown

    # ---- windows --------------------------------------------------------------------------------------------------

    def _cuts(self, units: Sequence[Unit]) -> Iterator[tuple[int, int, tuple[int, int]]]:
        """(first, last, owned) of each window; `owned` counts from the window's first unit."""
        if not units:
            return
        room = self.config.text.max_tokens - 1
        bounds = []
        first = 0
        while True:
            last, used = first, 0
            while last < len(units):
                # A field that ends costs its separator, and so does the window.
                more = min(len(units[last].ids), room - 1) + (
                    last > first and units[last].field != units[last - 1].field
                )
                if used + more + 1 > room and last > first:
                    break
                used, last = used + more, last + 1
            bounds.append((first, last))
            if last >= len(units):
                break
            back, overlap = last, 0
            while back > first + 1 and overlap + len(units[back - 1].ids) <= self.config.text.overlap:
                back, overlap = back - 1, overlap + len(units[back - 1].ids)
            first = back
        # In the overlap of two windows each owns the half that it sees with more context.
        middles = [0, *((b[0] + a[1]) // 2 for a, b in pairwise(bounds)), len(units)]
        for (a, b), low, high in zip(bounds, middles, middles[1:], strict=False):
            yield a, b, (low - a, high - a)

    def _window(self, units: Sequence[Unit], owned: tuple[int, int]) -> Window:
        ids, index = [self.cls], []
        room = self.config.text.max_tokens - 2
        for at, unit in enumerate(units):
            if at and unit.field != units[at - 1].field:
                ids.append(self.sep)
            index.append(len(ids))
            ids.extend(unit.ids[:room])
        ids.append(self.sep)
        if self.config.decoder.pad_tag:
            return Window(ids, [None, *units], [0, *index], (owned[0] + 1, owned[1] + 1))
        return Window(ids, list(units), index, owned)

    # ---- labels ---------------------------------------------------------------------------------------------------

    def _label(self, product: Product, encoded: EncodedProduct) -> None:
        states = [int(product.cell_state(name)) for name in self.schema.names]
        spans = [s for s in product.spans or () if s.attribute in self._index]
        for window in encoded.windows:
            placed = [(s, place) for s in spans if (place := _place(s, window, encoded.fields)) is not None]
            window.labels = self._window_labels(window, states, placed, product.complete)

    def _window_labels(
        self, window: Window, states: Sequence[int], placed: Sequence[tuple[Span, tuple[int, int]]], complete: bool
    ) -> Labels:
        size = len(window.units)
        owner: list[int | None] = [None] * size  # for the flat tags, and for overlaps: overwrite
        pairs: dict[int, list[int]] = {}
        outside = [OUTSIDE] * size
        if self.config.decoder.pad_tag:
            outside[0] = 3 + self.config.decoder.continuation_tag
        overwrite = self.config.decoder.overlaps == "overwrite"
        for number, (span, (low, high)) in enumerate(placed):
            tags = pairs.setdefault(self._index[span.attribute], outside.copy())
            if all(tags[i] == OUTSIDE for i in range(low, high)):
                tags[low:high] = self._span_tags(window, low, high)
            # Flat tags hold one attribute per unit: the longer span wins, or with `overwrite` the later one.
            rivals = {o for o in owner[low:high] if o is not None}
            if overwrite or all(high - low > _length(placed[o]) for o in rivals):
                owner = [None if o in rivals and not overwrite else o for o in owner]
                owner[low:high] = [number] * (high - low)
        if overwrite:
            pairs = self._pairs_of(owner, placed, window, outside)
        cells = [CellState.ABSENT if s == CellState.LOCATED and complete else s for s in states]
        cells = [CellState.NOT_LOCATED if s == CellState.LOCATED else s for s in cells]  # said in another window
        for attribute in pairs:
            cells[attribute] = CellState.LOCATED
        return Labels([int(c) for c in cells], pairs, self._flat_tags(owner, placed))

    def _span_tags(self, window: Window, low: int, high: int) -> list[int]:
        tags = [BEGIN, *[INSIDE] * (high - low - 1)]
        if self.config.decoder.continuation_tag:
            for i in range(low + 1, high):
                unit = window.units[i]
                if unit is not None and unit.continues:
                    tags[i - low] = CONTINUATION
        return tags

    def _pairs_of(
        self,
        owner: Sequence[int | None],
        placed: Sequence[tuple[Span, tuple[int, int]]],
        window: Window,
        outside: Sequence[int],
    ) -> dict[int, list[int]]:
        """One sequence per attribute from tags in which later spans overwrote earlier ones (the release's labels)."""
        pairs: dict[int, list[int]] = {}
        for low, high, number in _runs(owner):
            tags = pairs.setdefault(self._index[placed[number][0].attribute], list(outside))
            tags[low:high] = self._span_tags(window, low, high)
        return pairs

    def _flat_tags(self, owner: Sequence[int | None], placed: Sequence[tuple[Span, tuple[int, int]]]) -> list[int]:
        flat = [OUTSIDE] * len(owner)
        for low, high, number in _runs(owner):
            attribute = self._index[placed[number][0].attribute]
            flat[low:high] = [2 * attribute + BEGIN, *[2 * attribute + INSIDE] * (high - low - 1)]
        return flat


def _words(index: int, text: str, pieces: Any) -> Iterator[Unit]:
    """Word pieces joined to the words they come from."""
    ids: list[int] = []
    word, begin, finish = None, 0, 0
    for token, (start, end), at in pieces:
        if at != word and ids:
            yield Unit(tuple(ids), index, begin, _whole(text, finish))
            ids = []
        if not ids:
            word, begin = at, start
        ids.append(token)
        finish = max(end, start)
    if ids:
        yield Unit(tuple(ids), index, begin, _whole(text, finish))


def _whole(text: str, end: int) -> int:
    """Move an end past combining marks and joiners, which tokenizers drop but a reader sees as part of the character."""
    while end < len(text) and (text[end] in _JOINERS or (text[end] > "\u02ff" and unicodedata.combining(text[end]))):
        end += 1
    return end


def _skip_space(text: str, start: int, end: int) -> int:
    """Sentence-piece tokens include the space before them; values do not."""
    while start < end and text[start].isspace():
        start += 1
    return start


def _coverage(texts: Sequence[str], units: Sequence[Unit]) -> float:
    """Share of non-space characters that belong to a unit."""
    total = sum(len(t) - sum(map(str.isspace, t)) for t in texts)
    read = sum(u.end - u.start - sum(map(str.isspace, texts[u.field][u.start : u.end])) for u in units)
    return min(read / total, 1.0) if total else 1.0


def _place(span: Span, window: Window, fields: Sequence[str]) -> tuple[int, int] | None:
    """The window's units that a span touches: first, last (exclusive); None where it touches none."""
    touched = [
        i
        for i, u in enumerate(window.units)
        if u is not None and u.start < span.end and u.end > span.start and fields[u.field] == span.field
    ]
    return (touched[0], touched[-1] + 1) if touched else None


def _length(placed: tuple[Span, tuple[int, int]]) -> int:
    return placed[1][1] - placed[1][0]


def _runs(owner: Sequence[int | None]) -> Iterator[tuple[int, int, int]]:
    """(first, last exclusive, number) of each run of equal numbers."""
    start = 0
    for i in range(1, len(owner) + 1):
        if i == len(owner) or owner[i] != owner[start]:
            number = owner[start] if start < len(owner) else None
            if number is not None:
                yield start, i, number
            start = i
