"""Data files of each kind as rows: JSONL, JSON, CSV, TSV and Parquet, the text ones also packed with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

from attrex.errors import DataError
from attrex.io.rows import HALF_CHARACTER, RawRecord, kind_of, not_utf8, parse_json, record, short

BATCH = 256  #: rows of a table in memory at once; they may hold photos
_BOM = b"\xef\xbb\xbf"
_OVER_LINES = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[|\{\s*\n)")  # how a list begins, and an object with a key a line
_ABOVE_HEADER = re.compile(r'\s*|"?sep=([^"\r\n])"?\s*', re.IGNORECASE)  # Excel names the delimiter there


def file_rows(path: Path) -> Iterator[RawRecord]:
    """The rows of a data file; where it is damaged, a marked one ends them.

    Raises :class:`DataError` for an unknown kind of file, and on the first row for one that cannot be read at all.
    """
    kind = _suffix(path)
    if kind not in _FILE_ROWS or (kind == ".parquet" and path.suffix.lower() == ".gz"):
        raise DataError(
            f"{path}: expected a file ending in {', '.join(_FILE_ROWS)} (or .gz of the text ones), got {path.name!r}; "
            "rename it to what it is, or convert it"
        )
    return _until_damage(_FILE_ROWS[kind](path), path)


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def open_binary(path: Path) -> io.BufferedReader:
    """A file to read bytes from, unpacked where its name ends in .gz."""
    return cast(io.BufferedReader, (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb"))


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


def _csv_records(path: Path) -> Iterator[RawRecord]:
    csv.field_size_limit(2**31 - 1)  # the default refuses texts over 131,072 characters
    # A byte that is not UTF-8 comes through as half a surrogate pair, so that only its own row is marked.
    with io.TextIOWrapper(open_binary(path), "utf-8-sig", errors="surrogateescape", newline="") as file:
        above, first = 0, file.readline()
        delimiter = "\t" if _suffix(path) == ".tsv" else ""
        while first and (line := _ABOVE_HEADER.fullmatch(first)):
            delimiter = line[1] or delimiter
            above, first = above + 1, file.readline()
        if not delimiter:  # the most frequent of the usual ones outside quotes
            delimiter = max(",;\t|", key=re.sub(r'"[^"]*"', "", first).count)
        reader = csv.reader(chain([first], file), delimiter=delimiter, strict=True)
        header = _csv_header(reader, path)
        while True:
            number = above + reader.line_num + 1
            where = f"{path.name} line {number}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                last = above + reader.line_num
                error = f'expected cells with closed quotes, got a row to line {last} ({exc}); write " as ""'
                yield RawRecord(where, number, error=error)
                continue
            if not cells:
                continue
            if len(cells) != len(header):
                error = (
                    f"expected {len(header)} cells as in the header, got {len(cells)}; "
                    "quote cells that hold a delimiter or a line break"
                )
                yield RawRecord(where, number, error=error)
            elif bad := HALF_CHARACTER.search("".join(cells)):
                yield RawRecord(where, number, error=not_utf8(ord(bad[0]) & 0xFF))
            else:
                yield RawRecord(where, number, dict(zip(header, cells, strict=True)))


def _csv_header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as exc:
        raise DataError(f"{path}: expected a first line with column names, got a broken one ({exc})") from exc
    if bad := HALF_CHARACTER.search("".join(header)):
        raise DataError(f"{path}: {not_utf8(ord(bad[0]) & 0xFF)}")
    _check_names(header, path)
    return header


def _check_names(columns: list[str], path: Path) -> None:
    twice = {name for name, times in Counter(columns).items() if name and times > 1}
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
        cells = column.to_pylist()
        return [_shortest(cell, column.type) for cell in cells] if _SHORT_FLOAT.search(str(column.type)) else cells
    except unreadable:
        cells = []
    for place, cell in enumerate(column):
        try:
            cells.append(cell.as_py())
        except unreadable as exc:
            cells.append(exc)
            bad.add(place)
    return cells


_SHORT_FLOAT = re.compile(r"\b(?:half)?float\b")


def _shortest(cell: Any, kind: Any) -> Any:
    """A number of fewer than 64 bits as it was written: 0.1 is 0.10000000149011612 in 32 bits."""
    import numpy as np
    import pyarrow as pa

    if isinstance(cell, float) and pa.types.is_floating(kind) and kind.bit_width < 64:
        return float(str(np.dtype(f"f{kind.bit_width // 8}").type(cell)))
    if isinstance(cell, list) and hasattr(kind, "value_type"):
        return [_shortest(part, kind.value_type) for part in cell]
    if isinstance(cell, dict) and pa.types.is_struct(kind):
        return {name: _shortest(part, kind.field(name).type) for name, part in cell.items()}
    return cell


def _readable(where: str, number: int, values: dict[str, Any]) -> RawRecord:
    """A row some of whose cells are the reason why they cannot be read; as in other files, all text must be UTF-8."""
    lost = {column: cell for column, cell in values.items() if isinstance(cell, Exception)}
    for column, exc in lost.items():
        if isinstance(exc, UnicodeDecodeError):
            return RawRecord(where, number, error=f"column {column!r}: {not_utf8(exc.object[exc.start], exc.start)}")
    warnings = [f"column {c!r}: expected a value that can be read, got: {exc}; left out" for c, exc in lost.items()]
    return RawRecord(where, number, values | dict.fromkeys(lost), warnings=tuple(warnings))


_FILE_ROWS = {
    ".jsonl": _jsonl_records,
    ".ndjson": _jsonl_records,
    ".json": _json_records,
    ".csv": _csv_records,
    ".tsv": _csv_records,
    ".parquet": _parquet_records,
}
