"""A filled table and what changed in it, as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrex.filling.conflicts import CONFLICT_COLUMNS, Conflict
from attrex.filling.exports import ExportDestination
from attrex.filling.fill import CHANGE_COLUMNS, Entry, FilledRow
from attrex.filling.report import FillReport
from attrex.filling.writing import UNDO_COLUMNS, Destination, fill_file
from attrex.io.atomic import atomic_write
from attrex.io.spreadsheet import spreadsheet_text
from attrex.io.tables import SEPARATOR, TableCells, write_sheet
from attrex.shop.shop import DEFAULT_SHOP, Shop

CHANGES_SUFFIXES = (".csv", ".jsonl")


def write_filled(
    rows: Iterable[FilledRow],
    out: Path,
    changes: Path | None = None,
    *,
    shop: Shop = DEFAULT_SHOP,
    order: Sequence[str] = (),
    report: FillReport | None = None,
    safe: bool = False,
) -> FillReport:
    """Rows as a table (:func:`write_sheet`), their entries as changes (:func:`changes_file`); what became of them.

    ``report``: one that knows which limits were asked for; None: the usual one. ``safe``: as of :func:`fill_listed`.
    """
    report = report or FillReport()
    separator = shop.cells.separator or SEPARATOR
    with changes_file(changes, separator, safe=safe) as write:

        def tables() -> Iterator[tuple[str, TableCells]]:
            for row in rows:
                report.add(row)
                write(row.entries)
                held = {a: (text,) for a, text in row.held.items() if text}
                yield row.id, {**row.table, **held}

        write_sheet(out, tables(), id_column=shop.columns.id, order=order, separator=separator, safe=safe)
    return report


@contextmanager
def changes_file(
    path: Path | None, separator: str = SEPARATOR, *, safe: bool = False
) -> Iterator[Callable[[Iterable[Entry]], None]]:
    """Somewhere to write entries to, a row each, CSV or JSONL; the file is there when all are. None: nowhere."""
    if path is None:
        yield lambda entries: None
        return
    with _rows_file(path, CHANGE_COLUMNS, separator, safe=safe) as write:
        yield lambda entries: write(entry.to_json() for entry in entries)


def fill_listed(
    rows: Iterable[FilledRow],
    out: Path,
    destination: Destination | ExportDestination,
    report: FillReport,
    separator: str,
    changes: Path | None = None,
    *,
    safe: bool = False,
) -> None:
    """A user's file filled (:func:`~attrex.filling.writing.fill_file`), its entries as changes that can be undone.

    ``safe``: in CSV, what a spreadsheet program would take for a formula gets an apostrophe.
    """
    if changes is None:
        fill_file(rows, out, destination, report.add, lambda rows: None, out.parent)
        return
    columns = (*CHANGE_COLUMNS, *UNDO_COLUMNS)
    with _rows_file(changes, columns, separator, safe=safe) as write:
        fill_file(rows, out, destination, report.add, write, changes.parent)


def write_conflicts(
    path: Path, conflicts: Iterable[Conflict], separator: str = SEPARATOR, *, safe: bool = False
) -> None:
    """A row for each conflict, in their order, CSV or JSONL. ``safe``: as of :func:`fill_listed`."""
    with _rows_file(path, CONFLICT_COLUMNS, separator, safe=safe) as write:
        write(conflict.to_json() for conflict in conflicts)


@contextmanager
def _rows_file(
    path: Path, columns: Sequence[str], separator: str, *, safe: bool = False
) -> Iterator[Callable[[Iterable[Mapping[str, Any]]], None]]:
    """Somewhere to write rows with these columns to, CSV or JSONL; in CSV a list is joined by ``separator``."""
    as_table = path.suffix.lower() == ".csv"
    with atomic_write(path) as file:
        table = csv.writer(file)
        if as_table:
            table.writerow(columns)

        def cell(value: Any) -> Any:
            value = separator.join(value) if isinstance(value, list) else value
            return spreadsheet_text(value) if safe else value

        def write(rows: Iterable[Mapping[str, Any]]) -> None:
            for row in rows:
                if as_table:
                    table.writerow(map(cell, row.values()))
                else:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")

        yield write
