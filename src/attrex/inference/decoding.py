"""From the decoder's emissions to spans and their exact probabilities, without torch: what runs beside an export.

The same recursions as :class:`attrex.model.crf.CRF`, in numpy, vectorised over sequences. Sums over paths are taken as
products of float64 exponentials, exact as long as the scores that matter are within 600 of a unit's best.

Shape letters:
    N sequences     U units     K tags     M segments
    mask (N, U) bool is a prefix of each row; inside, sequences are the last, contiguous dimension: (U, K, N)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from attrex.types import BEGIN, INSIDE, OUTSIDE

_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class Transitions:
    """A CRF's own scores: of the first tag (K,), of each tag after another (K, K), of the last tag (K,)."""

    start: np.ndarray
    between: np.ndarray
    end: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {"start": self.start.tolist(), "between": self.between.tolist(), "end": self.end.tolist()}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Transitions:
        """The inverse of :meth:`to_json`; raises KeyError for a part that is missing."""
        return cls(*(np.array(row[name], dtype=np.float64) for name in ("start", "between", "end")))


def viterbi(emissions: np.ndarray, mask: np.ndarray, crf: Transitions) -> np.ndarray:
    """The best tag sequence of each row: (N, U, K) -> (N, U), 0 at padded positions."""
    scores, valid, between = _units_first(emissions), mask.T, crf.between[..., None]
    going = np.logical_and.reduce(valid, 1).tolist()  # of a single product there is no padding to look for
    best = [scores[0] + crf.start[:, None]]
    for score, here, every in zip(scores[1:], valid[1:], going[1:], strict=True):
        reached = (best[-1][:, None] + between).max(0) + score
        best.append(reached if every else np.where(here, reached, best[-1]))
    path = [(best[-1] + crf.end[:, None]).argmax(0)]
    for state, here, every in zip(best[-2::-1], valid[::-1], going[::-1], strict=False):
        # The best predecessor of the one tag on the path: cheaper than keeping it for all K tags.
        before = (state + crf.between[:, path[-1]]).argmax(0)
        path.append(before if every else np.where(here, before, path[-1]))
    return np.where(mask, np.stack(path[::-1], 1), 0)


def spans(tags: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(rows, attributes, starts, ends) of spans, in reading order, ends exclusive.

    ``tags`` (N, U): 0 is O, 2a + 1 is B and 2a + 2 is I of attribute a; a sequence that tags one attribute has a = 0.
    An ill-formed I opens a span (the rule of conlleval and of seqeval's default mode).
    """
    tags = np.where(mask, tags, OUTSIDE)
    attribute = np.where(tags > OUTSIDE, (tags - 1) // 2, -1)
    before = np.pad(attribute, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
    continues = (tags > OUTSIDE) & (tags % 2 == 0) & (attribute == before)
    finishes = (tags > OUTSIDE) & ~np.pad(continues, ((0, 0), (0, 1)))[:, 1:]
    rows, starts = ((tags > OUTSIDE) & ~continues).nonzero()
    return rows, attribute[rows, starts], starts, finishes.nonzero()[1] + 1


def span_probability(
    emissions: np.ndarray,
    mask: np.ndarray,
    crf: Transitions,
    rows: np.ndarray,
    attributes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """Posterior probability that exactly this segment is read off the tags: (M,), as in the torch CRF.

    ``rows``, ``attributes``, ``starts``, ``ends`` (M,) are what :func:`spans` gives.
    """
    scores = _units_first(emissions)
    scores = np.where(mask.T[:, None], scores - scores.max(1, keepdims=True), 0.0)
    alpha, beta = _forward(scores, mask, crf), _backward(scores, mask, crf)
    begin, inside = 2 * attributes + BEGIN, 2 * attributes + INSIDE
    number = np.arange(len(rows))

    before = alpha[np.maximum(starts, 1) - 1, :, rows] + crf.between.T[inside]  # (M, K)
    before[number, begin] = before[number, inside] = -np.inf
    fresh = np.where(starts > 0, _log_sum(before.T), crf.start[inside]) + scores[starts, inside, rows]

    running = scores.cumsum(0)
    run = running[ends - 1, inside, rows] - running[starts, inside, rows]
    several, closes = ends - starts > 1, ends == mask.sum(1)[rows]
    next_unit = (scores + beta)[np.minimum(ends, mask.shape[1] - 1), :, rows]
    next_unit[number, inside] = -np.inf

    def tagged(first: np.ndarray, opened: np.ndarray) -> np.ndarray:
        steps = crf.between[first, inside] + (ends - starts - 2) * crf.between[inside, inside]
        last = np.where(several, inside, first)
        onward = _log_sum((crf.between[last] + next_unit).T)
        return opened + np.where(several, run + steps, 0) + np.where(closes, crf.end[last], onward)

    either = np.logaddexp(tagged(begin, alpha[starts, begin, rows]), tagged(inside, fresh))
    return np.exp(either - _log_sum(alpha[-1] + crf.end[:, None])[rows])


def _forward(scores: np.ndarray, mask: np.ndarray, crf: Transitions) -> np.ndarray:
    """alpha (U, K, N): log-sum over all beginnings that end in a tag; padding repeats the last valid one."""
    emitted = np.exp(scores)
    state = np.exp(crf.start)[:, None] * emitted[0]
    return _recursion(state, np.exp(crf.between.T), emitted, mask.T, lambda weights, s, e: (weights @ s) * e)


def _backward(scores: np.ndarray, mask: np.ndarray, crf: Transitions) -> np.ndarray:
    """beta (U, K, N): log-sum over all continuations of a tag, with the end score."""
    behind = np.r_[0, len(scores) - 1 : 0 : -1]  # the unit behind each, the last one first; behind that there is none
    state = np.broadcast_to(np.exp(crf.end)[:, None], scores[0].shape)
    emitted, valid = np.exp(scores[behind]), mask.T[behind]
    return _recursion(state, np.exp(crf.between), emitted, valid, lambda weights, s, e: weights @ (s * e))[::-1]


def _recursion(
    state: np.ndarray,
    weights: np.ndarray,
    emitted: np.ndarray,
    valid: np.ndarray,
    step: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Logarithms (U, K, N) of a state (K, N) that is taken from unit to unit by ``step``, from the first one's on.

    The state is held to a sum of 1, and what it was before is kept: so no sum leaves the range of numbers, and a unit
    takes few operations, which is what a single product's time goes into. Where a row is over its state stays.
    """
    states, sums = np.empty_like(emitted), np.ones((len(emitted), emitted.shape[2]))
    going = np.logical_and.reduce(valid, 1).tolist()
    for u in range(len(emitted)):
        if u:
            reached = step(weights, states[u - 1], emitted[u])
            state = reached if going[u] else np.where(valid[u], reached, states[u - 1])
        np.maximum(state.sum(0), _LEAST, out=sums[u])
        np.divide(state, sums[u], out=states[u])
    return np.log(np.maximum(states, _LEAST)) + np.log(sums).cumsum(0)[:, None]


def _log_sum(x: np.ndarray) -> np.ndarray:
    """Over the first dimension."""
    top = x.max(0)
    return np.log(np.maximum(np.exp(x - top).sum(0), _LEAST)) + top


def _units_first(emissions: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(emissions.transpose(1, 2, 0), dtype=np.float64)
