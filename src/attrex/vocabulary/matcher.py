"""Phrases found in folded texts, many at once; of those that overlap, the longest."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

from attrex.vocabulary.folding import FoldedText
from attrex.vocabulary.lexicon import FormStats

MIN_FORM_LENGTH = 2
"""Characters of a form that is searched for without its cell saying so: single letters name sizes and units."""


class _Range(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


M = TypeVar("M", bound=_Range)


def longest_first(
    matches: Iterable[M], key: Callable[[M], Hashable], order: Callable[[M], Any] = lambda m: m.start - m.end
) -> list[M]:
    """Of the matches with the same ``key`` that overlap, the longest; of equally long ones, the first that came.

    :param key: only matches whose keys are equal rule each other out
    :param order: sorts what is kept first to the front; another one than the length where something counts more
    :return: the matches that are kept, in that order
    """
    matches = sorted(matches, key=order)
    size = max((m.end for m in matches), default=0)
    taken: defaultdict[Hashable, bytearray] = defaultdict(lambda: bytearray(size))  # key -> characters, a byte each
    kept = []
    for match in matches:
        characters = taken[key(match)]
        if not any(characters[match.start : match.end]):
            characters[match.start : match.end] = b"\1" * (match.end - match.start)
            kept.append(match)
    return kept


class LexiconMatch(NamedTuple):
    """A form of a known value in a text."""

    attribute: str
    start: int
    end: int
    value: str | None  #: None: a value that the table has no word for
    evidence: FormStats | None
    form: str  #: folded


def unambiguous(matches: Collection[LexiconMatch]) -> Iterator[LexiconMatch]:
    """Of the attributes that claim the same words, the one whose filled cells have them most often."""
    agreeing = {m: m.evidence.support * m.evidence.precision if m.evidence else 0.0 for m in matches}
    most: dict[tuple[int, int], float] = {}
    for m, n in agreeing.items():
        most[m.start, m.end] = max(n, most.get((m.start, m.end), 0.0))
    yield from (m for m, n in agreeing.items() if n and n == most[m.start, m.end])


def negated_ranges(text: str, folded: FoldedText, negations: Iterable[str]) -> Iterator[tuple[int, int]]:
    """From behind every "not" to where its clause ends: do not iron on the print. ``negations`` are folded."""
    for negation in negations:
        for _, end in folded.find(negation):
            clause = re.match(r"[^,;.，；。\n\r]*", text[end:])
            yield end, end + len(clause[0] if clause else "")


class PhraseMatcher:
    """Finds many forms at once; the time grows with the text and not with their number."""

    def __init__(self) -> None:
        self._meanings: defaultdict[str, dict[str, tuple[str | None, FormStats | None]]] = defaultdict(dict)
        self._longest: dict[str, int] = {}  #: first characters of forms -> length of the longest form

    def add(self, folded: str, attribute: str, value: str | None, evidence: FormStats | None = None) -> None:
        """One more form; the first value of a form stays, but one that is mined for several values at once has none."""
        if len(folded.strip()) >= MIN_FORM_LENGTH and any(map(str.isalnum, folded)):
            before = self._meanings[folded].setdefault(attribute, (value, evidence))
            if evidence and evidence.support and before[1] == evidence and before[0] != value:
                self._meanings[folded][attribute] = None, evidence
            start = folded[:2]
            self._longest[start] = max(len(folded), self._longest.get(start, 0))

    def search(self, text: FoldedText) -> Iterator[LexiconMatch]:
        """All forms in a text, also where they overlap."""
        for form, start, end in text.search(self._longest):
            if form in self._meanings:
                for attribute, (value, evidence) in self._meanings[form].items():
                    yield LexiconMatch(attribute, start, end, value, evidence, form)

    def find(self, text: FoldedText) -> list[LexiconMatch]:
        """The forms in a text, from left to right; of those of one attribute that overlap, the longest."""
        kept = longest_first(self.search(text), key=lambda m: m.attribute)
        return sorted(kept, key=lambda m: (m.start, m.end, m.attribute))
