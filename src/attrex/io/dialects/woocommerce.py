"""WooCommerce: the CSV of its own exporter and importer, and products as its REST interface gives them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from typing import Any

from attrex.io.dialects.dialect import (
    Dialect,
    Edit,
    Item,
    NoPlace,
    Sample,
    cell,
    find_name,
    is_filled,
    is_object,
    marked,
    name_key,
    with_values,
)
from attrex.io.rows import RawRecord

_PARTS = {
    **dict.fromkeys(("name", "nom", "nombre", "nome"), "name"),
    **dict.fromkeys(("value(s)", "wert(e)", "valeur(s)", "valor(es)", "valore", "valori"), "value(s)"),
    **dict.fromkeys(("visible", "sichtbar", "visibile"), "visible"),
    **dict.fromkeys(("global", "globale"), "global"),
    **dict.fromkeys(("default", "standard", "défaut", "predeterminado", "predefinito"), "default"),
}
"""Word in the header of an attribute -> which part of it the column is."""
_ATTRIBUTE = ("attribute", "attribut", "atributo", "attributo")
_COLUMNS = {
    **dict.fromkeys(("typ", "tipo"), "type"),
    **dict.fromkeys(("artikelnummer", "ugs"), "sku"),
    **dict.fromkeys(("nom", "nombre", "nome"), "name"),
    **dict.fromkeys(
        ("kurzbeschreibung", "description courte", "descripción corta", "breve descrizione"), "short description"
    ),
    **dict.fromkeys(("beschreibung", "descripción", "descrizione"), "description"),
    **dict.fromkeys(("kategorien", "catégories", "categorías", "categorie"), "categories"),
    **dict.fromkeys(("bilder", "imágenes", "immagine", "immagini"), "images"),
    **dict.fromkeys(("übergeordnetes produkt", "superior", "genitore"), "parent"),
}
"""The exporter's columns in German, French, Spanish and Italian -> in English."""
_TRIGGERS = ("'=", "'+", "'-", "'@")
Slot = dict[str, str]
"""What belongs to one number: part (name, value(s), visible, global, default) -> column."""


class WooCommerceCsv(Dialect):
    r"""WooCommerce's product CSV.

    Stands on ``includes/import/class-wc-product-csv-importer.php`` and ``abstract-wc-product-importer.php`` of
    WooCommerce 11.1 (commit 01ea6f1), read there:

    - ``Attribute N name`` and the other columns of number N are one attribute; numbers differ by row; one without a
      name is skipped (``expand_data``).
    - Values are separated by commas; ``\,`` is a comma inside of one; each is trimmed (``explode_values``). Before
      that one apostrophe before ``= + - @`` is taken off the cell (``unescape_data``).
    - In both descriptions ``\n`` written as two characters is a line break, unless a backslash stands before it
      (``parse_description_field``, since 3.5.4).
    - ``parent`` is a SKU or ``id:N``. A variation may only have attributes that its parent has; otherwise 11.1 refuses
      the row, and earlier ones make it "any value" (``set_variation_data``).
    - The header is in the language of the shop: ``Attribut 1 Wert(e)``, ``Valeur(s) de l’attribut 1``, ``Atributo
      visible 1`` (exports that shops have published; the values of ``Type`` stay English).
    """

    name = "woocommerce"
    title = "a WooCommerce product CSV"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        columns = _in_english(sample.columns)
        if "name" not in columns:
            return False
        slots = _slots(sample.columns)
        named = any({"name", "value(s)"} <= slot.keys() for slot in slots.values())
        return named or {"type", "sku", "short description", "parent"} <= columns.keys()

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        self.slots = _slots(sample.columns)
        self.columns = _in_english(sample.columns)
        self.settings: dict[str, Counter[tuple[str, str, str]]] = {}
        """Attribute -> (name, visible, global) of the rows that have it: what a new cell of it says, too."""

    def items(self) -> Iterator[Item]:
        parents = self._parents()
        for row in self.records():
            if row.error:
                yield marked(row)
                continue
            parent = parents.get(self._cell(row, "parent"))
            yield self._item(row, parent)

    def _parents(self) -> dict[str, RawRecord]:
        """The rows that others name as their parent, and what all rows say of each attribute beside its values."""
        wanted = {self._cell(row, "parent") for row in self.records()}
        found: dict[str, RawRecord] = {}
        for row in self.records():
            for key in self._names(row) & wanted:
                found[key] = row
            for slot in self.slots.values():
                if name := self._part(row, slot, "name"):
                    said = (name, self._part(row, slot, "visible"), self._part(row, slot, "global"))
                    self.settings.setdefault(name_key(name), Counter())[said] += 1
        return found

    def _names(self, row: RawRecord) -> set[str]:
        sku, number = self._cell(row, "sku"), self._cell(row, "id")
        return {*([sku] if sku else []), *([f"id:{number}"] if number else [])}

    def _item(self, row: RawRecord, parent: RawRecord | None) -> Item:
        texts = {}
        for name, column in (
            ("title", "name"),
            ("short_description", "short description"),
            ("description", "description"),
        ):
            text = self._text(row, column) or (self._text(parent, column) if parent else "")
            texts[name] = text if name == "title" else _with_line_breaks(text)
        attributes: dict[str, list[str]] = {}
        for source in (row, *([parent] if parent else [])):
            for name, values in self._attributes(source).items():
                if find_name(name, attributes) is None:  # a variation's own value is the one that it has
                    attributes[name] = values
        images = self._cell(row, "images") or (self._cell(parent, "images") if parent else "")
        categories = self._cell(row, "categories") or (self._cell(parent, "categories") if parent else "")
        own = self._cell(row, "sku") or self._cell(row, "id") or None
        head, varied = parent or row, parent is not None or "variable" in self._cell(row, "type").lower()
        return Item(
            (row,),
            id=own,
            texts=texts,
            html=frozenset(texts),
            attributes=with_values(attributes),
            images=split_values(images),
            category=next(iter(split_values(categories)), None),
            group=(self._cell(head, "sku") or self._cell(head, "id") or None) if varied else None,
        )

    def _attributes(self, row: RawRecord) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for slot in self.slots.values():
            if name := self._part(row, slot, "name"):
                values = split_values(without_apostrophe(self._part(row, slot, "value(s)")))
                found.setdefault(name, []).extend(v for v in values if v not in found.get(name, ()))
        return found

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The values of a number whose name is there, else a number that is free in this row, else the next one."""
        (row,) = item.rows
        if "variation" in self._cell(row, "type").lower():
            raise NoPlace("a variation may only have what its parent is varied by; fill the parent's row")
        text = ", ".join(value.replace(",", r"\,") for value in values)
        for slot in self.slots.values():
            if name_key(self._part(row, slot, "name")) == name_key(attribute) and "value(s)" in slot:
                if is_filled(row, slot["value(s)"]):
                    raise NoPlace(f"column {slot['value(s)']!r} is filled")
                return [Edit(row.number, (slot["value(s)"],), text)]
        free = [s for s in self.slots.values() if {"name", "value(s)"} <= s.keys() and not self._holds(row, s)]
        slot = free[0] if free else self._new_slot(row)
        seen = self.settings.get(name_key(attribute))
        name, visible, is_global = seen.most_common(1)[0][0] if seen else (attribute, "1", "0")
        said = {"name": name, "value(s)": text, "visible": visible or "1", "global": is_global}
        return [Edit(row.number, (slot[part],), value) for part, value in said.items() if part in slot and value]

    def _new_slot(self, row: RawRecord) -> Slot:
        """The columns of the next number, in the language of the file."""
        written = [found[0] for c in row.values or () if (found := _part_of(c))]
        number = max(written, default=0) + 1
        parts = ("name", "value(s)", "visible", "global")
        like = next((slot for slot in self.slots.values() if slot.keys() >= set(parts)), {})
        return {p: re.sub(r"\d+", str(number), like.get(p, f"Attribute 1 {p}")) for p in parts}

    def _holds(self, row: RawRecord, slot: Slot) -> bool:
        return any(is_filled(row, column) for column in slot.values())

    def _part(self, row: RawRecord, slot: Slot, part: str) -> str:
        return cell(row, slot[part]).strip() if part in slot else ""

    def _cell(self, row: RawRecord, column: str) -> str:
        return self._text(row, column).strip()

    def _text(self, row: RawRecord, column: str) -> str:
        return cell(row, self.columns[column]) if column in self.columns else ""


class WooCommerceJson(Dialect):
    """Products as WooCommerce's REST interface gives them (``GET /wp-json/wc/v3/products``), a list or one a line.

    Stands on its documentation, version 3: ``attributes`` with ``name`` and ``options``, of variations with ``option``;
    ``images`` with ``src``; both descriptions are HTML. An update replaces all attributes of a product, so that a file
    goes back as a whole.
    """

    name = "woocommerce-json"
    title = "products of WooCommerce as JSON"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        first = sample.first
        if not is_object(first, "name", "attributes") or "body_html" in first:
            return False
        attributes = first["attributes"] if isinstance(first["attributes"], list) else [None]
        named = all(is_object(a, "name") and is_object(a, "options", "option", any_of=True) for a in attributes)
        return named and (bool(attributes) or is_object(first, "permalink", "short_description", "sku", any_of=True))

    def items(self) -> Iterator[Item]:
        for row in self.records():
            yield marked(row) if row.error else self._item(row, row.values or {})

    def _item(self, row: RawRecord, product: Mapping[str, Any]) -> Item:
        attributes: dict[str, list[str]] = {}
        for attribute in _objects(product.get("attributes")):
            options = attribute.get("options", attribute.get("option"))
            values = [str(o) for o in (options if isinstance(options, list) else [options]) if o not in (None, "")]
            attributes.setdefault(str(attribute.get("name") or ""), []).extend(values)
        attributes.pop("", None)
        images = _objects(product.get("images")) or _objects([product.get("image")])
        categories = [str(c["name"]) for c in _objects(product.get("categories")) if c.get("name")]
        texts = {
            name: str(product.get(key) or "")
            for name, key in (
                ("title", "name"),
                ("short_description", "short_description"),
                ("description", "description"),
            )
        }
        parent, own = product.get("parent_id"), product.get("id")
        return Item(
            (row,),
            id=str(product.get("sku") or own or "") or None,
            texts=texts,
            html=frozenset(texts),
            attributes=with_values(attributes),
            images=[i["src"] for i in images if isinstance(i.get("src"), str) and i["src"]],
            category=unescape(categories[0]) if categories else None,
            group=str(parent or own) if parent or product.get("variations") else None,
        )

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The options of an attribute that is there without any, else one more attribute."""
        (row,) = item.rows
        product = row.values or {}
        if product.get("parent_id"):
            raise NoPlace("a variation may only have what its parent is varied by; fill the parent")
        attributes = product.get("attributes") or []
        for place, own in enumerate(attributes):
            if name_key(str(own.get("name"))) == name_key(attribute):
                if own.get("options"):
                    raise NoPlace(f"attribute {own.get('name')!r} has options")
                return [Edit(row.number, ("attributes", place, "options"), list(values))]
        added = {"name": attribute, "visible": True, "variation": False, "options": list(values)}
        return [Edit(row.number, ("attributes", len(attributes)), added)]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def split_values(text: str) -> list[str]:
    r"""A cell's values: separated by commas, ``\,`` is one inside of a value."""
    values = (part.replace("\0", ",").strip() for part in text.replace(r"\,", "\0").split(","))
    return [value for value in values if value]


def without_apostrophe(text: str) -> str:
    """A cell without the apostrophe that the exporter puts before what a spreadsheet would take for a formula."""
    return text[1:] if text.startswith(_TRIGGERS) else text


def _with_line_breaks(text: str) -> str:
    return "\\\\n".join(part.replace("\\n", "\n") for part in text.split("\\\\n"))


def _slots(columns: Sequence[str]) -> dict[int, Slot]:
    slots: dict[int, Slot] = {}
    for column in columns:
        if found := _part_of(column):
            slots.setdefault(found[0], {}).setdefault(found[1], column)
    return dict(sorted(slots.items()))


def _part_of(column: str) -> tuple[int, str] | None:
    """The number and the part that a column is of; None: of no attribute."""
    words = re.findall(r"\d+|[^\W\d]+(?:\([^\W\d]+\))?", column.casefold())
    numbers = [word for word in words if word.isdecimal()]
    parts = [_PARTS[word] for word in words if word in _PARTS]
    if len(numbers) != 1 or len(parts) != 1 or len(words) > 5 or not any(word in _ATTRIBUTE for word in words):
        return None
    return int(numbers[0]), parts[0]


def _in_english(columns: Sequence[str]) -> dict[str, str]:
    """Column in English -> as the file has it."""
    own = {name_key(c): c for c in columns}
    return {english: own[c] for c, english in _COLUMNS.items() if c in own} | own
