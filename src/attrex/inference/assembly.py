"""A product's prediction, put together from what an engine decoded in the windows of its text.

Shapes: T units of a value, R regions of all photos of a row.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from threading import Lock

import numpy as np

from attrex.characters import with_closing, without_symbols, word_of
from attrex.encoding.batching import BatchItem, load_photos
from attrex.encoding.encoder import EncodedProduct, Unit
from attrex.inference.calibration import Calibration
from attrex.inference.candidates import Candidate, Choice, Mention, candidates_of, rank
from attrex.inference.engine import EngineChoices, EngineOutput
from attrex.inference.evidence import RegionScores, heatmaps
from attrex.io.content import product_hash
from attrex.io.images import ImageLoader
from attrex.types import Prediction, Product, Span, Value, WordWeight
from attrex.vocabulary.quantities import whole_number

MOST_WORDS = 3
"""Words that are told for a value which the text does not say."""
TELLING = 1.5
"""A word is told if the prototype looked at it so many times as much as it would have if it looked everywhere alike."""
NO_WINDOWS = EncodedProduct([], 0.0, [])
"""Of a row that could not be read."""


@dataclass(slots=True)
class _DecodedSpan:
    attribute: int
    units: list[Unit]
    probability: float
    weights: RegionScores | None


@dataclass(frozen=True, slots=True)
class Naming:
    """What turns numbers into the shop's words, and scores into confidences."""

    attributes: Sequence[str]
    options: Sequence[Sequence[str]]  #: of each attribute
    normalize: Callable[[str, str], str | None]  #: the shop's word for a text of an attribute, None if it has none
    decode: Callable[[Sequence[int]], str]  #: token ids to words
    calibration: Calibration | None = None


@dataclass(slots=True)
class _Shown:
    """Where the prototype looked, in one window."""

    regions: RegionScores | None
    units: Sequence[Unit]
    weights: np.ndarray  #: (U,) of the units


class Draft:
    """A prediction while its windows come in, in whatever order."""

    def __init__(self, product: Product, encoded: EncodedProduct) -> None:
        self.product, self.encoded = product, encoded
        self.warnings = [*product.warnings, *encoded.warnings]
        self.left = len(encoded.windows)  #: windows that still need the photos
        self.lock = Lock()
        self.photos: dict[int, np.ndarray] | None = None
        self.spans: list[_DecodedSpan] = []
        self.words: dict[tuple[int, tuple[int, ...]], float] = {}  #: (attribute, token ids) -> probability
        self.range: dict[int, float] = {}
        self.applies: dict[int, float] = {}  #: attribute -> score of having a value, of a value head
        self.choices: defaultdict[int, Choice] = defaultdict(Choice)
        self.shown: dict[int, _Shown] = {}
        self.words_of: dict[int, dict[str, list[tuple[int, Span]]]] = {}  #: by the units of a window, see `_words_in`

    def take_photos(self, loader: ImageLoader | None, most: int) -> dict[int, np.ndarray]:
        """The photos for one window, by number: decoded for the first one, shared, let go with the last one."""
        with self.lock:  # windows of one product can be in batches that run at once
            if self.photos is None:
                self.photos, warnings = load_photos(self.product, loader, most)
                self.warnings += warnings
            photos = self.photos
            self.left -= 1
            if not self.left:
                self.photos = {}  # only so many photos are in memory as the products under way have
            return photos

    def prediction(self, naming: Naming, min_confidence: float) -> Prediction:
        """What all windows gave, in reading order; values without a source behind, by attribute.

        :param min_confidence: values below it are left out.
        """
        product, encoded, names = self.product, self.encoded, naming.attributes
        if product.error is not None:
            return Prediction(
                product.id,
                coverage=0.0,
                warnings=product.warnings,
                error=product.error,
                content=product_hash(product),
            )
        said = [value for decoded in self.spans for value in self._span_values(names[decoded.attribute], decoded)]
        named = [
            Value(names[attribute], word, self._confidence(attribute, probability))
            for (attribute, ids), probability in self.words.items()
            if any(map(str.isalnum, word := word_of(naming.decode(ids))))
        ]
        if self.choices or naming.calibration is not None:
            cells = self.cells(naming)
            named += [
                self._chosen(a, ranked[0])
                for a, ranked in cells.items()
                if not ranked[0].mentions and self._applies(a, naming)
            ]
            if naming.calibration is not None:
                said = self._in_shops_words(said, cells)
        placed = in_reading_order(said, encoded.fields)
        values = (*placed, *sorted(named, key=lambda v: (v.attribute, v.value)))
        return Prediction(
            product.id,
            tuple(v for v in values if v.confidence >= min_confidence),
            {names[a]: s for a, s in sorted(self.range.items(), key=lambda item: -item[1])},
            encoded.coverage,
            tuple(self.warnings),
            content=product_hash(product),
        )

    def cells(self, naming: Naming) -> dict[int, list[Candidate]]:
        """What each cell may hold, by attribute, surest first; a mention's number is that of its value in the text."""
        mentions: defaultdict[int, list[Mention]] = defaultdict(list)
        number = count()
        for decoded in self.spans:
            for span in spans_from_units("", decoded.units, self.product, self.encoded.fields):
                mentions[decoded.attribute].append(Mention(next(number), word_of(span.text), decoded.probability))
        cells = {}
        for a in sorted({*mentions, *self.choices}):
            options = self.choices[a].mean() if a in self.choices else {}
            found = candidates_of(naming.attributes[a], options, naming.options[a], mentions[a], naming.normalize)
            cells[a] = rank(found, self.range.get(a, 0.0), self.applies.get(a, 0.0), naming.calibration)
        return cells

    def _applies(self, attribute: int, naming: Naming) -> bool:
        """Whether the product may have a value of an attribute that its text does not say."""
        if naming.calibration is None:
            return True
        return self.applies.get(attribute, 0.0) >= naming.calibration.applies.get(naming.attributes[attribute], 0.0)

    def _in_shops_words(self, said: list[Value], cells: dict[int, list[Candidate]]) -> list[Value]:
        """The values of decoded spans as candidates of their cells: the shop's word, one confidence for mentions."""
        for a, ranked in cells.items():
            choice = self.choices[a] if a in self.choices else Choice()
            surest = choice.surest()
            for candidate in ranked:
                value, confidence, by = candidate.value, candidate.confidence, "text"
                if candidate.number is not None and candidate.number == surest:  # chosen by the head as well
                    by = "text" if choice.decided_by(candidate.number) == "text" else "both"
                for mention in candidate.mentions:
                    said[mention] = replace(said[mention], value=value, confidence=confidence, decided_by=by)
        return said

    def _chosen(self, attribute: int, candidate: Candidate) -> Value:
        """A value that no span says, with the regions and words that the prototype looked at."""
        assert candidate.number is not None
        shown = self.shown.get(attribute)
        return Value(
            candidate.attribute,
            candidate.value,
            candidate.confidence,
            regions=heatmaps(shown.regions) if shown and shown.regions is not None else (),
            decided_by=self.choices[attribute].decided_by(candidate.number),
            words=self._telling_words(shown) if shown else (),
        )

    def _telling_words(self, shown: _Shown) -> tuple[WordWeight, ...]:
        """The words that were looked at most, each once, at its most looked-at place."""
        words, weights = [], shown.weights.tolist()
        for places in self._words_in(shown.units).values():
            total = sum(weights[unit] for unit, _ in places)
            if total > TELLING * len(places) / len(shown.units):
                _, span = max(places, key=lambda place: weights[place[0]])
                words.append(WordWeight(span.field, span.start, span.end, span.text, total))
        return tuple(sorted(words, key=lambda word: -word.weight)[:MOST_WORDS])

    def _words_in(self, units: Sequence[Unit]) -> dict[str, list[tuple[int, Span]]]:
        """The words of a window, each with the units that say it and their places; found once for all attributes."""
        if id(units) not in self.words_of:
            words: defaultdict[str, list[tuple[int, Span]]] = defaultdict(list)
            for number, unit in enumerate(units):
                span = next(spans_from_units("", [unit], self.product, self.encoded.fields), None)
                if span is not None and _is_word(span.text):
                    words[span.text.casefold()].append((number, span))
            self.words_of[id(units)] = words
        return self.words_of[id(units)]

    def _span_values(self, name: str, decoded: _DecodedSpan) -> Iterator[Value]:
        regions = heatmaps(decoded.weights) if decoded.weights is not None else ()
        confidence = self._confidence(decoded.attribute, decoded.probability)
        for span in spans_from_units(name, decoded.units, self.product, self.encoded.fields):
            yield Value.from_span(span, confidence, regions)

    def _confidence(self, attribute: int, probability: float) -> float:
        return min(max(probability * self.range.get(attribute, 1.0), 0.0), 1.0)


def collect(
    output: EngineOutput,
    items: Sequence[BatchItem],
    drafts: Sequence[Draft],
    grid: tuple[int, int] | None,
    *,
    evidence: bool = True,
) -> None:
    """Move what was decoded in a batch to the drafts of its products.

    ``grid``: rows and columns of the regions of one photo; None where regions are no places in it. ``evidence``:
    whether to keep where a value head looked.
    """
    if output.range_scores is not None and output.selected is not None:
        for row, attribute in zip(*output.selected.nonzero(), strict=True):
            selected, score = drafts[items[row].product].range, float(output.range_scores[row, attribute])
            selected[int(attribute)] = max(score, selected.get(int(attribute), 0.0))
    if output.choices is not None and output.value_scores is not None:
        _collect_choices(output.choices, output.value_scores, items, drafts, grid, evidence=evidence)
    weights = output.region_weights
    columns = (output.rows, output.attributes, output.starts, output.ends, output.probability)
    for row, attribute, start, end, probability in zip(*(c.tolist() for c in columns), strict=True):
        item = items[row]
        first, last = item.window.owned
        if not first <= start < last:
            continue  # seen with more context by the neighbouring window
        scores = None
        if weights is not None and item.photos and grid is not None:
            looked = weights[row, item.window.unit_index[start:end]]  # (T, R): behind its own photos padding
            scores = RegionScores(looked[:, : grid[0] * grid[1] * len(item.photos)].mean(0), item.photos, grid)
        units = [u for u in item.window.units[start:end] if u is not None]
        drafts[item.product].spans.append(_DecodedSpan(attribute, units, probability, scores))
    for row, attribute, ids, probability in output.values:
        known = drafts[items[row].product].words
        known[attribute, ids] = max(probability, known.get((attribute, ids), 0.0))


def _collect_choices(
    chosen: EngineChoices,
    value_scores: np.ndarray,
    items: Sequence[BatchItem],
    drafts: Sequence[Draft],
    grid: tuple[int, int] | None,
    *,
    evidence: bool,
) -> None:
    """Move what a value head chose to the drafts; where it looked is kept of a product's first window."""
    options = chosen.options.tolist()
    probability = np.stack([chosen.probability, chosen.by_text, chosen.by_photo], 2).tolist()
    for n, (row, attribute) in enumerate(zip(chosen.rows.tolist(), chosen.attributes.tolist(), strict=True)):
        item = items[row]
        draft = drafts[item.product]
        applies = float(value_scores[row, attribute])
        draft.applies[attribute] = max(applies, draft.applies.get(attribute, 0.0))
        first = draft.choices[attribute].add(options[n], probability[n])
        if first and evidence:
            regions = None
            if chosen.region_weights is not None and item.photos and grid is not None:
                seen = chosen.region_weights[n, : grid[0] * grid[1] * len(item.photos)]
                regions = RegionScores(seen, item.photos, grid)
            units = item.window.units
            draft.shown[attribute] = _Shown(regions, units, chosen.unit_weights[n, : len(units)])


def _is_word(text: str) -> bool:
    """Whether a unit says something by itself: no punctuation, and no single letter but of scripts without cases."""
    return any(map(str.isalnum, text)) and (len(text) > 1 or unicodedata.category(text) == "Lo")


def spans_from_units(name: str, units: Sequence[Unit], product: Product, fields: Sequence[str]) -> Iterator[Span]:
    """Units as spans of attribute ``name``: one, or one per field where they run across a field's end.

    A number is taken whole: a model that reads the 18 °C in -18 °C has read another temperature; so is a bracket that
    the units open and that closes right behind them. A symbol is no part of
    a value and parts two (:func:`~attrex.characters.without_symbols`): there may be several, and none of units without
    a letter or digit.
    """
    for number in dict.fromkeys(u.field for u in units):
        inside = [u for u in units if u.field == number]
        field, text = fields[number], product.fields[fields[number]]
        for start, end in without_symbols(text, inside[0].start, inside[-1].end):
            first, after = whole_number(text, start, end)
            after = with_closing(text, first, after)
            yield Span(name, first, after, text[first:after], field)


def in_reading_order(values: Iterable[Value], fields: Sequence[str]) -> Iterator[Value]:
    """Values with sources, sorted, without those that reach into an earlier one of the same attribute.

    One window never gives two such; two windows do when they read differently what they both see.
    """
    position = {name: i for i, name in enumerate(fields)}
    placed = [(v.source, v) for v in values if v.source is not None]
    placed.sort(key=lambda pair: (position[pair[0].field], pair[0].start, pair[0].end, pair[0].attribute))
    reached: dict[tuple[str, str], int] = {}
    for span, value in placed:
        if span.start >= reached.get((span.attribute, span.field), 0):
            reached[span.attribute, span.field] = span.end
            yield value
