"""The schema: which attributes a shop has, their known values and other forms of them, and which category has which.

Learned from data with :meth:`Schema.learn`; a part of the shop's file.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from attrex.errors import SchemaError, did_you_mean, short
from attrex.types import CellState, Product


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the catalogue."""

    name: str
    columns: tuple[str, ...] = ()  #: table columns merged into it; empty: the column of the same name
    options: tuple[str, ...] = ()  #: known values, most frequent first
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: value -> other forms in texts
    labels: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """option -> language -> what it is called there, the name that is written first"""

    def forms(self, value: str) -> tuple[str, ...]:
        """What texts may call a value beside its own name: its aliases, and its names in any language."""
        return tuple(dict.fromkeys((*self.aliases.get(value, ()), *self.names(value))))

    def names(self, option: str) -> Iterator[str]:
        """An option's names in all languages."""
        for names in self.labels.get(option, {}).values():
            yield from names

    def by_name(self) -> dict[str, str]:
        """Each name in another language, in small letters -> its option; an option's own name is nobody else's."""
        own, found = {_spelled(option) for option in self.options}, dict[str, str]()
        for option in self.options:
            for name in map(_spelled, self.names(option)):
                if name not in own:
                    found.setdefault(name, option)
        return found


@dataclass(frozen=True, slots=True)
class Schema:
    """All attributes in a fixed order (a model's outputs follow it), and the attributes of each category."""

    attributes: tuple[Attribute, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [a.name for a in self.attributes]
        twice = [n for n, k in Counter(names).items() if k > 1]
        if twice:
            raise SchemaError(f"attribute names must differ, found more than once: {', '.join(twice)}")
        owner: dict[str, str] = {name: name for name in names}
        for attribute in self.attributes:
            for column in attribute.columns:
                if owner.setdefault(column, attribute.name) != attribute.name:
                    raise SchemaError(
                        f"the column {short(column)} of the attribute {short(attribute.name)} belongs to "
                        f"{short(owner[column])} "
                        "already; name it once"
                    )
        for category, members in self.categories.items():
            for name in members:
                if name not in names:
                    raise SchemaError(
                        f"category {short(category)} lists the attribute {short(name)}, which the schema "
                        "does not define"
                        f"{did_you_mean(name, names)}"
                    )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.attributes)

    def index(self, name: str) -> int:
        """Position of an attribute; raises :class:`SchemaError` with the nearest name."""
        try:
            return self.names.index(name)
        except ValueError:
            raise SchemaError(f"no attribute {short(name)} in the schema{did_you_mean(name, self.names)}") from None

    def column_mapping(self) -> dict[str, str]:
        """Table column -> attribute, for every column the schema knows."""
        return {c: a.name for a in self.attributes for c in (a.columns or (a.name,))}

    def allowed(self, category: str | None) -> frozenset[str]:
        """Attributes that a product of this category can have; all of them where the category is unknown."""
        return frozenset(self.categories.get(category or "", self.names))

    def cell_state(self, product: Product, attribute: str) -> CellState:
        """As :meth:`Product.cell_state`, but absent where the cell is blank and the category rules the attribute out.

        Only a category that the schema lists rules anything out.
        """
        state = product.cell_state(attribute)
        listed = self.categories.get(product.category or "")
        ruled_out = state == CellState.BLANK and listed is not None and attribute not in listed
        return CellState.ABSENT if ruled_out else state

    def by_option(self, products: Iterable[Product]) -> Iterator[Product]:
        """The products with the options that their cells and labels name, in whatever language they name them."""
        options = {a.name: a.by_name() for a in self.attributes if a.labels}

        def option(attribute: str, value: str) -> str:
            return options.get(attribute, {}).get(_spelled(value), value)

        for product in products:
            if options.keys().isdisjoint((*product.table, *(s.attribute for s in product.spans or ()))):
                yield product
                continue
            spans = product.spans and tuple(
                s if s.value is None else replace(s, value=option(s.attribute, s.value)) for s in product.spans
            )
            table = {a: tuple(dict.fromkeys(option(a, v) for v in values)) for a, values in product.table.items()}
            yield replace(product, table=table, spans=spans)

    @classmethod
    def learn(
        cls, products: Iterable[Product], *, min_count: int = 1, max_options: int = 1000, min_category_size: int = 20
    ) -> Schema:
        """Learn a schema from labelled products.

        Attributes come from spans and table cells, in alphabetical order. An attribute belongs to a category when at
        least one product of the category has it; categories with fewer than ``min_category_size`` products stay open.
        """
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        products_with: Counter[str] = Counter()
        by_category: dict[str, set[str]] = defaultdict(set)
        category_size: Counter[str] = Counter()
        for product in products:
            present = set()
            for name, values in product.table.items():
                counts[name].update(values)
                if values:
                    present.add(name)
            for span in product.spans or ():
                if not product.table.get(span.attribute):
                    counts[span.attribute][span.value or span.text] += 1
                present.add(span.attribute)
            products_with.update(present)
            if product.category is not None:
                category_size[product.category] += 1
                by_category[product.category] |= present
        kept = sorted(n for n in counts if products_with[n] >= min_count)
        return cls(
            attributes=tuple(
                Attribute(n, options=tuple(v for v, _ in counts[n].most_common(max_options))) for n in kept
            ),
            categories={
                c: tuple(n for n in kept if n in members)
                for c, members in sorted(by_category.items())
                if category_size[c] >= min_category_size and members  # nothing filled in it yet rules nothing out
            },
        )

    def to_plain(self) -> dict[str, Any]:
        """Attributes and categories as mappings and lists, for YAML."""
        attributes: dict[str, dict[str, Any]] = {}
        for a in self.attributes:
            aliases = {value: list(forms) for value, forms in a.aliases.items()}
            options = [_plain_option(a, option) for option in a.options]
            entry = {"columns": list(a.columns), "options": options, "aliases": aliases}
            attributes[a.name] = {key: content for key, content in entry.items() if content}
        return {"attributes": attributes, "categories": {c: list(m) for c, m in self.categories.items()}}

    @classmethod
    def from_plain(cls, attributes: Any, categories: Any) -> Schema:
        """The inverse of :meth:`to_plain`; raises :class:`SchemaError` that names the entry at fault."""
        if attributes and not isinstance(attributes, dict):
            raise SchemaError(
                f"attributes should be a mapping such as {{name: {{options: [a]}}}}, found {short(attributes)}"
            )
        return cls(
            tuple(_attribute(name, entry) for name, entry in (attributes or {}).items()),
            {c: _words(f"category {short(c)}", members) for c, members in _mapping("categories", categories)},
        )


_KEYS = ("columns", "options", "aliases")


def _attribute(name: str, entry: Any) -> Attribute:
    where = f"attribute {short(name)}"
    if entry and not isinstance(entry, dict):
        raise SchemaError(f"{where} should be a mapping with any of {', '.join(_KEYS)}")
    entry = entry or {}
    for key in entry:
        if key not in _KEYS:
            raise SchemaError(f"{where} has an unknown key {short(key)}{did_you_mean(key, _KEYS)}")
    aliases = _mapping(f"aliases of {where}", entry.get("aliases"))
    options, labels = _options(where, entry.get("options"))
    return Attribute(
        name,
        _words(f"columns of {where}", entry.get("columns")),
        options,
        {value: _words(f"aliases of {short(value)}, {where},", forms) for value, forms in aliases},
        labels,
    )


def _options(where: str, given: Any) -> tuple[tuple[str, ...], dict[str, dict[str, tuple[str, ...]]]]:
    """Options, each a word or ``{value: word, labels: {language: word or words}}``, and the labels by option."""
    if given and not isinstance(given, list):
        raise SchemaError(f"options of {where} should be a list such as [a, b], found {short(given)}")
    options: list[str] = []
    labels: dict[str, dict[str, tuple[str, ...]]] = {}
    for option in given or ():
        if isinstance(option, str):
            options.append(option)
            continue
        if not isinstance(option, dict) or not isinstance(option.get("value"), str) or not {*option} <= {*_OPTION_KEYS}:
            raise SchemaError(
                f"options of {where} should be words such as Blue, or {{value: Blue, labels: {{de: Blau}}}}, "
                f"found {short(option)}"
            )
        options.append(option["value"])
        names = {
            language: _names(where, option["value"], language, words)
            for language, words in _mapping(f"labels of {short(option['value'])}, {where},", option.get("labels"))
        }
        if names:
            labels[option["value"]] = names
    return tuple(options), labels


_OPTION_KEYS = ("value", "labels")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""A language as HTML and exports name it, such as de or pt-BR (BCP 47)."""


def _names(where: str, option: str, language: str, given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else ()
    if not _LANGUAGE.fullmatch(language):
        raise SchemaError(
            f"labels of {short(option)}, {where}, should be by language, such as de or pt-BR, found {short(language)}"
        )
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise SchemaError(
            f"the label {short(language)} of {short(option)}, {where}, should be a word or a list of words, "
            f"found {short(given)}"
        )
    return names


def _plain_option(attribute: Attribute, option: str) -> str | dict[str, Any]:
    labels = attribute.labels.get(option)
    if not labels:
        return option
    plain = {language: names[0] if len(names) == 1 else list(names) for language, names in labels.items()}
    return {"value": option, "labels": plain}


def _spelled(name: str) -> str:
    return " ".join(name.casefold().split())


def _mapping(where: str, given: Any) -> Iterable[tuple[str, Any]]:
    if given and not isinstance(given, dict):
        raise SchemaError(f"{where} should be a mapping such as {{name: [a, b]}}, found {short(given)}")
    return (given or {}).items()


def _words(where: str, given: Any) -> tuple[str, ...]:
    if given and not (isinstance(given, list) and all(isinstance(word, str) for word in given)):
        raise SchemaError(f"{where} should be a list such as [a, b], found {short(given)}")
    return tuple(given or ())
