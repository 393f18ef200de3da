"""The precision dial: from which confidence on an attribute's finds may be filled in.

A share that is observed on held-out cells is no promise. The cut-off at which 98 % of them were right has less than
98 % in about half of the draws of held-out cells, for it was chosen where luck was good. Here every cut-off that is
tried gets a number of errors that it may have, so that the chance that any cut-off with a precision below the wanted
one passes is at most ``1 - level``; of those that pass, the lowest is taken.

How the numbers are found. The cut-offs that are tried keep 2 % more finds each, from the fewest that can prove the
precision if all are right (149 for 0.98 at 0.95) to all of them. They depend on the confidences alone, never on what
is right. Were the precision exactly the wanted one, the errors down the sequence would be a random walk, of which the
probability to be within the allowed numbers anywhere is computed exactly (:func:`allowed_errors`), as in a
group-sequential trial that spends its level over its looks: Lan and DeMets, Biometrika 70 (1983), by the recursion of
Armitage, McPherson and Rowe, JRSS A 132 (1969). For a single cut-off it is the Clopper-Pearson bound.

The promise holds for cells like the held-out ones, where a lower confidence is no more often right than a higher one.
:func:`choose_cutoff` says what was measured where that is not so, and what other procedures reach.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from attrex.errors import CheckpointError, ConfigError, DataError, did_you_mean, kind_of, short
from attrex.inference.directory import locate_model, read_json

CALIBRATION_FILE, HELD_OUT = "calibration.json", "held_out"
"""Where a model directory keeps the held-out finds: the file, and the key in it."""
LEVEL = 0.95
"""The probability, over draws of held-out cells, with which a cut-off keeps its promise."""
DIGITS = 4
"""Confidences are compared as files of predictions have them, with so many digits."""
STEP = 1.02
"""How many times as many finds as the one before each cut-off that is tried keeps."""
POOLED_FROM = 10
"""Held-out finds of an attribute from which it may join the pool: of fewer the pool does not speak."""


class Finds(NamedTuple):
    """Held-out finds of one attribute, surest first: one per cell that has an answer."""

    confidence: np.ndarray  #: (N,) float, 0..1, rounded to :data:`DIGITS`
    right: np.ndarray  #: (N,) bool

    @classmethod
    def of(cls, confidence: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray) -> Self:
        """Sorted and rounded. Raises :class:`DataError` for confidences outside of 0..1 and for unequal lengths."""
        sure, good = np.asarray(confidence, float), np.asarray(right, bool)
        if len(sure) != len(good):
            raise DataError(f"expected as many of right as of confidence, got {len(good):,} and {len(sure):,}")
        wrong = sure[~((sure >= 0) & (sure <= 1))]
        if len(wrong):
            raise DataError(f"confidence should be numbers between 0 and 1, got {wrong[0]}")
        order = np.argsort(-sure, kind="stable")
        return cls(sure[order].round(DIGITS), good[order])


@dataclass(frozen=True, slots=True)
class Cutoff:
    """From which confidence on the finds of an attribute are as often right as is wanted, and how that is known."""

    threshold: float | None  #: the lowest confidence that is kept, 0..1; None: the precision cannot be reached
    precision: float  #: what is wanted, 0..1
    level: float  #: the probability with which the promise holds
    finds: int  #: held-out finds it was decided on
    kept: int  #: of them, those from the threshold on; without one those of the cut-off that came nearest
    right: int  #: of the kept, those that are right
    missing: int = 0  #: without a threshold: how many more right finds it would take at least
    pool: tuple[str, ...] = ()
    """The attributes that it was chosen for together, where they are several: the promise is for all of them as one."""

    @property
    def observed(self) -> float | None:
        """Share of the kept that is right; None where nothing was held out."""
        return self.right / self.kept if self.kept else None

    @property
    def lower(self) -> float:
        """Clopper-Pearson bound of the kept ones' precision, as of a cut-off that was given beforehand, 0..1."""
        return lower_bound(self.right, self.kept, self.level)

    @property
    def share(self) -> float:
        """Share of the held-out finds from the threshold on, 0..1; 0 without a threshold."""
        return self.kept / self.finds if self.finds and self.threshold is not None else 0.0

    def keeps(self, confidence: float) -> bool:
        """Whether a find is filled in."""
        return self.threshold is not None and round(confidence, DIGITS) >= self.threshold

    def to_json(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold,
            "precision": self.precision,
            "level": self.level,
            "held_out": self.finds,
            "kept": self.kept,
            "right": self.right,
            "lower": round(self.lower, 4),
            "missing": self.missing,
            "pool": list(self.pool),
        }


@dataclass(frozen=True, eq=False)  # arrays have no single answer
class HeldOut:
    """The finds in held-out cells that have an answer, by attribute: what cut-offs are chosen on.

    Held out is what the model was not trained on and no temperature or threshold was fitted on.
    """

    attributes: Mapping[str, Finds]

    @classmethod
    def of(cls, finds: Iterable[tuple[str, float, bool]]) -> Self:
        """From (attribute, confidence, right), one per cell. Raises :class:`DataError` as :meth:`Finds.of`."""
        columns: defaultdict[str, tuple[list[float], list[bool]]] = defaultdict(lambda: ([], []))
        for attribute, confidence, right in finds:
            columns[attribute][0].append(confidence)
            columns[attribute][1].append(right)
        return cls({attribute: Finds.of(*columns[attribute]) for attribute in sorted(columns)})

    def cutoffs(self, precision: float, level: float = LEVEL, *, pool: bool = False) -> dict[str, Cutoff]:
        """The cut-off of every attribute (:func:`choose_cutoff`); the promise is per attribute.

        ``pool``: attributes with too few finds to reach the precision even if all were right, but with at least
        :data:`POOLED_FROM`, get one cut-off together. Who joins is decided by numbers of finds alone, so that the
        promise holds for what is filled in of the pool, in the mix of its held-out cells; of a single attribute of it
        nothing is promised.
        """
        chosen = {a: choose_cutoff(f.confidence, f.right, precision, level) for a, f in self.attributes.items()}
        least = least_finds(precision, level)
        joined = tuple(a for a, f in self.attributes.items() if POOLED_FROM <= len(f.right) < least)
        if pool and len(joined) > 1:
            together = [np.concatenate(column) for column in zip(*(self.attributes[a] for a in joined), strict=True)]
            cutoff = replace(choose_cutoff(together[0], together[1], precision, level), pool=joined)
            chosen |= dict.fromkeys(joined, cutoff)
        return chosen

    def to_json(self) -> dict[str, Any]:
        return {
            a: {"confidence": f.confidence.tolist(), "right": f.right.astype(int).tolist()}
            for a, f in self.attributes.items()
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The inverse of :meth:`to_json`. Raises :class:`DataError` naming the attribute and what is wrong with it."""
        if not isinstance(content, Mapping):
            raise DataError(f"held_out should be an object, attribute -> finds, got {kind_of(content)}")
        return cls({attribute: _parse_finds(attribute, columns) for attribute, columns in content.items()})


def _parse_finds(attribute: str, columns: Any) -> Finds:
    where = f"held_out, {short(attribute)}"
    if not isinstance(columns, Mapping):
        raise DataError(f"{where}: expected an object with 'confidence' and 'right', got {kind_of(columns)}")
    for key in ("confidence", "right"):
        if key not in columns:
            raise DataError(f"{where}: {short(key)} is missing, found {sorted(columns)}{did_you_mean(key, columns)}")
        if not isinstance(columns[key], list):
            raise DataError(f"{where}: {short(key)} should be a list of numbers, got {kind_of(columns[key])}")
    for value in columns["confidence"]:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise DataError(f"{where}: 'confidence' should be numbers between 0 and 1, got {short(value)}")
    for value in columns["right"]:
        if not isinstance(value, int) or value not in (0, 1):
            raise DataError(f"{where}: 'right' should be 0 or 1 for each find, got {short(value)}")
    if len(columns["confidence"]) != len(columns["right"]):
        raise DataError(
            f"{where}: expected as many of 'right' as of 'confidence', got {len(columns['right']):,} and "
            f"{len(columns['confidence']):,}"
        )
    return Finds.of(columns["confidence"], columns["right"])


def load_held_out(model: str | Path) -> HeldOut:
    """A model's held-out finds. Raises :class:`CheckpointError` where it has none, or none that can be read."""
    directory = locate_model(model)
    path = directory / CALIBRATION_FILE
    content = read_json(path) if path.exists() else {}
    if not content.get(HELD_OUT):
        lacks = f"{CALIBRATION_FILE} has no {short(HELD_OUT)}" if content else f"there is no {CALIBRATION_FILE}"
        raise CheckpointError(
            f"{directory} has no held-out cells to choose limits on ({lacks}): train again, or "
            f"attrex calibrate {model} DATA"
        )
    try:
        return HeldOut.from_json(content[HELD_OUT])
    except DataError as exc:
        raise CheckpointError(f"{path}: {exc}; make it again: attrex calibrate {model} DATA") from exc


def choose_cutoff(
    confidence: Sequence[float] | np.ndarray,
    right: Sequence[bool] | np.ndarray,
    precision: float,
    level: float = LEVEL,
) -> Cutoff:
    """The lowest cut-off that promises the precision: with probability ``level`` over draws of held-out cells, finds
    from it on are right with at least the chance ``precision``.

    A cut-off keeps all finds of equal confidence or none of them. The promise is exact where finds of a lower
    confidence are no more often right than those of a higher one: simulated, it is broken in 5 % of the draws where
    every cut-off is hardly too low, the hardest case, and in fewer than 3 % where a surer part of the finds is worse.

    Measured for 0.98, share of the finds that the best cut-off lets through, on average over kinds of attributes
    (docs/results/precision.md, ``benchmarks/cutoffs.py``), with 200, 600 and 5,000 held-out finds: this 0.12, 0.31,
    0.68; a fixed sequence from the strictest cut-off down 0.12, 0.22, 0.32, for it ends at the first unlucky error;
    five starts with the level split 0.00, 0.21, 0.62; a level that is handed on (fallback) 0.10, 0.24, 0.63; a hundred
    cut-offs with the level split 0.00, 0.06, 0.59.

    :param confidence: (N,) 0..1, in any order
    :param right: (N,) whether each find is right
    :param precision: what is wanted, between 0 and 1

    Raises :class:`ConfigError` for a precision or a level out of range, :class:`DataError` as :meth:`Finds.of`.
    """
    finds = Finds.of(confidence, right)
    number, errors = len(finds.right), np.cumsum(~finds.right)
    ranks, allowed = allowed_errors(number, precision, level)
    kept = np.searchsorted(-finds.confidence, -finds.confidence[ranks - 1], side="right")  # with all equal ones
    passing = np.flatnonzero(errors[kept - 1] <= allowed)
    if len(passing):
        at = int(kept[passing[-1]])
        threshold, missing = float(finds.confidence[at - 1]), 0
    else:
        tried = kept.tolist() or [number]
        more = [finds_needed(int(errors[n - 1]) if n else 0, precision, level) - n for n in tried]
        at = tried[more.index(min(more))]
        threshold, missing = None, max(min(more), 1)
    return Cutoff(threshold, precision, level, number, at, int(finds.right[:at].sum()), missing)


@lru_cache(maxsize=256)
def allowed_errors(number: int, precision: float, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The cut-offs to try on so many finds: (K,) how many finds each keeps, increasing, and (K,) how many of them may
    be wrong, -1: not even none. There are none to try where the finds are too few.

    The numbers are the largest with which finds that are right with exactly the chance ``precision`` stay within one
    of them, at whatever cut-off, with a probability of at most ``1 - level``. A cut-off that keeps k of N finds may
    have spent sqrt(k / N) of that. Where N is less than twice the fewest finds that can prove the precision, all of
    it is for the first cut-off: an error there could hardly be made up for.
    """
    least, wrong = least_finds(precision, level), 1 - precision
    if number < least:
        return np.zeros(0, int), np.zeros(0, int)
    steps = math.ceil(math.log(number / least) / math.log(STEP)) + 1
    ranks = np.unique(np.geomspace(least, number, steps).round().astype(int))
    most = int(number * wrong) + 1  # more errors than one expects of all finds are never allowed
    walk, spent, allowed = np.ones(1), 0.0, []  # walk: probability of 0, 1, .. errors, and of none of the cut-offs yet
    for before, finds in pairwise([0, *ranks.tolist()]):
        step = np.exp(_log_binomial(finds - before, wrong, min(finds - before, most)))
        walk = np.convolve(walk, step)[: most + 1]
        may_spend = (1 - level) * (1.0 if number < 2 * least else math.sqrt(finds / number))
        passing = spent + np.cumsum(walk)
        fitting = int(np.searchsorted(passing, may_spend, side="right"))
        if fitting:
            spent, walk[:fitting] = passing[fitting - 1], 0.0
        allowed.append(fitting - 1)
    return ranks, np.array(allowed)


def least_finds(precision: float, level: float = LEVEL) -> int:
    """The fewest finds that can prove a precision, if all are right: 149 for 0.98 at a level of 0.95."""
    if not 0 < precision < 1:
        raise ConfigError(
            f"precision should be more than 0 and less than 1, got {precision}: no number of cells proves that all "
            "others are right"
        )
    if not 0.5 <= level < 1:
        raise ConfigError(f"level should be 0.5 or more and less than 1, got {level}")
    return finds_needed(0, precision, level)


@lru_cache(maxsize=4096)
def finds_needed(errors: int, precision: float, level: float = LEVEL) -> int:
    """The fewest finds of which so many may be wrong and the Clopper-Pearson bound still reaches the precision."""
    low, high = errors, errors + 1
    while _log_tail(high, errors, 1 - precision) > math.log1p(-level):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _log_tail(middle, errors, 1 - precision) > math.log1p(-level):
            low = middle
        else:
            high = middle
    return high


def lower_bound(right: int, finds: int, level: float = LEVEL) -> float:
    """The one-sided Clopper-Pearson bound: the least precision at which so many right ones are not a surprise, 0..1."""
    if not right:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if _log_tail(finds, finds - right, 1 - middle) > math.log1p(-level):
            high = middle
        else:
            low = middle
    return low


def _log_tail(finds: int, errors: int, wrong: float) -> float:
    """log of the probability of at most so many errors, each with the chance ``wrong``."""
    terms = _log_binomial(finds, wrong, min(errors, finds))
    return min(float(np.logaddexp.reduce(terms)), 0.0)


def _log_binomial(number: int, chance: float, most: int) -> np.ndarray:
    """log of the probability of 0, 1, .. ``most`` events of ``number``, each with ``chance``, (most + 1,)."""
    events = np.arange(1, most + 1)
    growth = np.log((number - events + 1) / events) + math.log(chance) - math.log1p(-chance)
    return number * math.log1p(-chance) + np.concatenate([[0.0], np.cumsum(growth)])
