"""What a dialect is: how one platform's export is recognised, what its rows mean, and where it wants a value written.

A dialect turns the rows of a file (:class:`~attrex.io.rows.RawRecord`) into :class:`Item` s, one per product as the
platform means it: rows of variants merged or given their parent's texts, cells with several values split, escapes
undone. What an item's words mean to the shop (blank markers, merged columns, HTML) is decided behind it, in one place
for all dialects. In the other direction :meth:`Dialect.place` says which cells a value is written to, so that the
platform's importer reads it; it never names a cell that holds anything.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, ClassVar

from attrex.errors import DataError
from attrex.io.files import file_rows
from attrex.io.html import without_markup
from attrex.io.rows import RawRecord, record
from attrex.io.tables import SEPARATOR
from attrex.shop.cells import is_empty

Key = tuple[str | int, ...]
"""Where a value stands in a row: ``("Color",)``, a table's column; ``("attributes", 0, "options")``, keys of JSON."""


class NoPlace(DataError):
    """Why a value cannot be written where the platform would read it."""


@dataclass(frozen=True)
class Sample:
    """How a file begins: what a dialect is recognised by."""

    path: Path
    columns: tuple[str, ...] = ()  #: the header of a table, else none; the second of a name is ``name (2)``
    repeated: tuple[str, ...] = ()  #: names in it that come more than once
    text: str = ""  #: the first characters of a file that is no table (64 KiB)
    first: Any = None  #: of JSON: the first object of a list or of lines, or the one object that the file is

    def has(self, *columns: str) -> bool:
        """Whether the table has all these columns, in whatever case."""
        own = {name_key(c) for c in self.columns}
        return all(name_key(c) in own for c in columns)


@dataclass(frozen=True, slots=True)
class Item:
    """One product as the platform means it."""

    rows: tuple[RawRecord, ...]  #: what it is made of; the first one names its place in messages
    id: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    """Name -> text in reading order, ``title`` and ``description`` where a platform has them under any name."""
    html: frozenset[str] = frozenset()  #: texts that hold HTML
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Name -> cell, or its values where the platform splits it. A name that is blank is left out, or its cell is empty;
    an empty list is no blank: the platform says that there is none."""
    images: Sequence[Any] = ()  #: paths or addresses, each one photo
    category: str | None = None
    group: str | None = None  #: items of one group share texts or photos, e.g. variants
    error: str = ""  #: why there is nothing else
    warnings: tuple[str, ...] = ()

    def to_record(self) -> RawRecord:
        """The row of this item in the form that Attrex writes and reads itself, with HTML read as text."""
        row = self.rows[0]
        texts = {name: without_markup(text) if name in self.html else text for name, text in self.texts.items() if text}
        values = {
            "id": self.id,
            "fields": texts,
            "attributes": {name: _unescaped(cell) for name, cell in self.attributes.items()},
            "images": list(self.images),
            "category": self.category,
            "group": self.group,
        }
        warnings = tuple(dict.fromkeys((*(w for r in self.rows for w in r.warnings), *self.warnings)))
        error = self.error or row.error
        if not error and not texts and not self.images:
            error = "expected text in a title or a description, or a photo, got none of them; fill one in"
        lost = row.rows if row.error else 1  # of several rows that are one product, only that one is counted
        return RawRecord(row.where, row.number, values, error, warnings, lost, row.damaged)


@dataclass(frozen=True, slots=True)
class Edit:
    """A value to be written into a blank cell."""

    number: int  #: of the row (:attr:`RawRecord.number`)
    key: Key  #: where in the row; a column that the table does not have is a new one, at its end
    value: Any  #: text in a table, anything in JSON


class Dialect(ABC):
    """One platform's form of export, open on one file.

    A subclass's docstring says what it stands on: source and version.
    """

    name: ClassVar[str]  #: for ``--dialect``
    title: ClassVar[str]  #: as a person is told
    read_only: ClassVar[str] = ""  #: why no value has a place in such a file; empty where some have
    by_row: bool = False  #: whether each row is a product by itself, whatever stands before and behind it

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.separator = SEPARATOR  #: between the values of a cell that the platform does not split
        self.id_column: str | None = None  #: the table's column that an item's id is from, where there is one
        self.joints: dict[str, str] = {}
        """Column whose cells hold several attributes -> what stands between them (:mod:`placing`)."""
        self.part: Callable[[], Iterator[RawRecord]] | None = None  #: rows to read in place of the file's

    @classmethod
    @abstractmethod
    def recognises(cls, sample: Sample) -> bool:
        """Whether a file begins as this platform writes it."""

    def records(self) -> Iterator[RawRecord]:
        """The file's rows, read anew at each call; damaged ones are marked."""
        return file_rows(self.sample.path, repeated_names=True) if self.part is None else self.part()

    def told(self) -> str:
        """What a person is told of how the file is read, in one line."""
        return f"{self.sample.path.name} is read as {self.title}"

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """The products in the order of the file; rows that cannot be read come out as items with ``error``."""

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The cells to write so that the platform reads these values of an attribute that the item leaves blank.

        :param item: as :meth:`items` gave it.
        :param attribute: in the file's spelling or another one (:func:`name_key`).
        :param values: one or more; a platform that takes one only refuses several.
        :raises NoPlace: where no blank cell would be read so.
        """
        why = self.read_only or "give --out a name in .jsonl for a table"
        raise NoPlace(f"attrex reads {self.title} and does not write it: {why}")


def marked(row: RawRecord) -> Item:
    """A row that could not be read."""
    return Item((row,), error=row.error)


def name_key(name: str) -> str:
    """An attribute's or a column's name as names are compared: ``shoe_size``, ``Shoe size`` and ``shoe-size``."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


def with_values(attributes: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The attributes that are not blank."""
    return {name: values for name, values in attributes.items() if values}


def find_name(name: str, names: Iterable[str]) -> str | None:
    """The name among ``names`` as they spell it: the same one, else one that differs in case or joints only."""
    names = list(names)
    return name if name in names else next((n for n in names if name_key(n) == name_key(name)), None)


def cell(row: RawRecord, column: str) -> str:
    """A cell of a table as text; an empty one where there is none."""
    value = (row.values or {}).get(column)
    return "" if value is None else str(value)


def is_filled(row: RawRecord, column: str) -> bool:
    """Whether a cell of a table holds anything, be it a space or a marker that says nothing: it is never changed."""
    return not is_empty((row.values or {}).get(column))


def is_object(value: Any, *keys: str, any_of: bool = False) -> bool:
    """Whether a value is a JSON object with these keys, or with any of them."""
    return isinstance(value, Mapping) and (any if any_of else all)(key in value for key in keys)


def json_items(path: Path, *keys: str) -> Iterator[RawRecord]:
    """The objects of a JSON file: of a list, of JSON lines, or what is under one of ``keys``, one or a list of them."""
    number = 0
    for row in file_rows(path):
        inner = next((v for k in keys if isinstance(v := (row.values or {}).get(k), list | Mapping)), None)
        if inner is None:
            number += 1
            yield row
            continue
        for item in inner if isinstance(inner, list) else [inner]:
            number += 1
            yield record(f"{path.name} item {number}", number, item)


_PHOTO = re.compile(r"(?:https?://\S+|.*\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|ppm))(?:\?.*)?", re.IGNORECASE)


def split_photos(text: str) -> list[str]:
    """The photos of a cell: separated by any of ``, | ;`` or lines, where each part is one; else the cell is one.

    Addresses may be separated by spaces.
    """
    text = text.strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return [part for part in found if isinstance(part, str) and part.strip()]
    for separator in "\n|;, ":
        parts = [part.strip() for part in text.split(separator) if part.strip()]
        addresses = sum("://" in part for part in parts)
        alike = addresses == len(parts) or (not addresses and separator != " ")
        if len(parts) > 1 and all(_PHOTO.fullmatch(p) for p in parts) and alike:
            return parts
    return [text] if text else []


def looks_like_photo(text: str) -> bool:
    """Whether a cell is an address or the name of an image file, or several."""
    return any(_PHOTO.fullmatch(part) for part in split_photos(text))


def first_object(text: str) -> Any:
    """The first object of a JSON list or of JSON lines, or the one object; None where it is cut or none."""
    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        text = text[1:].lstrip()
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _unescaped(value: Any) -> Any:
    """The cell with entities as the characters that they mean: shops write both beside each other."""
    if isinstance(value, str):
        return unescape(value) if "&" in value else value
    return [_unescaped(v) for v in value] if isinstance(value, list | tuple) else value
