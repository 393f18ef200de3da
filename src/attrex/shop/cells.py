"""What a cell of the shop's table says, and of which attribute: the one place that interprets cells.

A cell is blank (nothing is known), absent (known to have no value) or filled. Files are full of markers for the first
two, and have several columns for one attribute. Readers resolve both once (:meth:`Cells.read`, :meth:`Cells.merge`).
From then on a product's table goes by attribute, with no key where a cell is blank and an empty tuple where it is
absent; nobody looks at markers or columns again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from attrex.characters import caseless, visible
from attrex.errors import ConfigError, DataError, kind_of, short
from attrex.plain_json import number_text

BLANK_MARKERS = (
    "",
    "na",
    "n/a",
    "nan",
    "none",
    "null",
    "nil",
    "-",
    "--",
    "?",
    "unknown",
    "not available",
    "not applicable",
)
_PANDAS_BLANKS = ("NAType", "NaTType")  # by name: they answer to no comparison, and pandas need not be there


@dataclass
class ColumnCounts:
    """What became of the columns of some tables; cells that are blank do not count."""

    columns: Counter[str] = field(default_factory=Counter)  #: column -> cells
    dropped: Counter[str] = field(default_factory=Counter)  #: column of no attribute -> cells
    merged: Counter[str] = field(default_factory=Counter)  #: attribute -> columns that added to a filled cell
    unread: tuple[str, ...] = ()  #: columns of the file that the shop does not name, from its first rows


@dataclass(frozen=True)
class Cells:
    """How one shop's cells are read.

    Markers are compared without regard to case and space. Raises :class:`ConfigError` on a choice that does not exist.
    """

    blank: tuple[str, ...] = BLANK_MARKERS  #: cells that say nothing
    absent: tuple[str, ...] = ()  #: cells that say: it has none; these go before ``blank``
    separator: str | None = None  #: splits cells that hold several values ("Blue / Red")
    other_columns: str = "keep"  #: columns of no attribute: "keep" as one of their own, or "drop"
    columns: Mapping[str, str] = field(default_factory=dict)  #: column -> its attribute; a shop's come from its schema

    def __post_init__(self) -> None:
        if self.other_columns not in ("keep", "drop"):
            raise ConfigError(f"cells: other_columns should be keep or drop, not {short(self.other_columns)}")
        if self.separator == "":
            raise ConfigError("cells: separator should be one or more characters, or null for none")

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Those that columns belong to."""
        return frozenset(self.columns.values())

    def is_blank(self, value: Any) -> bool:
        """Whether a single value says nothing: a marker, or empty in any of the ways of JSON and pandas."""
        return is_missing(value) or (isinstance(value, str) and marker(value) in _markers((*self.blank, "")))

    def may_fill(self, cell: Any) -> bool:
        """Whether a value may be written into a cell: nothing is in it, or a marker that the shop itself calls blank.

        The usual markers (:data:`BLANK_MARKERS`) are read as blank, but nobody has said that they may go.
        """
        declared = tuple(self.blank) != BLANK_MARKERS and isinstance(cell, str) and not isinstance(cell, Occupied)
        return is_empty(cell) or (declared and marker(cell) in _markers(self.blank))

    def read(self, cell: Any) -> tuple[str, ...] | None:
        """A cell's values, each once; an empty tuple: it has none; None: blank. An empty list is absent.

        Raises :class:`DataError` for what holds no values, such as an object.
        """
        blank, absent = _markers((*self.blank, "")), _markers(self.absent)
        parts = cell if isinstance(cell, list | tuple) else (cell,)
        if self.separator and isinstance(cell, str) and marker(cell) not in blank | absent:
            parts = cell.split(self.separator)  # a marker such as N/A is whole before it is split
        values: dict[str, None] = {}
        known_absent = isinstance(cell, list | tuple) and not cell
        for part in parts:
            if is_missing(part):
                continue
            if isinstance(part, Mapping | list | tuple | bytes):
                raise DataError(f"expected text, a number or a list of these, got {kind_of(part)} {short(part)}")
            word = visible(number_text(part))
            if marker(word) in absent:
                known_absent = True
            elif marker(word) not in blank:
                values[word] = None
        return tuple(values) if values or known_absent else None

    def held(self, columns: Mapping[str, HeldCell], table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """Attribute -> what its cells hold, of those that have no value in ``table`` and yet are not to be filled.

        They hold something that cannot be read, or none of them is empty.
        """
        cells: dict[str, list[HeldCell]] = {}
        for column, cell in columns.items():
            attribute = self.attribute_of(column)
            if attribute is not None and attribute not in table:
                cells.setdefault(attribute, []).append(cell)
        return {
            attribute: next(cell.text for cell in of_it if cell.unread or not any(c.unread for c in of_it))
            for attribute, of_it in cells.items()
            if any(cell.unread for cell in of_it) or not any(cell.empty for cell in of_it)
        }

    def attribute_of(self, column: str) -> str | None:
        """The attribute that a column belongs to; None: the column is dropped. An attribute's own name is a column."""
        if column in self.columns:
            return self.columns[column]
        return column if self.other_columns == "keep" or column in self.attributes else None

    def merge(
        self, table: Mapping[str, tuple[str, ...]], counts: ColumnCounts | None = None
    ) -> dict[str, tuple[str, ...]]:
        """The cells of a table by attribute; merging a merged table changes nothing.

        A cell that one column knows to be absent is empty unless another one fills it.
        """
        merged: dict[str, tuple[str, ...]] = {}
        for column, values in table.items():
            attribute = self.attribute_of(column)
            if counts:
                counts.columns[column] += 1
                if attribute is None:
                    counts.dropped[column] += 1
            if attribute is None:
                continue
            before = merged.get(attribute, ())
            if counts and before and values:
                counts.merged[attribute] += 1
            merged[attribute] = tuple(dict.fromkeys((*before, *values))) if before else values
        return merged


class HeldCell(NamedTuple):
    """A cell without a value."""

    text: str  #: as a person is told of it
    empty: bool = False  #: nothing is in it at all
    unread: bool = False  #: what is in it cannot be read


class Occupied(str):
    """The text of a cell that holds more than its text: a formula without a result, or what cannot be read.

    It is read as its text, blank where that is empty, and nothing is ever written into its cell.
    """

    __slots__ = ()


def is_empty(cell: Any) -> bool:
    """Whether there is nothing in a cell at all: the only cells that are filled.

    What says nothing (``N/A``, spaces, ``[null]``) is blank to a reader, but somebody wrote it.
    """
    return is_missing(cell) or (isinstance(cell, str) and cell == "" and not isinstance(cell, Occupied))


def is_missing(value: Any) -> bool:
    """Whether a value is none, in any of the ways of JSON and pandas."""
    nan = isinstance(value, float) and math.isnan(value)
    return value is None or nan or type(value).__name__ in _PANDAS_BLANKS


def marker(word: str) -> str:
    """A word as markers are compared."""
    return caseless(" ".join(visible(word).split()))


@lru_cache
def _markers(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(marker, words))
