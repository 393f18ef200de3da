"""Comparing two models on the same products."""

from __future__ import annotations

import random

import pytest

from attrex.errors import ConfigError, DataError
from attrex.evaluation.metrics import score
from attrex.evaluation.significance import METRICS, paired_bootstrap
from attrex.types import Prediction, Product, Span, Value

SPANS = (Span("Color", 0, 3, "red"), Span("Type", 4, 9, "shirt"), Span("Color", 15, 18, "red"))
PRODUCTS = [Product(str(i), {"text": "red shirt with red"}, spans=SPANS) for i in range(120)]


def predictions(recall: float, seed: int) -> list[Prediction]:
    """Find each span with probability ``recall``."""
    rng = random.Random(seed)
    return [
        Prediction(
            p.id,
            tuple(Value.from_span(s) for s in SPANS if rng.random() < recall),
        )
        for p in PRODUCTS
    ]


GOOD, POOR = predictions(0.9, seed=1), predictions(0.6, seed=2)


def value(predicted: list[Prediction], metric: str) -> float:
    scores = score(PRODUCTS, predicted, bootstrap=0)
    name = metric.removesuffix("_f1")
    return getattr(scores, metric) if hasattr(scores, metric) else getattr(scores, name).f1


@pytest.mark.parametrize("metric", METRICS)
def test_the_difference_is_that_of_the_scores(metric):
    result = paired_bootstrap(PRODUCTS, GOOD, POOR, metric, samples=500)

    assert result.difference == pytest.approx(value(GOOD, metric) - value(POOR, metric))
    assert result.ci95[0] <= result.difference <= result.ci95[1]


def test_a_clear_difference_is_significant_in_both_directions():
    better = paired_bootstrap(PRODUCTS, GOOD, POOR, samples=999)
    worse = paired_bootstrap(PRODUCTS, POOR, GOOD, samples=999)

    assert better.p_value == worse.p_value == 1 / 1000
    assert better.ci95[0] > 0 > worse.ci95[1]
    assert worse.difference == -better.difference


def test_chance_alone_is_not_significant():
    result = paired_bootstrap(PRODUCTS, predictions(0.8, seed=3), predictions(0.8, seed=4), samples=999)

    assert result.p_value > 0.05
    assert result.ci95[0] < 0 < result.ci95[1]


def test_a_model_does_not_differ_from_itself():
    result = paired_bootstrap(PRODUCTS, GOOD, GOOD, samples=100)

    assert result.to_json() == {"difference": 0.0, "ci95": [0.0, 0.0], "p_value": 1.0}


def test_pairing_sees_a_small_difference_that_is_the_same_everywhere():
    """One span less in every tenth product: the intervals of the two scores overlap, the paired test is sure."""
    slightly_worse = [Prediction(p.id, p.values[1:]) if i % 10 == 0 else p for i, p in enumerate(GOOD)]
    high_of_worse = score(PRODUCTS, slightly_worse).tag.interval[1]
    low_of_better = score(PRODUCTS, GOOD).tag.interval[0]

    assert high_of_worse > low_of_better
    assert paired_bootstrap(PRODUCTS, GOOD, slightly_worse, samples=999).p_value < 0.01


def test_it_is_reproducible_by_seed():
    first, again, other = (paired_bootstrap(PRODUCTS, GOOD, POOR, samples=200, seed=s) for s in (5, 5, 6))

    assert first == again
    assert first != other


def test_it_can_be_restricted_to_attributes():
    assert paired_bootstrap(PRODUCTS, GOOD, POOR, samples=10, attributes=["Type"]).difference == pytest.approx(
        score(PRODUCTS, GOOD, attributes=["Type"]).tag.f1 - score(PRODUCTS, POOR, attributes=["Type"]).tag.f1
    )


def test_an_unknown_metric_is_an_error():
    with pytest.raises(
        ConfigError, match=r"no metric 'tagf1'; did you mean 'tag_f1'\?; expected one of tag_f1, overlap"
    ):
        paired_bootstrap(PRODUCTS, GOOD, POOR, "tagf1")


def test_no_samples_is_an_error():
    with pytest.raises(ConfigError, match="needs at least 1 sample, got 0; 10000 is usual"):
        paired_bootstrap(PRODUCTS, GOOD, POOR, samples=0)


def test_rows_that_do_not_belong_together_are_an_error():
    with pytest.raises(DataError, match="product '0' stands beside the prediction for '119'"):
        paired_bootstrap(PRODUCTS, GOOD, POOR[::-1])
