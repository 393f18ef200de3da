"""doccano's JSONL: a text with ``label`` [[start, end, name], ...], or with ``entities`` beside relations.

Stands on doccano 1.8.4 (backend/data_export and data_import; its formatters, writer and parser run on what is written
here and what is read): ``id``, ``text``, the metadata of the row, ``label``; with relations ``entities`` of ``label``,
``start_offset``, ``end_offset``. Metadata that another row has is null. Its page counts UTF-16 units unless the project
counts graphemes, its server slices code points, and the file says neither, nor the marked words. A text that nobody
has looked at has an empty ``label``, as one has where nothing was found. Its import drops spans that overlap another
one, without a word, unless the project allows them (``Spans.clean``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.annotations.documents import UNSEEN, Document, Format, Mark
from attrex.io.annotations.json_lines import named, objects, required, texts_of
from attrex.io.annotations.spans import in_units
from attrex.io.products import write_rows

_LABELLED = "labelled"
"""Metadata of what is written here without a label: that somebody has looked."""


def read(path: Path) -> Iterator[Document]:
    for where, row in objects(path):
        field, text = texts_of(where, row, ("text", "data"))
        marks = [_mark(where, item) for item in _labels(row)] if _is_labelled(row) else None
        complete = row.get("complete") if isinstance(row.get("complete"), bool) else None
        unseen = marks == [] and not complete and row.get(_LABELLED) is not True
        yield Document(
            where,
            named(where, row, "product", "id"),
            named(field, row, "field"),
            text,
            None if marks is None or unseen else tuple(marks),
            complete,
            (UNSEEN,) if unseen else (),
        )


def _is_labelled(row: Mapping[str, Any]) -> bool:
    return any(isinstance(row.get(key), list) for key in ("entities", "label", "labels"))


def _labels(row: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = next(row[key] for key in ("entities", "label", "labels") if isinstance(row.get(key), list))
    return found


def _mark(where: str, item: Any) -> Mark:
    if isinstance(item, Mapping):
        start, end = (required(where, item, key, int) for key in ("start_offset", "end_offset"))
        return Mark(start, end, required(where, item, "label", str))
    if isinstance(item, list) and len(item) == 3 and all(type(n) is int for n in item[:2]) and isinstance(item[2], str):
        return Mark(*item)
    raise DataError(f"{where}: expected a label as [start, end, name], got {short(item)}; export the file again")


def write(path: Path, documents: Iterable[Document]) -> None:
    write_rows(path, map(_row, documents))


def _row(document: Document) -> dict[str, Any]:
    row = {"text": document.text, "product": document.product, "field": document.field}
    marks = [
        [*(in_units(document.text, at, "utf-16") for at in (m.start, m.end)), m.label] for m in document.marks or ()
    ]
    if document.marks is None:
        return row
    return {**row, "label": marks, **({} if marks else {_LABELLED: True})}


FORMAT = Format(
    "doccano",
    read,
    write,
    ("utf-16", "characters", "utf-16+lf", "characters+lf"),
    (".jsonl", ".json"),
    "allow overlapping spans in the project before the import, which drops them otherwise without a word",
)
