"""The table test: are the shop's own cells found again when they are hidden?

A system reads texts and photos, never the table, and answers for each (product, attribute) with one value and a
confidence, or not at all. Only filled cells are judged, for a blank one may be anything. An answer is right when it is
one of the cell's values.

Shape letters:
    P products     A attributes     N filled cells     S resamples
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.evaluation.metrics import percentile_interval, resample
from attrex.io.rows import shortlist
from attrex.types import ImageSource, Prediction, Product, Value
from attrex.vocabulary.normalizer import ValueNormalizer

WANTED = (0.95, 0.98)
"""Precisions for which a cut-off is chosen."""
ENOUGH_CELLS = 50
"""Filled cells that an attribute needs to be judged, where nobody names the attributes."""
ECE_BINS = 15
"""Bins of the expected calibration error."""


# --- cells ------------------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What a system says of one cell."""

    value: str  #: the shop's word; the text's own where the shop has none
    confidence: float  #: 0..1


def table_answers(predictions: Iterable[Prediction], normalizer: ValueNormalizer) -> list[dict[str, Answer]]:
    """Attribute -> answer of each prediction: its surest value, the first of equally sure ones, in the shop's words."""
    answers = []
    for prediction in predictions:
        surest: dict[str, Value] = {}
        for value in sorted(prediction.values, key=lambda v: -v.confidence):
            surest.setdefault(value.attribute, value)
        answers.append(
            {a: Answer(normalizer.normalize(a, v.value) or v.value, v.confidence) for a, v in surest.items()}
        )
    return answers


@dataclass(frozen=True, slots=True)
class FilledCells:
    """The filled cells of some attributes, and what was answered; one entry per cell, in every array."""

    products: int
    attributes: tuple[str, ...]
    product: NDArray[np.int64]  #: (N,) index
    attribute: NDArray[np.int64]  #: (N,) index
    confidence: NDArray[np.float64]  #: (N,) nan: no answer
    right: NDArray[np.bool_]  #: (N,)
    said: NDArray[np.bool_]  #: (N,) the text says the value: the product has a span of the attribute
    labelled: NDArray[np.bool_]  #: (N,) somebody has looked for spans


def filled_cells(
    products: Sequence[Product],
    answers: Sequence[Mapping[str, Answer]],
    attributes: Sequence[str],
    fold: Callable[[str], str] = str,
) -> FilledCells:
    """Compare the filled cells of the products with what was answered.

    :param answers: of :func:`table_answers`, for the products in their order.
    :param fold: makes one of two spellings of a value.
    """
    index = {name: number for number, name in enumerate(attributes)}
    rows: list[tuple[int, int, float, bool, bool, bool]] = []
    for number, (product, answered) in enumerate(zip(products, answers, strict=True)):
        said = {span.attribute for span in product.spans or ()}
        for name, values in product.table.items():
            if values and name in index:
                answer = answered.get(name)
                confidence = np.nan if answer is None else answer.confidence
                right = answer is not None and fold(answer.value) in map(fold, values)
                rows.append((number, index[name], confidence, right, name in said, product.spans is not None))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    (row, column), (right, said, labelled) = columns[:2].astype(np.int64), columns[3:].astype(bool)
    return FilledCells(len(products), tuple(attributes), row, column, columns[2], right, said, labelled)


def table_attributes(products: Sequence[Product], asked: Collection[str] | None = None) -> list[str]:
    """The attributes to judge, most filled cells first: those asked for, else those with :data:`ENOUGH_CELLS`.

    Raises :class:`DataError` where there is nothing to judge.
    """
    filled = Counter(name for product in products for name, values in product.table.items() if values)
    if not filled:
        errors = [product.error for product in products if product.error]
        why = f"; {len(errors)} could not be read, the first because of: {errors[0]}" if errors else ""
        raise DataError(
            f"the table test judges filled cells, but none of the {len(products)} products has one{why}; give products "
            "with their table, and name its columns in the shop file"
        )
    wanted = {asked} if isinstance(asked, str) else set(filled if asked is None else asked)
    empty = sorted(wanted - filled.keys())
    if empty:
        raise DataError(
            f"expected attributes with filled cells, got {shortlist(empty, 5)}{did_you_mean(empty[0], filled)}; filled "
            f"are {shortlist(sorted(filled), 10)}"
        )
    kept = sorted(wanted, key=lambda name: (-filled[name], name))
    if asked is None:
        kept = [name for name in kept if filled[name] >= ENOUGH_CELLS]
    if not kept:
        most, cells = filled.most_common(1)[0]
        raise DataError(
            f"expected attributes with at least {ENOUGH_CELLS} filled cells, got {most!r} with {cells} as the fullest; "
            "name the attributes to judge, or give more products"
        )
    return kept


def table_remarks(
    products: Sequence[Product], validation: Sequence[Product], attributes: Sequence[str], known: Collection[str]
) -> list[str]:
    """What to know before one reads the figures; ``known``: the model's attributes."""
    said = []
    rows = [*products, *validation]
    errors = [p.error for p in rows if p.error]
    if errors:
        said.append(f"{len(errors)} of {len(rows)} rows could not be read, the first because of: {errors[0]}")
    unknown = [name for name in attributes if name not in known]
    if unknown:
        said.append(f"the model does not know {shortlist(unknown, 5)}: it answers none of their cells")
    bare = [name for name in attributes if not any(p.table.get(name) for p in validation)]
    if validation and bare:
        said.append(f"no validation product has a filled cell of {shortlist(bare, 5)}: they get no cut-off")
    both = {p.id for p in products} & {p.id for p in validation}
    if both:
        said.append(
            f"{len(both)} of the {len(products)} products are validation products, too: cut-offs look better than they "
            "are on products that they were chosen on"
        )
    return said


# --- photos -----------------------------------------------------------------------------------------------------------

PhotoKind = Literal["own", "none", "other"]
"""What products are read with: their own photos, no photos, those of other products."""
_Photos = tuple[ImageSource, ...]
_Pool = dict[Hashable, list[_Photos]]


def photo_kinds(products: Sequence[Product]) -> tuple[PhotoKind, ...]:
    """The kinds that make a difference to these products."""
    if any(product.images for product in with_photos(products, "other")):
        return ("own", "none", "other")
    return ("own", "none") if any(product.images for product in products) else ("none",)


def with_photos(products: Sequence[Product], kind: PhotoKind) -> list[Product]:
    """The same products with photos of this kind."""
    if kind == "other":
        return _with_other_photos(products)
    return [*products] if kind == "own" else [product.without_images() for product in products]


def _with_other_photos(products: Sequence[Product]) -> list[Product]:
    """The products, each with the photos of another one of its category, or of any category where there is none.

    The groups of a category (products without one: those with the same photos) form a ring in the order of the
    products; each product has the photos of one in the next group. Products without photos stay so; where all photos
    are of one group, their products lose them.
    """
    everyone: _Pool = defaultdict(list)
    pools: defaultdict[str | None, _Pool] = defaultdict(lambda: defaultdict(list))
    for product in products:
        if product.images:
            everyone[_photo_group(product)].append(product.images)
            pools[product.category][_photo_group(product)].append(product.images)
    anyone = _next_group(everyone)
    alike = {category: _next_group(pool) for category, pool in pools.items()}
    met: Counter[Hashable] = Counter()
    changed = []
    for product in products:
        group = _photo_group(product)
        photos = alike.get(product.category, {}).get(group) or anyone.get(group) or [()]
        changed.append(replace(product, images=photos[met[group] % len(photos)] if product.images else ()))
        met[group] += bool(product.images)
    return changed


def _photo_group(product: Product) -> Hashable:
    return product.images if product.group is None else product.group


def _next_group(pool: _Pool) -> _Pool:
    """Each group with the photos of the next one, the last with those of the first; empty for a single group."""
    groups = list(pool)
    return {a: pool[b] for a, b in zip(groups, [*groups[1:], *groups[:1]], strict=True) if a != b}


# --- scores -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """``part`` of ``whole`` cells."""

    part: int
    whole: int
    interval: tuple[float, float] | None = None  #: over resampled products, without those that leave no whole

    @property
    def value(self) -> float | None:
        """0..1; None: there are no cells to take a share of."""
        return self.part / self.whole if self.whole else None


class ReliabilityBin(NamedTuple):
    """A point of the reliability plot: answers that are about equally sure."""

    confidence: float  #: mean, 0..1
    accuracy: float  #: share that is right, 0..1
    cells: int


@dataclass(frozen=True, slots=True)
class CellScores:
    """The figures of one attribute's filled cells, or of all that are judged."""

    cells: int
    shares: dict[str, Share]
    """By name:

    - ``accuracy``: right cells of all; one without an answer is wrong.
    - ``said``: cells with a span of the attribute, of those whose product is labelled.
    - ``unsaid``: right cells of the labelled ones without such a span: the text does not say the value.
    - ``answered``: cells with an answer, of all.
    - ``coverage@P``, for each wanted precision P: cells with an answer that is as sure as the cut-off, of all.
    - ``reached@P``: right cells of those.
    """
    reliability: tuple[ReliabilityBin, ...]  #: least confident first
    cut_offs: dict[str, float | None] = field(default_factory=dict)
    """``cut_off@P``: the least confidence that counts; None: no cut-off has that precision. Attributes only"""

    @property
    def ece(self) -> float | None:
        """Expected calibration error, 0..1: mean of abs(accuracy - confidence) over the bins, weighted by their cells.

        None: there are no answers.
        """
        off = sum(b.cells * abs(b.accuracy - b.confidence) for b in self.reliability)
        return off / sum(b.cells for b in self.reliability) if self.reliability else None

    def to_json(self, interval_name: str = "ci95") -> dict[str, Any]:
        return {
            "cells": self.cells,
            **{name: share.value for name, share in self.shares.items()},
            **self.cut_offs,
            "ece": self.ece,
            "reliability": [b._asdict() for b in self.reliability],
            interval_name: {name: list(share.interval) for name, share in self.shares.items() if share.interval},
        }


@dataclass(frozen=True, slots=True)
class TableScores:
    """The table test of one system on one set of products."""

    overall: CellScores  #: of the cells of all attributes
    per_attribute: dict[str, CellScores]
    confidence: float = 0.95  #: of the intervals

    def to_json(self) -> dict[str, Any]:
        name = f"ci{self.confidence * 100:g}"
        rows = {attribute: scores.to_json(name) for attribute, scores in self.per_attribute.items()}
        return {"all": self.overall.to_json(name), "per_attribute": rows}


@dataclass(frozen=True, slots=True)
class TableEvaluation:
    """The table test of one model with each kind of photos."""

    products: int
    validation_products: int | None  #: None: no cut-offs were chosen
    readings: dict[PhotoKind, TableScores]

    def to_json(self) -> dict[str, Any]:
        return {
            "products": self.products,
            "validation_products": self.validation_products,
            "photos": {kind: scores.to_json() for kind, scores in self.readings.items()},
        }


def table_scores(
    test: FilledCells,
    valid: FilledCells | None = None,
    *,
    wanted: Sequence[float] = WANTED,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> TableScores:
    """Score the answers to filled cells, per attribute and over all.

    The cut-off of an attribute for a wanted precision is chosen on ``valid`` (:func:`cut_off`); the shares named
    ``coverage`` and ``reached`` say what it gives on ``test``.

    :param valid: cells of the same attributes, of other products; None: no cut-offs, and no such shares.
    :param wanted: precisions, each above 0 and at most 1.
    :param bootstrap: resamples of the test products for the intervals, which are percentiles; 0: no intervals.
    :raises ConfigError: an argument out of range.
    :raises DataError: no products, or cells of other attributes in ``valid``.
    """
    _check_scoring(test, valid, wanted, bootstrap, confidence)
    cuts = _cut_offs(valid, wanted) if valid else {}
    counts, names = _per_product(test, cuts)
    totals = counts.sum(0)
    drawn = resample(counts, bootstrap, seed) if bootstrap else np.zeros((0, *totals.shape))

    def scores(number: int, cells: NDArray[np.bool_]) -> CellScores:
        columns = zip(names, totals[number], np.moveaxis(drawn[:, number], 1, 0), strict=True)
        shares = {name: _share(total, samples, confidence) for name, total, samples in columns}
        return CellScores(int(cells.sum()), shares, reliability(test.confidence[cells], test.right[cells]))

    per_attribute: dict[str, CellScores] = {}
    for number, name in enumerate(test.attributes):
        own = {f"cut_off@{p:g}": float(cut[number]) if np.isfinite(cut[number]) else None for p, cut in cuts.items()}
        per_attribute[name] = replace(scores(number, test.attribute == number), cut_offs=own)
    overall = scores(-1, np.ones(len(test.right), bool))
    return TableScores(overall, per_attribute, confidence)


def _check_scoring(
    test: FilledCells, valid: FilledCells | None, wanted: Sequence[float], bootstrap: int, confidence: float
) -> None:
    """Raise for what cannot be scored."""
    if bootstrap < 0 or not 0 < confidence < 1 or not all(0 < precision <= 1 for precision in wanted):
        raise ConfigError(
            "expected 0 or more resamples, a confidence between 0 and 1 such as 0.95, and wanted precisions above 0 "
            f"up to 1, got bootstrap={bootstrap}, confidence={confidence}, wanted={list(wanted)}; correct them"
        )
    if not test.products:
        raise DataError("expected cells of at least one product, got none; check the file and its filters")
    if valid and valid.attributes != test.attributes:
        raise DataError(
            f"expected validation cells of the attributes {shortlist(test.attributes, 5)}, in this order, got "
            f"{shortlist(valid.attributes, 5)}; make both with the same attributes"
        )


def _cut_offs(valid: FilledCells, wanted: Sequence[float]) -> dict[float, NDArray[np.float64]]:
    """Wanted precision -> (A,) cut-offs."""
    cells = [valid.attribute == number for number in range(len(valid.attributes))]
    return {p: np.array([cut_off(valid.confidence[own], valid.right[own], p) for own in cells]) for p in wanted}


def cut_off(confidence: NDArray[np.float64], right: NDArray[np.bool_], wanted: float) -> float:
    """The lowest confidence from which on at least the share ``wanted`` of the answers is right; inf: there is none.

    :param confidence: (N,) nan: no answer.
    :param right: (N,)
    """
    order = np.argsort(-confidence)[: np.count_nonzero(~np.isnan(confidence))]  # nan is sorted to the end
    sure = confidence[order]
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(sure[1:] < sure[:-1], True)[: len(order)]  # equally sure answers count all or not at all
    reached = sure[last & (precision >= wanted)]
    return float(reached[-1]) if len(reached) else np.inf


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = ECE_BINS
) -> tuple[ReliabilityBin, ...]:
    """The answers in bins of equally many (give or take one), least confident first; without answers no bins.

    Where equally sure answers fall into two bins, each bin has the same share of right ones among them, so that the
    order of the products does not matter.

    :param confidence: (N,) nan: no answer.
    :param right: (N,)
    """
    answered = ~np.isnan(confidence)
    levels, level, cells = np.unique(confidence[answered], return_inverse=True, return_counts=True)
    accuracy = np.bincount(level, right[answered], len(levels)) / cells
    parts = np.array_split(np.sort(level), bins)
    return tuple(
        ReliabilityBin(float(levels[part].mean()), float(accuracy[part].mean()), len(part))
        for part in parts
        if len(part)
    )


def _per_product(
    cells: FilledCells, cuts: Mapping[float, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The part and the whole of each share, per product, for A attributes and their sum: (P, A + 1, shares, 2), names.

    :param cuts: wanted precision -> (A,) cut-offs.
    """
    every, unsaid = np.ones(len(cells.right), bool), cells.labelled & ~cells.said
    shares = {
        "accuracy": (cells.right, every),
        "said": (cells.said, cells.labelled),
        "unsaid": (cells.right & unsaid, unsaid),
        "answered": (~np.isnan(cells.confidence), every),
    }
    for wanted, cut in cuts.items():
        kept = cells.confidence >= cut[cells.attribute]
        shares |= {f"coverage@{wanted:g}": (kept, every), f"reached@{wanted:g}": (kept & cells.right, kept)}
    counts = np.zeros((cells.products, len(cells.attributes) + 1, len(shares), 2))
    # each (product, attribute) occurs once, so plain assignment adds up
    counts[cells.product, cells.attribute] = np.moveaxis(np.array([*shares.values()]), 2, 0)
    counts[:, -1] = counts.sum(1)
    return counts, tuple(shares)


def _share(counts: NDArray[np.float64], drawn: NDArray[np.float64], confidence: float) -> Share:
    """From (part, whole) and (S, 2) resamples of them."""
    part, whole = (int(n) for n in counts)
    drawn = drawn[drawn[:, 1] > 0]
    return Share(part, whole, percentile_interval(drawn[:, 0] / drawn[:, 1], confidence) if len(drawn) else None)
