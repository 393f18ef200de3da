"""The fills of a run taken back, by its file of changes; cells that somebody changed since are left alone."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.filling.fill import Outcome
from attrex.filling.writing import ADDED, BESIDE, UNDO_COLUMNS, name_of_column, said
from attrex.io.bounded import MAX_ROW
from attrex.io.cell_edits import Column, EditableFile, EditableRow, Source
from attrex.io.editable import editable_file
from attrex.shop.cells import is_empty

_UNDO_TEXTS = ("id", "outcome", *(name for name in UNDO_COLUMNS if name != "row"))


@dataclass
class Undone:
    """What became of the fills of a run."""

    path: Path | None  #: of the result; None: the run had filled nothing
    cells: int = 0  #: that are again as they were
    changed: int = 0  #: that somebody changed since, and are left as they are
    missing: int = 0  #: whose row or column is no longer there
    columns: list[str] = field(default_factory=list)  #: that the run had added, and are gone


@dataclass(frozen=True)
class _Fill:
    """A cell that was filled."""

    row: int
    id: str
    id_column: str
    column: str
    before: str
    written: str


def undo_fills(changes: Path, table: Path | None = None, out: Path | None = None) -> Undone:
    """Take back what a run filled in.

    :param changes: the run's file of changes.
    :param table: the filled table; None: where the run wrote it.
    :param out: where the result goes; None: in place of the table.

    Raises :class:`DataError` for changes that do not say how, and for a table that is not there.
    """
    named, fills, added = _read(changes)
    if not fills and not added:
        return Undone(None)
    path = table or changes.parent / named
    file = editable_file(path) if path.is_file() else None
    if file is None:
        raise DataError(f"{path}: expected the table that {changes.name} filled, found none there; name it")
    target = out or path
    undone = Undone(target)
    names = {name_of_column(c, n): c for c, n in file.columns.items()}
    new = [names[name] for name in added if name in names]
    plan = _plan(file, fills, names, undone, new)
    dropped = new if plan.droppable else []
    undone.columns = [file.columns[column] for column in dropped]
    file.write(target, lambda row: plan.edits.get(row.index, {}), drop=dropped)
    return undone


@dataclass
class _Plan:
    edits: dict[int, dict[Column, Source]]  #: by the row's index
    droppable: bool  #: whether nothing is left in the columns that were added


def _plan(
    file: EditableFile, fills: Sequence[_Fill], names: Mapping[str, Column], undone: Undone, new: Sequence[Column]
) -> _Plan:
    by_row: defaultdict[int, list[_Fill]] = defaultdict(list)
    by_id: defaultdict[tuple[str, str], list[_Fill]] = defaultdict(list)
    for fill in fills:
        by_row[fill.row].append(fill)
        by_id[fill.id_column, fill.id].append(fill)
    id_columns = {fill.id_column: names.get(fill.id_column) for fill in fills}
    times: Counter[tuple[str, str]] = Counter()
    for row in file.rows():
        times.update((name, _id(row, column)) for name, column in id_columns.items() if name)
    edits: dict[int, dict[Column, Source]] = defaultdict(dict)
    seen, left = set[_Fill](), False
    for row in file.rows():
        ids = {name: _id(row, column) for name, column in id_columns.items()}
        of_row = [f for f in by_row[row.number] if not f.id_column or _same(ids[f.id_column], f.id)]
        for name, own in ids.items():
            if name and times[name, own] == 1:
                of_row += [f for key in (own, f"'{own}") for f in by_id[name, key] if f not in of_row]
        for fill in of_row:
            column = names.get(fill.column) or _in_lists(fill.column)
            if fill in seen or column is None:
                continue
            seen.add(fill)
            if said(row.content(column)) == fill.written and not row.error:
                edits[row.index][column] = Source(fill.before)
                undone.cells += 1
            else:
                undone.changed += 1
        left = left or any(not is_empty(row.content(c)) and c not in edits.get(row.index, {}) for c in new)
    undone.missing = len(fills) - len(seen)
    return _Plan(edits, not left)


def _id(row: EditableRow, column: Column | None) -> str:
    return "" if column is None else str(row.content(column))


def _same(own: str, noted: str) -> bool:
    """Whether an id is the one that changes name, which may have got an apostrophe there."""
    return noted in (own, f"'{own}")


def _in_lists(name: str) -> Column | None:
    """The column of JSON that keys and places in lists lead to, which is none of the file's."""
    try:
        keys = json.loads(name)
    except ValueError:
        return None
    return tuple(keys) if isinstance(keys, list) and any(isinstance(key, int) for key in keys) else None


def _read(changes: Path) -> tuple[str, list[_Fill], list[str]]:
    """The file that changes are of, what was filled in it, and the columns that were added."""
    files: dict[str, None] = {}
    fills: dict[_Fill, None] = {}  # a cell with several values has a row for each
    added: list[str] = []
    for row in _rows(changes):
        if row["outcome"] not in (Outcome.FILLED, ADDED, BESIDE) or not row["file"]:
            continue
        files[row["file"]] = None
        if row["outcome"] == ADDED:
            added.append(row["column"])
        else:
            one = _Fill(row["row"], row["id"], *(row[k] for k in ("id_column", "column", "before", "written")))
            fills[one] = None
    if len(files) > 1:
        raise DataError(f"{changes}: expected the changes of one file, got those of {list(files)}; undo one by one")
    return next(iter(files), ""), list(fills), added


def _rows(changes: Path) -> Iterator[dict[str, Any]]:
    if not changes.is_file():
        raise DataError(f"{changes}: expected what `attrex fill --changes` wrote, found nothing there; check the path")
    longest = csv.field_size_limit(MAX_ROW)  # a cell of the table may be long
    with changes.open(encoding="utf-8", newline="") as file:
        rows = map(json.loads, file) if changes.suffix.lower() == ".jsonl" else csv.DictReader(file)
        try:
            for row in rows:
                if not isinstance(row, dict) or not row.keys() >= {*_UNDO_TEXTS, "row"}:
                    raise ValueError("columns are missing")
                if not all(isinstance(row[name], str) for name in _UNDO_TEXTS):
                    raise ValueError("cells that are no texts")
                yield row | {"row": int("0" if row["row"] == "" else row["row"])}
        except (ValueError, TypeError, RecursionError, csv.Error) as exc:
            raise DataError(
                f"{changes}: expected what `attrex fill --changes` wrote beside a filled file, with the columns "
                f"{', '.join(UNDO_COLUMNS)}, got: {exc}; without them nothing can be taken back"
            ) from exc
        finally:
            csv.field_size_limit(longest)
