"""Parquet files copied with some cells changed: the same schema, columns and compression, a row after another.

A column is its name, ``("Color",)``, or that of a struct and its field, ``("attributes", "Color")``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from attrex.errors import DataError
from attrex.io.atomic import atomic_path
from attrex.io.bounded import MAX_ROW, TooLongError, check_pages, row_bytes, text_leaves, too_long
from attrex.io.cell_edits import Change, Column, Source

BATCH = 256  #: rows in memory at once; they may hold photos
_GROUP_ROWS, _GROUP_BYTES = 10_000, 2**26  # what a row group of the copy has at most


@dataclass(slots=True)
class ParquetRow:
    """A row's cells as Python has them."""

    index: int
    values: Mapping[str, Any]
    error: str = ""

    @property
    def number(self) -> int:
        return self.index + 1

    def content(self, column: Column) -> Any:
        found: Any = self.values
        for key in column if isinstance(column, tuple) else ():
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def source(self, column: Column) -> str:
        """The cell as JSON."""
        return json.dumps(self.content(column), ensure_ascii=False, default=str)


@dataclass
class ParquetFile:
    """A Parquet file (:class:`~attrex.io.cell_edits.EditableFile`)."""

    path: Path

    @cached_property
    def _schema(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.read_schema(self.path)
        except (pa.ArrowException, OSError) as exc:
            raise self._damaged(exc) from exc

    def _damaged(self, exc: Exception) -> DataError:
        return DataError(f"{self.path}: expected a readable Parquet file, got: {exc}; make it again")

    @property
    def columns(self) -> Mapping[Column, str]:
        import pyarrow as pa

        found: dict[Column, str] = {}
        for field in self._schema:
            found[field.name,] = field.name
            if pa.types.is_struct(field.type):
                found |= {(field.name, inner.name): inner.name for inner in field.type}
        return found

    def _type(self, column: Column) -> Any:
        assert isinstance(column, tuple)
        if column[0] not in self._schema.names:
            return _new_type(self._schema)
        found = self._schema.field(column[0]).type
        return found.field(column[1]).type if len(column) > 1 else found

    def holds_lists(self, column: Column) -> bool:
        return _is_list(self._type(column))

    def can_hold(self, column: Column, value: str) -> bool:
        kind = self._type(column)
        return _is_text(kind.value_type if _is_list(kind) else kind)

    def new_column(self, name: str, place: int) -> Column:
        return (name,)

    def rows(self) -> Iterator[ParquetRow]:
        return (row for _, rows in self._batches() for row in rows)

    def _batches(self) -> Iterator[tuple[Any, list[ParquetRow]]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from attrex.io.files import arrow_cells

        index = 0
        try:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                for batch in chain.from_iterable(self._groups(file)):
                    columns = [arrow_cells(column, set()) for column in batch.columns]
                    cells = zip(*columns, strict=True) if columns else ()
                    rows = [
                        ParquetRow(i, dict(zip(batch.schema.names, row, strict=True)))
                        for i, row in enumerate(cells, index)
                    ]
                    index += len(rows)
                    yield batch, rows
        except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
            raise self._damaged(exc) from exc

    def _groups(self, file: Any) -> Iterator[Iterator[Any]]:
        """The batches of each row group, of so many rows as memory should be given for."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path, read_dictionary=text_leaves(file.metadata.schema)) as packed:
            for group in range(file.num_row_groups):
                check_pages(self.path, file.metadata, group)
                largest = 1
                for batch in packed.iter_batches(batch_size=BATCH, row_groups=[group]):
                    sizes = sum(map(row_bytes, batch.columns), np.zeros(batch.num_rows, np.int64))
                    largest = max(largest, int(sizes.max(initial=0)))
                if largest > MAX_ROW:
                    raise TooLongError(f"{self.path}: {too_long(f'{largest:,}')}")
                yield file.iter_batches(batch_size=max(1, min(BATCH, 4 * MAX_ROW // largest)), row_groups=[group])

    def write(self, out: Path, change: Change, new: Sequence[str] = (), drop: Sequence[Column] = ()) -> None:
        """As :meth:`EditableFile.write`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, gone = self._schema, [str(column[0]) for column in drop if isinstance(column, tuple)]
        for name in new:
            schema = schema.append(pa.field(name, _new_type(self._schema)))
        for name in gone:
            schema = schema.remove(schema.get_field_index(name))
        with atomic_path(out) as part, pq.ParquetWriter(part, schema, **self._how()) as writer:
            waiting: list[Any] = []

            def flush() -> None:
                if waiting:
                    writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=_GROUP_ROWS)
                    waiting.clear()

            for batch, rows in self._batches():
                waiting.append(_changed(batch, [change(row) for row in rows], schema))
                if sum(len(b) for b in waiting) >= _GROUP_ROWS or sum(b.nbytes for b in waiting) >= _GROUP_BYTES:
                    flush()
            flush()

    def _how(self) -> dict[str, Any]:
        """How the file was written, as far as its first row group says it."""
        import pyarrow.parquet as pq

        metadata = pq.read_metadata(self.path)
        if not metadata.num_row_groups:
            return {}
        group = metadata.row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
        names = {"UNCOMPRESSED": "none", "LZ4": "lz4", "LZ4_RAW": "lz4"}
        return {
            "compression": {c.path_in_schema: names.get(c.compression, c.compression.lower()) for c in columns},
            "use_deprecated_int96_timestamps": any(c.physical_type == "INT96" for c in columns),
        }


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _new_type(schema: Any) -> Any:
    """The type of a new column: that of the last one which can hold texts or lists of them."""
    import pyarrow as pa

    fit = [kind for kind in schema.types if _is_text(kind.value_type if _is_list(kind) else kind)]
    return next((kind for kind in reversed(fit) if _is_list(kind)), pa.string())


def _changed(batch: Any, edits: Sequence[Mapping[Column, Any]], schema: Any) -> Any:
    import pyarrow as pa

    by_column: dict[tuple[str, ...], dict[int, Any]] = {}
    for place, changes in enumerate(edits):
        for column, value in changes.items():
            assert isinstance(column, tuple)
            keys = tuple(map(str, column))
            by_column.setdefault(keys, {})[place] = json.loads(value.text) if isinstance(value, Source) else value
    columns = []
    for field in schema:
        there = field.name in batch.schema.names
        array = batch.column(field.name) if there else pa.nulls(len(batch), field.type)
        for column, values in by_column.items():
            if column[0] == field.name:
                array = _with_values(array, values) if len(column) == 1 else _with_field(array, column[1], values)
        columns.append(array)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _with_values(array: Any, values: Mapping[int, Any]) -> Any:
    """The array with some of its cells replaced; the others are never made anew."""
    import pyarrow as pa

    pieces, done = [], 0
    for place, value in sorted(values.items()):
        listed = [value] if _is_list(array.type) and isinstance(value, str) else value
        pieces += [array.slice(done, place - done), _cell(listed, array.type)]
        done = place + 1
    return pa.concat_arrays([*(p for p in pieces if len(p)), array.slice(done)])


def _cell(value: Any, kind: Any) -> Any:
    import pyarrow as pa

    value = list(value) if isinstance(value, tuple) else value
    return pa.array([value], kind)


def _with_field(array: Any, name: str, values: Mapping[int, Any]) -> Any:
    """A struct array with some cells of a field replaced; a struct that was null has then nothing but them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    null = pc.is_null(array).to_pylist()
    for place, value in values.items():
        null[place] = null[place] and value is None
    fields = list(array.type)
    children = [pc.struct_field(array, [i]) for i in range(len(fields))]  # null where the struct is
    place = next(i for i, field in enumerate(fields) if field.name == name)
    children[place] = _with_values(children[place], values)
    return pa.StructArray.from_arrays(children, fields=fields, mask=pa.array(null))
