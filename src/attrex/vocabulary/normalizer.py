"""What the shop calls a value that a text says: "crewneck" is its Round Neck."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from attrex.labels.labeler import DistantLabeler
from attrex.shop.label_policy import DEFAULT_POLICY, LocatePolicy
from attrex.shop.schema import Schema
from attrex.types import Prediction, Product
from attrex.vocabulary.folding import Folder
from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon

ONE_VALUE = 0.01
"""An attribute takes one value where fewer of its filled cells than this share hold several."""
MIN_CELLS = 5
"""Filled cells beside which words must have been found before they are taken for the cells' value."""
TRUST = 0.8
"""The share of them that must agree on the value, 0..1."""


class ValueNormalizer:
    """The words of a shop's table, and what its texts call them.

    The values are those of filled cells (:meth:`learn`), of a schema's options and of a lexicon. Words mean the value
    that they spell; else the one that labels say they stand for; else the one that locating would find by them, through
    an alias or a form of the lexicon; else the one that the filled cells have beside which they were found. A lexicon's
    modifiers in front ("royal" blue) do not make them another.
    """

    def __init__(
        self, schema: Schema | None = None, policy: LocatePolicy = DEFAULT_POLICY, lexicon: Lexicon = NOTHING_MINED
    ) -> None:
        self._labeler = DistantLabeler(schema, policy, lexicon)
        self._folder = Folder(policy)
        self._modifiers = {
            name: frozenset(map(self._folder.fold, vocabulary.modifiers))
            for name, vocabulary in lexicon.attributes.items()
        }
        self._given = dict.fromkeys(_known_values(schema, lexicon))
        self._cells: defaultdict[str, Counter[bool]] = defaultdict(Counter)  #: attribute -> cells by "holds several"
        self._counts: Counter[tuple[str, str]] = Counter()  #: (attribute, value) -> cells
        self._labels: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  #: (attribute, form) -> values
        self._beside: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  #: the same of finds and cells
        self._known: dict[tuple[str, str], str] | None = None  #: (attribute, folded form) -> value

    def learn(self, product: Product, found: Prediction | None = None) -> None:
        """Take in a product's filled cells, and what was found beside them, else its labels.

        The labels of a product in which something was found would name its own finds, which would agree with its cells.
        """
        self._known = None
        table = self.table(product)
        for attribute, values in table.items():
            if values:
                self._cells[attribute][len(values) > 1] += 1
                self._counts.update((attribute, value) for value in values)
        for span in product.spans or () if found is None else ():
            if span.value is not None:
                self._labels[span.attribute, self._folder.fold(span.text)][span.value] += 1
        for attribute, form in {(v.attribute, self._folder.fold(v.value)) for v in found.values} if found else ():
            self._beside[attribute, form].update(table.get(attribute, ()))

    def table(self, product: Product) -> dict[str, tuple[str, ...]]:
        """The product's cells by attribute, as the policy and the schema merge columns; blank ones are not there."""
        return self._labeler.merge_columns(product.table)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Those that are known, in the order of schema and lexicon, then of the table."""
        return tuple(dict.fromkeys((*(attribute for attribute, _ in self._given), *self._cells)))

    def is_single_valued(self, attribute: str) -> bool:
        """Whether the shop gives a product one value of the attribute. Where no cell tells, it may have several."""
        cells = self._cells.get(attribute, Counter())
        return cells[False] > 0 and cells[True] < ONE_VALUE * cells.total()

    def of(self, attribute: str, text: str, cell: tuple[str, ...] = ()) -> str | None:
        """The table's word for what a text says; None: it has none.

        ``cell``: what was learned from the product's own cell, which does not count for what was found beside it.
        """
        words = self._folder.split(text)
        modifiers = self._modifiers.get(attribute, frozenset())
        for first, word in enumerate(words):
            form = "".join(words[first:])
            value = self._forms.get((attribute, form)) or self._found_beside(attribute, form, cell)
            if value is not None or word not in modifiers:
                return value
        return None

    def folded(self, value: str) -> str:
        """The same for all spellings of a value."""
        return self._folder.fold(value)

    def _found_beside(self, attribute: str, form: str, cell: tuple[str, ...]) -> str | None:
        """The value that nearly all filled cells have beside which the words were found."""
        values = self._beside.get((attribute, form), Counter()) - Counter(cell)
        value = max(values, key=lambda v: (values[v], v), default=None)
        enough = values.total() >= MIN_CELLS and value is not None and values[value] >= TRUST * values.total()
        return value if enough else None

    @property
    def _forms(self) -> Mapping[tuple[str, str], str]:
        if self._known is None:
            known: dict[tuple[str, str], str] = {}
            values = [*dict.fromkeys((*self._given, *(cell for cell, _ in self._counts.most_common())))]
            for attribute, value in values:  # its own words first, and of several spellings the most frequent
                known.setdefault((attribute, self._folder.fold(value)), value)
            for (attribute, form), meant in self._labels.items():
                known.setdefault((attribute, form), max(meant, key=lambda v: (meant[v], v)))
            for attribute, value in values:
                for form in self._labeler.forms[attribute, value]:
                    known.setdefault((attribute, form), value)
            self._known = known
        return self._known


def _known_values(schema: Schema | None, lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """(attribute, value) of what was written down by hand or mined."""
    for attribute in schema.attributes if schema else ():
        yield from ((attribute.name, value) for value in attribute.options)
    for name, vocabulary in lexicon.attributes.items():
        yield from ((name, value) for value in (*vocabulary.accepted, *vocabulary.headed) if value)
