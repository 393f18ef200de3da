"""Tables of a shop's cells as files: CSV for a spreadsheet or a shop's import, JSONL, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrex.io.atomic import atomic_path
from attrex.io.parquet import write_parquet
from attrex.io.products import write_rows
from attrex.io.spreadsheet import spreadsheet_text

TABLE_SUFFIXES = (".csv", ".jsonl", ".parquet")
SEPARATOR = "; "
TableCells = Mapping[str, Sequence[str]]
"""attribute -> values: no key where blank, none where known to be absent"""


def write_sheet(
    path: Path,
    rows: Iterable[tuple[str, TableCells]],
    *,
    id_column: str = "id",
    order: Sequence[str] = (),
    separator: str = SEPARATOR,
    safe: bool = False,
) -> int:
    """One row per product, its id and a column per attribute; returns how many.

    In CSV several values of a cell are joined by ``separator``, a cell known to be absent is ``[]``; Parquet has lists.
    JSONL has the cells under ``attributes``. Columns stand in ``order``, those that it lacks behind, by name. Which
    there are is known when all rows are; until then they are in a file beside it. ``safe``: in CSV, what a spreadsheet
    program would take for a formula gets an apostrophe.
    """
    seen: set[str] = set()

    def noted() -> Iterator[dict[str, Any]]:
        for name, cells in rows:
            seen.update(cells)
            yield {id_column: name, "attributes": {a: list(values) for a, values in cells.items()}}

    kind = path.suffix.lower()
    if kind == ".jsonl":
        return write_rows(path, noted())
    with atomic_path(path) as part:
        spool = part.with_suffix(".rows")
        try:
            count = write_rows(spool, noted())
            columns = [a for a in order if a in seen] + sorted(seen.difference(order))
            if kind == ".parquet":
                _table_to_parquet(spool, part, id_column, columns)
            else:
                _table_to_csv(spool, part, id_column, columns, separator, spreadsheet_text if safe else str)
        finally:
            spool.unlink(missing_ok=True)
    return count


def _column(attribute: str, id_column: str) -> str:
    """The name of an attribute's column, which is not that of the ids."""
    return f"{attribute} (attribute)" if attribute == id_column else attribute


def _table_to_csv(
    source: Path, target: Path, id_column: str, columns: Sequence[str], separator: str, shown: Callable[[str], str]
) -> None:
    with (
        source.open(encoding="utf-8") as rows,
        target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file)  # lines end as in RFC 4180: so that a line break of any kind in a cell is quoted
        writer.writerow(map(shown, [id_column, *(_column(c, id_column) for c in columns)]))
        for row in map(json.loads, rows):
            cells = (row["attributes"].get(c) for c in columns)
            texts = [row[id_column], *("[]" if c == [] else separator.join(c or ()) for c in cells)]
            writer.writerow(map(shown, texts))


def _table_to_parquet(source: Path, target: Path, id_column: str, columns: Sequence[str]) -> None:
    import pyarrow as pa

    names = {c: _column(c, id_column) for c in columns}
    schema = pa.schema([(id_column, pa.string()), *((name, pa.list_(pa.string())) for name in names.values())])
    with source.open(encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        cells = ({names[a]: v for a, v in row["attributes"].items()} | {id_column: row[id_column]} for row in rows)
        write_parquet(target, cells, schema)
