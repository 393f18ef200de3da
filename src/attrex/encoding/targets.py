"""What training learns from each window of a product: the state of every cell, and a tag for every unit."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from attrex.encoding.encoder import EncodedProduct, Window
from attrex.encoding.units import Unit
from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import PseudoLabels, Teacher, Teachers
from attrex.shop.schema import Schema
from attrex.types import BEGIN, INSIDE, OUTSIDE, UNKNOWN, CellState, Product, Span
from attrex.vocabulary.matcher import longest_first


class UnitSpan(NamedTuple):
    """A labelled span, or a mention, as units start..end (exclusive)."""

    attribute: int
    start: int
    end: int

    def tags(self) -> list[int]:
        """One B, then I."""
        return [BEGIN, *[INSIDE] * (self.end - self.start - 1)]


@dataclass(slots=True)
class Labels:
    """What is known of one window: the state of every cell, and the tags of the cells that are located in it."""

    cells: dict[int, int]  #: attribute -> `CellState`, of those that differ from `rest`
    rest: int  #: `CellState` of all other attributes: of thousands, a product's table fills a dozen
    pairs: dict[int, list[int]]  #: attribute -> tag per unit
    flat: list[int]  #: tag per unit over all attributes: 0 = O, 2a + 1 = B, 2a + 2 = I
    uncertain: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """attribute -> units first..last (exclusive) that may be a value of it which is not labelled."""
    pseudo: dict[int, tuple[list[int], float]] = field(default_factory=dict)
    """attribute -> tag per unit with a teacher's values, and the lowest of their confidences."""
    scores: dict[int, float] = field(default_factory=dict)
    """attribute -> a teacher's range score, where the cell has no located value."""
    values: tuple[Mapping[int, int], int] = ({}, 0)
    """The states of the product's cells as a whole, and of all others; `complete` rules out mentions, not values."""
    options: Mapping[int, list[int]] = field(default_factory=dict)
    """attribute -> which of its options the product has, said in this window or not, or nowhere."""
    option_weights: Mapping[int, float] = field(default_factory=dict)
    """attribute -> how much its options count, of those that a teacher named; all others count fully."""

    def state(self, attribute: int) -> int:
        """`CellState` of any attribute."""
        return self.cells.get(attribute, self.rest)

    def tags(self, attribute: int) -> list[int]:
        """The tags of one attribute, with a teacher's values, and UNKNOWN for the units of a mention."""
        outside = [OUTSIDE] * len(self.flat)
        tags = [*(self.pseudo[attribute][0] if attribute in self.pseudo else self.pairs.get(attribute, outside))]
        for first, last in self.uncertain.get(attribute, ()):
            # A mention touches no labelled characters, but may share a unit with them.
            tags[first:last] = [UNKNOWN if tag == OUTSIDE else tag for tag in tags[first:last]]
        return tags

    def add_pseudo_label(self, span: UnitSpan, confidence: float) -> None:
        """Write a teacher's value where no label is."""
        known = self.pairs.get(span.attribute, [OUTSIDE] * len(self.flat))
        tags, lowest = self.pseudo.get(span.attribute, ([*known], 1.0))
        if not any(tags[span.start : span.end]):
            tags[span.start : span.end] = span.tags()
            self.pseudo[span.attribute] = tags, min(lowest, confidence)


class TargetEncoder:
    """Labels for the windows of :class:`~attrex.encoding.encoder.ProductEncoder`.

    :param schema: attributes in the model's order.
    :param mentions: says which units may be an unlabelled value; None: none are.
    :param teacher: its predictions for products are further labels; None: the shop's labels alone.
    """

    def __init__(
        self, schema: Schema, mentions: UnlabelledMentions | None = None, teacher: Teacher | Teachers | None = None
    ) -> None:
        self.schema, self.mentions, self.teacher = schema, mentions, teacher
        self._index = {name: i for i, name in enumerate(schema.names)}
        self._options = [{value: k for k, value in enumerate(a.options)} for a in schema.attributes]

    def encode(self, product: Product, encoded: EncodedProduct) -> list[Labels]:
        """One :class:`Labels` for each window of ``product``."""
        windows = encoded.windows
        # By their numbers in the product: windows share units where they overlap.
        units = list({w.first + i: unit for w in windows for i, unit in enumerate(w.units)}.values())
        # A value that is said in another window: this one does not say it.
        elsewhere = CellState.ABSENT if product.complete else CellState.NOT_LOCATED
        rest, states = self._states(product)
        states = {a: elsewhere if s == CellState.LOCATED else s for a, s in states.items()}
        pseudo = self._pseudo_labels(product)
        located = self._unit_spans(product, units, product.spans or ())
        uncertain = self._unit_spans(product, units, pseudo.uncertain)
        taught = [(span, c) for label, c in pseudo.labels for span in self._unit_spans(product, units, [label])]
        scores = {self._index[name]: score for name, score in pseudo.scores.items()}
        options, (others, cells) = self._known_options(product), self._states(replace(product, complete=False))
        weights: dict[int, float] = {}
        for name, said in pseudo.options.items():
            a = self._index[name]
            if a not in options:
                options[a] = [self._options[a][option] for option in said]
                weights[a] = max(said.values())
        all_labels = []
        for window in windows:
            labels = _window_labels(window, states, rest, located)
            for span in _inside(uncertain, window):
                labels.uncertain.setdefault(span.attribute, []).append((span.start, span.end))
            for whole, confidence in taught:
                for span in _inside([whole], window):
                    labels.add_pseudo_label(span, confidence)
            # A score concerns a text of several windows only where they say something of the attribute.
            one = len(windows) == 1
            labels.scores = {a: s for a, s in scores.items() if one or a in labels.uncertain or a in labels.pseudo}
            labels.options, labels.option_weights, labels.values = options, weights, (cells, others)
            all_labels.append(labels)
        return all_labels

    def _pseudo_labels(self, product: Product) -> PseudoLabels:
        mentions = self.mentions.unknown(product) if self.mentions else []
        return self.teacher.pseudo_label(product, mentions) if self.teacher else PseudoLabels([], mentions, {})

    def _known_options(self, product: Product) -> dict[int, list[int]]:
        """The options that a product's cells have; where its table has no cell, those that its labels name."""
        cells: dict[str, Iterable[str]] = {name: values for name, values in product.table.items() if values}
        for span in product.spans or ():
            if not product.table.get(span.attribute):
                cells[span.attribute] = (*cells.get(span.attribute, ()), span.value or span.text)
        known: dict[int, list[int]] = {}
        for name, values in cells.items():
            a = self._index.get(name)
            found = [] if a is None else [self._options[a][v] for v in dict.fromkeys(values) if v in self._options[a]]
            if a is not None and found:
                known[a] = found
        return known

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

    def _unit_spans(self, product: Product, units: Sequence[Unit], spans: Iterable[Span]) -> list[UnitSpan]:
        """The units that each span touches; a span that cuts a word widens to the word."""
        found = []
        number = {name: i for i, name in enumerate(product.fields)}
        for span in spans:
            if span.attribute not in self._index:
                continue
            at = number[span.field]
            first = bisect_right(units, (at, span.start), key=lambda u: (u.field, u.end))
            last = bisect_left(units, (at, span.end), key=lambda u: (u.field, u.start))
            if first < last:
                found.append(UnitSpan(self._index[span.attribute], first, last))
        return found


def _window_labels(
    window: Window, states: dict[int, CellState], rest: CellState, located: Sequence[UnitSpan]
) -> Labels:
    """The shop's labels in a window; ``states`` are the cells' where nothing is located in it."""
    units = len(window.units)
    flat = [OUTSIDE] * units
    by_attribute: dict[int, list[UnitSpan]] = defaultdict(list)
    spans = list(_inside(located, window))
    for span in spans:
        by_attribute[span.attribute].append(span)
    for attribute, first, last in longest_first(spans, key=lambda span: None):
        flat[first:last] = [2 * attribute + BEGIN, *[2 * attribute + INSIDE] * (last - first - 1)]
    pairs: dict[int, list[int]] = {}
    cells = {attribute: int(state) for attribute, state in states.items()}
    for span in (span for group in by_attribute.values() for span in longest_first(group, key=lambda span: None)):
        pairs.setdefault(span.attribute, [OUTSIDE] * units)[span.start : span.end] = span.tags()
        cells[span.attribute] = int(CellState.LOCATED)
    return Labels(cells, int(rest), pairs, flat)


def _inside(spans: Iterable[UnitSpan], window: Window) -> Iterator[UnitSpan]:
    """What a window sees of each span, in its own numbers."""
    first, last = window.first, window.first + len(window.units)
    for span in spans:
        if span.start < last and span.end > first:
            yield UnitSpan(span.attribute, max(span.start, first) - first, min(span.end, last) - first)
