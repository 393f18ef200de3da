"""Values into an export: the cells of one product that are written, so that the platform's importer reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from attrex.io.dialects.dialect import Dialect, Edit, Item, Key, NoPlace, find_name
from attrex.io.rows import RawRecord


@dataclass
class Placed:
    """Where one product's values go."""

    edits: dict[tuple[int, Key], Edit] = field(default_factory=dict)  #: (row, key) -> the cell
    attributes: dict[str, list[Edit]] = field(default_factory=dict)  #: those that have a place, and which
    refused: dict[str, str] = field(default_factory=dict)  #: attribute -> why it has none


def place_values(
    dialect: Dialect, item: Item, filled: Mapping[str, Sequence[str]], *, new_columns: bool = False
) -> Placed:
    """The blank cells of an item to write.

    :param filled: attribute -> values; two attributes never meet in a cell, unless that is one of several attributes.
    :param new_columns: a column that the table does not have may be added at its end.
    """
    placed = Placed()
    blank = item
    for attribute, values in filled.items():
        own = find_name(attribute, blank.attributes)
        if own is not None and blank.attributes[own]:  # maybe in a cell of its parent
            placed.refused[attribute] = f"{own!r} is filled"
            continue
        try:
            edits = dialect.place(item, attribute, values)
        except NoPlace as exc:
            placed.refused[attribute] = str(exc)
            continue
        if any(_is_taken(placed.edits, e, dialect) for e in edits):
            placed.refused[attribute] = "another attribute is written there"
            continue
        added = [e.key[0] for e in edits if _is_new(dialect, e)]
        if added and not new_columns:
            placed.refused[attribute] = f"it needs a new column {added[0]!r}, and none are asked for"
            continue
        placed.attributes[attribute] = []
        for edit in edits:
            joint = dialect.joints.get(str(edit.key[0]), "")
            beside = _beside(placed.edits, edit, joint)
            placed.edits[beside.number, beside.key] = beside
            placed.attributes[attribute].append(beside)
        item = replace(item, rows=tuple(_written(row, edits, dialect) for row in item.rows))
    return placed


def _is_taken(edits: Mapping[tuple[int, Key], Edit], edit: Edit, dialect: Dialect) -> bool:
    """Whether a cell is written already that has no room for another attribute."""
    before = edits.get((edit.number, edit.key))
    if before is None or before.value == edit.value or dialect.joints.get(str(edit.key[0])):
        return False
    entries = edit.value if isinstance(edit.value, list) else [edit.value]
    return not all(isinstance(entry, Mapping) for entry in entries)


def _beside(edits: Mapping[tuple[int, Key], Edit], edit: Edit, joint: str) -> Edit:
    """The edit with what another attribute has in its cell before it; each of a list's new entries has its place."""
    while before := edits.get((edit.number, edit.key)):
        *path, last = edit.key
        if isinstance(edit.value, Mapping) and isinstance(last, int):
            edit = replace(edit, key=(*path, last + 1))
        elif isinstance(edit.value, list):
            return replace(edit, value=[*before.value, *edit.value])
        else:
            return replace(edit, value=f"{before.value}{joint}{edit.value}")
    return edit


def _is_new(dialect: Dialect, edit: Edit) -> bool:
    columns = dialect.sample.columns
    return bool(columns) and edit.key[0] not in columns


def _written(row: RawRecord, edits: Sequence[Edit], dialect: Dialect) -> RawRecord:
    """The row as the next attribute finds it; a cell of several attributes has room for more."""
    said = {
        str(e.key[0]): e.value
        for e in edits
        if e.number == row.number and len(e.key) == 1 and str(e.key[0]) not in dialect.joints
    }
    return replace(row, values={**(row.values or {}), **said}) if said else row
