"""The choice of S_thr on validation products (the paper's Figure 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from attrex.evaluation.metrics import RANGE_THRESHOLD, score
from attrex.types import Prediction, Product

CANDIDATES = tuple(round(0.05 * i, 2) for i in range(1, 15))


def threshold_curve(
    products: Sequence[Product], predictions: Sequence[Prediction], candidates: Sequence[float] = CANDIDATES
) -> dict[float, float]:
    """TAG-F1 at each candidate S_thr.

    ``predictions`` are made once, with the lowest candidate: attributes are decoded independently of each other, so a
    higher threshold only takes the values of some attributes away. (Exact for texts of one window; a longer text keeps
    an attribute's values as long as one of its windows selects the attribute.)
    """
    return {at: score(products, [_within(p, at) for p in predictions], bootstrap=0).tag.f1 for at in sorted(candidates)}


def best_threshold(curve: Mapping[float, float]) -> float:
    """The candidate with the highest TAG-F1; on a tie the highest threshold, which decodes the fewest sequences.

    None above 0.5 where there are lower ones: predictions hold only what is above S_thr, and CLS-F1 counts at 0.5.
    """
    choice = [at for at in curve if at <= RANGE_THRESHOLD] or list(curve)
    return max(choice, key=lambda at: (curve[at], at))


def _within(prediction: Prediction, threshold: float) -> Prediction:
    chosen = {name: s for name, s in prediction.range.items() if s > threshold}
    return replace(prediction, range=chosen, values=tuple(v for v in prediction.values if v.attribute in chosen))
