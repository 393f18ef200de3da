"""The schema: which attributes a shop has, their known values and other forms of them, and which category has which.

Learned from data with :meth:`Schema.learn`; a part of the shop's file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
            entry = {"columns": list(a.columns), "options": list(a.options), "aliases": aliases}
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
    return Attribute(
        name,
        _words(f"columns of {where}", entry.get("columns")),
        _words(f"options of {where}", entry.get("options")),
        {value: _words(f"aliases of {short(value)}, {where},", forms) for value, forms in aliases},
    )


def _mapping(where: str, given: Any) -> Iterable[tuple[str, Any]]:
    if given and not isinstance(given, dict):
        raise SchemaError(f"{where} should be a mapping such as {{name: [a, b]}}, found {short(given)}")
    return (given or {}).items()


def _words(where: str, given: Any) -> tuple[str, ...]:
    if given and not (isinstance(given, list) and all(isinstance(word, str) for word in given)):
        raise SchemaError(f"{where} should be a list such as [a, b], found {short(given)}")
    return tuple(given or ())
