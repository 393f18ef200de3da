"""Are wrong cells of a shop's table found? Wrong values are planted in it, and looked for among its conflicts.

    python benchmarks/planted.py MODEL DATA --cells 300 --seed 0

DATA: products with their table that MODEL was not trained on. Extraction runs once, for it reads no cell. Then, for
each seed, filled cells of the attributes get another value of their attribute, drawn by how often the table has it, and
`fill` lists the conflicts of those attributes. Right are the planted ones, wrong all others, also those that were there
before and rightly so: figures are lower bounds. Printed is how the list, and the same list in other orders, finds them:
the recall where 80 % of what is listed so far is planted, the precision among the first so many as were planted, and
the average precision, each with the least and the most over the seeds.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

import attrex
from attrex.errors import DataError
from attrex.filling.conflicts import Conflict
from attrex.inference.directory import locate_model, model_shop
from attrex.io.predictions import read_predictions
from attrex.types import Prediction, Product
from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

ATTRIBUTES = "Color,Pattern,Sleeve Length,Gender"
PRECISION = 0.8
SHOWN = (25, 50, 100, 200, 300, 500, 1000, 2000)
"""Lengths of the list of which precision and recall are printed."""
Cell = tuple[str, str]
"""(id of the product, attribute)"""
ORDERS: Mapping[str, Callable[[Conflict], float]] = {
    "find - own (as listed)": lambda c: c.margin,
    "find": lambda c: c.found.confidence,
    "find * (1 - own)": lambda c: c.found.confidence * (1 - c.own),
    "odds of find to own": lambda c: c.found.confidence / max(c.own, (1 - c.found.confidence) * UNFOUND, 1e-4),
    "find - own, rare pairs first": lambda c: c.margin / (1 + c.others),
}
"""``find`` and ``own``: the confidences of the surest find and of the cell's own value."""
UNFOUND = 0.1
"""What part of the probability that the find leaves the cell's own value has where it was not found, in the odds."""


@dataclass(frozen=True)
class Curve:
    """How a list finds what was planted: after each listed conflict, equally probable ones together."""

    listed: np.ndarray  #: (K,) how many conflicts
    found: np.ndarray  #: (K,) how many of them were planted
    planted: int  #: in all

    @classmethod
    def of(cls, scores: Sequence[float], right: Sequence[bool], planted: int) -> Curve:
        """From (N,) what the list is sorted by, in any order, and (N,) whether each was planted."""
        order = np.argsort(-np.asarray(scores, float), kind="stable")
        sorted_scores, hits = np.asarray(scores, float)[order], np.cumsum(np.asarray(right, bool)[order])
        last = np.flatnonzero(np.diff(sorted_scores, append=-np.inf))  # of equally probable ones
        return cls(last + 1, hits[last], planted)

    @property
    def precision(self) -> np.ndarray:
        return self.found / self.listed

    @property
    def recall(self) -> np.ndarray:
        return self.found / self.planted

    def recall_at(self, precision: float) -> float:
        """The most that a beginning of the list with the precision finds, 0..1."""
        return float(self.recall[self.precision >= precision].max(initial=0.0))

    def among(self, number: int) -> tuple[int, float, float]:
        """The shortest beginning of the list with at least so many conflicts, or all of it: how many it has, precision
        and recall, 0..1."""
        if not len(self.listed):
            return 0, 0.0, 0.0
        at = min(int(np.searchsorted(self.listed, number)), len(self.listed) - 1)
        return int(self.listed[at]), float(self.precision[at]), float(self.recall[at])

    @property
    def average_precision(self) -> float:
        """Mean precision over the planted cells, 0..1; one that is not listed counts as 0."""
        return float((self.precision * np.diff(self.recall, prepend=0.0)).sum())


def plant(
    products: Sequence[Product],
    attributes: Sequence[str],
    cells: int,
    seed: int,
    fold: Callable[[str], str] = str,
) -> tuple[list[Product], set[Cell]]:
    """The products with another value in so many of their filled cells, and which cells these are.

    The other value is drawn from those of the attribute that are none of the cell's, by how many cells have them.

    :param fold: makes one of two spellings of a value.

    Raises :class:`DataError` for an attribute without filled cells, and for too few cells or other values.
    """
    if silent := [a for a in attributes if not any(p.table.get(a) for p in products)]:
        raise DataError(f"expected attributes with filled cells, none has {', '.join(silent)}; give other --attributes")
    rng = np.random.default_rng(seed)
    counts = {a: Counter(v for p in products for v in p.table.get(a, ())) for a in attributes}
    filled = [(i, a) for i, p in enumerate(products) for a in attributes if p.table.get(a) and p.error is None]
    if len(filled) < cells:
        raise DataError(
            f"expected at least {cells} filled cells of {', '.join(attributes)}, got {len(filled)}; give more "
            "products, or other --attributes"
        )
    changed, planted = list(products), set()
    for at in rng.permutation(len(filled)):
        if len(planted) == cells:
            break
        number, attribute = filled[at]
        own = {fold(value) for value in changed[number].table[attribute]}
        others = {value: n for value, n in counts[attribute].items() if fold(value) not in own}
        if others:
            weights = np.array([*others.values()], float)
            value = str(rng.choice([*others], p=weights / weights.sum()))
            product = changed[number]
            changed[number] = replace(product, table={**product.table, attribute: (value,)})
            planted.add((product.id, attribute))
    if len(planted) < cells:
        raise DataError(
            f"expected {cells} cells of {', '.join(attributes)} with another value to plant, got {len(planted)}; give "
            "more products, or other --attributes"
        )
    return changed, planted


def curves(conflicts: Sequence[Conflict], planted: Set[Cell]) -> dict[str, Curve]:
    """The curve of each order."""
    right = [(c.product, c.attribute) in planted for c in conflicts]
    return {name: Curve.of([key(c) for c in conflicts], right, len(planted)) for name, key in ORDERS.items()}


def read(model: str, data: Sequence[Product], values: str | None) -> list[Prediction]:
    """What was found in the products: of a file, or now."""
    if values is not None:
        return list(read_predictions(values))
    return list(attrex.extract(model, data, evidence=False))


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    attributes = options.attributes.split(",")
    products = list(attrex.read_products(options.data, shop=model_shop(options.model), limit=options.limit))
    fold = ValueNormalizer.load(locate_model(options.model) / NORMALIZER_FILE).folded.__getitem__
    found = read(options.model, products, options.values)
    filled = sum(bool(p.table.get(a)) for p in products for a in attributes)
    print(
        f"{len(products):,} products, {filled:,} filled cells of {', '.join(attributes)}; {options.cells} are planted"
    )
    measured: defaultdict[str, list[Curve]] = defaultdict(list)
    listed: list[list[Conflict]] = []
    planted: list[set[Cell]] = []
    for seed in range(options.seed, options.seed + options.seeds):
        table, wrong = plant(products, attributes, options.cells, seed, fold)
        filling = attrex.fill(table, found, model=options.model, min_confidence=options.min_confidence)
        listed.append([c for c in filling.conflicts if c.attribute in attributes])
        planted.append(wrong)
        for name, curve in curves(listed[-1], wrong).items():
            measured[name].append(curve)
    _print_orders(measured, options.cells)
    _print_list(measured[next(iter(ORDERS))])
    _print_attributes(attributes, listed, planted)
    _print_own(listed, planted)


def _print_orders(measured: Mapping[str, Sequence[Curve]], cells: int) -> None:
    print(f"\n| order | recall at precision {PRECISION} | precision of the first {cells} | average precision |")
    print("|---|---|---|---|")
    for name, of_seeds in measured.items():
        figures = (
            [curve.recall_at(PRECISION) for curve in of_seeds],
            [curve.among(cells)[1] for curve in of_seeds],
            [curve.average_precision for curve in of_seeds],
        )
        print(f"| {name} | {' | '.join(map(spread, figures))} |")


def _print_list(of_seeds: Sequence[Curve]) -> None:
    longest = max((int(curve.listed[-1]) for curve in of_seeds if len(curve.listed)), default=0)
    print("\n| at least | listed | precision | recall |\n|---|---|---|---|")
    for number in [n for n in SHOWN if n < longest] + [longest]:
        listed, precision, recall = zip(*(curve.among(number) for curve in of_seeds), strict=True)
        print(f"| {number:,} | {np.mean(listed):,.0f} | {spread(precision)} | {spread(recall)} |")


def _print_attributes(
    attributes: Sequence[str], listed: Sequence[Sequence[Conflict]], planted: Sequence[Set[Cell]]
) -> None:
    print("\n| attribute | planted | of them listed | other conflicts |\n|---|---|---|---|")
    for name in attributes:
        wrong = [{cell for cell in cells if cell[1] == name} for cells in planted]
        own = [{(c.product, name) for c in conflicts if c.attribute == name} for conflicts in listed]
        hits = [len(w & c) for w, c in zip(wrong, own, strict=True)]
        print(
            f"| {name} | {sum(map(len, wrong)) / len(wrong):.0f} | {sum(hits) / max(sum(map(len, wrong)), 1):.0%} | "
            f"{(sum(map(len, own)) - sum(hits)) / len(own):.0f} |"
        )


def _print_own(listed: Sequence[Sequence[Conflict]], planted: Sequence[Set[Cell]]) -> None:
    print("\n| conflicts | mean of the seeds | whose own value was found, too |\n|---|---|---|")
    for name, side in (("planted", True), ("others", False)):
        conflicts = [
            conflict
            for of_seed, cells in zip(listed, planted, strict=True)
            for conflict in of_seed
            if ((conflict.product, conflict.attribute) in cells) == side
        ]
        share = sum(c.own > 0 for c in conflicts) / max(len(conflicts), 1)
        print(f"| {name} | {len(conflicts) / len(listed):.0f} | {share:.1%} |")


def spread(figures: Sequence[float]) -> str:
    """The mean, and the least and the most."""
    return f"{np.mean(figures):.3f} ({min(figures):.3f} to {max(figures):.3f})"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model directory")
    parser.add_argument("data", help="products with their table that the model was not trained on")
    parser.add_argument("--cells", type=int, default=300, help="how many are planted")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=3, help="how often wrong values are planted anew")
    parser.add_argument("--attributes", default=ATTRIBUTES, help="whose cells, joined by commas")
    parser.add_argument("--values", help="what `attrex extract` found in DATA; default: extract now")
    parser.add_argument("--min-confidence", type=float, help="as of `attrex fill`")
    parser.add_argument("--limit", type=int, help="only the first so many products")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
