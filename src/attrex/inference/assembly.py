"""A product's prediction, put together from what an engine decoded in the windows of its text.

Shapes: T units of a value, R regions of all photos of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from attrex.encoding.batching import BatchItem, load_photos
from attrex.encoding.encoder import EncodedProduct, Unit
from attrex.inference.engine import EngineOutput
from attrex.inference.evidence import RegionScores, heatmaps
from attrex.io.images import ImageLoader
from attrex.types import Prediction, Product, Span, Value

NO_WINDOWS = EncodedProduct([], 0.0, [])
"""Of a row that could not be read."""


@dataclass(slots=True)
class _DecodedSpan:
    attribute: int
    units: list[Unit]
    probability: float
    weights: RegionScores | None


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

    def prediction(
        self, names: Sequence[str], decode: Callable[[Sequence[int]], str], min_confidence: float
    ) -> Prediction:
        """What all windows gave, in reading order; values without a source behind, by attribute.

        ``decode``: token ids to words; values below ``min_confidence`` are left out.
        """
        product, encoded = self.product, self.encoded
        if product.error is not None:
            return Prediction(product.id, coverage=0.0, warnings=product.warnings, error=product.error)
        said = [value for decoded in self.spans for value in self._span_values(names[decoded.attribute], decoded)]
        named = (
            Value(names[attribute], word, self._confidence(attribute, probability))
            for (attribute, ids), probability in self.words.items()
            if (word := decode(ids))
        )
        values = (*in_reading_order(said, encoded.fields), *sorted(named, key=lambda v: (v.attribute, v.value)))
        return Prediction(
            product.id,
            tuple(v for v in values if v.confidence >= min_confidence),
            {names[a]: s for a, s in sorted(self.range.items(), key=lambda item: -item[1])},
            encoded.coverage,
            tuple(self.warnings),
        )

    def _span_values(self, name: str, decoded: _DecodedSpan) -> Iterator[Value]:
        regions = heatmaps(decoded.weights) if decoded.weights is not None else ()
        confidence = self._confidence(decoded.attribute, decoded.probability)
        for span in spans_from_units(name, decoded.units, self.product, self.encoded.fields):
            yield Value.from_span(span, confidence, regions)

    def _confidence(self, attribute: int, probability: float) -> float:
        return min(max(probability * self.range.get(attribute, 1.0), 0.0), 1.0)


def collect(
    output: EngineOutput, items: Sequence[BatchItem], drafts: Sequence[Draft], grid: tuple[int, int] | None
) -> None:
    """Move what was decoded in a batch to the drafts of its products.

    ``grid``: rows and columns of the regions of one photo; None where regions are no places in it.
    """
    if output.range_scores is not None and output.selected is not None:
        for row, attribute in zip(*output.selected.nonzero(), strict=True):
            selected, score = drafts[items[row].product].range, float(output.range_scores[row, attribute])
            selected[int(attribute)] = max(score, selected.get(int(attribute), 0.0))
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


def spans_from_units(name: str, units: Sequence[Unit], product: Product, fields: Sequence[str]) -> Iterator[Span]:
    """Units as spans of attribute ``name``: one, or one per field where they run across a field's end."""
    for number in dict.fromkeys(u.field for u in units):
        inside = [u for u in units if u.field == number]
        field, start, end = fields[number], inside[0].start, inside[-1].end
        yield Span(name, start, end, product.fields[field][start:end], field)


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
