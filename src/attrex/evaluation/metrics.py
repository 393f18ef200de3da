"""Scores of predictions against gold labels, counted as the papers count them.

Everything is a count of sets per product, so that duplicates collapse, the order of spans does not matter, and a
bootstrap over products is one matrix product. Where nothing is predicted, or nothing is gold, the ratio is 0, as in
seqeval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.types import Prediction, Product, Span

RANGE_THRESHOLD = 0.5
"""CLS-F1 counts an attribute as predicted above this score, whatever threshold a model tags with (as the release)."""

_BLOCK = 2**22  # bootstrap weights held at once: 32 MB


@dataclass(frozen=True, slots=True)
class PRF:
    """Micro precision, recall and F1 (0..1) with the counts behind them, and the F1's confidence interval."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, counts: NDArray[np.float64], interval: tuple[float, float] | None = None) -> PRF:
        """From (correct, predicted, gold)."""
        correct, predicted, gold = (int(n) for n in counts)
        precision = correct / predicted if predicted else 0.0
        recall = correct / gold if gold else 0.0
        return cls(precision, recall, float(f1(counts)), correct, predicted, gold, interval)

    def to_json(self, interval_name: str = "ci95") -> dict[str, Any]:
        out: dict[str, Any] = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        if self.interval is not None:
            out[interval_name] = list(self.interval)
        return out


@dataclass(frozen=True, slots=True)
class AttributeScores:
    """One attribute's exact spans, and its F1 when overlapping spans count too."""

    tag: PRF
    overlap_f1: float

    def to_json(self) -> dict[str, Any]:
        counts = {"gold": self.tag.gold, "predicted": self.tag.predicted, "correct": self.tag.correct}
        return {**self.tag.to_json(), **counts, "overlap_f1": self.overlap_f1}


@dataclass(frozen=True, slots=True)
class Scores:
    """All metrics of one set of products; every value is 0..1. What each counts is told at :func:`score`."""

    products: int
    errors: int  #: products that could not be read or have no prediction; they count as predicting nothing
    tag: PRF
    overlap: PRF
    cls: PRF
    cls_with_none: PRF
    cls_values: PRF
    accuracy: float
    macro_f1: float  #: 0 where ``macro_attributes`` is 0
    macro_attributes: int
    per_attribute: dict[str, AttributeScores]  #: most gold spans first
    min_support: int = 20
    confidence: float = 0.95
    counts: Counts | None = field(default=None, compare=False, repr=False)  #: per product, what all else is made from

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the intervals are keyed by their confidence ("ci95") and left out where there are none."""
        name = f"ci{self.confidence * 100:g}"
        return {
            "products": self.products,
            "errors": self.errors,
            "tag": self.tag.to_json(name),
            "overlap": self.overlap.to_json(name),
            "cls": self.cls.to_json(name),
            "cls_with_none": self.cls_with_none.to_json(name),
            "cls_values": self.cls_values.to_json(name),
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "macro_attributes": self.macro_attributes,
            "per_attribute": {a: s.to_json() for a, s in self.per_attribute.items()},
        }


def score(
    products: Sequence[Product],
    predictions: Sequence[Prediction | None],
    *,
    min_support: int = 20,
    attributes: Collection[str] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    ignore_case: bool = True,
) -> Scores:
    """Score the places of predicted values against the spans of their products, row by row.

    A value without a source has no place and does not count; :func:`~attrex.evaluation.placing.with_places` finds where
    the text says it.

    - ``tag`` (TAG-F1): exact (product, attribute, field, start, end); equals seqeval's default mode, not its strict
      one.
    - ``overlap``: a predicted and a gold span of one attribute and field that share a character count as correct, each
      span at most once (a maximum one-to-one matching), in precision and in recall.
    - ``cls`` (CLS-F1): which attributes a product has. Gold: those with a span. Predicted: range score above 0.5 where
      the model predicts a range (some prediction has one), otherwise those with a value. (Extracted with an S_thr above
      0.5, predictions hold only what is above that.)
    - ``cls_with_none``: the same with "no attribute" as one more class: gold for products that have none, predicted for
      readable products with none predicted (as the released code of the paper counts, which has a score of its own
      for that class; it is not used here. JAVE's code does not count so).
    - ``cls_values``: as ``cls``, with the attributes that have a value, whatever the model's range.
    - ``accuracy`` (Eq. 9, appendix A.3): for each gold attribute of a product the set of distinct predicted strings
      must equal the gold one; weighted by the number of gold strings. Attributes without gold are ignored. Strings are
      compared with runs of white space as one space, and without case unless ``ignore_case`` is False.
    - ``macro_f1``: mean exact F1 of the attributes with at least ``min_support`` gold spans.

    A row with an error, or with None for its prediction, predicts nothing and is counted in ``errors``.
    ``attributes`` restricts gold labels and predictions alike. Intervals are percentiles of ``bootstrap`` resamples of
    the products (0: no intervals). Raises :class:`DataError` where rows do not belong together or have no labels,
    :class:`ConfigError` for an impossible bootstrap.
    """
    if bootstrap < 0 or not 0 < confidence < 1:
        raise ConfigError(
            f"a bootstrap needs 0 or more samples and a confidence between 0 and 1 such as 0.95, "
            f"got bootstrap={bootstrap}, confidence={confidence}"
        )
    counts = count(products, predictions, attributes=attributes, ignore_case=ignore_case)
    families = ("tag", "overlap", "cls", "cls_with_none", "cls_values")
    table = np.concatenate([counts.per_product(name) for name in families], axis=1)
    intervals = _intervals(table, bootstrap, seed, confidence)
    micro = {n: PRF.of(t, i) for n, t, i in zip(families, table.sum(0), intervals, strict=True)}
    spans = counts.per_attribute()[:, :3]
    macro = spans[spans[:, 2] >= max(min_support, 1)]
    return Scores(
        products=counts.products,
        errors=counts.errors,
        tag=micro["tag"],
        overlap=micro["overlap"],
        cls=micro["cls"],
        cls_with_none=micro["cls_with_none"],
        cls_values=micro["cls_values"],
        accuracy=float(mean_f1(counts.per_product("accuracy").sum(0))),
        macro_f1=float(mean_f1(macro)),
        macro_attributes=len(macro),
        per_attribute=_per_attribute(counts),
        min_support=min_support,
        confidence=confidence,
        counts=counts,
    )


# --- counting ---------------------------------------------------------------------------------------------------------


class _Cells(NamedTuple):
    """One entry per (product, attribute) that is gold, predicted or selected; each field is an array of that length."""

    product: NDArray[np.int64]  # index
    attribute: NDArray[np.int64]  # index
    gold: NDArray[np.int64]  # spans
    predicted: NDArray[np.int64]  # spans
    correct: NDArray[np.int64]  # spans, exact
    overlapping: NDArray[np.int64]  # pairs of spans
    values: NDArray[np.int64]  # distinct gold strings
    same_values: NDArray[np.int64]  # the same number where all predicted strings are right, else 0
    selected: NDArray[np.int64]  # 0 or 1: predicted to be present


@dataclass(frozen=True, slots=True)
class Counts:
    """What was right, per product; made by :func:`count`, added up by metrics and bootstraps."""

    products: int
    errors: int
    attributes: tuple[str, ...]
    cells: _Cells
    none: NDArray[np.float64]  #: (P, 3), the class "no attribute": correct, predicted, gold

    def per_product(self, metric: str, min_support: int = 20) -> NDArray[np.float64]:
        """(P, G, 3): correct, predicted and gold of each product. ``mean_f1`` of its sum over products is the metric.

        G is 1, except for "macro", where it is the number of attributes with ``min_support`` gold spans.
        """
        c = self.cells
        if metric == "macro":
            return self._macro(min_support)
        said, present = c.predicted > 0, c.gold > 0
        columns = {
            "tag": (c.correct, c.predicted, c.gold),
            "overlap": (c.overlapping, c.predicted, c.gold),
            "cls": (c.selected * present, c.selected, present),
            "cls_with_none": (c.selected * present, c.selected, present),
            "cls_values": (said & present, said, present),
            "accuracy": (c.same_values, c.values, c.values),  # P = R = F1 = the share of values
        }[metric]
        out = _add_up(columns, c.product, self.products)
        return (out + self.none if metric == "cls_with_none" else out)[:, None]

    def per_attribute(self) -> NDArray[np.float64]:
        """(A, 4): correct, predicted, gold and overlapping spans of each attribute."""
        c = self.cells
        return _add_up((c.correct, c.predicted, c.gold, c.overlapping), c.attribute, len(self.attributes))

    def _macro(self, min_support: int) -> NDArray[np.float64]:
        c = self.cells
        support = self.per_attribute()[:, 2]
        kept = np.flatnonzero(support >= max(min_support, 1))
        group = np.full(len(self.attributes), -1)
        group[kept] = np.arange(len(kept))
        out = np.zeros((self.products, len(kept), 3))
        rows = group[c.attribute] >= 0
        # each (product, attribute) occurs once, so plain assignment adds up
        out[c.product[rows], group[c.attribute[rows]]] = np.stack([c.correct, c.predicted, c.gold], 1)[rows]
        return out


def count(
    products: Sequence[Product],
    predictions: Sequence[Prediction | None],
    *,
    attributes: Collection[str] | None = None,
    ignore_case: bool = True,
) -> Counts:
    """Compare each product with its prediction. Arguments and errors as for :func:`score`."""
    rows = list(_pairs(products, predictions))
    kept = _check_attributes(attributes, products)
    has_range = any(prediction is not None and prediction.range for _, prediction in rows)
    cells: list[tuple[int, str, tuple[int, ...]]] = []
    none = np.zeros((len(rows), 3))
    for i, (product, prediction) in enumerate(rows):
        gold = _group(product.spans or (), kept)
        predicted = _group(prediction.spans if prediction else (), kept)
        selected = {*predicted}
        if prediction is not None and has_range:
            selected = {a for a, s in prediction.range.items() if s > RANGE_THRESHOLD and (kept is None or a in kept)}
        for name in gold.keys() | predicted.keys() | selected:
            cell = _compare(gold.get(name, {}), predicted.get(name, {}), ignore_case)
            cells.append((i, name, (*cell, int(name in selected))))
        nothing_said, nothing_there = prediction is not None and not selected, not gold
        none[i] = nothing_said and nothing_there, nothing_said, nothing_there
    names = sorted({name for _, name, _ in cells} | (kept or set()))
    index = {name: k for k, name in enumerate(names)}
    table = np.array([(i, index[name], *cell) for i, name, cell in cells], dtype=np.int64)
    errors = sum(prediction is None for _, prediction in rows)
    return Counts(len(rows), errors, tuple(names), _Cells(*table.reshape(-1, len(_Cells._fields)).T), none)


def _pairs(
    products: Sequence[Product], predictions: Sequence[Prediction | None]
) -> Iterator[tuple[Product, Prediction | None]]:
    """Each product with its prediction, None where there is none to count."""
    if not products:
        raise DataError("no products to score: expected at least one with spans; check the file and its filters")
    if all(product.error for product in products):
        raise DataError(
            f"nothing to score: none of the {len(products)} products could be read, the first because of: "
            f"{products[0].error}; correct the file"
        )
    for row, (product, prediction) in enumerate(zip(products, predictions, strict=False), start=1):
        if prediction is not None and prediction.id != product.id:
            raise DataError(
                f"row {row}: product {product.id!r} stands beside the prediction for {prediction.id!r}; give both in "
                f"the same order, with None where a prediction is missing"
            )
        if product.spans is None and not product.error:
            raise DataError(
                f"product {product.id!r} has no labels to score against; label it, make spans from its table with "
                f'`attrex locate`, or leave it out; labelled and without values is `"spans": []` in a file, `spans=()` '
                f"in Python"
            )
        failed = prediction is None or product.error or prediction.error
        yield product, None if failed else prediction
    if len(products) != len(predictions):
        raise DataError(
            f"{len(products)} products but {len(predictions)} predictions; give one prediction for each product, "
            f"with None where it is missing"
        )


def _check_attributes(attributes: Collection[str] | None, products: Sequence[Product]) -> set[str] | None:
    if attributes is None:
        return None
    asked = {attributes} if isinstance(attributes, str) else set(attributes)
    known = {s.attribute for p in products for s in p.spans or ()}
    if not asked & known:
        hint = did_you_mean(min(asked), known) if asked else ""
        raise DataError(
            f"none of the attributes to score ({', '.join(sorted(asked))}) has a gold span; "
            f"the products have {', '.join(sorted(known)) or 'no spans at all'}{hint}"
        )
    return asked


_Place = tuple[str, int, int]  # field, start, end


def _group(found: Iterable[Span], kept: set[str] | None) -> dict[str, dict[_Place, str]]:
    """Attribute -> place -> text; a span that is said twice is there once."""
    out: dict[str, dict[_Place, str]] = defaultdict(dict)
    for span in found:
        if kept is None or span.attribute in kept:
            out[span.attribute][span.field, span.start, span.end] = span.text
    return out


def _compare(gold: dict[_Place, str], predicted: dict[_Place, str], ignore_case: bool) -> tuple[int, ...]:
    """The counts of one cell, in the order of :class:`_Cells` from ``gold`` to ``same_values``."""
    correct = len(gold.keys() & predicted.keys())
    exact = correct == len(gold) == len(predicted)
    overlapping = correct if exact else _overlapping(gold, predicted)
    values = _strings(gold.values(), ignore_case)
    same = values == _strings(predicted.values(), ignore_case)
    return len(gold), len(predicted), correct, overlapping, len(values), len(values) * same


def _strings(texts: Iterable[str], ignore_case: bool) -> set[str]:
    return {" ".join((t.casefold() if ignore_case else t).split()) for t in texts}


def _overlapping(gold: Iterable[_Place], predicted: Iterable[_Place]) -> int:
    """Size of a maximum one-to-one matching between spans of the same field that share a character."""
    ours, theirs = _by_field(gold), _by_field(predicted)
    return sum(_match(ours[field], theirs[field]) for field in ours.keys() & theirs.keys())


def _by_field(places: Iterable[_Place]) -> dict[str, list[tuple[int, int]]]:
    """Field -> (end, start) of its spans, sorted; a span without characters overlaps nothing."""
    out: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for name, start, end in places:
        if start < end:
            out[name].append((end, start))
    return {field: sorted(spans) for field, spans in out.items()}


def _match(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> int:
    """Match sorted (end, start) pairs, the earliest end first, each with the partner that ends earliest.

    That is optimal: whatever is left to match ends no earlier, so every partner of the first span covers its last
    character, and of these the one that ends earliest overlaps the fewest others.
    """
    matched = 0
    while ours and theirs:
        if theirs[0] < ours[0]:
            ours, theirs = theirs, ours
        end, _ = ours.pop(0)
        partner = next((t for t in theirs if t[1] < end), None)
        if partner is not None:
            theirs.remove(partner)
            matched += 1
    return matched


def _add_up(columns: tuple[NDArray[Any], ...], where: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Sum the columns of all cells with the same index: (size, len(columns))."""
    return np.stack([np.bincount(where, weights=column, minlength=size) for column in columns], axis=1)


def _per_attribute(counts: Counts) -> dict[str, AttributeScores]:
    table = counts.per_attribute()
    rows = sorted(zip(counts.attributes, table, strict=True), key=lambda row: (-row[1][2], row[0]))
    named = {name: AttributeScores(PRF.of(n[:3]), float(f1(n[[3, 1, 2]]))) for name, n in rows}
    # an attribute that is only in a predicted range has no spans to tell about
    return {name: s for name, s in named.items() if s.tag.gold or s.tag.predicted}


# --- arithmetic -------------------------------------------------------------------------------------------------------


def f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of (..., 3) counts (correct, predicted, gold): (...); 0 where nothing is predicted or gold."""
    both = counts[..., 1] + counts[..., 2]
    return 2 * counts[..., 0] / np.where(both > 0, both, 1)


def mean_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean F1 over the groups of (..., G, 3) counts: (...); 0 without groups."""
    return f1(counts).sum(-1) / max(counts.shape[-2], 1)


def resample(counts: NDArray[np.float64], samples: int, seed: int) -> NDArray[np.float64]:
    """Bootstrap totals: products drawn with replacement and added up, (P, ...) -> (samples, ...)."""
    rng = np.random.default_rng(seed)
    n = len(counts)
    flat = counts.reshape(n, -1)
    block = max(1, _BLOCK // n)
    totals = []
    for begin in range(0, samples, block):
        size = min(block, samples - begin)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        totals.append(weights @ flat)
    return np.concatenate(totals).reshape(samples, *counts.shape[1:])


def percentile_interval(samples: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The central interval that holds ``confidence`` of the samples."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def _intervals(
    table: NDArray[np.float64], samples: int, seed: int, confidence: float
) -> list[tuple[float, float]] | list[None]:
    if not samples:
        return [None] * table.shape[1]
    return [percentile_interval(column, confidence) for column in f1(resample(table, samples, seed)).T]
