"""Is one model better than another on these products, or is it chance?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrex.errors import ConfigError, did_you_mean
from attrex.evaluation.metrics import count, mean_f1, percentile_interval, resample
from attrex.types import Prediction, Product

METRICS = ("tag_f1", "overlap_f1", "cls_f1", "cls_with_none_f1", "cls_values_f1", "accuracy", "macro_f1")
"""What two models can be compared by; each as :func:`attrex.evaluation.metrics.score` counts it."""


@dataclass(frozen=True, slots=True)
class PairedResult:
    """How much better A is than B (negative: worse), with the interval that holds 95 % of the resampled differences."""

    difference: float
    ci95: tuple[float, float]
    p_value: float  #: two-sided: how often chance alone makes a difference at least this large

    def to_json(self) -> dict[str, Any]:
        return {"difference": self.difference, "ci95": list(self.ci95), "p_value": self.p_value}


def paired_bootstrap(
    products: Sequence[Product],
    predictions_a: Sequence[Prediction | None],
    predictions_b: Sequence[Prediction | None],
    metric: str = "tag_f1",
    *,
    samples: int = 10_000,
    seed: int = 0,
    attributes: Collection[str] | None = None,
    min_support: int = 20,
) -> PairedResult:
    """Resample the products, the same for both models, and look at the difference A - B of ``metric``.

    The p-value counts the resamples whose difference lies at least as far from the observed one as that lies from 0
    (Berg-Kirkpatrick et al. 2012, here two-sided), and is never below 1 / (samples + 1).
    Raises :class:`ConfigError` for an unknown metric, :class:`DataError` as ``score`` does.
    """
    if metric not in METRICS:
        raise ConfigError(f"no metric {metric!r}{did_you_mean(metric, METRICS)}; expected one of {', '.join(METRICS)}")
    if samples < 1:
        raise ConfigError(f"a paired bootstrap needs at least 1 sample, got {samples}; 10000 is usual")
    pair = np.stack(
        [
            count(products, predictions, attributes=attributes).per_product(metric.removesuffix("_f1"), min_support)
            for predictions in (predictions_a, predictions_b)
        ],
        axis=1,
    )  # (P, 2, G, 3)
    a, b = mean_f1(pair.sum(0))
    observed = float(a - b)
    both = mean_f1(resample(pair, samples, seed))  # (samples, 2)
    return paired_result(observed, both[:, 0] - both[:, 1])


def paired_result(observed: float, drawn: NDArray[np.float64]) -> PairedResult:
    """What (samples,) resampled differences say of the observed one."""
    # a hair of tolerance: equal counts may differ in the last bit after division
    extreme = int(np.sum(np.abs(drawn - observed) >= abs(observed) - 1e-12))
    return PairedResult(observed, percentile_interval(drawn, 0.95), (extreme + 1) / (len(drawn) + 1))
