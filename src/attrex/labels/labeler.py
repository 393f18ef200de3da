"""Distant supervision: find the values of a shop's table in the product's text, so that they can teach a model.

Texts and values are cut into words, each word is folded (case, spelling, plural), and the folded values are searched in
the folded text. Every folded word keeps the place it came from, so offsets are exact whatever the folding did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from attrex.labels.matching import ValueMatcher
from attrex.labels.overlaps import settle_overlaps
from attrex.labels.report import LabelReport
from attrex.shop.label_policy import DEFAULT_POLICY, LocatePolicy
from attrex.shop.schema import Schema
from attrex.types import Product, Span
from attrex.vocabulary.folding import BoundedCache, Folder
from attrex.vocabulary.forms import ValueForms
from attrex.vocabulary.index import VocabularyIndex
from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon
from attrex.vocabulary.word_lists import ENGLISH, WordLists


class DistantLabeler:
    """Labels products with their own table's values, and with what their texts unambiguously name for blank cells.

    :attr:`report` sums up what happened.

    :param schema: gives aliases and merged columns, and orders attributes where two claim the same words
    :param lexicon: what else the shop's texts call its values
    :param words: of the texts' languages, and the shop's own
    """

    def __init__(
        self,
        schema: Schema | None = None,
        policy: LocatePolicy = DEFAULT_POLICY,
        lexicon: Lexicon = NOTHING_MINED,
        words: WordLists = ENGLISH,
    ) -> None:
        self.policy = policy
        self.words = words
        self.report = LabelReport()
        self.columns = (schema.column_mapping() if schema else {}) | dict(policy.columns)
        order = [*policy.priority, *(schema.names if schema else ()), *self.columns.values()]
        self.folder = Folder.of(policy, words)
        self.index = VocabularyIndex(self.folder, policy, self.columns, schema, lexicon, words)
        self._matcher = ValueMatcher(
            self.folder,
            policy,
            self.index,
            ValueForms(self.folder, schema, policy, lexicon, words),
            {attribute: rank for rank, attribute in enumerate(dict.fromkeys(order))},
        )
        self._absent = {a.strip().casefold() for a in policy.absent}
        self._blank = {b.strip().casefold() for b in (*policy.blank, "")} - self._absent
        self._cells = BoundedCache(self._without_markers)
        self._attributes = BoundedCache(self._attribute_of)

    def add_columns(self, columns: Iterable[str]) -> None:
        """Take in the table's columns before its products: each is a heading in all texts, whoever fills it first."""
        for column in columns:
            self._attributes[column]

    def label(self, product: Product) -> Product:
        """The product with its columns merged and a span wherever its text names one of its values.

        A value that is not in the text stays in ``table``; a blank cell leaves it, also where a text names its value.
        Products that have spans keep them, marked rows come back unchanged.
        """
        self.report.products += 1
        if product.error is not None:
            self.report.errors += 1
            return product
        table = self.merge_columns(product.table)
        if product.spans is not None:
            self.report.already_labelled += 1
            return replace(product, table=table)
        title = "".join(next(iter(product.fields.values()), "").lstrip().splitlines()[:1])
        title_values = self._matcher.title_values(title, table, product.category)
        spans: list[Span] = []
        matched: set[tuple[str, str | None]] = set()
        for field, text in product.fields.items():
            matches = self._matcher.find(text, table, title_values, product.category)
            matched |= {(m.attribute, m.value) for m in matches}
            kept, contests = settle_overlaps(matches, self.policy.overlap)
            self.report.ambiguous.update(
                (text[m.start : m.end].casefold(), winner, m.attribute) for m, winner in contests
            )
            for m in self._matcher.with_modifiers(kept, text):
                self.report.sources[m.source] += 1
                spans.append(Span(m.attribute, m.start, m.end, text[m.start : m.end], field, m.value))
        if self.policy.occurrences == "first":
            first: dict[tuple[str, str | None], Span] = {}
            for s in spans:
                first.setdefault((s.attribute, s.value), s)
            spans = list(first.values())
        self.report.count(table, spans, matched)
        return replace(product, table=table, spans=tuple(spans))

    def merge_columns(self, table: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Columns to attributes; blank cells go, a cell known to be absent is empty unless another column fills it."""
        merged: dict[str, tuple[str, ...]] = {}
        for column, cell in table.items():
            attribute, values = self._attributes[column], self._cells[cell]
            if values is None:
                continue
            if attribute is None:
                self.report.dropped_columns[column] += 1
                continue
            before = merged.get(attribute, ())
            self.report.attributes[attribute].merged += bool(before and values)
            merged[attribute] = tuple(dict.fromkeys((*before, *values))) if before else values
        return merged

    def _attribute_of(self, column: str) -> str | None:
        """What a column is merged into; None: it is dropped. One of its own is an attribute, and its name a heading."""
        if column not in self.columns and self.policy.other_columns == "drop":
            return None
        attribute = self.columns.get(column, column)
        self.index.announce(column, attribute)
        return attribute

    def _without_markers(self, cell: tuple[str, ...]) -> tuple[str, ...] | None:
        """The cell's values; empty: known to have none; None: blank."""
        values = [v for v in cell if v.strip().casefold() not in self._blank]
        if cell and not values:
            return None
        return tuple(dict.fromkeys(v for v in values if v.strip().casefold() not in self._absent))
