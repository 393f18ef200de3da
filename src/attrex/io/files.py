"""Data files of each kind as rows: JSONL, JSON, CSV, TSV, TXT, XLSX and Parquet; text also packed with gzip."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, count, takewhile, zip_longest
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from attrex.errors import DataError
from attrex.io.bounded import (
    MAX_ROW,
    MAX_WHOLE,
    BoundedLines,
    TooLongError,
    check_pages,
    check_parts,
    row_bytes,
    text_leaves,
    too_long,
)
from attrex.io.csv_cells import CsvFile
from attrex.io.json_cells import OVER_LINES
from attrex.io.packed import kind_of_file, open_binary
from attrex.io.parquet_cells import ParquetFile
from attrex.io.remote import RemoteFile
from attrex.io.rows import HALF_CHARACTER, RawRecord, json_object, kind_of, not_utf8, parse_json, record, short
from attrex.io.sheet_xml import SheetFile
from attrex.shop.cells import Occupied

BATCH = 256  #: rows of a table in memory at once; they may hold photos
_BOM = b"\xef\xbb\xbf"
_CHUNK = 2**20
_BETWEEN_ITEMS = re.compile(r"[\s,]*")


def file_rows(path: Path, *, repeated_names: bool = False) -> Iterator[RawRecord]:
    """The rows of a data file; where it is damaged, a marked one ends them.

    ``repeated_names``: columns of a table may have one name; the second one is then read as ``name (2)``.
    Raises :class:`DataError` for an unknown kind of file, and on the first row for one that cannot be read at all.
    """
    kind = kind_of_file(path)
    if kind not in _FILE_ROWS or (kind in (".parquet", ".xlsx") and path.suffix.lower() == ".gz"):
        raise DataError(
            f"{path}: expected a file ending in {', '.join(_FILE_ROWS)} (or .gz of the text ones), got {path.name!r}; "
            "rename it to what it is, or convert it"
        )
    rows = _TABLE_ROWS[kind](path, repeated_names) if kind in _TABLE_ROWS else _FILE_ROWS[kind](path)
    return _until_damage(rows, path)


def table_columns(path: Path) -> tuple[str, ...] | None:
    """The header of a table in a text, XLSX or Parquet file; None for a file of another kind.

    Raises :class:`DataError` and ``OSError`` for a file that cannot be read.
    """
    kind = kind_of_file(path)
    if kind == ".xlsx":
        return tuple(SheetFile(path).columns.values())
    if kind == ".parquet" and path.suffix.lower() != ".gz":
        return tuple(name for column, name in ParquetFile(path).columns.items() if column == (name,))
    return CsvFile(path).layout.header if kind in _TABLE_ROWS else None


def distinct_names(header: Iterable[str]) -> list[str]:
    """The names of columns, each once: the second of a name is ``name (2)``; columns without a name have none."""
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return names


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
        yield RawRecord(f"{path.name} after row {last}", last + 1, error=error, damaged=True)


def _jsonl_records(path: Path) -> Iterator[RawRecord]:
    """JSON lines; in place of them one list of objects, or one object over several lines, is read, too."""
    with open_binary(path) as file:
        if OVER_LINES.match(file.peek(1)):
            content = file.read(MAX_ROW + 1)
            if len(content) > MAX_ROW and content.removeprefix(_BOM).lstrip().startswith(b"["):
                file.seek(0)
                yield from _streamed_items(path, file)
                return
            try:
                found = parse_json(content.removeprefix(_BOM).decode())
            except (ValueError, RecursionError):  # as a whole it is not JSON
                file.seek(0)
            else:
                yield from _item_rows(path, found if isinstance(found, list) else [found])
                return
        yield from json_lines(path.name, file)


def json_lines(name: str, file: IO[bytes], before: int = 0) -> Iterator[RawRecord]:
    """The rows of a file of JSON lines, or of whole lines of it that stand behind so many others."""
    lines = BoundedLines(file)
    for number in count(before + 1):
        where = f"{name} line {number}"
        lines.begin_row()
        try:
            line = next(lines)
            check_parts(line)
        except StopIteration:
            return
        except TooLongError as exc:
            yield RawRecord(where, number, error=str(exc))
            continue
        if line.strip():
            row = _json_row(where, number, line)
            yield replace(row, damaged=True) if row.error and not line.endswith(b"\n") else row  # it was cut off


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
        content = file.read(MAX_ROW)
    if len(content) < MAX_ROW:
        yield from _item_rows(path, load_json_list(path, path.name))
        return
    with open_binary(path) as file:
        yield from _streamed_items(path, file)


def _streamed_items(path: Path, file: IO[bytes]) -> Iterator[RawRecord]:
    """The objects of a long JSON list, one by one; where it is broken, or one is too long, a marked row ends it."""
    text = codecs.getreader("utf-8-sig")(file)
    buffer, ended, number = text.read(_CHUNK), False, 0
    at = buffer.index("[") + 1
    decoder = json.JSONDecoder(object_pairs_hook=json_object)
    try:
        while True:
            gap = _BETWEEN_ITEMS.match(buffer, at)
            at, end = gap.end() if gap else at, 0
            fault: Exception = ValueError("the list does not end")
            try:
                item, end = decoder.raw_decode(buffer, at)
            except (ValueError, RecursionError) as exc:
                fault = exc
            if at < end and (end < len(buffer) or ended):  # 12 may be the beginning of 123
                number, at = number + 1, end
                yield record(f"{path.name} item {number}", number, item)
            elif buffer.startswith("]", at):
                return
            elif ended:
                raise fault
            elif len(buffer) - at > MAX_ROW:
                raise TooLongError(too_long("more"))
            else:
                more = text.read(max(_CHUNK, len(buffer) - at))
                buffer, at, ended = buffer[at:] + more, 0, not more
    except (ValueError, RecursionError, TooLongError) as exc:
        error = f"expected a JSON list of products, got broken JSON ({exc}); correct the file"
        yield RawRecord(f"{path.name} item {number + 1}", number + 1, error=error)


def load_json_list(path: Path, name: str) -> list[Any]:
    """The list in a JSON file; raises :class:`DataError` that begins with ``name`` and tells where it is broken."""
    try:
        with open_binary(path) as file:
            content = file.read(MAX_WHOLE + 1)
        if len(content) > MAX_WHOLE:
            raise DataError(
                f"{name}: expected a JSON list of at most {MAX_WHOLE:,} bytes, got more; write an object a line (JSONL)"
            )
        items = parse_json(content.removeprefix(_BOM).decode())
    except UnicodeDecodeError as exc:
        raise DataError(f"{name}: {not_utf8(exc.object[exc.start], exc.start)}") from exc
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as exc:
        raise DataError(f"{name}: expected a JSON list of products, got broken JSON ({exc}); correct the file") from exc
    if not isinstance(items, list):
        raise DataError(
            f"{name}: expected a JSON list of products, got {kind_of(items)}; put the products into one list"
        )
    return items


def _csv_records(path: Path, repeated_names: bool = False) -> Iterator[RawRecord]:
    return csv_rows(CsvFile(path), repeated_names=repeated_names)


def csv_rows(
    file: CsvFile, part: BinaryIO | None = None, before: int = 0, *, repeated_names: bool = False
) -> Iterator[RawRecord]:
    """The rows of a table in a text file; of a part of it as for :meth:`~attrex.io.csv_cells.CsvFile.records`."""
    path, encoding = file.path, file.layout.encoding
    if bad := HALF_CHARACTER.search("".join(file.layout.header)):
        raise DataError(f"{path}: {not_utf8(ord(bad[0]) & 0xFF)}")
    header = _names(file.layout.header, path, repeated_names)
    for row in file.rows(part, before):
        where = f"{path.name} line {row.number}"
        if row.error:
            yield RawRecord(where, row.number, error=row.error, rows=row.lines)
            continue
        cells = row.texts
        warnings: tuple[str, ...] = ()
        if len(cells) < len(header):
            lack = (
                f"expected {len(header)} cells as in the header, got {len(cells)}; the missing ones are read as blank"
            )
            warnings = (f"{where}: {lack}",)
        if row.literal and row.raw.count('"') % 2:
            warnings += (f"{where}: expected cells with closed quotes, got one that is open; it is read as it stands",)
        # A byte that is not UTF-8 comes through as half a surrogate pair, so that only its own row is marked.
        if bad := HALF_CHARACTER.search("".join(cells)):
            if encoding.name == "utf-8":
                yield RawRecord(where, row.number, error=not_utf8(ord(bad[0]) & 0xFF))
                continue
            cells = [HALF_CHARACTER.sub("\ufffd", cell) for cell in cells]
            warnings += (f"{where}: what {encoding.name} has no character for was replaced by U+FFFD",)
        yield RawRecord(where, row.number, dict(zip_longest(header, cells[: len(header)])), warnings=warnings)


def _sheet_records(path: Path, repeated_names: bool = False) -> Iterator[RawRecord]:
    file = SheetFile(path)
    names = _names(file.columns.values(), path, repeated_names)
    for row in file.rows():
        values = dict(zip(names, map(row.content, range(len(names))), strict=True))
        yield record(f"{path.name} row {row.number}", row.number, values)


def _names(header: Iterable[str], path: Path, repeated_names: bool) -> list[str]:
    if repeated_names:
        return distinct_names(header)
    _check_names(list(header), path)
    return list(header)


def _check_names(columns: list[str], path: Path | RemoteFile) -> None:
    twice = {name for name, times in Counter(columns).items() if name and times > 1}
    if twice:
        raise DataError(f"{path}: expected column names that differ, got {sorted(twice)} more than once; rename one")


def _parquet_records(path: Path) -> Iterator[RawRecord]:
    return parquet_rows(path)


def parquet_rows(path: Path | RemoteFile, begin: int = 0, end: int | None = None) -> Iterator[RawRecord]:
    """The rows from ``begin`` (from 0) to ``end`` (exclusive) of a Parquet file; other row groups are not read.

    A row that stands for the damaged rest of its group belongs to where it begins.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(_opened(path)) as file:
            _check_names(file.schema_arrow.names, path)
            leaves = text_leaves(file.metadata.schema)
        before = 0
        with pq.ParquetFile(_opened(path), page_checksum_verification=True, read_dictionary=leaves) as file:
            end = file.metadata.num_rows if end is None else end
            for group in range(file.num_row_groups):
                after = before + file.metadata.row_group(group).num_rows
                if begin < after and before < end:
                    rows = _row_group(path, file, group, before)
                    yield from (r for r in takewhile(lambda r: r.number <= end, rows) if r.number > begin)
                before = after
    except (pa.ArrowException, UnicodeDecodeError) as exc:
        raise OSError(str(exc)) from exc


def _opened(path: Path | RemoteFile) -> Any:
    return path if isinstance(path, Path) else path.open()


def _row_group(path: Path | RemoteFile, file: Any, group: int, before: int) -> Iterator[RawRecord]:
    """The rows of a row group; where it is damaged, a marked one stands for those that are lost."""
    import pyarrow as pa

    name, wanted, read, why = path.name, file.metadata.row_group(group).num_rows, 0, "the end"
    try:
        check_pages(path, file.metadata, group)
        for row in arrow_rows(file.iter_batches(batch_size=BATCH, row_groups=[group]), name, before):
            read += 1
            yield row
    except TooLongError as exc:
        yield RawRecord(f"{name} rows {before + 1} to {before + wanted}", before + 1, error=str(exc), rows=wanted)
        return
    except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
        if not read and file.num_row_groups == 1:
            raise
        why = " ".join(str(exc).split())
    if read < wanted:
        first, last = before + read + 1, before + wanted
        error = f"expected rows up to {last}, got: {why}; the file is damaged here, make it again"
        yield RawRecord(f"{name} row {first}", first, error=error, rows=wanted - read, damaged=True)


def arrow_rows(batches: Iterable[Any], name: str, number: int = 0) -> Iterator[RawRecord]:
    """The rows of Arrow tables, after so many. A cell that Python cannot hold (a date after 9999) is a warning."""
    for batch in chain.from_iterable(map(_portions, batches)):
        if isinstance(batch, str):
            number += 1
            yield RawRecord(f"{name} row {number}", number, error=batch)
            continue
        names, bad = batch.schema.names, set[int]()
        columns = [arrow_cells(column, bad) for column in batch.columns]
        for place, cells in enumerate(zip(*columns, strict=True)):
            number += 1
            where, values = f"{name} row {number}", dict(zip(names, cells, strict=True))
            yield _readable(where, number, values) if place in bad else RawRecord(where, number, values)


def _portions(batch: Any) -> Iterator[Any]:
    """A batch in portions of at most :data:`MAX_ROW` bytes; in place of a row that is longer stands its error."""
    rows = batch.num_rows
    sizes = sum(map(row_bytes, map(_one_chunk, batch.columns)), np.zeros(rows, np.int64))
    if sizes.sum() <= MAX_ROW:
        yield batch
        return
    first = used = 0
    for place, size in enumerate([*sizes.tolist(), 0]):
        if place > first and (used + size > MAX_ROW or place == rows):
            yield batch.slice(first, place - first)
            first, used = place, 0
        if size > MAX_ROW:
            yield too_long(f"{size:,}")
            first, used = place + 1, 0
        else:
            used += size


def _one_chunk(column: Any) -> Any:
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


def arrow_cells(column: Any, bad: set[int]) -> list[Any]:
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
    return RawRecord(where, number, values | dict.fromkeys(lost, Occupied()), warnings=tuple(warnings))


_TABLE_ROWS = {".csv": _csv_records, ".tsv": _csv_records, ".txt": _csv_records, ".xlsx": _sheet_records}
_FILE_ROWS = {
    ".jsonl": _jsonl_records,
    ".ndjson": _jsonl_records,
    ".json": _json_records,
    **_TABLE_ROWS,
    ".parquet": _parquet_records,
}
