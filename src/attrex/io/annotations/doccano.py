"""doccano's JSONL: a text with ``label`` [[start, end, name], ...], or with ``entities`` beside relations.

Stands on doccano's source (backend/data_export at 1e0f5fc): ``id``, ``text``, ``label``; with relations
``entities`` of ``label``, ``start_offset``, ``end_offset``. Its page counts UTF-16 units unless the project counts
graphemes, its server slices code points, and the file says neither, nor the marked words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.annotations.json_lines import objects, required, texts_of
from attrex.io.annotations.spans import in_units
from attrex.io.products import write_rows


def read(path: Path) -> Iterator[Document]:
    for where, row in objects(path):
        field, text = texts_of(where, row, ("text", "data"))
        marks = [_mark(where, item) for item in _labels(row)] if _is_labelled(row) else None
        complete = row.get("complete") if isinstance(row.get("complete"), bool) else None
        name, own = str(row.get("product", row.get("id", where))), str(row.get("field", field))
        yield Document(where, name, own, text, None if marks is None else tuple(marks), complete)


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
    return row if document.marks is None else {**row, "label": marks}


FORMAT = Format("doccano", read, write, ("utf-16", "characters", "utf-16+lf", "characters+lf"), (".jsonl", ".json"))
