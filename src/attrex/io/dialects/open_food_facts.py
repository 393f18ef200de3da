"""Open Food Facts: its CSV of all products, its JSON lines, and answers of its interface."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrex.io.dialects.dialect import Dialect, Edit, Item, Key, NoPlace, Sample, find_name, marked
from attrex.io.dialects.json_records import Node, refuse_filled, text_of
from attrex.io.dialects.languages import texts_in_languages
from attrex.io.packed import open_binary
from attrex.io.rows import RawRecord, not_utf8

_TEXTS = {
    "title": "product_name",
    "generic_name": "generic_name",
    "ingredients": "ingredients_text",
    "packaging_text": "packaging_text",
}
_TAGGED = ("brands", "packaging", "labels", "origins", "manufacturing_places", "allergens", "traces", "categories")
_PLAIN = ("quantity", "serving_size")
_PREFIX = re.compile(r"[a-z]{2,3}:")
_PHOTOS = ("image_url", "image_front_url", "image_ingredients_url", "image_nutrition_url")
_IMAGES = "https://images.openfoodfacts.org/images/products"


class OpenFoodFacts(Dialect):
    """Open Food Facts.

    Stands on ``scripts/export_database.pl`` (commit 00e7703) and ``html/data/data-fields.md`` (0577718) of
    openfoodfacts/openfoodfacts-server:

    - Its CSV has tabs and no quotes: a ``"`` in a cell is a character like others, and a cell has no line break.
    - ``labels`` is what people entered; ``labels_tags`` are the server's normalised tags of it, ``labels_en`` their
      names in the language of the file. The three are one attribute, and a person writes the first one.
    - A tag is ``en:gluten-free``; the prefix is the language of its words.
    - ``product_name`` is in the product's main language (``lc``), ``product_name_fr`` in French.
    - The last of ``categories_tags`` is the main category.
    - Photos: ``image_url``, else an address made of the code and ``images`` (``front_en`` and its ``rev``).
    """

    name = "openfoodfacts"
    title = "Open Food Facts"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        if sample.columns:
            columns = set(sample.columns)
            return {"code", "product_name"} <= columns and any(c.endswith("_tags") for c in columns)
        found = next(iter(_products(sample.first)), (None, {}))[1]
        return "code" in found and any(k.endswith(("_tags", "_hierarchy")) or k == "nutriments" for k in found)

    def records(self) -> Iterator[RawRecord]:
        """The file's rows; its own CSV without quotes."""
        path = self.sample.path
        with open_binary(path) as file:
            is_own = b"\t" in file.readline() and bool(self.sample.columns)
        yield from _unquoted(self) if is_own else super().records()

    def items(self) -> Iterator[Item]:
        for row in self.records():
            if row.error:
                yield marked(row)
                continue
            found = list(_products(row.values))
            for path, product in found:
                yield _item(row, path, product)
            if not found:
                yield Item((row,), error="expected a product, got an answer without one; look at its status")

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The field that people write; its tags are the server's."""
        if not isinstance(item, Node):
            raise NoPlace("not an item of this file")
        number, product = item.rows[0].number, item.node
        key = find_name(attribute, (*_TAGGED, *_PLAIN))
        if key is None:
            raise NoPlace(f"Open Food Facts has no field {attribute!r} of this kind; enter it by hand")
        refuse_filled(item, key, [product.get(key), product.get(f"{key}_tags")])
        if key in _PLAIN and len(values) > 1:
            raise NoPlace(f"{key!r} holds one text, got {len(values)} values")
        if any("," in value for value in values) and key in _TAGGED:
            raise NoPlace(f"{key!r} has its values apart by commas, got one with a comma inside")
        return [Edit(number, (*item.path, key), ", ".join(values))]


def _unquoted(dialect: OpenFoodFacts) -> Iterator[RawRecord]:
    columns, name = dialect.sample.columns, dialect.sample.path.name
    with open_binary(dialect.sample.path) as file:
        file.readline()
        for number, line in enumerate(file, 2):
            where = f"{name} line {number}"
            try:
                cells = line.rstrip(b"\r\n").decode().split("\t")
            except UnicodeDecodeError as exc:
                yield RawRecord(where, number, error=not_utf8(exc.object[exc.start], exc.start))
                continue
            if len(cells) == len(columns):
                yield RawRecord(where, number, dict(zip(columns, cells, strict=True)))
            elif line.strip():
                error = f"expected {len(columns)} cells as in the header, got {len(cells)}; download the file again"
                yield RawRecord(where, number, error=error)


def _products(values: Any) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """(where, product) in a row: the row itself, or the products of an answer."""
    if not isinstance(values, Mapping):
        return
    if isinstance(values.get("product"), Mapping):
        yield ("product",), values["product"]
    elif isinstance(values.get("products"), list):
        yield from ((("products", n), p) for n, p in enumerate(values["products"]) if isinstance(p, Mapping))
    elif "code" in values and not isinstance(values.get("status_verbose"), str):
        yield (), values


def _item(row: RawRecord, path: Key, product: Mapping[str, Any]) -> Item:
    main = text_of(product.get("lc")) or text_of(product.get("lang"))
    texts = texts_in_languages(((name, _languages(product, key, main)) for name, key in _TEXTS.items()), main)
    attributes = {key: values for key in _TAGGED if (values := _values(product, key))}
    attributes |= {key: [text] for key in _PLAIN if (text := text_of(product.get(key)))}
    tags = _tags(product.get("categories_tags"))
    category = text_of(product.get("main_category_en")) or (_word(tags[-1]) if tags else "")
    return Node(
        (row,),
        id=text_of(product.get("code")) or text_of(product.get("_id")) or None,
        texts=texts,
        attributes=attributes,
        images=_photos(product, main),
        category=category or None,
        path=path,
        node=product,
    )


def _languages(product: Mapping[str, Any], key: str, main: str) -> dict[str, str]:
    said = {main: text_of(product.get(key))}
    for name, value in product.items():
        tag = name.removeprefix(f"{key}_") if name.startswith(f"{key}_") else ""
        if len(tag) == 2 and tag != main and text_of(value):
            said[tag] = text_of(value)
        elif tag and tag == main and not said[main]:
            said[main] = text_of(value)
    return {tag: text for tag, text in said.items() if text}


def _values(product: Mapping[str, Any], key: str) -> list[str]:
    """What people entered, else the tags' names in the file's language, else the tags' words."""
    names = (name for name in product if name.startswith(f"{key}_") and len(name) == len(key) + 3)
    for name in (key, *names, f"{key}_tags"):
        if values := [_word(tag) for tag in _tags(product.get(name))]:
            return list(dict.fromkeys(values))
    return []


def _tags(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else text_of(value).split(",")
    return [text for part in parts if (text := text_of(part))]


def _word(tag: str) -> str:
    """A tag's words: ``en:gluten-free`` is gluten free; a name that was entered stays as it is."""
    match = _PREFIX.match(tag)
    return tag[match.end() :].replace("-", " ").strip() if match else tag


def _photos(product: Mapping[str, Any], main: str) -> list[str]:
    found = [text_of(product.get(key)) for key in _PHOTOS]
    if not any(found):
        images = product.get("images")
        selected = images if isinstance(images, Mapping) else {}
        for kind in ("front", "ingredients", "nutrition"):
            keys = (f"{kind}_{main}", *(k for k in selected if str(k).startswith(f"{kind}_")), kind)
            key = next((k for k in keys if isinstance(selected.get(k), Mapping)), None)
            revision = text_of(selected[key].get("rev")) if key else ""
            if key and revision:
                found.append(f"{_IMAGES}/{_folder(text_of(product.get('code')))}/{key}.{revision}.400.jpg")
    return list(dict.fromkeys(address for address in found if address))


def _folder(code: str) -> str:
    """Where the photos of a product lie: ``301/762/042/5035`` of 3017620425035."""
    match = re.fullmatch(r"(...)(...)(...)(.+)", code.zfill(13) if len(code) > 8 else code)
    return "/".join(match.groups()) if match and len(code) > 8 else code
