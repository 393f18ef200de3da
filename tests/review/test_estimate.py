"""How right the sure cells are: the interval holds whenever one looks."""

from __future__ import annotations

import numpy as np
import pytest

from attrex.review.estimate import estimate, interval


def test_what_people_could_not_tell_may_be_right_or_wrong() -> None:
    told = estimate([True] * 90 + [False] * 5 + [None] * 5, 1000)
    assert (told.right, told.wrong, told.unsure, told.value) == (90, 5, 5, pytest.approx(90 / 95))
    assert told.low == estimate([True] * 90 + [False] * 10, 1000).low
    assert told.high == estimate([True] * 95 + [False] * 5, 1000).high


def test_the_interval_begins_with_everything_and_ends_at_the_share() -> None:
    assert interval(0, 0, 50) == (0.0, 1.0)
    assert interval(40, 10, 50) == (0.8, 0.8)
    assert interval(0, 0, 0) == (0.0, 1.0)
    assert estimate([], 0).value is None
    low, high = interval(200, 0, 100_000)
    assert (round(low, 3), high) == (0.976, 1.0)


def test_the_interval_is_what_counting_all_populations_gives() -> None:
    """Of 4 cells, 2 drawn and both right: the chance under k right ones is k (k - 1) / 12; under the prior 0.8250."""
    prior = (4.5 / 5) * (5.5 / 6)
    chances = {k: k * (k - 1) / 12 for k in range(2, 5)}
    kept = [k for k, chance in chances.items() if prior / chance < 1 / (1 - 0.7)]
    assert kept == [3, 4]
    assert interval(2, 0, 4, level=0.7) == (0.75, 1.0)


@pytest.mark.parametrize(("right", "population"), [(1900, 2000), (1000, 1000), (60, 100), (4950, 5000)])
def test_it_holds_at_all_times_in_95_of_100_simulations(right: int, population: int) -> None:
    """Looked at after each of 150 verdicts: a run fails where the share is outside at any time."""
    draw = np.random.default_rng(0)
    cells = np.arange(population) < right
    runs = 200
    failed = 0
    for _ in range(runs):
        verdicts = draw.permutation(cells)[:100]
        counts = np.cumsum(verdicts)
        for number in (5, 10, 20, 35, 50, 75, 100):
            good = int(counts[number - 1])
            low, high = interval(good, number - good, population)
            if not low <= right / population <= high:
                failed += 1
                break
    assert failed <= 0.05 * runs
