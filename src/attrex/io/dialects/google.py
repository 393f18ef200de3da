"""Google Merchant Center: product data as text (TSV) and as XML."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

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
    split_photos,
    with_values,
)
from attrex.io.dialects.xml_records import element_rows
from attrex.io.feed_cells import NAMESPACE
from attrex.io.rows import RawRecord

_SLASHED = ("color", "material")
_ATTRIBUTES = (
    *_SLASHED,
    *("brand", "pattern", "size", "gender", "age_group", "size_type", "size_system", "energy_efficiency_class"),
    *("product_length", "product_width", "product_height", "product_weight"),
)
_MOST = {"color": 3}
_WORDS = {
    "gender": ("male", "female", "unisex"),
    "age_group": ("newborn", "infant", "toddler", "kids", "adult"),
}
_DETAIL = ("section_name", "attribute_name", "attribute_value")
_NAME = re.compile(r"(?:g:)?([\w ]+?)(?: ?\(([\w:]+)\))?(?: \(\d+\))?")
_DETAIL_HEADER = re.compile(r"(?:g:)?product[_ ]detail ?\([\w:]*attribute_name:")


class GoogleTsv(Dialect):
    """Google's product data as a table.

    Stands on the product data specification in Merchant Center's help as it was in 2026 (product_detail: answer
    9218260, color: 6324487, material: 6324410).

    - Names have underscores or spaces. Columns may come several times.
    - Several colours or materials are separated by a slash, most important first; at most three colours.
    - ``product_detail`` is ``section:name:value``, several separated by commas; quotes around what holds a colon or a
      comma, doubled inside; the header may say the order, ``product_detail(attribute_name:attribute_value)``.
    - ``product_highlight`` comes several times, or is separated by commas. ``item_group_id`` is that of variants.
    - Gender and age group take Google's own words only.
    """

    name = "google"
    title = "a Google Merchant product table"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        own = {_plain(c) for c in sample.columns}
        if {"id", "title", "product_highlight"} <= own or any(_DETAIL_HEADER.match(c.strip()) for c in sample.columns):
            return True
        needed = {"id", "title", "link"} <= own and not own.isdisjoint(("description", "structured_description"))
        return needed and len(own & {"image_link", "price", "availability", "condition", "item_group_id"}) >= 2

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        self.columns: dict[str, list[str]] = {}
        self.order: dict[str, Sequence[str]] = {}  #: column of details -> what stands where in them
        for column in sample.columns:
            self.columns.setdefault(_plain(column), []).append(column)
            match = _NAME.fullmatch(column.strip())
            self.order[column] = match[2].split(":") if match and match[2] and ":" in match[2] else _DETAIL
        self.joints = dict.fromkeys(self.columns.get("product_detail", ()), ",")
        self.details: dict[str, str] = {}  #: name of a detail -> its section, as the file spells them

    def items(self) -> Iterator[Item]:
        for row in self.records():
            yield marked(row) if row.error else self._item(row)

    def _item(self, row: RawRecord) -> Item:
        def all_of(name: str) -> list[tuple[str, str]]:
            return [(c, text) for c in self.columns.get(name, ()) if (text := cell(row, c)).strip()]

        values = {name: [text for _, text in all_of(name)] for name in self.columns}
        values["product_highlight"] = [v for text in values.get("product_highlight", ()) for v in quoted_parts(text)]
        values["additional_image_link"] = [
            v for text in values.get("additional_image_link", ()) for v in split_photos(text)
        ]
        details = [d for c, text in all_of("product_detail") for d in parse_details(text, self.order[c])]
        return google_item(row, values, details, self.details)

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """Google's own column of that name, blank or new, else a blank one of details."""
        (row,) = item.rows
        if own := find_name(attribute, _ATTRIBUTES):
            text = google_text(own, values)
            columns = self.columns.get(own, [own])
            if any(is_filled(row, c) for c in columns):
                raise NoPlace(f"column {columns[0]!r} is filled")
            return [Edit(row.number, (columns[0],), text)]
        name = find_name(attribute, self.details)
        free = [c for c in self.columns.get("product_detail", ()) if not is_filled(row, c)]
        if name is None or not free:
            why = "its cell of details is filled" if name else "Google has no such attribute, nor has this file"
            raise NoPlace(f"{attribute!r}: {why}")
        parts = {"section_name": self.details[name], "attribute_name": name}
        entries = (
            ":".join(_quoted({**parts, "attribute_value": v}.get(p, "")) for p in self.order[free[0]]) for v in values
        )
        return [Edit(row.number, (free[0],), ",".join(entries))]


class GoogleXml(Dialect):
    """Google's product data as RSS 2.0 or Atom 1.0.

    Stands on the product data specification as :class:`GoogleTsv` does, and on its examples of both forms: elements of
    the namespace ``http://base.google.com/ns/1.0`` (any prefix), or RSS's own ``title``, ``description``, ``link``;
    what comes several times stands several times; ``product_detail`` has its parts as elements.
    """

    name = "google-xml"
    title = "Google Merchant product XML"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        return NAMESPACE in sample.text.replace("\0", "")

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        self.details: dict[str, str] = {}
        self.prefix = "g:"

    def items(self) -> Iterator[Item]:
        for row, element in element_rows(self.sample.path, ("item", "entry")):
            if element is None:
                yield marked(row)
                continue
            values: dict[str, list[str]] = {}
            for child in element.children:
                # Google's own element goes before RSS's of the same name
                own = values.setdefault(child.name, [])
                text = child.attributes.get("href", "") if child.name == "link" and not child.text else child.text
                own.insert(0 if ":" in child.written_name and child.name in _RSS else len(own), text.strip())
            parts = ((d.words(p) for p in _DETAIL) for d in element.all("product_detail"))
            details = [(section, name, value) for section, name, value in parts if name and value]
            found = next((c.written_name for c in element.children if ":" in c.written_name), "g:")
            self.prefix = found[: found.index(":") + 1]
            item = google_item(row, values, details, self.details)
            yield replace(item, rows=(replace(row, values={"element": element}),))

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """Google's own element: an empty one, or a new one at the product's end."""
        (row,) = item.rows
        element = (row.values or {})["element"]
        if own := find_name(attribute, _ATTRIBUTES):
            there = [c for c in element.children if c.name == own]
            if any(not c.is_empty for c in there):
                raise NoPlace(f"element {own!r} is filled")
            text = google_text(own, values)
            if there:
                return [Edit(row.number, (there[0].written_name,), text)]
            return [Edit(row.number, (f"{self.prefix}{own}",), text)]
        raise NoPlace(f"{attribute!r} is no attribute of Google's, and a detail has more than one element")


_RSS = ("title", "description", "link")


def google_item(
    row: RawRecord, values: Mapping[str, Sequence[str]], details: Iterable[tuple[str, str, str]], seen: dict[str, str]
) -> Item:
    """The item of a row.

    :param values: Google's name -> what the row has, each once.
    :param details: section, name, value.
    :param seen: gets the section of each detail's name.
    """

    def first(name: str) -> str:
        return next((text for text in values.get(name, ()) if text.strip()), "")

    attributes: dict[str, list[str]] = {}
    for name in _ATTRIBUTES:
        if name in values:
            parts = [p for text in values[name] for p in (text.split("/") if name in _SLASHED else (text,))]
            attributes[name] = [p.strip() for p in parts if p.strip()]
    for section, name, value in details:
        seen.setdefault(name, section)
        own = find_name(name, attributes) or name
        if own not in _ATTRIBUTES or not attributes[own]:
            attributes.setdefault(own, []).append(value)
    photos = [
        p.strip() for n in ("image_link", "additional_image_link", "lifestyle_image_link") for p in values.get(n, ())
    ]
    kind = first("product_type").split(",")[0] or first("google_product_category")
    return Item(
        (row,),
        id=first("id").strip() or None,
        texts={
            "title": first("title") or first("structured_title"),
            "description": first("description") or first("structured_description"),
            "highlights": "\n".join(values.get("product_highlight", ())),
        },
        html=frozenset(("description",)),
        attributes=with_values(attributes),
        images=list(dict.fromkeys(p for p in photos if p)),
        category=kind.rpartition(">")[2].strip() or None,
        group=first("item_group_id").strip() or None,
    )


def google_text(name: str, values: Sequence[str]) -> str:
    """Values of one of Google's own attributes as it takes them. Raises :class:`NoPlace` for what it would refuse."""
    if name in _SLASHED:
        if any("/" in value for value in values):
            raise NoPlace("a slash separates values")
        return "/".join(values[: _MOST.get(name, len(values))])
    if len(values) > 1:
        raise NoPlace(f"{name} takes one value, got {len(values)}")
    value = values[0]
    if name in _WORDS:
        known = find_name(value, _WORDS[name])
        if known is None:
            raise NoPlace(f"{name} takes {', '.join(_WORDS[name])} only, got {value!r}")
        return known
    return value


def quoted_parts(text: str, delimiter: str = ",") -> list[str]:
    """A cell's parts by a delimiter that may stand inside of quotes; a part that is cut there is none."""
    parts = next(
        csv.reader([text.replace("\r", " ").replace("\n", " ")], delimiter=delimiter, skipinitialspace=True), []
    )
    return [part.strip() for part in parts if part.strip()]


def parse_details(text: str, order: Sequence[str] = _DETAIL) -> list[tuple[str, str, str]]:
    """Section, name and value of each detail in a cell."""
    entries: list[list[str]] = [[]]
    part, quoted, place = "", False, 0
    while place < len(text):
        c = text[place]
        if c == '"':
            if quoted and text[place + 1 : place + 2] == '"':
                part, place = part + c, place + 1
            else:
                quoted = not quoted
        elif quoted or c not in ":,":
            part += c
        elif c == ":":
            entries[-1].append(part)
            part = ""
        else:
            entries[-1].append(part)
            entries.append([])
            part = ""
        place += 1
    entries[-1].append(part)
    found: list[tuple[str, str, str]] = []
    for parts in entries:
        if len(parts) == 1 and found and parts[0].strip():  # a comma that nobody quoted
            section, name, value = found[-1]
            found[-1] = (section, name, f"{value},{parts[0].rstrip()}")
            continue
        names = order if len(parts) >= len(order) else order[-len(parts) :]
        last = len(names) - 1
        said = dict(zip(names, (p.strip() for p in [*parts[:last], ":".join(parts[last:])]), strict=True))
        if said.get("attribute_name") and said.get("attribute_value"):
            found.append((said.get("section_name", ""), said["attribute_name"], said["attribute_value"]))
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ':,"') else text


def _plain(column: str) -> str:
    match = _NAME.fullmatch(column.strip())
    return name_key(match[1]).replace(" ", "_") if match else column
