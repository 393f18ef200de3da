"""A user's file with its blank cells filled, and nothing else changed; and what was written where, to take it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.filling.exports import ExportDestination
from attrex.filling.fill import CHANGE_COLUMNS, Entry, FilledRow, Outcome
from attrex.io.cell_edits import Column, EditableFile, EditableRow
from attrex.shop.cells import is_empty

UNDO_COLUMNS = ("file", "row", "id_column", "column", "before", "written")
"""What a row of changes has beside its find, where a cell of a file was filled: how to take it back."""
ADDED = "column added"
"""In place of an outcome: a row of changes for a column that was added."""
BESIDE = "cell written"
"""In place of an outcome: a row of changes for a cell that goes with a filled one, such as an attribute's name."""
Cell = str | Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Destination:
    """Where in a file each attribute's values go, and how they are spelt there."""

    file: EditableFile
    columns: Mapping[str, Sequence[Column]]  #: attribute -> its columns; a cell is filled in the first that is empty
    new: Mapping[str, str]  #: attribute -> name of the column that is added for it, in their order
    id_column: str | None  #: the column of the ids; None: the file has none
    separator: str  #: between several values of a cell of text
    safe: Callable[[str], str] = str  #: what texts become that a spreadsheet program would take for formulas
    may_fill: Callable[[Any], bool] = is_empty  #: whether a cell's content may be replaced

    def names(self) -> dict[Column, str]:
        """What a file of changes calls the columns."""
        named = {c: name_of_column(c, name) for c, name in self.file.columns.items()}
        added = {self.columns[a][0]: name_of_column(self.columns[a][0], name) for a, name in self.new.items()}
        return {**named, **added}

    def can_hold(self, attribute: str, value: str) -> bool:
        return any(self.file.can_hold(column, value) for column in self.columns[attribute])

    @property
    def header(self) -> Sequence[str]:
        """Names of new columns that are the file's, and not keys of its objects."""
        of_file = all(len(c) == 1 if isinstance(c := self.columns[a][0], tuple) else True for a in self.new)
        return list(self.new.values()) if of_file else ()

    def added(self) -> Mapping[Column, tuple[str, str]]:
        """New column -> its attribute and its name."""
        return {self.columns[attribute][0]: (attribute, name) for attribute, name in self.new.items()}

    def edits(self, row: EditableRow, filled: FilledRow) -> tuple[Mapping[Column, Cell], Mapping[str, Column]]:
        """The cells to write, and which one each attribute's values are in. Only an empty cell is written."""
        edits: dict[Column, Cell] = {}
        columns: dict[str, Column] = {}
        for attribute in dict.fromkeys(e.attribute for e in filled.entries if e.outcome == Outcome.FILLED):
            values = filled.table[attribute]
            for column in self.columns[attribute]:
                fits = all(self.file.can_hold(column, value) for value in values)
                if fits and column not in edits and self.may_fill(row.content(column)):
                    text = self.safe(self.separator.join(values))
                    edits[column] = values if self.file.holds_lists(column) else text
                    columns[attribute] = column
                    break
        return edits, columns


def name_of_column(column: Column, name: str) -> str:
    """A column as a file of changes has it: its name, or the keys and places in lists that lead to it as JSON."""
    return json.dumps(list(column), ensure_ascii=False) if isinstance(column, tuple) and len(column) > 1 else name


def said(cell: Any) -> str:
    """What a file of changes says of a cell: its text, or what else it holds as JSON."""
    if isinstance(cell, list | tuple | Mapping):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)


@dataclass(frozen=True)
class Change:
    """A row of a file of changes: a find, and where it was written, if it was."""

    entry: Entry
    undo: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**self.entry.to_json(), **dict.fromkeys(UNDO_COLUMNS, ""), **self.undo}


def fill_file(
    rows: Iterable[FilledRow],
    out: Path,
    destination: Destination | ExportDestination,
    note: Callable[[FilledRow], None],
    write: Callable[[Iterable[Mapping[str, Any]]], None],
    beside: Path,
) -> None:
    """Copy a file with the blank cells of its rows filled; ``rows`` are those of its products, in their order.

    :param note: told of each row, once it is clear what was written.
    :param write: where changes go, as :meth:`Change.to_json`.
    :param beside: the directory that the changes name the file from.

    Raises :class:`DataError` where the rows are not those of the file: it was changed meanwhile.
    """
    file, names = destination.file, destination.names()
    place = {"file": Path(os.path.relpath(out.resolve(), beside.resolve())).as_posix()}
    pending = iter(rows)
    current = next(pending, None)

    def pass_by() -> FilledRow | None:
        assert current is not None
        if any(e.outcome == Outcome.FILLED for e in current.entries):
            raise DataError(f"{file.path}: expected the rows that were read, got others; it was changed meanwhile")
        note(current)
        write(Change(e, {}).to_json() for e in current.entries)
        return next(pending, None)

    def change(row: EditableRow) -> Mapping[Column, Cell]:
        nonlocal current
        while current is not None and current.number is not None and current.number < row.number:
            current = pass_by()
        edits: dict[Column, Any] = {}
        while current is not None and current.number == row.number:  # an object may hold several products
            edits |= change_of(row, current)
            current = next(pending, None)
        return edits

    def change_of(row: EditableRow, product: FilledRow) -> Mapping[Column, Cell]:
        edits, filled = destination.edits(row, product)
        where = {**place, "row": row.number, "id_column": _id_column(row, product, destination)}

        def undo_of(column: Column) -> dict[str, Any]:
            own = str(column[-1] if isinstance(column, tuple) else column)  # of one that the file does not have yet
            name = names.get(column) or name_of_column(column, own)
            return {**where, "column": name, "before": row.source(column), "written": said(edits[column])}

        undo = {attribute: undo_of(column) for attribute, column in filled.items()}
        entries = tuple(
            replace(e, outcome=Outcome.KEPT) if e.outcome == Outcome.FILLED and e.attribute not in filled else e
            for e in product.entries
        )
        note(replace(product, entries=entries))
        write(Change(e, undo[e.attribute] if e.outcome == Outcome.FILLED else {}).to_json() for e in entries)
        beside_it = [column for column in edits if column not in filled.values()]
        write({**_no_find(), "id": product.id, "outcome": BESIDE, **undo_of(column)} for column in beside_it)
        return edits

    write(_added(destination, names, place))
    file.write(out, change, destination.header)
    while current is not None:
        current = pass_by()


def _id_column(row: EditableRow, filled: FilledRow, destination: Destination | ExportDestination) -> str:
    """The column that has the product's id, if one has."""
    if destination.id_column is None:
        return ""
    column = next((c for c, n in destination.file.columns.items() if n == destination.id_column), None)
    return destination.id_column if column is not None and str(row.content(column)) == filled.id else ""


def _added(
    destination: Destination | ExportDestination, names: Mapping[Column, str], place: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for column, (attribute, name) in destination.added().items():
        added = {"attribute": attribute, "outcome": ADDED, **place, "column": names[column], "written": name}
        yield {**_no_find(), **added}


def _no_find() -> dict[str, Any]:
    """A row of changes that is of no find."""
    return dict.fromkeys((*CHANGE_COLUMNS, *UNDO_COLUMNS), "")
