"""One confidence for every candidate of a cell, fitted on held-out filled cells: how often such a value is right.

A logistic regression on :data:`~attrex.inference.candidates.FEATURES`. Its weights are those of all attributes
together plus, for each attribute, a part of its own that is drawn towards zero: an attribute with many held-out cells
has its own calibration, one with few has nearly the common one (partial pooling).

Shape letters:
    n candidates     F features and a constant     C attributes with held-out cells
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from attrex.errors import CheckpointError, DataError
from attrex.inference.candidates import FEATURES
from attrex.inference.directory import read_json
from attrex.inference.selection import CALIBRATION_FILE, HELD_OUT, HeldOut

CALIBRATION_FORMAT = 1
NOTHING_HELD_OUT = HeldOut({})
COMMON_PRIOR, OWN_PRIOR = 1e-3, 10.0
"""How strongly the common weights, and each attribute's own, are drawn towards zero: an own one is of the size of 0.3,
until a few hundred candidates say otherwise."""
NOT_APPLYING = 0.002
"""Share of the candidates of filled cells whose score of having a value may lie below `applies`."""
STEPS = 50
"""Most Newton steps of a fit; ten are usual."""


@dataclass(frozen=True)
class Calibration:
    """From features to confidences.

    :param common: (F,) weights of all attributes.
    :param own: attribute -> (F,) what is added for it.
    :param applies: attribute -> the score of having a value, 0..1, below which nearly no filled cell lies: where a
        product's score is lower, the attribute does not apply to it.
    :param held_out: confidences of filled cells by calibrations that were fitted without their products, and whether
        they are right: what the precision dial chooses its limits on.
    """

    common: np.ndarray
    own: Mapping[str, np.ndarray] = field(default_factory=dict)
    applies: Mapping[str, float] = field(default_factory=dict)
    held_out: HeldOut = NOTHING_HELD_OUT

    def confidence(self, attribute: str, features: np.ndarray) -> np.ndarray:
        """How probable it is that each candidate is right: (n, F - 1) -> (n,) in 0..1."""
        return _sigmoid(_with_constant(features) @ (self.common + self.own.get(attribute, 0.0)))

    @classmethod
    def fit(
        cls,
        attributes: Sequence[str] | np.ndarray,
        features: np.ndarray,
        right: np.ndarray,
        filled: np.ndarray | None = None,
    ) -> Calibration:
        """From candidates of held-out filled cells.

        :param attributes: (n,) whose cell each is of.
        :param features: (n, F - 1)
        :param right: (n,) bool, whether the cell has it.
        :param filled: (n,) bool, whether the cell has any value; None: all have.

        Raises :class:`DataError` where there is nothing to learn from.
        """
        if not len(attributes) or right.all() or not right.any():
            raise DataError(
                f"a calibration needs candidates that are right and ones that are wrong, got {int(right.sum())} right "
                f"ones of {len(attributes)}; give more products with filled cells"
            )
        names = sorted(set(attributes))
        number = np.array([names.index(a) for a in attributes])
        weights = _newton(_with_constant(features), number, right.astype(np.float64), len(names))
        score = _sigmoid(features[:, FEATURES.index("applies")])
        known = np.ones(len(number), bool) if filled is None else filled
        own = {name: score[known & (number == n)] for n, name in enumerate(names)}
        applies = {name: _least_score(scores, score[known]) for name, scores in own.items() if len(scores)}
        fitted = cls(weights[0], dict(zip(names, weights[1:], strict=True)), applies)
        return cls.from_json(fitted.to_json())  # the same in every bit as when it is read again

    def to_json(self) -> dict[str, Any]:
        return {
            "format": CALIBRATION_FORMAT,
            "features": list(FEATURES),
            "common": [round(float(w), 6) for w in self.common],
            "own": {name: [round(float(w), 6) for w in weights] for name, weights in self.own.items()},
            "applies": {name: round(score, 6) for name, score in self.applies.items()},
            HELD_OUT: self.held_out.to_json(),
        }

    @classmethod
    def from_json(cls, body: Any) -> Calibration:
        """The inverse of :meth:`to_json`. Raises :class:`CheckpointError` for what it has not written."""
        try:
            if body["format"] != CALIBRATION_FORMAT or body["features"] != list(FEATURES):
                raise CheckpointError(
                    f"{CALIBRATION_FILE} is of another version of Attrex; calibrate the model again: attrex calibrate"
                )
            own = {a: np.array(w, float) for a, w in body["own"].items()}
            applies = {a: float(score) for a, score in body["applies"].items()}
            found = cls(np.array(body["common"], float), own, applies, HeldOut.from_json(body[HELD_OUT]))
        except (KeyError, TypeError, ValueError, AttributeError, DataError) as exc:
            raise CheckpointError(
                f"{CALIBRATION_FILE} is damaged ({type(exc).__name__}: {exc}); calibrate the model again"
            ) from None
        for name, weights in {"common": found.common, **found.own}.items():
            if weights.shape != (len(FEATURES) + 1,) or not np.isfinite(weights).all():
                raise CheckpointError(
                    f"{CALIBRATION_FILE}: expected {len(FEATURES) + 1} numbers for {name!r}, got {weights.shape}; "
                    "calibrate the model again"
                )
        for name, score in applies.items():
            if not 0 <= score <= 1:
                raise CheckpointError(
                    f"{CALIBRATION_FILE}: expected a score between 0 and 1 for {name!r}, got {score}; "
                    "calibrate the model again"
                )
        return found


def read_calibration(directory: Path) -> Calibration | None:
    """That of a model directory; None where it has none. Raises :class:`CheckpointError` for a damaged one."""
    path = directory / CALIBRATION_FILE
    return Calibration.from_json(read_json(path)) if path.exists() else None


def _least_score(own: np.ndarray, every: np.ndarray) -> float:
    """The score of having a value below which nearly no filled cell of an attribute lies, by its own and all scores.

    The lowest of a few cells says little of those to come: it counts only where it is below what holds for all.
    """
    if len(own) >= 1 / NOT_APPLYING:
        return float(np.quantile(own, NOT_APPLYING))
    return float(min(own.min(), np.quantile(every, NOT_APPLYING)))


def _newton(x: np.ndarray, attribute: np.ndarray, y: np.ndarray, attributes: int) -> np.ndarray:
    """The most probable weights: (1 + C, F), the common ones first.

    :param x: (n, F)
    :param attribute: (n,) number of each candidate's attribute.
    :param y: (n,) 1 where it is right.
    """
    width = x.shape[1]
    weights = np.zeros((1 + attributes, width))
    common, own = np.eye(width) * COMMON_PRIOR, np.eye(width) * OWN_PRIOR
    groups = [attribute == a for a in range(attributes)]
    for _ in range(STEPS):
        p = _sigmoid((x * (weights[0] + weights[1 + attribute])).sum(1))
        curvature, error = (p * (1 - p))[:, None] * x, p - y
        # Attributes meet in the common weights only: with each one's block solved first, cost grows with their number.
        total, slope = common.copy(), common @ weights[0]
        blocks = []
        for a, rows in enumerate(groups, 1):
            block, gradient = x[rows].T @ curvature[rows], x[rows].T @ error[rows]
            solved = np.linalg.solve(block + own, np.column_stack([block, gradient + own @ weights[a]]))
            blocks.append(solved)
            total += block - block @ solved[:, :width]
            slope = slope + gradient - block @ solved[:, width]
        step = np.empty_like(weights)
        step[0] = np.linalg.solve(total, slope)
        for a, solved in enumerate(blocks, 1):
            step[a] = solved[:, width] - solved[:, :width] @ step[0]
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1))], 1)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
