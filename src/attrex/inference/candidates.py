"""What a cell may hold: tagged values, named in the shop's words, and options of the value head, as one list.

A candidate is one value of one cell, however often the text says it, with all that speaks for and against it. Its
features (:data:`FEATURES`) are what :mod:`attrex.inference.calibration` makes one confidence of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from attrex.inference.calibration import Calibration

FEATURES = (
    "option",  # log-odds of the head's probability of it
    "other option",  # log-odds of the head's probability of the surest other one
    "by text",  # the same two with the photo taken away
    "other by text",
    "by photo",  # the same two with the text taken away, 0 where there is no photo
    "other by photo",
    "has photo",
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


class Sureness(NamedTuple):
    """The head's probability of an option."""

    both: float  #: by text and photo together
    by_text: float  #: with the photo taken away
    by_photo: float  #: with the text taken away; 0 without a photo


NOT_SURE = Sureness(0.0, 0.0, 0.0)


@dataclass
class Candidate:
    """One value of one cell."""

    attribute: str
    value: str  #: the shop's word for it; if it has none, the text's
    known: bool  #: whether the shop has a word for it
    option: Sureness = NOT_SURE  #: the head's probability of it; 0 where it is no option, or was not asked for
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
    total: defaultdict[int, Sureness] = field(default_factory=lambda: defaultdict(lambda: NOT_SURE))
    """option -> its probabilities, summed over the windows"""

    def add(self, options: Iterable[int], probability: Iterable[Sequence[float]]) -> bool:
        """One window's choice; whether it is the product's first window.

        :param probability: of each option by text and photo together, by the text alone and by the photo alone.
        """
        for option, sure in zip(options, probability, strict=True):
            if option >= 0 and not self.windows:
                self.total[option] = Sureness(*sure)
            elif option >= 0:
                self.total[option] = Sureness(*(a + b for a, b in zip(self.total[option], sure, strict=True)))
        self.windows += 1
        return self.windows == 1

    def mean(self) -> dict[int, Sureness]:
        """option -> its mean probabilities over the windows."""
        if self.windows == 1:
            return dict(self.total)
        return {option: Sureness(*(p / self.windows for p in total)) for option, total in self.total.items()}

    def surest(self) -> int | None:
        """The option that text and photo together make the most probable; None where none was told."""
        return max(self.total, key=lambda option: self.total[option].both, default=None)

    def decided_by(self, option: int) -> str:
        """Where text or photo alone would choose the option and the other would not, that one; else both.

        Without a photo the text.
        """
        if not any(total.by_photo for total in self.total.values()):
            return "text"
        total = self.total.get(option, NOT_SURE)
        text, photo = (part > 0.5 * self.windows for part in (total.by_text, total.by_photo))
        return "both" if text == photo else "text" if text else "photo"


def candidates_of(
    attribute: str,
    options: Mapping[int, Sureness],
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
        confidence = np.array([max(c.option.both, c.tagged * (in_range or 1.0)) for c in candidates])
    else:
        confidence = calibration.confidence(candidates[0].attribute, scores)
    for candidate, row, sure in zip(candidates, scores, confidence.tolist(), strict=True):
        candidate.features, candidate.confidence = row, sure
    return sorted(candidates, key=lambda c: -c.confidence)


def features(candidates: Sequence[Candidate], in_range: float, applies: float) -> np.ndarray:
    """What speaks for each candidate of a cell: (n, len(FEATURES)); parameters as for :func:`rank`."""
    told = np.array([(*c.option, c.tagged) for c in candidates]).T
    option, _, by_photo, _ = told
    every = np.full_like(option, in_range), np.full_like(option, applies)
    scores = np.array([*told, *_of_others(told), *every])
    odds, present = log_odds(scores), scores > 0
    seen = by_photo.any()
    first = option.argmax() if option.any() else -1
    columns = (
        odds[0],
        odds[4],
        odds[1],
        odds[5],
        odds[2] * seen,
        odds[6] * seen,
        np.full_like(option, seen),
        odds[3] * present[3],
        present[3],
        odds[7] * present[7],
        present[7],
        (np.arange(len(option)) == first) & present[3],
        [not c.known for c in candidates],
        odds[8],
        odds[9],
    )
    return np.ascontiguousarray(np.array(columns, dtype=np.float64).T)


def log_odds(probability: np.ndarray | float) -> np.ndarray:
    """log(p / (1 - p)), within what is known (:data:`SUREST`)."""
    p = np.minimum(np.maximum(probability, SUREST), 1 - SUREST)
    return np.log(p / (1 - p))


def _of_others(probability: np.ndarray) -> np.ndarray:
    """For each the largest of all others in its row, 0 where there is none: (m, n) -> (m, n)."""
    rows, first = np.arange(len(probability)), probability.argmax(1)
    others = np.repeat(probability[rows, first, None], probability.shape[1], 1)
    rest = probability.copy()
    rest[rows, first] = 0.0
    others[rows, first] = rest.max(1)
    return others
