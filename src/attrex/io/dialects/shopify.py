"""Shopify: the product CSV of its admin, in the old and the current template, and products as its JSON gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    json_items,
    marked,
    name_key,
    with_values,
)
from attrex.io.rows import RawRecord

_METAFIELD = re.compile(r"(.+?) ?\((product|variant)\.metafields\.([^.()]+)\.([^()]+)\)")
_OPTION = re.compile(r"option(\d) (name|value)", re.IGNORECASE)
_GOOGLE = ("Google Shopping / Gender", "Google Shopping / Age group")
_NO_OPTION = "default title"


class ShopifyCsv(Dialect):
    """Shopify's product CSV.

    Stands on Shopify's help, "Using CSV files to import and export products", as it was in 2026, and for the old
    template (``Handle``, ``Body (HTML)``, ``Image Src``) as printed on 11 April 2022; the importer is not public.

    - Rows of one handle are one product: the first one has its texts, others are variants or photos.
    - ``OptionN name`` stands in the first row, ``OptionN value`` in each variant's; a product without options has the
      value ``Default Title``.
    - ``Name (product.metafields.NAMESPACE.KEY)`` is an attribute whose definition the shop has. The values of
      Shopify's own attributes (namespace ``shopify``) are separated by semicolons.
    - An update needs handle and title. A blank cell of a column that is there empties the product's, and options that
      are missing or others replace the product's variants: so nothing is ever written into an option.
    """

    name = "shopify"
    title = "a Shopify product CSV"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        if sample.has("URL handle", "Title"):
            return True
        parts = ("Body (HTML)", "Option1 Name", "Variant SKU", "Variant Price", "Image Src")
        metafields = any(_METAFIELD.fullmatch(c) for c in sample.columns)
        return sample.has("Handle", "Title") and (metafields or any(sample.has(p) for p in parts))

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        own = {name_key(c): c for c in sample.columns}

        def first(*names: str) -> str:
            return next((own[name_key(n)] for n in names if name_key(n) in own), "")

        self.handle = self.id_column = first("URL handle", "Handle")
        self.product_title = first("Title")
        self.description, self.kind = first("Description", "Body (HTML)"), first("Type")
        self.category = first("Product category")
        self.photo, self.position = first("Product image URL", "Image Src"), first("Image position")
        self.variant_photo = first("Variant image URL", "Variant Image")
        self.options: dict[str, dict[str, str]] = {}
        for column in sample.columns:
            if match := _OPTION.fullmatch(column):
                self.options.setdefault(match[1], {})[match[2].lower()] = column
        self.metafields = {c: m for c in sample.columns if (m := _METAFIELD.fullmatch(c))}
        self.option_names: set[str] = set()  #: names of options that some product has, as names are compared

    def items(self) -> Iterator[Item]:
        rows: list[RawRecord] = []
        for row in self.records():
            if row.error:
                yield marked(row)
                continue
            handle = cell(row, self.handle)
            if rows and handle and handle != cell(rows[0], self.handle):
                yield self._item(rows)
                rows = []
            rows.append(row)
        if rows:
            yield self._item(rows)

    def _item(self, rows: list[RawRecord]) -> Item:
        def said(column: str) -> str:
            return next((text for row in rows if column and (text := cell(row, column)).strip()), "")

        attributes: dict[str, list[str]] = {}
        for part in self.options.values():
            name = said(part.get("name", "")).strip()
            values = [cell(row, part["value"]).strip() for row in rows] if "value" in part else []
            values = [v for v in dict.fromkeys(values) if v and v.casefold() != _NO_OPTION]
            if name and values:
                attributes[name] = values
                self.option_names.add(name_key(name))
        for column, match in self.metafields.items():
            if find_name(match[1], attributes) is None:  # an option says the same in words that people read
                values = [v for row in rows for v in _metafield_values(cell(row, column), match[3])]
                attributes[match[1]] = list(dict.fromkeys(values))
        for column in self.sample.columns:
            if name_key(column) in map(name_key, _GOOGLE):
                attributes.setdefault(column.rpartition("/")[2].strip(), [v] if (v := said(column).strip()) else [])
        photos = [(self._place(row), cell(row, self.photo).strip()) for row in rows]
        photos.sort(key=lambda photo: photo[0])
        variants = (cell(row, self.variant_photo).strip() for row in rows)
        leaf = said(self.category).rpartition(">")[2].strip()
        return Item(
            tuple(rows),
            id=cell(rows[0], self.handle).strip() or None,
            texts={"title": said(self.product_title), "description": said(self.description)},
            html=frozenset(("description",)),
            attributes=with_values(attributes),
            images=[p for p in dict.fromkeys((*(p for _, p in photos), *variants)) if p],
            category=said(self.kind).strip() or leaf or None,
        )

    def _place(self, row: RawRecord) -> int:
        position = cell(row, self.position).strip()
        return int(position) if position.isdecimal() else 1_000_000

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """Into the product's first row: a metafield's blank column, or a new one of the namespace ``custom``."""
        row = item.rows[0]
        for column, match in self.metafields.items():
            if name_key(match[1]) == name_key(attribute) and match[2] == "product":
                if any(is_filled(r, column) for r in item.rows):
                    raise NoPlace(f"column {column!r} is filled")
                if match[3] != "shopify" and len(values) > 1:
                    raise NoPlace(f"column {column!r} may take one value, got {len(values)}")
                return [Edit(row.number, (column,), "; ".join(values))]
        for column in self.sample.columns:
            if name_key(column) in map(name_key, _GOOGLE) and name_key(column.rpartition("/")[2]) == name_key(
                attribute
            ):
                if is_filled(row, column) or len(values) > 1:
                    raise NoPlace(f"column {column!r} is filled, or takes one value")
                return [Edit(row.number, (column,), values[0])]
        if name_key(attribute) in self.option_names:
            raise NoPlace(f"{attribute!r} is an option in this file, and a new option would replace the variants")
        if len(values) > 1:
            raise NoPlace("a new metafield takes one value")
        key = re.sub(r"\W+", "_", attribute.casefold()).strip("_")
        return [Edit(row.number, (f"{attribute} (product.metafields.custom.{key})",), values[0])]


class ShopifyJson(Dialect):
    """Products of Shopify's REST Admin interface (version 2024-10 and before) or of a shop's ``/products.json``.

    ``{"products": [...]}``, ``{"product": {...}}``, or a list of products: ``body_html``; ``options`` with ``name``
    and ``values``, or, in older answers, names whose values stand in the variants' ``option1`` to ``option3``;
    ``images`` with ``src``.
    """

    name = "shopify-json"
    title = "products of Shopify as JSON"
    read_only = "Shopify's product JSON has no attributes but options, which make variants; fill its CSV"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        if re.match(r'\s*\{\s*"products?"\s*:\s*[\[{]', sample.text) and re.search(
            r'"(body_html|variants|handle)"\s*:', sample.text
        ):
            return True
        return is_object(sample.first, "title", "variants") and is_object(
            sample.first, "body_html", "handle", any_of=True
        )

    def records(self) -> Iterator[RawRecord]:
        return json_items(self.sample.path, "products", "product")

    def items(self) -> Iterator[Item]:
        for row in self.records():
            yield marked(row) if row.error else self._item(row, row.values or {})

    def _item(self, row: RawRecord, product: Mapping[str, Any]) -> Item:
        variants = [v for v in _list(product.get("variants")) if isinstance(v, Mapping)]
        attributes: dict[str, list[str]] = {}
        for place, option in enumerate(_list(product.get("options")), 1):
            name = option.get("name") if isinstance(option, Mapping) else option
            values = _list(option.get("values")) if isinstance(option, Mapping) else []
            values = values or [v.get(f"option{place}") for v in variants]
            kept = [str(v) for v in dict.fromkeys(values) if v and str(v).casefold() != _NO_OPTION]
            if name and kept:
                attributes[str(name)] = kept
        images = [i.get("src") if isinstance(i, Mapping) else i for i in _list(product.get("images"))]
        image = product.get("image")
        if not images and isinstance(image, Mapping):
            images = [image.get("src")]
        return Item(
            (row,),
            id=str(product.get("handle") or product.get("id") or "") or None,
            texts={
                "title": str(product.get("title") or ""),
                "description": str(product.get("body_html") or product.get("description") or ""),
            },
            html=frozenset(("description",)),
            attributes=with_values(attributes),
            images=[i for i in images if isinstance(i, str) and i],
            category=str(product.get("product_type") or "") or None,
        )


def _metafield_values(text: str, namespace: str) -> list[str]:
    text = text.strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = [text]
        return [str(v).strip() for v in _list(found) if isinstance(v, str | int | float) and str(v).strip()]
    parts: Iterable[str] = text.split(";") if namespace == "shopify" else (text,)
    return [part.strip() for part in parts if part.strip()]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
