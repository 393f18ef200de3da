"""Distant supervision: find the values of a shop's table in the product's text, so that they can teach a model.

Texts and values are cut into words, each word is folded (case, spelling, plural), and the folded values are searched in
the folded text. Every folded word keeps the place it came from, so offsets are exact whatever the folding did.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from attrex.labels.agreement import label_agreement
from attrex.labels.headings import compositions, key_value_lines
from attrex.labels.phrases import with_modifiers
from attrex.shop.cells import ColumnCounts
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Product, Span
from attrex.vocabulary.folding import ALIASES, IS_CJK, BoundedCache, FoldedText, Folder, fold_plural, without_possessive
from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon
from attrex.vocabulary.matcher import LexiconMatch, VocabularyIndex, unambiguous

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "ALIASES",
    "AttributeCounts",
    "DistantLabeler",
    "FoldedText",
    "Folder",
    "LabelReport",
    "fold_plural",
    "label_agreement",
    "without_possessive",
]

VALUE_WORDS = 4
"""Words that stand under a heading as a value; more are a sentence."""
MIN_SUPPORT = 10
"""Products that must have said a form before its precision is believed for blank cells."""


@dataclass
class AttributeCounts:
    """What became of one attribute's cells."""

    cells: int = 0  #: filled cells
    located: int = 0  #: cells with at least one span
    lost_to_overlap: int = 0  #: cells that were said in the text, but another attribute took all their words
    absent: int = 0  #: cells known to have no value
    spans: int = 0
    found: Counter[str] = field(default_factory=Counter)  #: value -> cells that said it
    missed: Counter[str] = field(default_factory=Counter)  #: value -> cells that did not

    @property
    def never_found(self) -> dict[str, int]:
        """Values that no text says, most frequent first: candidates for an alias, or left to the photo."""
        return {v: n for v, n in self.missed.most_common() if v not in self.found}

    def to_json(self, top: int = 20) -> dict[str, Any]:
        counts = {k: getattr(self, k) for k in ("cells", "located", "lost_to_overlap", "absent", "spans")}
        never = self.never_found
        return counts | {
            "not_located": self.cells - self.located,
            "located_share": round(self.located / self.cells, 4) if self.cells else None,
            "never_found": dict(list(never.items())[:top]),
            "never_found_values": len(never),
        }


@dataclass
class LabelReport:
    """What was located, lost and never found, summed over all products a :class:`DistantLabeler` has seen."""

    products: int = 0
    errors: int = 0  #: marked rows, passed on as they came
    already_labelled: int = 0  #: products that came with spans, which were kept
    attributes: defaultdict[str, AttributeCounts] = field(default_factory=lambda: defaultdict(AttributeCounts))
    sources: Counter[str] = field(default_factory=Counter)  #: what told that a span is one -> spans
    ambiguous: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(words, attribute that has them, attribute that claimed them too) -> times"""
    columns: ColumnCounts = field(default_factory=ColumnCounts)  #: for the reader of the products to count in

    def to_json(self) -> dict[str, Any]:
        return {
            "products": self.products,
            "errors": self.errors,
            "already_labelled": self.already_labelled,
            "sources": dict(self.sources.most_common()),
            "attributes": {
                a: c.to_json() | {"merged": self.columns.merged[a]}
                for a, c in sorted(self.attributes.items(), key=lambda x: -x[1].cells)
            },
            "ambiguous": [
                {"words": words, "winner": winner, "loser": loser, "times": n}
                for (words, winner, loser), n in self.ambiguous.most_common()
            ],
            "dropped_columns": dict(self.columns.dropped.most_common()),
        }

    def render(self, top: int = 10) -> RenderableType:
        """The report as rich tables."""
        from rich.console import Group
        from rich.table import Table

        numbers = ("filled", "located", "share", "spans", "lost_to_overlap", "merged")
        cells = Table(title=f"Located in the text of {self.products} products")
        for name in ("attribute", *numbers, "never found (most frequent)"):
            cells.add_column(name, justify="right" if name in numbers else "left")
        for name, row in self.to_json()["attributes"].items():
            share = "" if row["located_share"] is None else f"{row['located_share']:.0%}"
            never = ", ".join(f"{v} ({n})" for v, n in list(row["never_found"].items())[:3])
            counts = (row["cells"], row["located"], share, row["spans"], row["lost_to_overlap"], row["merged"])
            cells.add_row(name, *map(str, counts), never)
        words = Table(title="Words claimed by two attributes")
        for name in ("words", "labelled", "also claimed by", "times"):
            words.add_column(name)
        for (text, winner, loser), n in self.ambiguous.most_common(top):
            words.add_row(text, winner, loser, str(n))
        sources = ", ".join(f"{source} {n}" for source, n in self.sources.most_common()) or "none"
        notes = [f"Spans by what told that they are values: {sources}."]
        notes += [f"{self.errors} rows with errors and {self.already_labelled} already labelled products passed on."]
        if self.columns.dropped:
            dropped = ", ".join(f"{c} ({n})" for c, n in self.columns.dropped.most_common(top))
            notes.append(f"{len(self.columns.dropped)} columns of no attribute were dropped: {dropped}")
        return Group(cells, *([words] if self.ambiguous else []), *notes)


class Match(NamedTuple):
    """A value found in one field, before overlaps are settled."""

    rank: int  #: of the attribute; the smaller wins
    attribute: str
    value: str | None  #: None: a value that the table has no word for
    start: int
    end: int
    source: str = "table"  #: what tells that it is one; also "title", "blank cell", "heading", "composition"


class DistantLabeler:
    """Labels products with their own table's values, and with what their texts say of blank cells beyond doubt.

    The shop's schema gives further aliases and orders attributes where words are claimed twice; the lexicon
    knows what else the shop's texts call its values. :attr:`report` sums up what happened.
    """

    def __init__(
        self,
        shop: Shop = DEFAULT_SHOP,
        lexicon: Lexicon = NOTHING_MINED,
    ) -> None:
        policy, schema = shop.labels, shop.schema
        self.policy = policy
        self.report = LabelReport()
        order = [*policy.priority, *schema.names]
        self._rank = {a: i for i, a in enumerate(dict.fromkeys(order))}
        self._folder = Folder(policy)
        self._aliases: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
        if policy.aliases:
            by_hand = [item for a in schema.attributes for item in a.aliases.items()]
            for value, forms in [*ALIASES.items(), *shop.aliases.items(), *by_hand]:
                self._aliases[self._folder.fold(value)] += tuple(map(self._folder.fold, forms))
        self._index = VocabularyIndex(self._folder, shop, lexicon)
        self._headings: set[str] = set()  #: attributes that the index has been told of
        self.forms = BoundedCache(self._forms_of)

    def know(self, attributes: Iterable[str]) -> None:
        """Take in the table's attributes before its products: each is a heading in all texts, whoever fills it."""
        for attribute in attributes:
            if attribute not in self._headings:
                self._headings.add(attribute)
                self._index.announce(attribute, attribute)

    def locate(self, product: Product) -> Product:
        """The product with a span wherever the text says one of its values.

        A value that is not said stays in ``table``; a blank cell leaves it, also where a text says its value. Products
        that have spans keep them, marked rows come back unchanged.
        """
        self.report.products += 1
        if product.error is not None:
            self.report.errors += 1
            return product
        self.know(product.table)
        if product.spans is not None:
            self.report.already_labelled += 1
            return product
        table = product.table
        title = "".join(next(iter(product.fields.values()), "").lstrip().splitlines()[:1])
        told = self._told_by_title(title, table, product.category)
        matches = {name: self._matches(text, table, told, product.category) for name, text in product.fields.items()}
        settled = {
            name: self._phrases(self._settle(found, product.fields[name]), product.fields[name])
            for name, found in matches.items()
        }
        self.report.sources.update(m.source for found in settled.values() for m in found)
        spans = [
            Span(m.attribute, m.start, m.end, product.fields[name][m.start : m.end], name, m.value)
            for name, found in settled.items()
            for m in found
        ]
        if self.policy.occurrences == "first":
            first: dict[tuple[str, str | None], Span] = {}
            for s in spans:
                first.setdefault((s.attribute, s.value), s)
            spans = list(first.values())
        self._count(table, spans, {(m.attribute, m.value) for found in matches.values() for m in found})
        return replace(product, spans=tuple(spans))

    def _forms_of(self, cell: tuple[str, str]) -> tuple[str, ...]:
        """The folded forms to search for (attribute, value): itself and its aliases, without those too short."""
        form = self._folder.fold(cell[1])
        forms = dict.fromkeys((form, *self._aliases.get(form, ()), *self._index.forms.get(cell, ())))
        shortest = max(self.policy.min_length, 1)
        return tuple(f for f in forms if len(f.strip()) >= shortest or IS_CJK.match(f))

    def _matches(
        self,
        text: str,
        table: Mapping[str, tuple[str, ...]],
        told: Mapping[str, tuple[str, ...]],
        category: str | None,
    ) -> list[Match]:
        """Everything in one field that is a value of the product, overlaps and all; ``told``: by its title."""
        folded = FoldedText(text, self._folder)
        known = self._index.known.find(folded)
        by_attribute: defaultdict[str, list[LexiconMatch]] = defaultdict(list)
        for f in known:
            by_attribute[f.attribute].append(f)
        of_cells = (*self._of_cells(folded, table, "table"), *self._of_cells(folded, told, "title"))
        found = [self._whole(m, by_attribute[m.attribute]) for m in of_cells]
        if self.policy.blank_cells:
            found += self._of_blank_cells(known, table, category)
        denied = list(self._index.negated_ranges(text, folded))
        found = [m for m in found if not any(start <= m.start < end for start, end in denied)]
        if self.policy.headings:
            found += self._under_headings(text, table)
        if self.policy.composition:
            found += self._in_compositions(text, table)
        return [m._replace(end=without_possessive(text, m.start, m.end, m.value or "")) for m in found]

    def _of_cells(self, folded: FoldedText, table: Mapping[str, tuple[str, ...]], source: str) -> Iterator[Match]:
        for i, (attribute, values) in enumerate(table.items()):
            rank = self._rank.get(attribute, len(self._rank) + i)
            for value in values:
                for form in self.forms[attribute, value]:
                    if form in folded.folded:
                        yield from (Match(rank, attribute, value, *place, source) for place in folded.find(form))

    def _whole(self, match: Match, known: list[LexiconMatch]) -> Match:
        """The match, or the longer value of its attribute that it is a part of: "navy blue" where the cell is Blue.

        ``known``: the attribute's values in the text, from left to right, none over another.
        """
        before = bisect_right(known, match.start, key=lambda f: f.start)
        around = known[before - 1] if before and self.policy.whole_phrases else None
        return match if around is None or around.end < match.end else match._replace(start=around.start, end=around.end)

    def _told_by_title(
        self, title: str, table: Mapping[str, tuple[str, ...]], category: str | None
    ) -> dict[str, tuple[str, ...]]:
        """attribute -> the values that a title is believed to say, where the cell is blank or not what the title says.

        A title is the shop's own short description: where it says Maroon and the cell Pink, the product is both.
        """
        if not self.policy.titles:
            return {}
        folded = FoldedText(title, self._folder)
        settled = {m.attribute for m in self._of_cells(folded, table, "table")}
        told: dict[str, tuple[str, ...]] = {}
        for f in unambiguous(self._index.known.find(folded)):
            sure = f.evidence is not None and (f.evidence.in_titles or 0) >= self.policy.trust
            known_absent = table.get(f.attribute) == ()
            if sure and f.value and f.attribute not in settled and not known_absent and self._possible(f, category):
                told[f.attribute] = (*told.get(f.attribute, ()), f.value)
        return told

    def _of_blank_cells(
        self, known: list[LexiconMatch], table: Mapping[str, tuple[str, ...]], category: str | None
    ) -> Iterator[Match]:
        """Known values of attributes whose cell is blank, where the same words are right in filled cells."""
        for f in unambiguous(known):
            believed = f.evidence and f.evidence.support >= MIN_SUPPORT and f.evidence.precision >= self.policy.trust
            if believed and f.attribute not in table and self._possible(f, category):
                yield Match(self._rank_of(f.attribute), f.attribute, f.value, f.start, f.end, "blank cell")

    def _possible(self, found: LexiconMatch, category: str | None) -> bool:
        """Whether the category has the attribute, as far as the lexicon knows."""
        having = self._index.categories.get(found.attribute)
        return not having or category is None or category in having

    def _under_headings(self, text: str, table: Mapping[str, tuple[str, ...]]) -> Iterator[Match]:
        for heading, start, end in key_value_lines(text):
            attribute = self._index.headings.get(self._folder.fold(heading))
            content = text[start:end]
            if (
                attribute is None
                or len(content.split()) > VALUE_WORDS
                or self._folder.fold(content) in self._index.headings
            ):
                continue
            rank, values = self._rank_of(attribute), table.get(attribute, ())
            folded = FoldedText(content, self._folder)
            found = [f for f in self._index.headed.find(folded) if f.attribute == attribute]
            for f in found:
                yield Match(rank, attribute, f.value, start + f.start, start + f.end, "heading")
            if not found and not any(form in folded.folded for v in values for form in self.forms[attribute, v]):
                for at, until, value in self._index.new_values(attribute, content, values, attribute in table):
                    yield Match(rank, attribute, value, start + at, start + until, "heading")

    def _in_compositions(self, text: str, table: Mapping[str, tuple[str, ...]]) -> Iterator[Match]:
        parts = list(compositions(text))
        attribute = self.policy.composed(self._index.attributes) if parts else None
        for start, end, whole in parts if attribute else ():
            assert attribute is not None
            rank, words = self._rank_of(attribute), text[start:end]
            found = [f for f in self._index.parts.find(FoldedText(words, self._folder)) if f.attribute == attribute]
            for f in found[:1]:  # what follows is of the product: 100% cotton plain shirt
                if len(words[: f.start].split()) < VALUE_WORDS:
                    yield Match(rank, attribute, f.value, start + f.start, start + f.end, "composition")
            if not found:
                for at, until, value in self._index.new_part(attribute, words, table.get(attribute, ()), whole):
                    yield Match(rank, attribute, value, start + at, start + until, "composition")

    def _phrases(self, matches: list[Match], text: str) -> list[Match]:
        """The matches with the modifiers that belong to them."""
        modifiers = self._index.modifiers
        if not (self.policy.whole_phrases and modifiers):
            return matches

        def modifies(attribute: str, word: str) -> bool:
            return self._folder.fold(word) in modifiers.get(attribute, ())

        def is_value(attribute: str, word: str) -> bool:
            return any(f.attribute == attribute for f in self._index.known.find(FoldedText(word, self._folder)))

        return with_modifiers(text, matches, modifies, is_value)

    def _rank_of(self, attribute: str) -> int:
        return self._rank.get(attribute, len(self._rank))

    def _settle(self, matches: list[Match], text: str) -> list[Match]:
        """The matches that stay once overlaps are decided, from left to right."""
        by_rank = self.policy.overlap == "priority"

        def strength(m: Match) -> tuple[Any, ...]:
            length = m.start - m.end
            return (m.source != "heading", *((m.rank, length) if by_rank else (length, m.rank)), m.start)

        matches.sort(key=strength)
        taken: defaultdict[str, bytearray] = defaultdict(lambda: bytearray(len(text)))
        owner: dict[tuple[int, int], str] = {}
        kept = []
        for m in matches:
            winner = owner.get((m.start, m.end), m.attribute)
            if winner != m.attribute:
                self.report.ambiguous[text[m.start : m.end].casefold(), winner, m.attribute] += 1
            track = taken[m.attribute if self.policy.overlap == "keep" else ""]
            if not any(track[m.start : m.end]):
                track[m.start : m.end] = b"\1" * (m.end - m.start)
                owner.setdefault((m.start, m.end), m.attribute)
                kept.append(m)
        return sorted(kept, key=lambda m: (m.start, m.end, m.rank))

    def _count(
        self, table: Mapping[str, tuple[str, ...]], spans: list[Span], said: set[tuple[str, str | None]]
    ) -> None:
        located = {(s.attribute, s.value) for s in spans}
        for s in spans:
            self.report.attributes[s.attribute].spans += 1
        for attribute, values in table.items():
            counts = self.report.attributes[attribute]
            found = [v for v in values if (attribute, v) in located]
            counts.cells += bool(values)
            counts.absent += not values
            counts.located += bool(found)
            counts.lost_to_overlap += not found and any((attribute, v) in said for v in values)
            counts.found.update(found)
            counts.missed.update(v for v in values if v not in found)
