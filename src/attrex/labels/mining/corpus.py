"""The products as mining reads them: merged tables, and lines of folded words with the known values in them."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from attrex.shop.shop import Shop
from attrex.types import Product
from attrex.vocabulary.folding import FoldedText, Folder
from attrex.vocabulary.index import VocabularyIndex
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary
from attrex.vocabulary.matcher import LexiconMatch
from attrex.vocabulary.word_lists import WordLists

_NEVER = FormStats(0, 0.0)


@dataclass(frozen=True)
class Thresholds:
    """When a form is accepted, and when it is at least suggested to a person."""

    support: int = 5  #: products with a filled cell whose text has it
    accepted: float = 0.8  #: share of them whose cell agrees
    suggested: float = 0.5
    lift: float = 2.0  #: how much more often the cell agrees than in all products
    heading: float = 0.6  #: share of the short lines under a heading that agree with the cell
    category: float = 0.05  #: share of a category's products that have the attribute
    products: int = 30_000  #: of more products, a random sample of so many is read; they are held in memory


class Word(NamedTuple):
    folded: str
    start: int
    end: int
    known: LexiconMatch | None  #: the longest known value that it is part of


class Line(NamedTuple):
    """One line of a product's text. A title is the first line of the first field."""

    text: str
    words: list[Word]
    known: list[LexiconMatch]
    title: bool


class ScannedText(NamedTuple):
    """One product: its table with columns merged, its texts, and their lines."""

    table: Mapping[str, tuple[str, ...]]
    category: str | None
    texts: tuple[str, ...]
    lines: list[Line]


def _sample(products: Iterable[Product], size: int) -> list[Product]:
    """So many of the products, each as likely as the other, the same ones each time."""
    rng = random.Random(0)
    kept: list[Product] = []
    for n, product in enumerate(products):
        if n < size:
            kept.append(product)
        elif (place := rng.randrange(n + 1)) < size:
            kept[place] = product
    return kept


class Corpus:
    """The products of a shop, read once, and the values of their tables with the words for them that are known before.

    ``known``: (attribute, value) -> its own words, the aliases of the shop and of its schema.
    """

    def __init__(self, products: Iterable[Product], shop: Shop, thresholds: Thresholds) -> None:
        shop = replace(shop, labels=replace(shop.labels, mined_forms=True))
        self.policy = shop.labels
        self.thresholds = thresholds
        self.folder = Folder.of(shop.labels, WordLists.of(shop))
        rows = [p for p in _sample(products, thresholds.products) if p.error is None]
        self.options: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for product in rows:
            for name, values in product.table.items():
                if values:  # not where an attribute is only ever known to be absent
                    self.options[name].update(values)
        self.known = self._known_forms(shop)
        self.index = VocabularyIndex(self.folder, shop, self._lexicon())
        self.readings = [self._read(product) for product in rows]
        self.filled = Counter(a for r in self.readings for a, values in r.table.items() if values)

    def _known_forms(self, shop: Shop) -> dict[tuple[str, str], list[str]]:
        of_any = {self.folder.fold(v): forms for v, forms in shop.aliases.items()} if self.policy.aliases else {}
        by_hand = {a.name: a for a in shop.schema.attributes}
        return {
            (name, value): list(
                dict.fromkeys(
                    (
                        value,
                        *of_any.get(self.folder.fold(value), ()),
                        *(by_hand[name].forms(value) if name in by_hand else ()),
                    )
                )
            )
            for name, values in self.options.items()
            for value, _ in values.most_common()
        }

    def _lexicon(self) -> Lexicon:
        """The known forms as a lexicon, the most frequent values first: the first value of a form is the one found."""
        return Lexicon(
            {
                name: Vocabulary(
                    accepted={v: dict.fromkeys(self.known[name, v], _NEVER) for v, _ in values.most_common()}
                )
                for name, values in self.options.items()
            }
        )

    def _read(self, product: Product) -> ScannedText:
        lines = []
        for name, text in product.fields.items():
            for n, line in enumerate(re.findall(r"[^\n\r]+", text)):
                lines.append(self._line(line, n == 0 and name == next(iter(product.fields))))
        return ScannedText(product.table, product.category, tuple(product.fields.values()), lines)

    def _line(self, text: str, title: bool) -> Line:
        folded = FoldedText(text, self.folder)
        negated = list(self.index.negated_ranges(text, folded))
        known = [f for f in self.index.known.find(folded) if not any(start <= f.start < end for start, end in negated)]
        words = []
        for word, start, end in folded.words():
            over = [f for f in known if f.start <= start < f.end]
            words.append(Word(word, start, end, max(over, key=lambda f: f.end - f.start) if over else None))
        return Line(text, words, known, title)

    def agrees(self, attribute: str, value: str, cell: Iterable[str]) -> bool:
        """Whether the cell has the value, or one that shares a telling word with it (Cotton ~ Pure Cotton)."""
        cell = tuple(cell)
        return value in cell or self.index.agreeing(attribute, value, cell) is not None

    def ends_with(self, value: str, form: str) -> bool:
        words = self.folder.split(value)
        return len(words) > 1 and words[-1] == self.folder.fold(form)

    def categories_of(self, attribute: str) -> tuple[str, ...]:
        """The categories of which more than a few products have the attribute; none where they are not known."""
        size = Counter(r.category for r in self.readings if r.category is not None)
        having = Counter(r.category for r in self.readings if r.category is not None and r.table.get(attribute))
        return tuple(sorted(c for c, n in having.items() if n >= self.thresholds.category * size[c]))

    def base_rate(self, attribute: str, values: Iterable[str]) -> float:
        """Share of the filled cells that have one of these values (their sum; a cell may have two)."""
        return sum(self.options[attribute][v] for v in set(values)) / max(self.filled[attribute], 1)
