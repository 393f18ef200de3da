"""Amazon Berkeley Objects: listings of several of Amazon's shops, as JSON lines."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from attrex.io.dialects.dialect import Dialect, Edit, Item, NoPlace, Sample, find_name, marked
from attrex.io.dialects.json_records import list_of, refuse_filled, text_of
from attrex.io.dialects.languages import by_language, in_language, main_tag, texts_in_languages
from attrex.io.packed import open_binary
from attrex.io.rows import RawRecord

_TEXTS = {"title": "item_name", "bullets": "bullet_point", "description": "product_description"}
_MEASURES = ("item_weight", "item_dimensions")
_NO_ATTRIBUTES = {
    *_TEXTS.values(),
    *_MEASURES,
    *("item_id", "item_keywords", "domain_name", "marketplace", "country", "node", "product_type", "model_number"),
    *("color_code", "main_image_id", "other_image_id", "spin_id", "3dmodel_id", "model_name"),
}
_IMAGE_TABLES = ("images.csv", "images.csv.gz")


class AmazonBerkeley(Dialect):
    """Amazon Berkeley Objects' ``listings_N.json.gz``.

    Stands on the data set's README (commit b82a88a of bstds/abo_listings, "Amazon Berkeley Objects (c) by Amazon.com"):

    - ``color`` and the like are ``[{"language_tag": ..., "value": ...}]``: entries of one language are several values,
      those of several languages one value in each. ``standardized_values`` are Amazon's own words for a value.
    - ``item_weight`` and ``item_dimensions`` have a value and a unit.
    - One ``item_id`` is there once per shop (``domain_name``).
    - Photos are ids; ``images/metadata/images.csv.gz`` says their paths below ``images/small`` or ``images/original``.
    """

    name = "abo"
    title = "Amazon Berkeley Objects' listings"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        first = sample.first
        if not isinstance(first, Mapping) or "item_id" not in first:
            return False
        return any(isinstance(v, list) and v and _is_said(v[0]) for k, v in first.items() if k in _TEXTS.values())

    @cached_property
    def language(self) -> str:
        """The language tag that most titles are written in: what is read where there are several."""
        tags: Counter[str] = Counter()
        for row in self.records():
            tags.update(by_language(_said((row.values or {}).get("item_name"))).keys())
        return main_tag(tags)

    @cached_property
    def repeated(self) -> frozenset[str]:
        """The ids that several shops have."""
        counts = Counter(str((row.values or {}).get("item_id")) for row in self.records())
        return frozenset(own for own, times in counts.items() if times > 1)

    @cached_property
    def image_paths(self) -> dict[str, str]:
        """Image id -> path, where the data set's own table lies beside the listings or above them."""
        folders = [parent / part for parent in self.sample.path.parents[:3] for part in ("", "images/metadata")]
        table = next((f / name for f in folders for name in _IMAGE_TABLES if (f / name).is_file()), None)
        if table is None:
            return {}
        with open_binary(table) as file:
            rows = csv.DictReader(line.decode("utf-8", errors="replace") for line in file)
            return {row["image_id"]: row["path"] for row in rows if row.get("image_id") and row.get("path")}

    def items(self) -> Iterator[Item]:
        for row in self.records():
            yield marked(row) if row.error else self._item(row, row.values or {})

    def _item(self, row: RawRecord, values: Mapping[str, Any]) -> Item:
        own = text_of(values.get("item_id"))
        shop = text_of(values.get("domain_name"))
        texts = texts_in_languages(
            ((name, _joined(values.get(key))) for name, key in _TEXTS.items()),
            self.language,
        )
        ids = [text_of(values.get("main_image_id")), *map(text_of, list_of(values.get("other_image_id")))]
        return Item(
            (row,),
            id=(f"{own}@{shop}" if own in self.repeated and shop else own) or None,
            texts=texts,
            html=frozenset(texts),
            attributes=self._attributes(values),
            images=[self.image_paths.get(i, f"{i}.jpg") for i in dict.fromkeys(ids) if i],
            category=next((v for _, v in _said(values.get("product_type"))), None)
            or text_of(values.get("product_type")),
            group=own or None,
        )

    def _attributes(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, value in values.items():
            if key not in _NO_ATTRIBUTES and (said := by_language(_said(value))):
                tag = in_language(said, self.language)
                found[key] = list(dict.fromkeys(said[tag or ""]))
        weights = [_measure(weight) for weight in list_of(values.get("item_weight"))]
        found |= {"item_weight": weights[:1]} if any(weights) else {}
        for side, value in _mapping(values.get("item_dimensions")).items():
            found |= {f"item_{side}": [size]} if (size := _measure(value)) else {}
        return found

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """A list of values in the language of the listing's title."""
        (row,) = item.rows
        listing = row.values or {}
        key = find_name(attribute, listing) or attribute
        if key in _NO_ATTRIBUTES or (key.startswith("item_") and key != "item_shape"):
            raise NoPlace(f"{key!r} is a measure or no attribute of a listing; enter it by hand")
        tags = {tag: tag for tag, _ in _said(listing.get("item_name"))}
        tag = in_language(tags, self.language) or self.language
        own = list_of(listing.get(key))
        if len(own) == len(values) == 1 and _is_said(own[0]) and text_of(own[0].get("language_tag")) in (tag, ""):
            refuse_filled(item, key, [own[0]["value"]])
            return [
                Edit(row.number, (key, 0, "value") if isinstance(listing[key], list) else (key, "value"), values[0])
            ]
        refuse_filled(item, key, own)
        said = [{"language_tag": tag, "value": value} if tag else {"value": value} for value in values]
        return [Edit(row.number, (key,), said)]


def _is_said(value: Any) -> bool:
    return isinstance(value, Mapping) and "value" in value and "unit" not in value


def _said(value: Any) -> list[tuple[str, str]]:
    """(language tag, text) of the entries that hold something."""
    entries = filter(_is_said, list_of(value))
    return [(text_of(v.get("language_tag")), text) for v in entries if (text := text_of(v["value"]))]


def _joined(value: Any) -> dict[str, str]:
    return {tag: "\n".join(texts) for tag, texts in by_language(_said(value)).items()}


def _measure(value: Any) -> str:
    found = _mapping(value)
    number, unit = found.get("value"), text_of(found.get("unit"))
    if isinstance(number, bool) or not isinstance(number, int | float | str):
        return ""
    return f"{number:g} {unit}".strip() if not isinstance(number, str) else f"{number} {unit}".strip()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
