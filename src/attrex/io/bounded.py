"""Limits on what unpacks: a file of a megabyte can hold a row of a gigabyte, in gzip as in Parquet.

What is longer than a row may be is not read into memory: it is passed over, and a marked row stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, AnyStr, Generic

import numpy as np

from attrex.errors import DataError
from attrex.io.remote import RemoteFile

MAX_ROW = 64 * 2**20
"""Bytes of a row, unpacked; in texts characters. Two photos of 20 MB in base64 are shorter."""
MAX_PARTS = 2_000_000
"""Values in a row of JSON: each costs many times its bytes."""
MAX_WHOLE = 2**30
"""Bytes of a JSON file that has to be read as a whole."""
MAX_TAG = 2**20
"""Bytes of a tag or a comment of XML: expat begins one anew with every piece of the file, until it is whole."""
MAX_PAGE, MAX_RATIO = 256 * 2**20, 100
"""A page of Parquet unpacks to so many bytes, or so many times what it is packed, whichever is more."""
_CHUNK = 2**20


class TooLongError(DataError):
    """A row that is longer than a row may be."""


def too_long(got: str) -> str:
    """The error of a row."""
    return f"expected a row of at most {MAX_ROW:,} bytes, got {got}; take out what is no text of a product"


class BoundedLines(Generic[AnyStr]):
    """The lines of a file, for rows that may go over several of them.

    Raises :class:`TooLongError` where the lines since :meth:`begin_row` are longer than :data:`MAX_ROW`; the rest of
    the line is passed over, and reading can go on.

    :param first: a line that was read already.
    """

    def __init__(self, file: IO[AnyStr], first: AnyStr | None = None, most: int = MAX_ROW) -> None:
        self.file: IO[AnyStr] = file
        self.first: AnyStr | None = first
        self.most = self.left = most
        self.of_row: list[AnyStr] = []  #: the lines since :meth:`begin_row`
        self.passed_over = 0  #: lines that were too long

    def __iter__(self) -> Iterator[AnyStr]:
        return self

    def begin_row(self) -> None:
        """What is read from here on is another row."""
        self.left = self.most
        self.of_row.clear()

    def __next__(self) -> AnyStr:
        line, self.first = self.first, None
        if line is None:
            line = self.file.readline(self.left + 1)
        if not line:
            raise StopIteration
        self.left -= len(line)
        if self.left < 0:
            end = b"\n" if isinstance(line, bytes) else "\n"
            while line and not line.endswith(end):
                line = self.file.readline(_CHUNK)
            self.passed_over += 1
            self.begin_row()
            raise TooLongError(too_long("more"))
        self.of_row.append(line)
        return line


def check_parts(line: bytes) -> None:
    """Raise :class:`TooLongError` for JSON with so many values that they take far more memory than their text."""
    if len(line) > MAX_PARTS and sum(map(line.count, (b",", b"[", b"{"))) > MAX_PARTS:
        raise TooLongError(f"expected a row of at most {MAX_PARTS:,} values, got more; correct the row")


# --- Arrow ---------------------------------------------------------------------------------------------------------


def row_bytes(column: Any) -> np.ndarray:
    """Bytes of each cell of an Arrow array once it is Python's own, about; a dictionary's values count at each use."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, rows = column.type, len(column)
    if pa.types.is_dictionary(kind):
        sizes = row_bytes(column.dictionary)
        indices = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
        return sizes[indices] if len(sizes) else np.zeros(rows, np.int64)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64) + 50
    if pa.types.is_large_binary(kind):
        return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False) + 50
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        within = row_bytes(column.flatten()) if not pa.types.is_map(kind) else _map_bytes(column)
        if pa.types.is_map(kind):
            lengths = np.diff(column.offsets.to_numpy()).astype(np.int64)
        else:
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        ends = np.concatenate([[0], within.cumsum()])[lengths.cumsum()]
        return np.diff(ends, prepend=0) + 8 * lengths + 50
    if pa.types.is_struct(kind):
        return sum((row_bytes(part) for part in column.flatten()), np.full(rows, 200, np.int64))
    return np.full(rows, 32, np.int64)


def _map_bytes(column: Any) -> np.ndarray:
    offsets = column.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    parts = (column.keys, column.items)
    return sum((row_bytes(part.slice(first, last - first)) for part in parts), np.zeros(last - first, np.int64))


def text_leaves(schema: Any) -> list[str]:
    """The columns of a Parquet file whose values are texts or bytes, as `read_dictionary` takes them.

    Read so, a value that a million cells refer to is in memory once.
    """
    leaves = (schema.column(i) for i in range(len(schema)))
    return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


# --- pages of Parquet ----------------------------------------------------------------------------------------------


def check_pages(path: Path | RemoteFile, metadata: Any, group: int) -> None:
    """Raise :class:`TooLongError` where a page of a row group unpacks to more than memory should be given for.

    Only the headers of the pages are read; what is no header is left to the reader, which knows what is damaged.
    """
    rows = metadata.row_group(group)
    with path.open("rb") as file:
        for number in range(rows.num_columns):
            column = rows.column(number)
            nested = "." in column.path_in_schema
            start = min(s for s in (column.dictionary_page_offset, column.data_page_offset) if s)
            end, values = start + column.total_compressed_size, 0
            while start < end:
                try:
                    file.seek(start)
                    fields, length = _read_struct(file.read(65_536))
                except (IndexError, ValueError, OverflowError, OSError):
                    break
                unpacked, packed = fields.get(2), fields.get(3)
                if not isinstance(unpacked, int) or not isinstance(packed, int) or packed < 0:
                    break
                if unpacked > max(MAX_PAGE, MAX_RATIO * packed):
                    raise TooLongError(
                        f"expected pages that unpack to at most {MAX_PAGE:,} bytes, got one of {unpacked:,} in the "
                        f"column {column.path_in_schema!r}; write the file again with smaller row groups"
                    )
                data = fields.get(5) or fields.get(8)
                values += data.get(1, 0) if isinstance(data, dict) else 0
                if nested and values > 10_000_000 + 1000 * rows.num_rows:
                    raise TooLongError(
                        f"expected lists of a few values, got more than {values:,} for {rows.num_rows:,} rows in the "
                        f"column {column.path_in_schema!r}; take out what is no text of a product"
                    )
                start += length + packed


def _read_struct(data: bytes) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol, in which Parquet's page headers are, and its length.

    The format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md; the fields:
    PageHeader in https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
    """
    reader = _Thrift(data)
    return reader.struct(), reader.at


class _Thrift:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ValueError("a number that is too long")

    def number(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > 8:
            raise ValueError("too many levels")
        fields: dict[int, Any] = {}
        field = 0
        while head := self.byte():
            field = field + (head >> 4) if head >> 4 else self.number()
            kind = head & 15
            fields[field] = kind == 1 if kind in (1, 2) else self.value(kind, depth)
        return fields

    def value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2, 3):  # in a list a truth is a byte
            return self.byte()
        if kind in (4, 5, 6):
            return self.number()
        if kind in (7, 8):
            length = 8 if kind == 7 else self.varint()
            self.at += length
            if self.at > len(self.data):
                raise IndexError("beyond what was read")
            return None
        if kind in (9, 10):
            head = self.byte()
            size = self.varint() if head >> 4 == 15 else head >> 4
            for _ in range(size):
                self.value(head & 15, depth + 1)
            return None
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError("a kind of value that page headers do not have")
