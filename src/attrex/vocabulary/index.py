"""What the texts of one shop call its attributes and values: the shop file and a lexicon, ready to be found."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from itertools import islice

from attrex.characters import without_symbols
from attrex.shop.shop import Shop
from attrex.vocabulary.folding import MARKS, FoldedText, Folder
from attrex.vocabulary.forms import known_forms
from attrex.vocabulary.lexicon import Lexicon, Vocabulary
from attrex.vocabulary.matcher import PhraseMatcher, negated_ranges
from attrex.vocabulary.word_lists import WordLists

COMMON = 0.25
"""A word in so many of an attribute's values ("fit", "sleeves") tells none of them from the others."""
PART = 2
"""Words of an unknown part of a composition at most."""
PHRASE = re.compile(rf"[^\W\d_](?:[^,;/，；、]*[^\W_])?[{MARKS}]*")
"""What stands under a heading as one value: from a letter to a comma, or a symbol."""


class VocabularyIndex:
    """What the texts of one shop call its attributes and their values."""

    def __init__(self, folder: Folder, shop: Shop, lexicon: Lexicon) -> None:
        words, policy = WordLists.of(shop), shop.labels
        self._folder = folder
        self.negations = tuple(map(folder.fold, words.negations if policy.negations is None else policy.negations))
        self.conjunctions = words.conjunctions
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
        for attribute, value, forms in known_forms(shop, lexicon):
            self._values[attribute].add(value)
            for form, evidence in forms.items():
                for matcher in (self.known, self.headed, self.parts):
                    matcher.add(folder.fold(form), attribute, value, evidence)
        for name, vocabulary in lexicon.attributes.items():
            self._read(name, vocabulary, policy.mined_forms)

    def _read(self, name: str, vocabulary: Vocabulary, mined_forms: bool) -> None:
        fold = self._folder.fold
        for heading in (name, *vocabulary.headings):
            self.headings.setdefault(fold(heading), name)
        self.modifiers[name] = frozenset(map(fold, vocabulary.modifiers))
        self.categories[name] = frozenset(vocabulary.categories)
        for value, forms in vocabulary.headed.items() if mined_forms else ():
            for form in forms:
                self.headed.add(fold(form), name, value or None)
        for form in vocabulary.parts:
            self.parts.add(fold(form), name, None)

    def agreeing(self, attribute: str, phrase: str, values: Collection[str]) -> str | None:
        """The value that shares a word with the phrase, a word that tells the attribute's values apart; else None."""
        words = {w for w in self._folder.split(phrase) if any(map(str.isalnum, w))} - self.common(attribute)
        return next((v for v in values if words & set(self._folder.split(v))), None)

    @property
    def attributes(self) -> Collection[str]:
        return self.headings.values()

    def announce(self, column: str, attribute: str) -> None:
        """A column's name is a heading of its attribute."""
        for name in (attribute, column):
            self.headings.setdefault(self._folder.fold(name), attribute)

    def negated_ranges(self, text: str, folded: FoldedText) -> Iterator[tuple[int, int]]:
        """What the text denies."""
        return negated_ranges(text, folded, self.negations)

    def new_values(
        self, attribute: str, content: str, values: Collection[str], filled: bool
    ) -> Iterator[tuple[int, int, str | None]]:
        """(start, end, value of the cell) of phrases under a heading that no known form explains.

        They need a blank cell or one that agrees. Of several phrases only those count that agree or name the attribute
        ("Fit: mid-rise, narrow fit"); numbers are measures of something else unless the cell agrees.
        """
        phrases = []
        for start, end in (place for m in PHRASE.finditer(content) for place in without_symbols(content, *m.span())):
            found = self.known.find(FoldedText(content[start:end], self._folder))
            # What as a whole is known for a value of another attribute is left out: "Fit: low rise".
            if not any(f.attribute != attribute and f.end - f.start == end - start for f in found):
                phrases.append((start, end))
        for start, end in phrases:
            phrase = content[start:end]
            value = self.agreeing(attribute, phrase, values)
            named = len(phrases) == 1 or self.common(attribute) & set(self._folder.split(phrase))
            if value or (not filled and named and not re.search(r"\d", content)):
                yield start, end, value

    def new_part(
        self, attribute: str, part: str, values: Collection[str], whole: bool
    ) -> Iterator[tuple[int, int, str | None]]:
        """(start, end, value of the cell) of what a part of a composition names, if no known form explains it.

        The words that it shares with the cell ("cotton jersey", where the cell has Pure Cotton); else the part as it
        is, if it is short and the composition ``whole``.
        """
        value = self.agreeing(attribute, part, values)
        if value is not None:
            telling = set(self._folder.split(value)) - self.common(attribute)
            shared = [(s, e) for word, s, e in FoldedText(part, self._folder).words() if word in telling]
            yield shared[0][0], shared[-1][1], value
        elif whole and len(part.split()) <= PART:
            yield from ((start, end, None) for start, end in islice(without_symbols(part, 0, len(part)), 1))

    def common(self, attribute: str) -> frozenset[str]:
        """Words that tell no value of the attribute from another: those of its name, and of very many of its values."""
        if attribute not in self._common:
            values = self._values[attribute]
            counts = Counter(w for v in values for w in set(self._folder.split(v)))
            often = {w for w, n in counts.items() if n >= max(3, COMMON * len(values))}
            self._common[attribute] = frozenset(often | set(self._folder.split(attribute)))
        return self._common[attribute]
