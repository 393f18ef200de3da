"""Where one text names values of its product: by the cells, the title, known forms, headings and compositions."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from attrex.labels.headings import compositions, key_value_lines
from attrex.labels.phrases import with_modifiers
from attrex.shop.label_policy import LabelPolicy
from attrex.vocabulary.folding import BoundedCache, FoldedText, Folder, without_possessive
from attrex.vocabulary.forms import ValueForms
from attrex.vocabulary.index import VocabularyIndex
from attrex.vocabulary.matcher import LexiconMatch, unambiguous

VALUE_WORDS = 4
"""Words that stand under a heading as a value; more are a sentence."""
MIN_SUPPORT = 10
"""Products that must have a form before its precision counts for blank cells."""
Table = Mapping[str, tuple[str, ...]]
"""attribute -> values of a product's cells; empty: known to be absent"""


class Match(NamedTuple):
    """A value found in one field, before overlaps are settled."""

    rank: int  #: of the attribute; the smaller wins
    attribute: str
    value: str | None  #: None: a value that the table has no word for
    start: int
    end: int
    source: str = "table"  #: the rule that found it; also "title", "blank cell", "heading", "composition"


class ValueMatcher:
    """Finds the values of a product in its texts.

    :param index: headings, known forms and modifiers
    :param forms: what to search for to find a cell's value
    :param ranks: attribute -> its place in the order of precedence; the others come last
    """

    def __init__(
        self,
        folder: Folder,
        policy: LabelPolicy,
        index: VocabularyIndex,
        forms: ValueForms,
        ranks: Mapping[str, int],
    ) -> None:
        self._folder = folder
        self._policy = policy
        self._index = index
        self._forms: BoundedCache[tuple[str, str], tuple[str, ...]] = BoundedCache(lambda cell: forms.of(*cell))
        self._ranks = ranks

    def find(self, text: str, table: Table, title_values: Table, category: str | None) -> list[Match]:
        """Everything in one field that is a value of the product, overlaps and all."""
        folded = FoldedText(text, self._folder)
        known = self._index.known.find(folded)
        by_attribute: defaultdict[str, list[LexiconMatch]] = defaultdict(list)
        for m in known:
            by_attribute[m.attribute].append(m)
        of_cells = (*self._of_cells(folded, table, "table"), *self._of_cells(folded, title_values, "title"))
        matches = [self._whole(m, by_attribute[m.attribute]) for m in of_cells]
        if self._policy.blank_cells:
            matches += self._of_blank_cells(known, table, category)
        negated = list(self._index.negated_ranges(text, folded))
        matches = [m for m in matches if not any(start <= m.start < end for start, end in negated)]
        if self._policy.headings:
            matches += self._under_headings(text, table)
        if self._policy.composition:
            matches += self._in_compositions(text, table)
        return [m._replace(end=without_possessive(text, m.start, m.end, m.value or "")) for m in matches]

    def title_values(self, title: str, table: Table, category: str | None) -> dict[str, tuple[str, ...]]:
        """attribute -> the values that a title names, where the cell is blank or its value is not in the title.

        A title is the shop's own short description: where it has Maroon and the cell Pink, the product is both.
        """
        if not self._policy.titles:
            return {}
        folded = FoldedText(title, self._folder)
        settled = {m.attribute for m in self._of_cells(folded, table, "table")}
        values: dict[str, tuple[str, ...]] = {}
        for m in unambiguous(self._index.known.find(folded)):
            trusted = m.evidence is not None and (m.evidence.in_titles or 0) >= self._policy.trust
            known_absent = table.get(m.attribute) == ()
            if trusted and m.value and m.attribute not in settled and not known_absent and self._allowed(m, category):
                values[m.attribute] = (*values.get(m.attribute, ()), m.value)
        return values

    def with_modifiers(self, matches: list[Match], text: str) -> list[Match]:
        """The matches, which do not overlap, grown by the modifiers that belong to them."""
        modifiers = self._index.modifiers
        if not (self._policy.whole_phrases and modifiers):
            return matches

        def modifies(attribute: str, word: str) -> bool:
            return self._folder.fold(word) in modifiers.get(attribute, ())

        def is_value(attribute: str, word: str) -> bool:
            return any(m.attribute == attribute for m in self._index.known.find(FoldedText(word, self._folder)))

        return with_modifiers(text, matches, modifies, is_value)

    def _of_cells(self, folded: FoldedText, table: Table, source: str) -> Iterator[Match]:
        for i, (attribute, values) in enumerate(table.items()):
            rank = self._ranks.get(attribute, len(self._ranks) + i)
            for value in values:
                for form in self._forms[attribute, value]:
                    yield from (Match(rank, attribute, value, *place, source) for place in folded.find(form))

    def _whole(self, match: Match, known: list[LexiconMatch]) -> Match:
        """The match, or the longer value of its attribute that it is a part of: "navy blue" where the cell is Blue.

        ``known``: the attribute's values in the text, from left to right, none over another.
        """
        before = bisect_right(known, match.start, key=lambda m: m.start)
        around = known[before - 1] if before and self._policy.whole_phrases else None
        return match if around is None or around.end < match.end else match._replace(start=around.start, end=around.end)

    def _of_blank_cells(self, known: list[LexiconMatch], table: Table, category: str | None) -> Iterator[Match]:
        """Known values of attributes whose cell is blank, where the same form is right in filled cells."""
        for m in unambiguous(known):
            trusted = m.evidence and m.evidence.support >= MIN_SUPPORT and m.evidence.precision >= self._policy.trust
            if trusted and m.attribute not in table and self._allowed(m, category):
                yield Match(self._rank(m.attribute), m.attribute, m.value, m.start, m.end, "blank cell")

    def _allowed(self, match: LexiconMatch, category: str | None) -> bool:
        """Whether the category has the attribute, as far as the lexicon knows."""
        having = self._index.categories.get(match.attribute)
        return not having or category is None or category in having

    def _under_headings(self, text: str, table: Table) -> Iterator[Match]:
        for heading, start, end in key_value_lines(text):
            attribute = self._index.headings.get(self._folder.fold(heading))
            content = text[start:end]
            if (
                attribute is None
                or len(content.split()) > VALUE_WORDS
                or self._folder.fold(content) in self._index.headings
            ):
                continue
            rank, values = self._rank(attribute), table.get(attribute, ())
            folded = FoldedText(content, self._folder)
            known = [m for m in self._index.headed.find(folded) if m.attribute == attribute]
            for m in known:
                yield Match(rank, attribute, m.value, start + m.start, start + m.end, "heading")
            if not known and not any(any(folded.find(form)) for v in values for form in self._forms[attribute, v]):
                for at, until, value in self._index.new_values(attribute, content, values, attribute in table):
                    yield Match(rank, attribute, value, start + at, start + until, "heading")

    def _in_compositions(self, text: str, table: Table) -> Iterator[Match]:
        parts = list(compositions(text, self._index.conjunctions))
        attribute = self._policy.composed(self._index.attributes) if parts else None
        for start, end, whole in parts if attribute else ():
            assert attribute is not None
            rank, words = self._rank(attribute), text[start:end]
            known = [m for m in self._index.parts.find(FoldedText(words, self._folder)) if m.attribute == attribute]
            for m in known[:1]:  # what follows is of the product: 100% cotton plain shirt
                if len(words[: m.start].split()) < VALUE_WORDS:
                    yield Match(rank, attribute, m.value, start + m.start, start + m.end, "composition")
            if not known:
                for at, until, value in self._index.new_part(attribute, words, table.get(attribute, ()), whole):
                    yield Match(rank, attribute, value, start + at, start + until, "composition")

    def _rank(self, attribute: str) -> int:
        return self._ranks.get(attribute, len(self._ranks))
