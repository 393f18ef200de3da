"""Data files of each kind as rows: JSONL, JSON, CSV, TSV and Parquet, the text ones also packed with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

from attrex.data.rows import HALF_CHARACTER, Row, kind_of, not_utf8, record, short
from attrex.errors import DataError

BATCH = 256  #: rows of a table in memory at once; they may hold photos
_BOM = b"\xef\xbb\xbf"


def file_rows(path: Path) -> Iterator[Row]:
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


def open_binary(path: Path) -> IO[bytes]:
    """A file to read bytes from, unpacked where its name ends in .gz."""
    return cast(IO[bytes], (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb"))


def _until_damage(rows: Iterator[Row], path: Path) -> Iterator[Row]:
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
        yield Row(f"{path.name} after row {last}", last + 1, error=error)


def _jsonl_rows(path: Path) -> Iterator[Row]:
    with open_binary(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _json_row(f"{path.name} line {number}", number, line)


def _json_row(where: str, number: int, line: bytes) -> Row:
    try:
        text = line.removeprefix(_BOM).decode()
        values = json.loads(text)
    except UnicodeDecodeError as exc:
        return Row(where, number, error=not_utf8(exc.object[exc.start], exc.start))
    except (ValueError, RecursionError) as exc:
        return Row(where, number, error=f"expected one JSON object, got {short(line)} ({exc}); correct the line")
    return record(where, number, values, check="\\u" in text)


def _json_rows(path: Path) -> Iterator[Row]:
    """A JSON list, or JSON lines in a file that is called .json."""
    with open_binary(path) as file:
        start = file.read(4096).removeprefix(_BOM).lstrip()
    if not start.startswith(b"["):
        yield from _jsonl_rows(path)
        return
    for number, item in enumerate(load_json_list(path, path.name), 1):
        yield record(f"{path.name} item {number}", number, item)


def load_json_list(path: Path, name: str) -> list[Any]:
    """The list in a JSON file; raises :class:`DataError` that begins with ``name`` and tells where it is broken."""
    try:
        with open_binary(path) as file:
            items = json.loads(file.read().removeprefix(_BOM).decode())
    except UnicodeDecodeError as exc:
        raise DataError(f"{name}: {not_utf8(exc.object[exc.start], exc.start)}") from exc
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as exc:
        raise DataError(f"{name}: expected a JSON list of products, got broken JSON ({exc}); correct the file") from exc
    if not isinstance(items, list):
        raise DataError(
            f"{name}: expected a JSON list of products, got {kind_of(items)}; put the products into one list"
        )
    return items


def _csv_rows(path: Path) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # the default refuses texts over 131,072 characters
    # A byte that is not UTF-8 comes through as half a surrogate pair, so that only its own row is marked.
    with io.TextIOWrapper(open_binary(path), "utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        delimiter = "\t" if _suffix(path) == ".tsv" else _delimiter(first)
        reader = csv.reader(chain([first] if first else [], file), delimiter=delimiter, strict=True)
        header = _csv_header(reader, path)
        while True:
            number = reader.line_num + 1
            where = f"{path.name} line {number}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                error = f'expected cells with closed quotes, got a row to line {reader.line_num} ({exc}); write " as ""'
                yield Row(where, number, error=error)
                continue
            if cells:
                yield _csv_row(where, number, header, cells)


def _csv_header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as exc:
        raise DataError(f"{path}: expected a first line with column names, got a broken one ({exc})") from exc
    if bad := HALF_CHARACTER.search("".join(header)):
        raise DataError(f"{path}: {not_utf8(ord(bad[0]) & 0xFF)}")
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise DataError(f"{path}: expected column names that differ, got {sorted(twice)} more than once; rename one")
    return header


def _csv_row(where: str, number: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        error = (
            f"expected {len(header)} cells as in the header, got {len(cells)}; "
            "quote cells that hold a delimiter or a line break"
        )
        return Row(where, number, error=error)
    if bad := HALF_CHARACTER.search("".join(cells)):
        return Row(where, number, error=not_utf8(ord(bad[0]) & 0xFF))
    return Row(where, number, dict(zip(header, cells, strict=True)))


def _delimiter(header: str) -> str:
    """The most frequent of the usual delimiters outside quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path.name} row {number}", number, values)
    except (pa.ArrowException, UnicodeDecodeError) as exc:
        raise OSError(str(exc)) from exc


_FILE_ROWS = {
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".parquet": _parquet_rows,
}
