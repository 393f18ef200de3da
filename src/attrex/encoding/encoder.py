"""A product's texts as windows of token ids, with exact character offsets and, where there are labels, tags.

A *unit* is what one tag stands for: a word, a word piece, or a character (`text.units`). A text longer than the
encoder takes is cut into overlapping windows; each unit is *owned* by the one window that sees most of its context,
and spans are read only from the window that owns their first unit. Nothing is dropped without a trace:
:attr:`EncodedProduct.coverage` says how much of the text was read. Space is no part of a unit, and tokens that stand
for nothing but space are not read.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import PseudoLabels, Teacher
from attrex.shop.schema import Schema
from attrex.types import BEGIN, INSIDE, OUTSIDE, UNKNOWN, CellState, Product, Span

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_IDEOGRAPH = "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_SPLIT_IDEOGRAPHS = re.compile(f"(?<={_IDEOGRAPH}) (?={_IDEOGRAPH})")
_JOINER = "\u200d"
_MODIFIER = re.compile("[\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")  # joiner, skin tones, tags of flags


class Unit(NamedTuple):
    """One tagged unit: token ids, and characters start..end (exclusive) of a field."""

    ids: tuple[int, ...]
    field: int
    start: int
    end: int


class UnitSpan(NamedTuple):
    """A labelled span, or a mention, as units first..last (exclusive)."""

    attribute: int
    first: int
    last: int


@dataclass(slots=True)
class Labels:
    """What is known of one window: the state of every cell, and the tags of the cells that are located in it."""

    cells: dict[int, int]  #: attribute -> `CellState`, of those that differ from `rest`
    rest: int  #: `CellState` of all other attributes: of thousands, a product's table fills a dozen
    pairs: dict[int, list[int]]  #: attribute -> tag per unit
    flat: list[int]  #: tag per unit over all attributes: 0 = O, 2a + 1 = B, 2a + 2 = I
    maybe: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """attribute -> units first..last (exclusive) that may be a value of it which is not labelled."""
    soft: dict[int, tuple[list[int], float]] = field(default_factory=dict)
    """attribute -> tag per unit with the values that a teacher read, and the lowest of their confidences."""
    scores: dict[int, float] = field(default_factory=dict)
    """attribute -> a teacher's range score, where the cell has no located value."""

    def state(self, attribute: int) -> int:
        """`CellState` of any attribute."""
        return self.cells.get(attribute, self.rest)


@dataclass(slots=True)
class Window:
    """What the text encoder reads at once."""

    ids: list[int]
    units: list[Unit]
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
    """Turns products into windows for one tokenizer, configuration and schema.

    Raises :class:`ConfigError` for a tokenizer that gives no character offsets, lacks a special token, or reads bytes
    where ``text.units`` asks for characters. With ``mentions``, labels tell which units may be an unlabelled value;
    with a ``teacher``, what it thinks of them.
    """

    def __init__(
        self,
        tokenizer: Any,
        config: Config,
        schema: Schema,
        mentions: UnlabelledMentions | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.tokenizer, self.config, self.schema = tokenizer, config, schema
        self.mentions, self.teacher = mentions, teacher
        self.backend = whole_texts(tokenizer)
        self.cls = _special(tokenizer, "cls_token")
        self.sep = _special(tokenizer, "sep_token")
        self.pad = _special(tokenizer, "pad_token")
        self.unknown = _special(tokenizer, "unk_token")
        self.reserved = {*tokenizer.all_special_ids} - {self.unknown}
        self.units = self._resolve_units(config.text.units)
        self.room = config.text.max_tokens - 2  #: tokens of a window besides the first and the last
        self._vocabulary: dict[str, int] = tokenizer.get_vocab() if self.units == "char" else {}
        self._index = {name: i for i, name in enumerate(schema.names)}

    def _resolve_units(self, units: str) -> str:
        if units == "auto":
            return "word" if "BertPreTokenizer" in repr(self.backend.pre_tokenizer) else "piece"
        if units == "char" and "ByteLevel" in repr(self.backend.pre_tokenizer):
            raise ConfigError(
                f"text.units=char needs a vocabulary of characters, text.model={self.config.text.model} reads bytes; "
                "set text.units=piece, or text.model to a BERT with a vocabulary of characters"
            )
        return units

    def encode(self, product: Product, *, labels: bool = False) -> EncodedProduct:
        """Windows of a product; with ``labels``, each with its :class:`Labels`."""
        texts = list(product.fields.values())
        units = [unit for i, text in enumerate(texts) for unit in self._tokenize(i, text)]
        cuts = list(self._cuts(units))
        windows = [self._window(units[first:last], owned) for first, last, owned in cuts]
        encoded = EncodedProduct(windows, _coverage(texts, units), list(product.fields))
        if not units:
            encoded.warnings.append("no text that the tokenizer can read")
        if labels:
            self._label(product, units, zip(windows, cuts, strict=True))
        return encoded

    def decode(self, ids: Sequence[int]) -> str:
        """The words of token ids, without the spaces that a tokenizer puts between characters."""
        if self.units == "char":
            return "".join(self.backend.id_to_token(i) for i in ids)
        return _SPLIT_IDEOGRAPHS.sub("", self.backend.decode(list(ids), skip_special_tokens=False)).strip()

    # ---- units ----------------------------------------------------------------------------------------------------

    def _tokenize(self, index: int, text: str) -> Iterable[Unit]:
        text = _LONE_SURROGATE.sub("\ufffd", text)  # half of a character, from broken JSON; tokenizers refuse it
        if self.units == "char":
            return (Unit((self._char_id(c),), index, i, i + 1) for i, c in enumerate(text) if not c.isspace())
        read = self.backend.encode(text, add_special_tokens=False)
        # A text that says "[SEP]" or "<s>" means no separator.
        ids = [self.unknown if i in self.reserved else i for i in read.ids]
        pieces = zip(ids, read.offsets, read.word_ids, strict=True)
        return _join(index, text, pieces, words=self.units == "word", most=self.room)

    def _char_id(self, char: str) -> int:
        for form in (char.lower(), char):
            if form in self._vocabulary:
                return self._vocabulary[form]
        return self.unknown

    # ---- windows --------------------------------------------------------------------------------------------------

    def _cuts(self, units: Sequence[Unit]) -> Iterator[tuple[int, int, tuple[int, int]]]:
        """(first, last, owned) of each window; ``owned`` counts from the window's first unit."""
        if not units:
            return
        starts, ends = _token_positions(units)
        bounds = [(0, bisect_right(ends, self.room))]
        while (last := bounds[-1][1]) < len(units):
            # As much overlap as was asked for, and no more than leaves room for the next unit.
            back = max(ends[last - 1] - self.config.text.overlap, ends[last] - self.room)
            first = bisect_left(starts, back)
            bounds.append((first, bisect_right(ends, starts[first] + self.room)))
        # In the overlap of two windows each owns the half that it sees with more context.
        middles = [0, *((after[0] + before[1]) // 2 for before, after in pairwise(bounds)), len(units)]
        for (first, last), (low, high) in zip(bounds, pairwise(middles), strict=True):
            yield first, last, (low - first, high - first)

    def _window(self, units: Sequence[Unit], owned: tuple[int, int]) -> Window:
        ids, index = [self.cls], []
        for at, unit in enumerate(units):
            if at and unit.field != units[at - 1].field:
                ids.append(self.sep)
            index.append(len(ids))
            ids.extend(unit.ids)
        ids.append(self.sep)
        return Window(ids, list(units), index, owned)

    # ---- labels ---------------------------------------------------------------------------------------------------

    def tags(self, labels: Labels, attribute: int) -> list[int]:
        """The tags of one attribute, with what a teacher read, and UNKNOWN for the units of a mention."""
        if attribute in labels.soft:
            tags = [*labels.soft[attribute][0]]
        else:
            tags = [*labels.pairs.get(attribute, [OUTSIDE] * len(labels.flat))]
        for first, last in labels.maybe.get(attribute, ()):
            # A mention touches no labelled characters, but may share a unit with them.
            tags[first:last] = [UNKNOWN if tag == OUTSIDE else tag for tag in tags[first:last]]
        return tags

    def _label(
        self, product: Product, units: Sequence[Unit], windows: Iterable[tuple[Window, tuple[int, int, Any]]]
    ) -> None:
        # A value that is said in another window: this one does not say it.
        elsewhere = CellState.ABSENT if product.complete else CellState.NOT_LOCATED
        rest, states = self._states(product)
        states = {a: elsewhere if s == CellState.LOCATED else s for a, s in states.items()}
        opinion = self._opinion(product)
        runs, doubtful = (self._runs(product, units, spans) for spans in (product.spans or (), opinion.doubtful))
        taught = [(run, c) for span, c in opinion.labels for run in self._runs(product, units, [span])]
        for window, (first, last, _) in windows:
            labels = self._window_labels(len(window.units), states, rest, list(_inside(runs, first, last)))
            for run in _inside(doubtful, first, last):
                labels.maybe.setdefault(run.attribute, []).append((run.first, run.last))
            for whole, confidence in taught:
                for run in _inside([whole], first, last):
                    self._teach(labels, run, confidence)
            # Of a text of several windows, only those that say something of the attribute are meant.
            meant = None if last - first == len(units) else {*labels.maybe, *labels.soft}
            scores = {self._index[name]: score for name, score in opinion.scores.items()}
            labels.scores = {a: score for a, score in scores.items() if meant is None or a in meant}
            window.labels = labels

    def _opinion(self, product: Product) -> PseudoLabels:
        mentions = self.mentions.unknown(product) if self.mentions else []
        return self.teacher.judge(product, mentions) if self.teacher else PseudoLabels([], mentions, {})

    def _teach(self, labels: Labels, run: UnitSpan, confidence: float) -> None:
        """Write a value that a teacher read where no label is."""
        known = labels.pairs.get(run.attribute, [OUTSIDE] * len(labels.flat))
        tags, lowest = labels.soft.get(run.attribute, ([*known], 1.0))
        if not any(tags[run.first : run.last]):
            tags[run.first : run.last] = _span_tags(run)
            labels.soft[run.attribute] = tags, min(lowest, confidence)

    def _states(self, product: Product) -> tuple[CellState, dict[int, CellState]]:
        """The state of most cells, and of those that differ from it."""
        known = {*product.table, *(s.attribute for s in product.spans or ())}
        states = {self._index[name]: product.cell_state(name) for name in known if name in self._index}
        if product.complete:
            return CellState.ABSENT, states
        listed = self.schema.categories.get(product.category or "")
        if listed is None:
            return CellState.BLANK, states
        # The category rules out all others.
        return CellState.ABSENT, {self._index[name]: CellState.BLANK for name in listed} | states

    def _runs(self, product: Product, units: Sequence[Unit], spans: Iterable[Span]) -> list[UnitSpan]:
        """The units that each span touches; a span that cuts a word widens to the word."""
        runs = []
        number = {name: i for i, name in enumerate(product.fields)}
        for span in spans:
            if span.attribute not in self._index:
                continue
            at = number[span.field]
            first = bisect_right(units, (at, span.start), key=lambda u: (u.field, u.end))
            last = bisect_left(units, (at, span.end), key=lambda u: (u.field, u.start))
            if first < last:
                runs.append(UnitSpan(self._index[span.attribute], first, last))
        return runs

    def _window_labels(
        self, units: int, states: Mapping[int, CellState], rest: CellState, runs: Sequence[UnitSpan]
    ) -> Labels:
        flat = [OUTSIDE] * units
        for attribute, first, last in _disjoint(runs):
            flat[first:last] = [2 * attribute + BEGIN, *[2 * attribute + INSIDE] * (last - first - 1)]
        pairs: dict[int, list[int]] = {}
        cells = {attribute: int(state) for attribute, state in states.items()}
        for run in _disjoint_by_attribute(runs):
            pairs.setdefault(run.attribute, [OUTSIDE] * units)[run.first : run.last] = _span_tags(run)
            cells[run.attribute] = int(CellState.LOCATED)
        return Labels(cells, int(rest), pairs, flat)


def _span_tags(run: UnitSpan) -> list[int]:
    return [BEGIN, *[INSIDE] * (run.last - run.first - 1)]


def whole_texts(tokenizer: Any) -> Any:
    """A copy of the fast tokenizer inside that neither cuts texts nor pads them, as some come set to.

    A copy, for whoever calls the original changes its truncation and padding.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            f"text.model: its tokenizer ({type(tokenizer).__name__}) gives no character offsets; "
            "choose an encoder with a fast tokenizer (tokenizer.json)"
        )
    backend = deepcopy(backend)
    backend.no_truncation()
    backend.no_padding()
    return backend


def _special(tokenizer: Any, name: str) -> int:
    number = getattr(tokenizer, f"{name}_id")
    if number is None:
        raise ConfigError(
            f"text.model: its tokenizer has no {name}, which texts are framed, padded or filled with; "
            "choose a BERT-like encoder, or define the token in tokenizer_config.json"
        )
    return int(number)


def _join(index: int, text: str, pieces: Iterable[Any], *, words: bool, most: int) -> Iterator[Unit]:
    """Units of (id, (start, end), word) pieces, at most ``most`` ids each.

    Pieces that share a character (bytes of one emoji) are one unit; with ``words`` so are the pieces of a word.
    """
    ids: list[int] = []
    begin = end = 0
    word = None
    for token, (low, high), at in pieces:
        start, stop = _strip(text, low, high)
        if start >= stop:
            continue
        same = at is not None and at == word
        if ids and (start < end or (words and same and len(ids) < most)):
            ids += [token] if len(ids) < most else []
            end = _whole(text, stop) if stop > end else end
            continue
        if ids:
            yield Unit(tuple(ids), index, begin, end)
        ids, begin, end, word = [token], start, _whole(text, stop), at
    if ids:
        yield Unit(tuple(ids), index, begin, end)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Tokens of some tokenizers include the space beside them; values do not."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _whole(text: str, end: int) -> int:
    """Move an end past what a reader sees as part of the character: combining marks, joiners and what they join."""
    while end < len(text) and text[end] > "\u02ff" and _belongs(text[end - 1], text[end]):
        end += 1
    return end


def _belongs(before: str, char: str) -> bool:
    kind = unicodedata.category(char)
    return kind[0] == "M" or _MODIFIER.match(char) is not None or (before == _JOINER and kind == "So")


def _coverage(texts: Sequence[str], units: Sequence[Unit]) -> float:
    """Share of non-space characters that belong to a unit; one that the tokenizer has no piece for is [UNK]."""
    total = sum(len(t) - sum(map(str.isspace, t)) for t in texts)
    read = sum(u.end - u.start - sum(map(str.isspace, texts[u.field][u.start : u.end])) for u in units)
    return read / total if total else 1.0


def _token_positions(units: Sequence[Unit]) -> tuple[list[int], list[int]]:
    """Where each unit's tokens start and end if the product were one window, with a separator between fields."""
    starts, ends, at = [], [], 0
    for i, unit in enumerate(units):
        at += i > 0 and unit.field != units[i - 1].field
        starts.append(at)
        at += len(unit.ids)
        ends.append(at)
    return starts, ends


def _inside(runs: Iterable[UnitSpan], first: int, last: int) -> Iterator[UnitSpan]:
    """What a window of units first..last (exclusive) sees of each run, in its own numbers."""
    for run in runs:
        if run.first < last and run.last > first:
            yield UnitSpan(run.attribute, max(run.first, first) - first, min(run.last, last) - first)


def _disjoint(runs: Iterable[UnitSpan]) -> list[UnitSpan]:
    """Of runs that overlap, the longest; of equal ones, the first."""
    taken: set[int] = set()
    kept = []
    for run in sorted(runs, key=lambda r: r.first - r.last):
        units = range(run.first, run.last)
        if taken.isdisjoint(units):
            taken.update(units)
            kept.append(run)
    return kept


def _disjoint_by_attribute(runs: Iterable[UnitSpan]) -> list[UnitSpan]:
    groups: dict[int, list[UnitSpan]] = defaultdict(list)
    for run in runs:
        groups[run.attribute].append(run)
    return [run for group in groups.values() for run in _disjoint(group)]
