"""How right the sure cells are, by those of them that a person has looked at.

The sample is a random order of all sure cells, and what counts are those at its beginning, up to the first that nobody
has decided: whatever people skip, filter or leave for later, it cannot be told from the verdicts which cells count.

The interval may be looked at after every verdict, and the review stopped whenever one likes what it says: it is a
confidence sequence, which holds at all times together with the stated probability. A usual interval is for a number of
cells that was fixed beforehand; looked at again and again it fails more often. For numbers K of right cells among N,
with s right and f wrong ones drawn so far without replacement, the ratio of how probable the draws are under a prior
for K and under K itself is a nonnegative martingale with mean 1, so that it ever reaches 1 / alpha with a probability
of at most alpha (Ville); the K where it has not make the interval (Waudby-Smith and Ramdas, Confidence sequences for
sampling without replacement, NeurIPS 2020: the prior-posterior ratio).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from math import lgamma, log1p
from typing import Any

LEVEL = 0.95
PRIOR = (4.5, 0.5)
"""Beta prior of the share of right cells: what is filled in is mostly right. A wrong prior makes the interval wider,
and no less true."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many of the sure cells are right."""

    population: int  #: sure cells
    right: int  #: of those that count, accepted
    wrong: int  #: corrected, rejected, or of products that the attribute does not apply to
    unsure: int  #: that people could not tell: the interval holds whichever they are
    low: float  #: of the interval, 0..1
    high: float
    level: float = LEVEL

    @property
    def value(self) -> float | None:
        """Share that is right among those that people could tell, 0..1; None: there are none."""
        told = self.right + self.wrong
        return self.right / told if told else None

    def to_json(self) -> dict[str, Any]:
        return {
            "population": self.population,
            "right": self.right,
            "wrong": self.wrong,
            "unsure": self.unsure,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
        }


def estimate(verdicts: Iterable[bool | None], population: int, level: float = LEVEL) -> Estimate:
    """From the verdicts on the sample, in its order: right, wrong, or None: not to be told."""
    told = list(verdicts)
    right, wrong = told.count(True), told.count(False)
    unsure = len(told) - right - wrong
    population = max(population, len(told))
    low, _ = interval(right, wrong + unsure, population, level)
    _, high = interval(right + unsure, wrong, population, level)
    return Estimate(population, right, wrong, unsure, low, high, level)


def interval(right: int, wrong: int, population: int, level: float = LEVEL) -> tuple[float, float]:
    """Between which shares of right ones in the population the share lies, at all times with the probability ``level``.

    :param right: of those that were drawn without replacement.
    :param population: cells that were drawn from.
    """
    drawn = right + wrong
    if not drawn:
        return 0.0, 1.0
    prior, limit = _log_prior_chance(right, wrong), -log1p(-level)

    def kept(number: int) -> bool:
        """Whether the draws are no surprise where so many are right."""
        chance = _log_falling(number, right) + _log_falling(population - number, wrong)
        return prior - chance + _log_falling(population, drawn) < limit

    fewest, most = right, population - wrong  # that the draws allow
    likeliest = min(max((population + 1) * right // drawn, fewest), most)
    low = bisect_left(range(fewest, likeliest), True, key=kept) + fewest
    high = most - bisect_left(range(most - likeliest), True, key=lambda n: kept(most - n))
    return low / population, high / population


def _log_falling(number: int, drawn: int) -> float:
    """log of the ways to draw so many of a number in order."""
    return lgamma(number + 1) - lgamma(number - drawn + 1)


def _log_prior_chance(right: int, wrong: int) -> float:
    """log of the probability of the draws in their order, under the prior."""
    a, b = PRIOR
    drawn = lgamma(a + right) - lgamma(a) + lgamma(b + wrong) - lgamma(b)
    return drawn - lgamma(a + b + right + wrong) + lgamma(a + b)
