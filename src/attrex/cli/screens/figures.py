"""The parts of every screen: a list of things to do, and a table of figures that fits the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

ROWS = 15
"""Of a table without --all."""
KEPT = 3
"""Columns of figures that are kept however narrow the terminal is; names then go on in the next line."""


@dataclass(frozen=True)
class Figures:
    """A table with names on the left. Where there is no room the last columns are left out, and named below."""

    title: str
    columns: Sequence[str]  #: headings, the most important first; a heading may have two lines
    rows: Sequence[Sequence[str]]  #: the most important first
    everything: bool = False  #: all rows, not only the first :data:`ROWS`
    names: int = 1  #: columns that are names; the others are figures
    what: str = "attributes"  #: what a row is, in the plural

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        rows = self.rows if self.everything else self.rows[:ROWS]
        widths = [
            max(cell_len(line) for cell in column for line in cell.splitlines() or [""])
            for column in zip(self.columns, *rows, strict=True)
        ]
        room = options.max_width
        at_least = min(len(widths), self.names + KEPT)
        layouts = [(n, gap) for n in range(len(widths), at_least - 1, -1) for gap in (2, 1)]
        number, gap = next((x for x in layouts if sum(widths[: x[0]]) + x[1] * (x[0] - 1) <= room), (at_least, 1))
        table = Table(
            box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0), collapse_padding=True
        )
        for i, heading in enumerate(self.columns[:number]):
            is_name = i < self.names
            table.add_column(
                Text(heading),
                justify="left" if is_name else "right",
                no_wrap=not is_name,
                overflow="fold",
                vertical="bottom" if is_name else "top",
            )
        for row in rows:
            table.add_row(*(Text(cell) for cell in row[:number]))
        yield Text(f"\n{self.title}", "bold")
        yield table
        if hidden := len(self.rows) - len(rows):
            yield Text(f"{hidden:,} more {self.what}: --all shows them", "dim")
        if missing := self.columns[number:]:
            names = ", ".join(heading.replace("\n", " ") for heading in missing)
            yield Text(f"without room here: {names}; a wider terminal shows them", "dim")


def to_do(entries: Iterable[str | tuple[Text, Text]], everything: bool = True) -> Iterator[RenderableType]:
    """A list with hanging indent: of sentences, or of (mark, text); nothing for an empty one."""
    pairs = [(Text("-"), Text(entry)) if isinstance(entry, str) else entry for entry in entries]
    if not pairs:
        return
    grid = Table.grid(padding=(0, 1))
    for mark, text in pairs if everything else pairs[:ROWS]:
        grid.add_row(mark, text)
    yield grid
    if not everything and len(pairs) > ROWS:
        yield Text(f"{len(pairs) - ROWS:,} more: --all shows them", "dim")
