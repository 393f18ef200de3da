"""Distant supervision: find the values of a shop's table in the product's text, so that they can teach a model.

Texts and values are cut into words, each word is folded (case, spelling, plural), and the folded values are searched in
the folded text. Every folded word keeps the place it came from, so offsets are exact whatever the folding did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from attrex.labels.matching import ValueMatcher
from attrex.labels.overlaps import settle_overlaps
from attrex.labels.report import LabelReport
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Product, Span
from attrex.vocabulary.folding import Folder
from attrex.vocabulary.forms import ValueForms
from attrex.vocabulary.index import VocabularyIndex
from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon
from attrex.vocabulary.word_lists import WordLists


class DistantLabeler:
    """Labels products with their own table's values, and with what their texts unambiguously name for blank cells.

    :attr:`report` sums up what happened.

    :param shop: its policy decides what is labelled; the order of its attributes, who gets words that two claim
    :param lexicon: what else the shop's texts call its values
    """

    def __init__(self, shop: Shop = DEFAULT_SHOP, lexicon: Lexicon = NOTHING_MINED) -> None:
        self.policy = policy = shop.labels
        self.report = LabelReport()
        self._folder = Folder.of(policy, WordLists.of(shop))
        self._index = VocabularyIndex(self._folder, shop, lexicon)
        ranks = {attribute: i for i, attribute in enumerate(dict.fromkeys([*policy.priority, *shop.schema.names]))}
        forms = ValueForms(self._folder, shop, lexicon)
        self._matcher = ValueMatcher(self._folder, policy, self._index, forms, ranks)
        self._attributes: set[str] = set()  #: whose names are headings

    def add_headings(self, attributes: Iterable[str]) -> None:
        """Take in the table's attributes before its products: each is a heading in all texts, whoever fills it."""
        for attribute in attributes:
            if attribute not in self._attributes:
                self._attributes.add(attribute)
                self._index.announce(attribute, attribute)

    def label(self, product: Product) -> Product:
        """The product with a span wherever its text names one of its values.

        A value that is not in the text stays in ``table``; a blank cell leaves it, also where a text names its value.
        Products that have spans keep them, marked rows come back unchanged.
        """
        self.report.products += 1
        if product.error is not None:
            self.report.count_error(product.error)
            return product
        self.add_headings(product.table)
        if product.spans is not None:
            self.report.already_labelled += 1
            return product
        table = product.table
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
        return replace(product, spans=tuple(spans))
