"""Files whose cells can be changed one by one: everything else in them stays as it is.

Each kind of file has an editor: :mod:`csv_cells`, :mod:`sheet_xml`, :mod:`json_cells`, :mod:`parquet_cells`. An editor
knows where a cell is and how it is written, and nothing of what it means. It reads the rows of its file, so that a
reader sees the same rows as the writer, and copies the file with the changes that a callback makes to each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Column = int | tuple[str | int, ...]
"""Which cell of a row: its place from 0 in CSV, XLSX and Parquet; in JSON the keys and places in lists that lead to it.
"""


class Source(NamedTuple):
    """A cell as the file spells it (:meth:`EditableRow.source`), to be put back so."""

    text: str


Edits = Mapping[Column, str | Sequence[Any] | Mapping[str, Any] | Source]
"""What cells of a row hold afterwards: a text; a list, where a cell can hold one (JSON, Parquet); in JSON also an
object; or their source."""


class EditableRow(Protocol):
    """One row below the header, an object in JSON."""

    @property
    def index(self) -> int:
        """From 0; rows that are blank as a whole do not count, and rows that cannot be read do."""

    @property
    def number(self) -> int:
        """As people find it, from 1: the line, the sheet's row, the item."""

    @property
    def error(self) -> str:
        """Why it cannot be read; no cell of such a row can be changed."""

    def content(self, column: Column) -> Any:
        """What a cell holds, as the reader sees it; None: there is no such cell, or nothing in it."""

    def source(self, column: Column) -> str:
        """How the file spells a cell, or, in the editor's own words, that there is none."""


Change = Callable[[EditableRow], Edits]
"""Asked for every row, in order; an empty mapping leaves it as it is."""


class EditableFile(Protocol):
    """A file of rows. Raises :class:`~attrex.errors.DataError` where it cannot be read, or not be changed."""

    path: Path

    @property
    def columns(self) -> Mapping[Column, str]:
        """The columns and their names, in the file's order; in JSON those that any object has, lists by their key."""

    def rows(self) -> Iterator[EditableRow]: ...

    def can_hold(self, column: Column, value: str) -> bool:
        """Whether the file has a way to write this text, in its encoding and the column's type."""

    def holds_lists(self, column: Column) -> bool:
        """Whether cells of the column are lists, where the file has such."""

    def write(self, out: Path, change: Change, new: Sequence[str] = (), drop: Sequence[Column] = ()) -> None:
        """Copy the file to ``out``, which may be the file itself, with these changes.

        :param new: names of columns to be put at the end; :meth:`new_column` says which column each becomes.
        :param drop: columns that the copy does not have, the last ones; of JSON none, for their cells are edits.
        """

    def new_column(self, name: str, place: int) -> Column:
        """The column that the new one at ``place`` (from 0) among all new ones becomes."""
