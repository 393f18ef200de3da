"""Magento 2 (Adobe Commerce): the CSV of its product export and import."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrex.io.dialects.dialect import (
    Dialect,
    Edit,
    Item,
    NoPlace,
    Sample,
    cell,
    find_name,
    is_filled,
    marked,
    name_key,
    with_values,
)
from attrex.io.rows import RawRecord

MULTIPLE = "|"
_PAIR = re.compile(
    r'\s*([A-Za-z0-9_]+)=("(?:[^"]|"")*"(?:\|"(?:[^"]|"")*")*(?=,|\s*$)|.*?(?=,\s*[A-Za-z0-9_]+=|\s*$))(?:,|\s*$)',
    re.DOTALL,
)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_TEXTS = {"title": "name", "short_description": "short_description", "description": "description"}
_PHOTOS = ("base_image", "small_image", "thumbnail_image", "swatch_image", "additional_images")
_OWN = frozenset(
    (
        *("sku", "store_view_code", "attribute_set_code", "product_type", "categories", "product_websites", "name"),
        *("description", "short_description", "weight", "product_online", "tax_class_name", "visibility", "price"),
        *(
            "url_key",
            "meta_title",
            "meta_keywords",
            "meta_description",
            "created_at",
            "updated_at",
            "qty",
            "website_id",
        ),
        *(
            "display_product_options_in",
            "map_price",
            "msrp_price",
            "map_enabled",
            "gift_message_available",
            "page_layout",
        ),
        *(
            "custom_design",
            "custom_layout_update",
            "product_options_container",
            "options_container",
            "required_options",
        ),
        *("has_options", "msrp_display_actual_price_type", "additional_attributes", "hide_from_product_page", "cost"),
        *("custom_options", "associated_skus", "configurable_variations", "configurable_variation_labels", "status"),
        *("is_in_stock", "is_qty_decimal", "allow_backorders", "min_cart_qty", "max_cart_qty", "out_of_stock_qty"),
        *("notify_on_stock_below", "manage_stock", "qty_increments", "enable_qty_increments", "is_decimal_divided"),
        *(
            "gift_wrapping_available",
            "gift_wrapping_price",
            "is_returnable",
            "quantity_and_stock_status",
            "deferred_stock_update",
        ),
        *("meta_keyword", "image", "media_gallery", "gallery", "url_path", "links_exist", "price_view", "price_type"),
        *("sku_type", "weight_type", "shipment_type", "custom_layout", "email_template", "tier_prices", "msrp"),
    )
)
_OF_VARIATION = ("sku", "default", "display")
"""Keys of a variation that are no attributes."""
_OWN_PARTS = re.compile(
    r"_(image|images|labels?|from|to|from_date|to_date|skus|position|price)$|^(use_config|bundle|downloadable|giftcard|"
    r"related|crosssell|upsell|special_price|ts|custom_design|news|new)_"
)


class MagentoCsv(Dialect):
    r"""Magento's product CSV.

    Stands on ``CatalogImportExport/Model/Import/Product.php`` and ``Import/Product/Type/AbstractType.php`` of Magento
    Open Source 2.4 (commits 001f7eb, 00ae524), read there, with the default separators:

    - ``additional_attributes`` holds ``code=value,code=value``; what follows a comma and has no ``=`` belongs to the
      value before (``parseAttributesWithoutWrappedValues``). With "fields enclosure" values are in quotes, doubled
      inside (``parseAttributesWithWrappedValues``). They go before columns of the same code
      (``_parseAdditionalAttributes``), and codes are in small letters.
    - Several values are separated by ``|`` (``PSEUDO_MULTI_LINE_SEPARATOR``), photos by commas.
    - A row with a ``store_view_code`` is another language of the product above it; blank cells inherit.
    - ``configurable_variations`` holds ``sku=..,size=..|sku=..``, with ``display=0`` for one that is taken out
      (``_parseVariations`` in ``ConfigurableImportExport/.../Type/Configurable.php`` at 0209762).
    - A blank cell is no change: ``_prepareRowForDb`` (``ImportExport/.../Entity/AbstractEntity.php`` at 425d8f4) makes
      it null, and ``clearEmptyData`` (``AbstractType.php``) leaves null out. ``__EMPTY__VALUE__``, which that makes
      null, empties the value. A required attribute may not be blank where its column is there (``isRowValid``).
    """

    name = "magento"
    title = "a Magento 2 product CSV"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        parts = ("additional_attributes", "store_view_code", "attribute_set_code", "product_websites", "product_type")
        own = set(sample.columns)
        return {"sku", "name"} <= own and not own.isdisjoint(parts)

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        self.columns = [c for c in sample.columns if c and not _is_own(c)]
        self.id_column = "sku"
        self.joints = {"additional_attributes": ","}
        self.codes: dict[str, None] = {}  #: codes that some product has in `additional_attributes`

    def items(self) -> Iterator[Item]:
        parents = self._parents()
        rows: list[RawRecord] = []
        for row in self.records():
            if row.error:
                yield marked(row)
                continue
            view, sku = cell(row, "store_view_code").strip(), cell(row, "sku").strip()
            if rows and (not view or sku not in ("", cell(rows[0], "sku").strip())):
                yield self._item(rows, parents)
                rows = []
            rows.append(row)
        if rows:
            yield self._item(rows, parents)

    def _parents(self) -> dict[str, tuple[str, dict[str, str]]]:
        """SKU of a variation -> that of its product, and what the variation is there said to have."""
        found = {}
        for row in self.records():
            for code in attribute_pairs(cell(row, "additional_attributes")):
                self.codes[code] = None
            for variation in cell(row, "configurable_variations").split(MULTIPLE):
                pairs = attribute_pairs(variation)
                if sku := "".join(pairs.pop("sku", ())):
                    said = {code: values[0] for code, values in pairs.items() if values and code not in _OF_VARIATION}
                    found[sku] = (cell(row, "sku").strip(), said)
        return found

    def _item(self, rows: list[RawRecord], parents: dict[str, tuple[str, dict[str, str]]]) -> Item:
        base, sku = rows[0], cell(rows[0], "sku").strip()
        texts = {}
        for row in rows:
            view = cell(row, "store_view_code").strip() if row is not base else ""
            for name, column in _TEXTS.items():
                texts[f"{name} ({view})" if view else name] = cell(row, column)
        attributes: dict[str, list[str]] = attribute_pairs(cell(base, "additional_attributes"))
        attributes = {code: values for code, values in attributes.items() if not _is_own(code)}
        for column in self.columns:
            text = cell(base, column).strip()
            if column not in attributes and text != "__EMPTY__VALUE__":
                attributes[column] = [v.strip() for v in text.split(MULTIPLE) if v.strip()]
        for variation in cell(base, "configurable_variations").split(MULTIPLE):
            for code, values in attribute_pairs(variation).items():
                if code not in _OF_VARIATION:
                    attributes[code] = list(dict.fromkeys((*attributes.get(code, ()), *values)))
        parent, said = parents.get(sku, ("", {}))
        for code, value in said.items():
            attributes.setdefault(code, [value])
        photos = [p.strip() for c in _PHOTOS for p in cell(base, c).split(",")]
        kind = cell(base, "attribute_set_code").strip()
        leaf = cell(base, "categories").split(",")[0].rpartition("/")[2].strip()
        return Item(
            tuple(rows),
            id=sku or None,
            texts=texts,
            html=frozenset(texts),
            attributes=with_values(attributes),
            # "/m/h/x.jpg" is below the shop's media folder, not the computer's root
            images=[p if "://" in p else p.lstrip("/") for p in dict.fromkeys(photos) if p and p != "no_selection"],
            category=(kind if kind != "Default" else "") or leaf or None,
            group=parent or (sku if cell(base, "product_type") == "configurable" else None),
        )

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The attribute's own column, or ``additional_attributes`` where nothing is in it, or a new column."""
        row = item.rows[0]
        if any(MULTIPLE in value for value in values):
            raise NoPlace(f"{MULTIPLE!r} separates values")
        text = MULTIPLE.join(values)
        if column := find_name(attribute, self.columns):
            if is_filled(row, column):
                raise NoPlace(f"column {column!r} is filled")
            return [Edit(row.number, (column,), text)]
        code = find_name(attribute, self.codes)
        if code is None:
            raise NoPlace(f"no product of the file has an attribute {attribute!r}, and the shop may have none")
        if code in attribute_pairs(cell(row, "additional_attributes")):
            raise NoPlace(f"{code!r} is in additional_attributes")
        if "additional_attributes" in self.sample.columns and not is_filled(row, "additional_attributes"):
            if re.search(r",[^,]*=", text):
                raise NoPlace("a comma and an equals sign in a value would begin another attribute")
            return [Edit(row.number, ("additional_attributes",), f"{code}={text}")]
        return [Edit(row.number, (code,), text)]


def attribute_pairs(text: str) -> dict[str, list[str]]:
    """``code=value,code=value`` by code, values split, with or without quotes around them."""
    found: dict[str, list[str]] = {}
    for code, value in _PAIR.findall(text):
        if value.startswith('"') and value.rstrip().endswith('"'):
            parts = [v.replace('""', '"') for v in _QUOTED.findall(value)]
            parts = parts[0].split(MULTIPLE) if len(parts) == 1 else parts
        else:
            parts = value.split(MULTIPLE)
        found[code.lower()] = [part.strip() for part in parts if part.strip()]
    return found


def _is_own(code: str) -> bool:
    """Whether a column or code is the platform's, not an attribute of products."""
    return name_key(code).replace(" ", "_") in _OWN or _OWN_PARTS.search(code) is not None
