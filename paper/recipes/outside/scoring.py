"""The formula of the figures published for OA-Mine and WDC-PAVE, with intervals and paired comparisons.

Each (product, attribute) of the target counts once: NN neither has a value, NV one is given where there is none, VN
one is missed, VC it is one of the target's, VW it is another. P = VC / (NV + VC + VW), R = VC / (VN + VC + VW). Micro
from summed counts, macro the mean over (category, attribute) pairs. As `pieutils/evaluation.py` of the authors
(github.com/wbsg-uni-mannheim/ExtractGPT, d64456e), which rounds every figure to two digits on the way.

Shape letters:
    N products     G pairs of category and attribute     K kinds     S resamples
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from attrex.errors import DataError

KINDS = ("NN", "NV", "VN", "VC", "VW")
NOTHING = ("", "n/a", "None")
"""Answers that say: no value."""
Answers = Mapping[str, Mapping[str, str]]
"""Product's id -> attribute -> the one value that is given."""


class Figures(NamedTuple):
    """In percent."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Counts:
    """How each target was answered.

    :param groups: the (category, attribute) pairs, G.
    :param kinds: (N, G, K) how many targets of each kind: a product asks for an attribute once or not at all.
    """

    groups: Sequence[tuple[str, str]]
    kinds: np.ndarray

    def total(self) -> dict[str, int]:
        """Kind -> targets."""
        return dict(zip(KINDS, self.kinds.sum((0, 1)).tolist(), strict=True))

    def micro(self, weights: np.ndarray | None = None) -> np.ndarray:
        """P, R and F1, 0..1: (3,), or (S, 3) of products that count ``weights`` (S, N) times."""
        return _figures(self._summed(weights).sum(-2))

    def macro(self, weights: np.ndarray | None = None) -> np.ndarray:
        """The same as means over the groups that ask or answer anything."""
        kinds = self._summed(weights)
        counted = kinds[..., 1:].sum(-1) > 0
        return (_figures(kinds) * counted[..., None]).sum(-2) / np.maximum(counted.sum(-1), 1)[..., None]

    def figures(self) -> dict[str, Figures]:
        """Micro and macro, in percent."""
        return {"micro": _percent(self.micro()), "macro": _percent(self.macro())}

    def _summed(self, weights: np.ndarray | None) -> np.ndarray:
        """(G, K), or (S, G, K)."""
        return self.kinds.sum(0) if weights is None else np.einsum("sn,ngk->sgk", weights, self.kinds)


def count(rows: Sequence[Mapping[str, Any]], answers: Answers) -> Counts:
    """Compare answers with the targets of ``rows``: their `id`, `category` and `attributes` {name: [values]}.

    Raises :class:`DataError` for an answer to a product that is not among the rows.
    """
    strangers = sorted(set(answers) - {row["id"] for row in rows})
    if strangers:
        raise DataError(
            f"{len(strangers)} answers are of products that are not in the test rows, the first one of "
            f"{strangers[0]!r}; give the answers to these rows"
        )
    groups = sorted({(str(row["category"]), name) for row in rows for name in row["attributes"]})
    number = {group: i for i, group in enumerate(groups)}
    kinds = np.zeros((len(rows), len(groups), len(KINDS)))
    for n, row in enumerate(rows):
        given = answers.get(row["id"], {})
        for name, targets in row["attributes"].items():
            kind = _kind(given.get(name), [target.strip() for target in targets])
            kinds[n, number[str(row["category"]), name], KINDS.index(kind)] += 1
    return Counts(groups, kinds)


def interval(counts: Counts, *, samples: int = 2000, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % intervals of both F1s, in percent, by resampling products."""
    weights = _resamples(len(counts.kinds), samples, seed)
    both = {"micro": counts.micro(weights)[:, 2], "macro": counts.macro(weights)[:, 2]}
    return {name: _bounds(f1) for name, f1 in both.items()}


def compare(ours: Counts, theirs: Counts, *, samples: int = 2000, seed: int = 0) -> dict[str, dict[str, float]]:
    """Our F1 less theirs, in percent, by a paired bootstrap: both are scored on the same resamples of the products.

    ``p`` is how often the difference is not above zero.
    """
    if ours.kinds.shape != theirs.kinds.shape:
        raise DataError(
            f"a paired comparison needs answers to the same rows, got {len(ours.kinds)} and {len(theirs.kinds)} "
            "products; score both on one file"
        )
    weights = _resamples(len(ours.kinds), samples, seed)
    out = {}
    for name in ("micro", "macro"):
        difference = getattr(ours, name)(weights)[:, 2] - getattr(theirs, name)(weights)[:, 2]
        low, high = _bounds(difference)
        known = float(getattr(ours, name)()[2] - getattr(theirs, name)()[2]) * 100
        out[name] = {"difference": known, "low": low, "high": high, "p": float((difference <= 0).mean())}
    return out


def _kind(value: str | None, targets: Sequence[str]) -> str:
    value = None if value is None or value.strip() in NOTHING else value.strip()
    if not targets:
        return "NN" if value is None else "NV"
    return "VN" if value is None else "VC" if value in targets else "VW"


def _figures(kinds: np.ndarray) -> np.ndarray:
    """(..., K) -> (..., 3)"""
    _, extra, missed, right, wrong = np.moveaxis(kinds, -1, 0)
    precision = right / np.maximum(extra + right + wrong, 1)
    recall = right / np.maximum(missed + right + wrong, 1)
    return np.stack([precision, recall, 2 * precision * recall / np.maximum(precision + recall, 1e-12)], -1)


def _percent(figures: np.ndarray) -> Figures:
    return Figures(*(float(x) * 100 for x in figures))


def _resamples(products: int, samples: int, seed: int) -> np.ndarray:
    """How often each product is drawn: (S, N)."""
    chosen = np.random.default_rng(seed).multinomial(products, np.full(products, 1 / products), size=samples)
    return chosen.astype(np.float64)


def _bounds(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5]) * 100
    return float(low), float(high)
