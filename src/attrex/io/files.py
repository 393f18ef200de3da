"""Data files of each kind as rows: JSONL, JSON, CSV, TSV, TXT, XLSX and Parquet, the text ones also with gzip."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.io.delimited import TEXT_TABLES, TableForm, delimited_records
from attrex.io.delimited import table_form as text_form
from attrex.io.packed import kind_of_file, open_binary
from attrex.io.rows import RawRecord, kind_of, not_utf8, parse_json, record, short
from attrex.io.workbooks import SheetForm, sheet_form, sheet_records

BATCH = 256  #: rows of a table in memory at once; they may hold photos
_BOM = b"\xef\xbb\xbf"
_OVER_LINES = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[|\{\s*(?:"[^"\\\n]*"\s*:\s*[\[{]\s*)?\n)')
"""How a list begins, and an object over several lines."""


def file_rows(path: Path, *, repeated_names: bool = False) -> Iterator[RawRecord]:
    """The rows of a data file; where it is damaged, a marked one ends them.

    ``repeated_names``: a table's columns may have one name; the second one is then read as ``name (2)``.
    Raises :class:`DataError` for an unknown kind of file, and on the first row for one that cannot be read at all.
    """
    kind = kind_of_file(path)
    if kind not in _FILE_ROWS or (kind in (".parquet", ".xlsx") and path.suffix.lower() == ".gz"):
        raise DataError(
            f"{path}: expected a file ending in {', '.join(_FILE_ROWS)} (or .gz of the text ones), got {path.name!r}; "
            "rename it to what it is, or convert it"
        )
    return _until_damage(_table_records(path, repeated_names) if kind in _TABLES else _FILE_ROWS[kind](path), path)


def _until_damage(rows: Iterator[RawRecord], path: Path) -> Iterator[RawRecord]:
    """The rows up to the place where a file is damaged, then one marked row."""
    last = 0
    try:
        for row in rows:
            last = row.number
            yield row
    except (OSError, EOFError, zlib.error) as exc:
        if not last:
            raise DataError(f"{path}: expected a readable {path.suffix} file, got: {exc}; make it again") from exc
        error = f"expected more rows, got: {exc}; the file is damaged here and cannot be read further, make it again"
        yield RawRecord(f"{path.name} after row {last}", last + 1, error=error)


def _table_records(path: Path, repeated_names: bool) -> Iterator[RawRecord]:
    form = table_form(path)
    if form is not None and form.repeated and not repeated_names:
        raise DataError(
            f"{path}: expected column names that differ, got {list(form.repeated)} more than once; rename one"
        )
    yield from sheet_records(path, form) if isinstance(form, SheetForm) else delimited_records(path, form)


def _jsonl_records(path: Path) -> Iterator[RawRecord]:
    """JSON lines; in place of them one list of objects, or one object over several lines, is read, too."""
    with open_binary(path) as file:
        lines: Iterable[bytes] = file
        if _OVER_LINES.match(file.peek(1)):
            content = file.read()
            try:
                found = parse_json(content.removeprefix(_BOM).decode())
            except (ValueError, RecursionError):  # as a whole it is not JSON
                lines = io.BytesIO(content)
            else:
                yield from _item_rows(path, found if isinstance(found, list) else [found])
                return
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _json_row(f"{path.name} line {number}", number, line)


def _item_rows(path: Path, items: list[Any]) -> Iterator[RawRecord]:
    return (record(f"{path.name} item {number}", number, item) for number, item in enumerate(items, 1))


def _json_row(where: str, number: int, line: bytes) -> RawRecord:
    try:
        text = line.removeprefix(_BOM).decode()
        values = parse_json(text)
    except UnicodeDecodeError as exc:
        return RawRecord(where, number, error=not_utf8(exc.object[exc.start], exc.start))
    except (ValueError, RecursionError) as exc:
        error = (
            f"expected one JSON object, got {short(line)} ({exc}); correct the line, or write each object on one line"
        )
        return RawRecord(where, number, error=error)
    return record(where, number, values, check="\\u" in text)


def _json_records(path: Path) -> Iterator[RawRecord]:
    """A JSON list, or JSON lines in a file that is called .json."""
    with open_binary(path) as file:
        start = file.read(4096).removeprefix(_BOM).lstrip()
    if not start.startswith(b"["):
        yield from _jsonl_records(path)
        return
    yield from _item_rows(path, load_json_list(path, path.name))


def load_json_list(path: Path, name: str) -> list[Any]:
    """The list in a JSON file; raises :class:`DataError` that begins with ``name`` and tells where it is broken."""
    try:
        with open_binary(path) as file:
            items = parse_json(file.read().removeprefix(_BOM).decode())
    except UnicodeDecodeError as exc:
        raise DataError(f"{name}: {not_utf8(exc.object[exc.start], exc.start)}") from exc
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as exc:
        raise DataError(f"{name}: expected a JSON list of products, got broken JSON ({exc}); correct the file") from exc
    if not isinstance(items, list):
        raise DataError(
            f"{name}: expected a JSON list of products, got {kind_of(items)}; put the products into one list"
        )
    return items


def table_form(path: Path) -> TableForm | SheetForm | None:
    """How a text or XLSX table is written; None for a file of another kind.

    Raises :class:`DataError` for a header that cannot be read, ``OSError`` and the like for a file that cannot.
    """
    kind = kind_of_file(path)
    return text_form(path) if kind in TEXT_TABLES else sheet_form(path) if kind == ".xlsx" else None


def _check_names(columns: Iterable[str], path: Path) -> None:
    columns = list(columns)
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise DataError(f"{path}: expected column names that differ, got {sorted(twice)} more than once; rename one")


def _parquet_records(path: Path) -> Iterator[RawRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_names(file.schema_arrow.names, path)
            yield from arrow_rows(file.iter_batches(batch_size=BATCH), path.name)
    except (pa.ArrowException, UnicodeDecodeError) as exc:
        raise OSError(str(exc)) from exc


def arrow_rows(batches: Iterable[Any], name: str) -> Iterator[RawRecord]:
    """The rows of Arrow tables. A cell that Python cannot hold (a date after the year 9999) is a warning."""
    number = 0
    for batch in batches:
        names, bad = batch.schema.names, set[int]()
        columns = [_arrow_cells(column, bad) for column in batch.columns]
        for place, cells in enumerate(zip(*columns, strict=True)):
            number += 1
            where, values = f"{name} row {number}", dict(zip(names, cells, strict=True))
            yield _readable(where, number, values) if place in bad else RawRecord(where, number, values)


def _arrow_cells(column: Any, bad: set[int]) -> list[Any]:
    """The cells of a column; in place of one that cannot be read stands why, and ``bad`` gets its place."""
    import pyarrow as pa

    unreadable = (pa.ArrowException, OverflowError, ValueError, LookupError)
    try:
        return column.to_pylist()
    except unreadable:
        cells: list[Any] = []
    for place, cell in enumerate(column):
        try:
            cells.append(cell.as_py())
        except unreadable as exc:
            cells.append(exc)
            bad.add(place)
    return cells


def _readable(where: str, number: int, values: dict[str, Any]) -> RawRecord:
    """A row some of whose cells are the reason why they cannot be read; as in other files, all text must be UTF-8."""
    lost = {column: cell for column, cell in values.items() if isinstance(cell, Exception)}
    for column, exc in lost.items():
        if isinstance(exc, UnicodeDecodeError):
            return RawRecord(where, number, error=f"column {column!r}: {not_utf8(exc.object[exc.start], exc.start)}")
    warnings = [f"column {c!r}: expected a value that can be read, got: {exc}; left out" for c, exc in lost.items()]
    return RawRecord(where, number, values | dict.fromkeys(lost), warnings=tuple(warnings))


_TABLES = (*TEXT_TABLES, ".xlsx")
_FILE_ROWS = {
    ".jsonl": _jsonl_records,
    ".ndjson": _jsonl_records,
    ".json": _json_records,
    **dict.fromkeys(TEXT_TABLES, delimited_records),
    ".xlsx": sheet_records,
    ".parquet": _parquet_records,
}
