"""The words of a schema, a policy and a lexicon, folded and ready to be searched for."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from attrex.shop.shop import Shop
from attrex.vocabulary.folding import FoldedText, Folder
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary

MIN_FORM_LENGTH = 2
"""Characters of a form that is searched for without its cell saying so: single letters name sizes and units."""
COMMON = 0.25
"""A word in so many of an attribute's values ("fit", "sleeves") tells none of them from the others."""
PART = 2
"""Words of an unknown part of a composition at most."""
PHRASE = re.compile(r"[^\W\d_][^,;/，；、]*[^\W_]|[^\W\d_]")
"""What stands under a heading as one value: from a letter to a comma."""


class LexiconMatch(NamedTuple):
    """A form of a known value in a text."""

    attribute: str
    start: int
    end: int
    value: str | None  #: None: a value that the table has no word for
    evidence: FormStats | None


def unambiguous(found: Collection[LexiconMatch]) -> Iterator[LexiconMatch]:
    """Of the attributes that claim the same words, the one whose filled cells have them most often."""
    agreeing = {f: f.evidence.support * f.evidence.precision if f.evidence else 0.0 for f in found}
    most: dict[tuple[int, int], float] = {}
    for f, n in agreeing.items():
        most[f.start, f.end] = max(n, most.get((f.start, f.end), 0.0))
    yield from (f for f, n in agreeing.items() if n and n == most[f.start, f.end])


def negated_ranges(text: str, folded: FoldedText, negations: Iterable[str]) -> Iterator[tuple[int, int]]:
    """From behind every "not" to where its clause ends: do not iron on the print. ``negations`` are folded."""
    for negation in negations:
        for _, end in folded.find(negation) if negation in folded.folded else ():
            clause = re.match(r"[^,;.，；。\n\r]*", text[end:])
            yield end, end + len(clause[0] if clause else "")


class PhraseMatcher:
    """Finds many forms at once; the time grows with the text and not with their number."""

    def __init__(self) -> None:
        self._known: defaultdict[str, dict[str, tuple[str | None, FormStats | None]]] = defaultdict(dict)
        self._longest: dict[str, int] = {}

    def add(self, folded: str, attribute: str, value: str | None, evidence: FormStats | None = None) -> None:
        """One more form; the first value of a form stays, but one that is mined for several values at once has none."""
        if len(folded.strip()) >= MIN_FORM_LENGTH:
            before = self._known[folded].setdefault(attribute, (value, evidence))
            if evidence and evidence.support and before[1] == evidence and before[0] != value:
                self._known[folded][attribute] = None, evidence
            start = folded[:2]
            self._longest[start] = max(len(folded), self._longest.get(start, 0))

    def find(self, text: FoldedText) -> list[LexiconMatch]:
        """All forms in a text, from left to right; of those of one attribute that overlap, the longest."""
        found = [
            LexiconMatch(attribute, start, end, *known)
            for form, start, end in text.search(self._longest)
            if form in self._known
            for attribute, known in self._known[form].items()
        ]
        size = max((f.end for f in found), default=0)
        taken: defaultdict[str, bytearray] = defaultdict(lambda: bytearray(size))  # attribute -> characters
        kept = []
        for one in sorted(found, key=lambda f: f.start - f.end):
            characters = taken[one.attribute]
            if not any(characters[one.start : one.end]):
                characters[one.start : one.end] = b"\1" * (one.end - one.start)
                kept.append(one)
        return sorted(kept, key=lambda f: (f.start, f.end, f.attribute))


class VocabularyIndex:
    """What the texts of one shop call its attributes and their values."""

    def __init__(self, folder: Folder, shop: Shop, lexicon: Lexicon) -> None:
        self._folder = folder
        self.negations = tuple(map(folder.fold, shop.labels.negations))
        self.forms: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """(attribute, value) -> its folded forms"""
        self.known = PhraseMatcher()  #: accepted anywhere
        self.headed = PhraseMatcher()  #: and those that need a heading
        self.parts = PhraseMatcher()  #: and those that need a percentage
        self.modifiers: dict[str, frozenset[str]] = {}  #: attribute -> folded words
        self.categories: dict[str, frozenset[str]] = {}  #: attribute -> where blank cells may be labelled
        self.headings: dict[str, str] = {}  #: folded heading -> attribute
        self._values: defaultdict[str, set[str]] = defaultdict(set)
        self._common: dict[str, frozenset[str]] = {}
        for column, name in shop.cells.columns.items():
            self.announce(column, name)
        for attribute in shop.schema.attributes:
            for value in attribute.options:
                self._add(attribute.name, value, dict.fromkeys([value, *attribute.aliases.get(value, ())]))
        for name, vocabulary in lexicon.attributes.items():
            self._read(name, vocabulary, shop.labels.mined_forms)

    def _read(self, name: str, vocabulary: Vocabulary, mined_forms: bool) -> None:
        fold = self._folder.fold
        for heading in (name, *vocabulary.headings):
            self.headings.setdefault(fold(heading), name)
        self.modifiers[name] = frozenset(map(fold, vocabulary.modifiers))
        self.categories[name] = frozenset(vocabulary.categories)
        for value, forms in vocabulary.accepted.items():
            self._add(name, value, forms if mined_forms else {value: forms.get(value)})
        for value, forms in vocabulary.headed.items() if mined_forms else ():
            for form in forms:
                self.headed.add(fold(form), name, value or None)
        for form in vocabulary.parts:
            self.parts.add(fold(form), name, None)

    def _add(self, attribute: str, value: str, forms: Mapping[str, FormStats | None]) -> None:
        self._values[attribute].add(value)
        for form, evidence in forms.items():
            folded = self._folder.fold(form)
            self.forms[attribute, value].append(folded)
            for searched in (self.known, self.headed, self.parts):
                searched.add(folded, attribute, value, evidence)

    def agreeing(self, attribute: str, phrase: str, values: Collection[str]) -> str | None:
        """The value that shares a word with the phrase, a word that tells the attribute's values apart; else None."""
        words = {w for w in self._folder.split(phrase) if w.strip().isalnum()} - self.common(attribute)
        return next((v for v in values if words & set(self._folder.split(v))), None)

    @property
    def attributes(self) -> Collection[str]:
        return self.headings.values()

    def announce(self, column: str, attribute: str) -> None:
        """A column's name is a heading of its attribute."""
        for name in (attribute, column):
            self.headings.setdefault(self._folder.fold(name), attribute)

    def negated_ranges(self, text: str, folded: FoldedText) -> Iterator[tuple[int, int]]:
        """What the text says is not so."""
        return negated_ranges(text, folded, self.negations)

    def new_values(
        self, attribute: str, content: str, values: Collection[str], filled: bool
    ) -> Iterator[tuple[int, int, str | None]]:
        """(start, end, value of the cell) of phrases under a heading that no known form explains.

        They need a blank cell or one that agrees. Of several phrases only those count that agree or name the attribute
        ("Fit: mid-rise, narrow fit"); numbers are measures of something else unless the cell agrees.
        """
        phrases = [p for p in PHRASE.finditer(content) if not self._is_of_another(attribute, p[0])]
        for phrase in phrases:
            value = self.agreeing(attribute, phrase[0], values)
            named = len(phrases) == 1 or self.common(attribute) & set(self._folder.split(phrase[0]))
            if value or (not filled and named and not re.search(r"\d", content)):
                yield phrase.start(), phrase.end(), value

    def _is_of_another(self, attribute: str, phrase: str) -> bool:
        """Whether a phrase as a whole is known for a value of another attribute: "Fit: low rise"."""
        found = self.known.find(FoldedText(phrase, self._folder))
        return any(f.attribute != attribute and f.end - f.start == len(phrase) for f in found)

    def new_part(
        self, attribute: str, part: str, values: Collection[str], whole: bool
    ) -> Iterator[tuple[int, int, str | None]]:
        """(start, end, value of the cell) of what a part of a composition names, if no known form explains it.

        The words that it shares with the cell ("cotton jersey", where the cell says Pure Cotton); else the part as it
        is, if it is short and the composition ``whole``.
        """
        value = self.agreeing(attribute, part, values)
        if value is not None:
            telling = set(self._folder.split(value)) - self.common(attribute)
            shared = [(s, e) for word, s, e in FoldedText(part, self._folder).words() if word in telling]
            yield shared[0][0], shared[-1][1], value
        elif whole and len(part.split()) <= PART:
            yield 0, len(part), None

    def common(self, attribute: str) -> frozenset[str]:
        """Words that tell no value of the attribute from another: those of its name, and of very many of its values."""
        if attribute not in self._common:
            values = self._values[attribute]
            counts = Counter(w for v in values for w in set(self._folder.split(v)))
            often = {w for w, n in counts.items() if n >= max(3, COMMON * len(values))}
            self._common[attribute] = frozenset(often | set(self._folder.split(attribute)))
        return self._common[attribute]
