"""Icecat: product sheets in XML and in JSON. Read only: what is wrong in them is told to Icecat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrex.io.dialects.dialect import Dialect, Item, Sample, marked
from attrex.io.dialects.json_records import list_of, part_of, text_of
from attrex.io.dialects.xml_records import element_rows
from attrex.io.rows import RawRecord
from attrex.io.xml_stream import Element

_ROOT = re.compile(r"<ICECAT-interface[\s>]")
_READ_ONLY = "a data sheet is what Icecat gives out, and nothing imports it"


class IcecatXml(Dialect):
    """Icecat's product XML.

    Stands on ``ICECAT-interface_response.xsd`` as sheets of 2017 and 2026 follow it (``lang=EN`` and ``lang=IT`` of one
    product read side by side):

    - A ProductFeature's ``Presentation_Value`` is what a page shows: in the sheet's language, with its unit. ``Value``
      is Icecat's own word or bare number, ``LocalValue`` that number in the units of the country, its ``Sign`` apart.
    - Several values of one feature are ``a,b`` in ``Value`` and ``a, b`` in ``Presentation_Value``.
    - ``Product`` stands also inside ``ProductRelated``; only those under the root are products of the file.
    - ``Code="-1"`` is an answer without a product, ``ErrorMessage`` says why.
    - The summaries (``ShortSummaryDescription``) are written from the features and are no source for them: left out.
    """

    name = "icecat"
    read_only = _READ_ONLY
    title = "Icecat's product XML"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        return _ROOT.search(sample.text.replace("\0", "")) is not None

    def items(self) -> Iterator[Item]:
        for row, element in element_rows(self.sample.path, ("Product",)):
            if element is None:
                yield marked(row)
            elif element.attributes.get("Code", "1") != "1" or "ErrorMessage" in element.attributes:
                why = element.attributes.get("ErrorMessage", "no reason")
                yield Item(
                    (row,), element.attributes.get("ID"), error=f"expected a product, got Icecat's answer: {why}"
                )
            else:
                yield _xml_item(row, element)


class IcecatJson(Dialect):
    """Icecat's product JSON (live.icecat.biz/api): one answer, a list of them, or one a line.

    Stands on Icecat's own importer, IcecatNV/Icecat-Integration (commit 07fd6e3): an entry of Features has
    ``Feature.Name``, ``PresentationValue``, ``Value`` and ``RawValue``; with ``Type`` ``multi_dropdown`` its values
    stand apart by commas.
    """

    name = "icecat-json"
    read_only = _READ_ONLY
    title = "Icecat's product JSON"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        return _data(sample.first) is not None

    def items(self) -> Iterator[Item]:
        for row in self.records():
            data = _data(row.values)
            if row.error:
                yield marked(row)
            elif data is None:
                why = (row.values or {}).get("Message") or (row.values or {}).get("msg") or "no product"
                yield Item((row,), error=f"expected a product, got Icecat's answer: {why}")
            else:
                yield _json_item(row, data)


def _xml_item(row: RawRecord, element: Element) -> Item:
    own = element.attributes
    description = element.first("ProductDescription")
    described = description.attributes if description else {}
    attributes: dict[str, list[str]] = {}
    for feature in element.all("ProductFeature"):
        name = _name(feature.first("Feature"))
        values = _presented(feature)
        if name and values:
            found = attributes.setdefault(name, [])
            found += [v for v in values if v not in found]
    supplier = element.first("Supplier")
    if supplier and supplier.attributes.get("Name"):
        attributes.setdefault("Brand", [supplier.attributes["Name"]])
    pictures = [own.get("HighPic", "")]
    for picture in element.all("ProductGallery", "ProductPicture"):
        pictures.append(picture.attributes.get("Pic") or picture.attributes.get("Original") or "")
    title = own.get("Title") or own.get("GeneratedLocalTitle") or own.get("GeneratedIntTitle") or own.get("Name") or ""
    bullets = element.all("ReasonsToBuy", "ReasonToBuy")
    return _item(
        row,
        own.get("ID") or own.get("Prod_id"),
        title,
        described.get("ShortDesc", ""),
        described.get("LongDesc", ""),
        [bullet.attributes.get("Value", "") for bullet in bullets],
        attributes,
        pictures,
        _name(element.first("Category")),
    )


def _name(element: Element | None) -> str:
    named = element.first("Name") if element else None
    return named.attributes.get("Value", "").strip() if named else ""


def _presented(feature: Element) -> list[str]:
    own = feature.attributes.get("Value", "").strip()
    presented = feature.attributes.get("Presentation_Value", "").strip()
    if presented:
        parts = [part.strip() for part in presented.split(", ")]
        apart = "," in own and ", " not in own and len(parts) == len(own.split(","))
        return [part for part in parts if part] if apart else [presented]
    local = feature.first("LocalValue")
    if local and (value := local.attributes.get("Value", "").strip()):
        return [f"{value} {local.words('Measure', 'Signs', 'Sign')}".strip()]
    return [f"{own} {feature.words('Feature', 'Measure', 'Signs', 'Sign')}".strip()] if own else []


def _data(values: Any) -> Mapping[str, Any] | None:
    """The sheet in an answer, or the sheet itself."""
    for found in (values, values.get("data") if isinstance(values, Mapping) else None):
        if isinstance(found, Mapping) and isinstance(found.get("GeneralInfo"), Mapping):
            return found
    return None


def _json_item(row: RawRecord, data: Mapping[str, Any]) -> Item:
    general = data["GeneralInfo"]
    attributes: dict[str, list[str]] = {}
    for group in _objects(data.get("FeaturesGroups")):
        for feature in _objects(group.get("Features")):
            name = _said(part_of(feature.get("Feature"), "Name"))
            values = _json_values(feature)
            if name and values:
                found = attributes.setdefault(name, [])
                found += [v for v in values if v not in found]
    if brand := _said(general.get("Brand")):
        attributes.setdefault("Brand", [brand])
    pictures = [_said(part_of(data.get("Image"), "HighPic"))]
    pictures += [_said(picture.get("Pic")) for picture in _objects(data.get("Gallery"))]
    described = general.get("Description")
    bullets = part_of(general.get("BulletPoints"), "Values")
    return _item(
        row,
        _said(general.get("IcecatId")) or _said(general.get("BrandPartCode")),
        _said(general.get("Title")) or _said(part_of(general.get("TitleInfo"), "GeneratedLocalTitle")),
        _said(part_of(described, "MiddleDesc")),
        _said(part_of(described, "LongDesc")),
        [_said(bullet) for bullet in bullets] if isinstance(bullets, list) else [],
        attributes,
        pictures,
        _said(part_of(general.get("Category"), "Name")),
    )


def _json_values(feature: Mapping[str, Any]) -> list[str]:
    presented = _said(feature.get("PresentationValue"))
    if presented:
        several = feature.get("Type") == "multi_dropdown"
        return [part.strip() for part in presented.split(",") if part.strip()] if several else [presented]
    local = feature.get("LocalValue")
    signs = part_of(part_of(local, "Measure") or part_of(feature.get("Feature"), "Measure"), "Signs")
    value = _said(local) or _said(feature.get("Value")) or _said(feature.get("RawValue"))
    return [f"{value} {_said(part_of(signs, '_'))}".strip()] if value else []


def _item(
    row: RawRecord,
    own_id: str | None,
    title: str,
    short: str,
    long: str,
    bullets: Iterable[str],
    attributes: Mapping[str, list[str]],
    pictures: Iterable[str],
    category: str,
) -> Item:
    texts = {
        "title": title,
        "short_description": short if short != title else "",
        "description": long.replace("\\n", "\n"),  # a sheet writes line breaks as two characters
        "bullets": "\n".join(bullet for bullet in bullets if bullet),
    }
    images = list(dict.fromkeys(p for p in pictures if p))
    return Item((row,), own_id or None, texts, frozenset(texts), attributes, images, category=category or None)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (v for v in list_of(value) if isinstance(v, Mapping))


def _said(value: Any) -> str:
    """A text, or the one in ``{"Value": ..., "Language": ...}``."""
    return text_of(part_of(value, "Value") if isinstance(value, Mapping) else value)
