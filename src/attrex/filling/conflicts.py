"""Filled cells that are probably wrong: text or photo surely say something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from attrex.filling.fill import PLACE_COLUMNS, FilledRow, Outcome, place_of
from attrex.types import Value

CONFLICT_COLUMNS = ("id", "attribute", "cell", "value", "confidence", "own", "others", *PLACE_COLUMNS)
"""The row of a conflict in a file."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A filled cell, and the surest find for it, which is none of its values. No find agrees with the cell."""

    product: str  #: its id
    attribute: str
    cell: tuple[str, ...]  #: what the shop has there
    value: str  #: the table's word for the find; if it has none, the text's
    found: Value  #: without its regions: many conflicts are kept in memory
    own: float = 0.0
    """Confidence of the surest find of the cell's own values, 0..1, which is below the limit; 0: there is none."""
    others: int = 0  #: further conflicts of the attribute with the same cell and value

    @property
    def margin(self) -> float:
        """The higher, the more probable it is that the cell is wrong, 0..1: confidence of the find less the own one's.

        It ranks, and is no probability: most cells of a table are right, whatever is found. A cell whose own value text
        or photo speak for, too, is seldom wrong, so that its place is lower (``benchmarks/planted.py`` compares
        orders). It is the normalized margin of confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021).
        """
        return self.found.confidence - self.own

    def to_json(self) -> dict[str, Any]:
        figures = (round(self.found.confidence, 4), round(self.own, 4), self.others)
        row = (self.product, self.attribute, list(self.cell), self.value, *figures, *place_of(self.found))
        return dict(zip(CONFLICT_COLUMNS, row, strict=True))


def conflicts_of(row: FilledRow) -> Iterator[Conflict]:
    """The filled cells of a product in conflict with what was found; how many others there are is not known yet.

    A find beside one that agrees with the cell is no conflict, and neither is one in a cell that says that there is no
    value.
    """
    for attribute, of_cell in groupby(row.entries, key=lambda entry: entry.attribute):
        surest, *more = of_cell
        if surest.cell and surest.outcome == Outcome.DIFFERS:
            own = max((entry.found.confidence for entry in more if entry.in_cell), default=0.0)
            yield Conflict(row.id, attribute, surest.cell, surest.value, replace(surest.found, regions=()), own)


def most_probable_first(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """All conflicts of a table, the highest :attr:`Conflict.margin` first, with how many others say the same."""
    found = list(conflicts)
    alike = Counter((c.attribute, c.cell, c.value) for c in found)
    counted = (replace(c, others=alike[c.attribute, c.cell, c.value] - 1) for c in found)
    return sorted(counted, key=lambda c: -c.margin)
