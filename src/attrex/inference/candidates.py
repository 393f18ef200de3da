"""What a cell may hold: tagged values, named in the shop's words, and options of the value head, as one list.

A candidate is one value of one cell, however often the text says it, with all that speaks for and against it. Its
features (:data:`FEATURES`) are what :mod:`attrex.inference.calibration` makes one confidence of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from attrex.inference.calibration import Calibration

FEATURES = (
    "option",  # log-odds of the head's probability of it
    "other option",  # log-odds of the head's probability of the surest other one
    "tagged",  # log-odds of the tagger's probability of its surest mention, 0 where it has none
    "is tagged",
    "other tagged",  # log-odds of the tagger's probability of another value's surest mention, 0 where it has none
    "is other tagged",
    "agreement",  # whether the head's first choice has a mention, and it is this one
    "unknown",  # whether it is none of the options
    "in range",  # log-odds of the score that the text says the attribute
    "applies",  # log-odds of the score of having a value of it, said or not
)
SUREST = 1e-4
"""Probabilities are held this far from 0 and 1: what lies beyond is no better known."""


@dataclass
class Candidate:
    """One value of one cell."""

    attribute: str
    value: str  #: the shop's word for it; if it has none, the text's
    known: bool  #: whether the shop has a word for it
    option: float = 0.0  #: the head's probability of it; 0 where it is no option, or was not asked for
    tagged: float = 0.0  #: the tagger's probability of its surest mention; 0 where it has none
    mentions: list[int] = field(default_factory=list)  #: numbers of the tagged spans that name it
    number: int | None = None  #: of the option, where the head told it
    features: np.ndarray = field(default_factory=lambda: np.zeros(len(FEATURES)), repr=False)
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Mention:
    """A tagged span: its number among those of its product, its text, and its exact CRF probability."""

    number: int
    text: str
    probability: float


@dataclass(slots=True)
class Choice:
    """What the value head chose for one attribute, over the windows of a product."""

    windows: int = 0
    options: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    """option -> its probability, summed over the windows"""
    alone: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    """option -> its probability by the text alone and by the photo alone, summed over the windows that chose it"""

    def add(self, options: Iterable[int], probability: Iterable[float], by_text: float, by_photo: float) -> bool:
        """One window's choice, surest option first; whether it is the product's first window."""
        told = {o: p for o, p in zip(options, probability, strict=True) if o >= 0}
        for option, p in told.items():
            self.options[option] += p
        self.windows += 1
        if told:
            alone = self.alone[next(iter(told))]
            alone[0], alone[1] = alone[0] + by_text, alone[1] + by_photo
        return self.windows == 1

    def mean(self) -> dict[int, float]:
        """option -> its mean probability over the windows."""
        return {option: total / self.windows for option, total in self.options.items()}

    def decided_by(self, option: int) -> str:
        """Where text or photo alone would choose the option and the other would not, that one; else both.

        Without a photo the text.
        """
        if not any(by_photo for _, by_photo in self.alone.values()):
            return "text"
        text, photo = (total > 0.5 * self.windows for total in self.alone.get(option, (0.0, 0.0)))
        return "both" if text == photo else "text" if text else "photo"


def candidates_of(
    attribute: str,
    options: Mapping[int, float],
    names: Sequence[str],
    mentions: Iterable[Mention],
    normalize: Callable[[str, str], str | None],
) -> list[Candidate]:
    """The candidates of one cell.

    :param options: number of an option -> the head's probability of it.
    :param names: the attribute's options.
    :param normalize: the shop's word for a text of an attribute, None if it has none.
    """
    found = {names[k]: Candidate(attribute, names[k], True, p, number=k) for k, p in options.items()}
    for mention in mentions:
        word = normalize(attribute, mention.text)
        value = " ".join(mention.text.split()) if word is None else word
        candidate = found.setdefault(value, Candidate(attribute, value, word is not None))
        candidate.mentions.append(mention.number)
        candidate.tagged = max(candidate.tagged, mention.probability)
    return list(found.values())


def rank(
    candidates: Sequence[Candidate], in_range: float, applies: float, calibration: Calibration | None
) -> list[Candidate]:
    """The candidates of a cell with their features and confidences, surest first.

    :param in_range: score that the text says the attribute; 0 where it was not selected.
    :param applies: score of having a value of it, said or not.
    :param calibration: None: what one of the two is sure of, mentions times the range score.
    """
    scores = features(candidates, in_range, applies)
    if calibration is None:
        confidence = np.array([max(c.option, c.tagged * (in_range or 1.0)) for c in candidates])
    else:
        confidence = calibration.confidence(candidates[0].attribute, scores)
    for candidate, row, sure in zip(candidates, scores, confidence.tolist(), strict=True):
        candidate.features, candidate.confidence = row, sure
    return sorted(candidates, key=lambda c: -c.confidence)


def features(candidates: Sequence[Candidate], in_range: float, applies: float) -> np.ndarray:
    """What speaks for each candidate of a cell: (n, len(FEATURES)); parameters as for :func:`rank`."""
    option = np.array([c.option for c in candidates])
    tagged = np.array([c.tagged for c in candidates])
    other_option, other_tagged = _of_others(option), _of_others(tagged)
    scores = np.array(
        [option, other_option, tagged, other_tagged, np.full_like(option, in_range), np.full_like(option, applies)]
    )
    odds, present = log_odds(scores), scores > 0
    first = option.argmax() if option.any() else -1
    columns = (
        odds[0],
        odds[1],
        odds[2] * present[2],
        present[2],
        odds[3] * present[3],
        present[3],
        (np.arange(len(option)) == first) & present[2],
        [not c.known for c in candidates],
        odds[4],
        odds[5],
    )
    return np.ascontiguousarray(np.array(columns, dtype=np.float64).T)


def log_odds(probability: np.ndarray | float) -> np.ndarray:
    """log(p / (1 - p)), within what is known (:data:`SUREST`)."""
    p = np.minimum(np.maximum(probability, SUREST), 1 - SUREST)
    return np.log(p / (1 - p))


def _of_others(probability: np.ndarray) -> np.ndarray:
    """For each the largest of all others, 0 where there is none: (n,) -> (n,)."""
    first = probability.argmax()
    others = np.full_like(probability, probability[first])
    others[first] = np.delete(probability, first).max(initial=0.0)
    return others
