"""A platform's export with its blank cells filled where its importer reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from attrex.filling.fill import FilledRow, Outcome
from attrex.io.cell_edits import Column, EditableFile, EditableRow
from attrex.io.dialects import Dialect
from attrex.io.dialects.placing import Placed, place_values
from attrex.io.files import distinct_names
from attrex.io.json_cells import JsonFile


@dataclass
class ExportDestination:
    """Where in a platform's export values go, as its dialect says (:func:`place_values`)."""

    file: EditableFile
    dialect: Dialect
    new_columns: bool
    safe: Callable[[str], str] = str
    new: list[str] = field(default_factory=list)  #: names of the columns that are added
    refused: Counter[str] = field(default_factory=Counter)  #: why values have no place -> how many
    placed: dict[int, Placed] = field(default_factory=dict)  #: of the rows that were given last, by number

    def __post_init__(self) -> None:
        table = self.dialect.sample.columns
        columns = {c: n for c, n in self.file.columns.items() if not (table and isinstance(c, tuple) and len(c) > 1)}
        self.columns: dict[str, Column] = dict(zip(distinct_names(columns.values()), columns, strict=True))

    def plan(self, rows: Iterable[FilledRow]) -> None:
        """Find the columns that have to be added for these rows."""
        known = dict.fromkeys(self.columns)
        for _ in self.rows(rows):
            for placed in self.placed.values():
                known |= dict.fromkeys(str(key[0]) for _, key in placed.edits)
            self.placed.clear()
        self.new = [name for name in known if name not in self.columns]
        self.columns |= {name: self.file.new_column(name, place) for place, name in enumerate(self.new)}
        self.refused.clear()

    def rows(self, rows: Iterable[FilledRow]) -> Iterator[FilledRow]:
        """The rows, each with its values' places; what has none is no longer filled."""
        for row, item in zip(rows, self.dialect.items(), strict=False):
            values = {e.attribute: row.table[e.attribute] for e in row.entries if e.outcome == Outcome.FILLED}
            refused: dict[str, str] = {}
            placed = place_values(self.dialect, item, values, new_columns=self.new_columns)
            while (attribute := self._unwritable(placed)) is not None:  # placed anew, for cells may be of several
                refused[attribute] = "the file cannot be changed there, or not hold the text"
                values = {name: said for name, said in values.items() if name not in refused}
                placed = place_values(self.dialect, item, values, new_columns=self.new_columns)
            refused |= placed.refused
            self.refused.update(refused.values())
            entries = tuple(
                replace(e, outcome=Outcome.NO_COLUMN) if e.outcome == Outcome.FILLED and e.attribute in refused else e
                for e in row.entries
            )
            table = {a: v for a, v in row.table.items() if a not in refused}
            if row.number is not None and placed.edits:
                self.placed[row.number] = placed
            yield replace(row, entries=entries, table=table)

    def _unwritable(self, placed: Placed) -> str | None:
        """The first attribute that the file cannot hold where it is placed."""
        for attribute, edits in placed.attributes.items():
            if not all(self._writable(e.key, e.value) for e in edits):
                return attribute
        return None

    def _writable(self, key: Sequence[str | int], value: Any) -> bool:
        if self.dialect.sample.columns:
            name, texts = str(key[0]), value if isinstance(value, list) else [value]
            column = self.columns[name] if name in self.columns else self.file.new_column(name, 0)
            may_be = not isinstance(value, list) or self.file.holds_lists(column)
            return may_be and all(isinstance(text, str) and self.file.can_hold(column, text) for text in texts)
        return isinstance(self.file, JsonFile) or (len(key) <= 2 and all(isinstance(part, str) for part in key))

    def names(self) -> dict[Column, str]:
        """What a file of changes calls the columns."""
        from attrex.filling.writing import name_of_column

        added = {column: name for column, (_, name) in self.added().items()}
        return {c: name_of_column(c, name) for c, name in {**self.file.columns, **added}.items()}

    @property
    def header(self) -> Sequence[str]:
        """Names of new columns."""
        return [self.safe(name) for name in self.new]

    @property
    def id_column(self) -> str | None:
        return self.dialect.id_column

    def added(self) -> Mapping[Column, tuple[str, str]]:
        """New column -> nothing, for it may be of several attributes, and its name."""
        return {self.columns[name]: ("", self.safe(name)) for name in self.new}

    def edits(self, row: EditableRow, filled: FilledRow) -> tuple[dict[Column, Any], dict[str, Column]]:
        """The cells of a row to write, and which one each attribute's values are in."""
        placed = self.placed.pop(row.number, None)
        if placed is None:
            return {}, {}
        edits = {self._column(key): self._text(e.value) for (_, key), e in placed.edits.items()}
        values = dict[str, Column]()
        for attribute, own in placed.attributes.items():
            cells = [self._column(e.key) for e in own]
            values[attribute] = next((c for c, e in zip(cells, own, strict=True) if e.value != attribute), cells[0])
        return edits, values

    def _column(self, key: Sequence[str | int]) -> Column:
        return self.columns[str(key[0])] if self.dialect.sample.columns else tuple(key)

    def _text(self, value: Any) -> Any:
        return self.safe(value) if isinstance(value, str) else value
