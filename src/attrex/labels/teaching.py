"""What a teacher's finds are worth: where the texts say them, which options they name, how often filled cells agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from attrex.labels.labeler import DistantLabeler
from attrex.shop.shop import Shop
from attrex.types import CellState, Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import Lexicon
from attrex.vocabulary.normalizer import ValueNormalizer


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often a teacher's finds of one attribute are what filled cells say."""

    compared: int = 0
    right: int = 0

    @property
    def weight(self) -> float:
        """How much its finds count, 0..1: the share that is right, by the rule of succession.

        Nothing compared is a half, and few comparisons stay near to it.
        """
        return (self.right + 1) / (self.compared + 2)


class FindMatcher:
    """Gives finds the shop's attributes and options, and places in the texts where these say them.

    :param products: that the shop's words are learned from; a product's own labels do not name its own finds.
    """

    def __init__(self, shop: Shop, products: Iterable[Product], lexicon: Lexicon) -> None:
        self.normalizer = ValueNormalizer.fit(products, shop=shop, lexicon=lexicon, of_these=True)
        self._schema = shop.schema
        # What the finds say is searched for, and nothing else.
        policy = replace(shop.labels, titles=False, blank_cells=False, occurrences="all")
        self._labeler = DistantLabeler(replace(shop, labels=policy), lexicon)
        fold = self.normalizer.folded
        names = [(a.name, name) for a in reversed(shop.schema.attributes) for name in (*a.columns, a.name)]
        self._attributes = {fold[name]: attribute for attribute, name in names}
        self._exact = {*shop.schema.names}

    def match(self, product: Product, found: Prediction) -> Prediction:
        """The finds in the shop's words: one for each place where the text says it; without a place where none does.

        What is of no attribute of the shop, or of another text than the product's, stays as it is.
        """
        if product.error is not None or found.error is not None:
            return found
        matched: list[Value] = []
        unplaced: defaultdict[str, dict[str, Value]] = defaultdict(dict)
        for value in found.values:
            attribute = self._attribute(value.attribute)
            if attribute is None or (value.source is not None and _is_of_another_text(product, value.source)):
                matched.append(value)
                continue
            place = value.source and _placed(product, replace(value.source, attribute=attribute))
            named = replace(value, attribute=attribute, value=self._named(product, attribute, value), source=place)
            if place is None:
                unplaced[attribute][value.value] = named
            else:
                matched.append(named)
        said = self._said(product, {attribute: tuple(words) for attribute, words in unplaced.items()})
        for attribute, words in unplaced.items():
            for word, value in words.items():
                places = said.get((attribute, word))
                matched += [replace(value, source=place) for place in places] if places else [value]
        return replace(found, values=tuple(matched))

    def agreement(
        self, products: Iterable[Product], found: Mapping[str, Prediction], high: float
    ) -> dict[str, Agreement]:
        """attribute -> how often its finds are what the products' cells say; a value counts once per cell.

        :param found: matched finds, by the products' ids.
        :param high: finds that are less sure are not compared.
        """
        compared, right = Counter[str](), Counter[str]()
        for product in products:
            if product.error is not None or product.id not in found:
                continue
            finds = {(v.attribute, self.normalizer.key(v.attribute, v.value)) for v in found[product.id].values
                     if v.confidence >= high and v.attribute in self._exact}  # fmt: skip
            for attribute, key in finds:
                cell = self._cell(product, attribute)
                if cell is not None:
                    compared[attribute] += 1
                    right[attribute] += key in {self.normalizer.key(attribute, value) for value in cell}
        return {a: Agreement(compared[a], right[a]) for a in self._schema.names}

    def _cell(self, product: Product, attribute: str) -> Sequence[str] | None:
        """What is known to be right; None: nothing is. Labels count where they were not located from a table."""
        if attribute in product.table:
            return product.table[attribute]
        if product.complete or (not product.table and product.cell_state(attribute) == CellState.LOCATED):
            return [s.value or s.text for s in product.spans or () if s.attribute == attribute]
        return None

    def _attribute(self, name: str) -> str | None:
        return name if name in self._exact else self._attributes.get(self.normalizer.folded[name])

    def _named(self, product: Product, attribute: str, value: Value) -> str:
        own = [s.value for s in product.spans or () if s.attribute == attribute and s.value is not None]
        cell = (*product.table.get(attribute, ()), *own)
        return self.normalizer.normalize(attribute, value.value, cell) or value.value

    def _said(self, product: Product, table: dict[str, tuple[str, ...]]) -> dict[tuple[str, str], list[Span]]:
        """(attribute, find) -> where the text says it."""
        said: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
        if table:
            searched = Product(product.id, product.fields, table=table, category=product.category)
            for span in self._labeler.label(searched).spans or ():
                if span.value is not None:
                    said[span.attribute, span.value].append(replace(span, value=None))
        return said


def _is_of_another_text(product: Product, place: Span) -> bool:
    """Whether a place that names its field does not fit: the text was changed since, or is another product's."""
    return bool(place.field) and product.fields.get(place.field, "")[place.start : place.end] != place.text


def _placed(product: Product, place: Span) -> Span | None:
    """A place whose file does not name the field, in the first one that says it there; None: in none."""
    if place.field:
        return place
    fits = (f for f, text in product.fields.items() if text[place.start : place.end] == place.text)
    return next((replace(place, field=field) for field in fits), None)
