"""The schema: which attributes a shop has, their known values and other forms of them, and which category has which.

Learned from data with :meth:`Schema.learn`, saved as YAML, edited by hand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from attrex.errors import SchemaError, did_you_mean
from attrex.io.atomic import write_text
from attrex.types import CellState, Product

_SCHEMA_HEADER = """\
# Attributes of a catalogue. Edit freely:
#   columns     names of the table columns merged into this attribute
#   options     known values, most frequent first
#   aliases     value -> other forms of it that texts use
#   categories  (at the bottom) category -> its attributes; leave a category out to allow all
"""


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
        for category, members in self.categories.items():
            for name in members:
                if name not in names:
                    raise SchemaError(
                        f"category {category!r} lists the attribute {name!r}, which the schema does not define"
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
            raise SchemaError(f"no attribute {name!r} in the schema{did_you_mean(name, self.names)}") from None

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

    def to_yaml(self) -> str:
        body: dict[str, Any] = {"attributes": {}, "categories": {c: list(m) for c, m in self.categories.items()}}
        for a in self.attributes:
            entry: dict[str, Any] = {}
            if a.columns:
                entry["columns"] = list(a.columns)
            if a.options:
                entry["options"] = list(a.options)
            if a.aliases:
                entry["aliases"] = {v: list(forms) for v, forms in a.aliases.items()}
            body["attributes"][a.name] = entry
        return _SCHEMA_HEADER + yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=120)

    def save(self, path: str | Path) -> None:
        write_text(Path(path), self.to_yaml())

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """Read a YAML schema; raises :class:`SchemaError` that names the file and the entry at fault."""
        path = Path(path)
        try:
            # Everything as it is written: a size 38 or a value `yes` is a word here, not a number or a truth.
            body = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        except FileNotFoundError:
            raise SchemaError(f"no schema file {path}; make one with Schema.learn(products).save(path)") from None
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as exc:
            raise SchemaError(f"{path} is not YAML: {exc}") from exc
        if not isinstance(body, dict) or not isinstance(body.get("attributes"), dict):
            raise SchemaError(f"{path} should have a mapping 'attributes: {{name: ...}}' at the top")
        try:
            attributes = tuple(_attribute(name, entry) for name, entry in body["attributes"].items())
            categories = {c: _words(f"category {c!r}", m) for c, m in _mapping("categories", body.get("categories"))}
            return cls(attributes, categories)
        except SchemaError as exc:
            raise SchemaError(f"{path}: {exc}") from exc


_KEYS = ("columns", "options", "aliases")


def _attribute(name: str, entry: Any) -> Attribute:
    where = f"attribute {name!r}"
    if entry and not isinstance(entry, dict):
        raise SchemaError(f"{where} should be a mapping with any of {', '.join(_KEYS)}")
    entry = entry or {}
    for key in entry:
        if key not in _KEYS:
            raise SchemaError(f"{where} has an unknown key {key!r}{did_you_mean(key, _KEYS)}")
    aliases = _mapping(f"aliases of {where}", entry.get("aliases"))
    return Attribute(
        name,
        _words(f"columns of {where}", entry.get("columns")),
        _words(f"options of {where}", entry.get("options")),
        {value: _words(f"aliases of {value!r}, {where},", forms) for value, forms in aliases},
    )


def _mapping(where: str, given: Any) -> Iterable[tuple[str, Any]]:
    if given and not isinstance(given, dict):
        raise SchemaError(f"{where} should be a mapping such as {{name: [a, b]}}, found {given!r}")
    return (given or {}).items()


def _words(where: str, given: Any) -> tuple[str, ...]:
    if given and not (isinstance(given, list) and all(isinstance(word, str) for word in given)):
        raise SchemaError(f"{where} should be a list such as [a, b], found {given!r}")
    return tuple(given or ())
