"""Found values into a shop's table: blank cells are filled, filled ones are compared and left as they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from attrex.data.rows import HALF_CHARACTER
from attrex.filling.names import Names
from attrex.types import ExtractedValue, Prediction, Product, paired

if TYPE_CHECKING:
    from rich.console import RenderableType


class Outcome(StrEnum):
    """What becomes of a found value."""

    FILLED = "filled"  #: the cell was blank
    AGREES = "agrees"  #: the cell says so, too
    DIFFERS = "differs"  #: the cell says something else, or that there is none; a person decides
    FURTHER = "further"  #: said beside a value that the cell has, or that was filled into a cell that takes one
    UNKNOWN = "unknown"  #: not filled in: the table has no word for it, and only known ones were asked for


COLUMNS = ("id", "attribute", "outcome", "cell", "value", "known", "confidence", "text", "field", "start", "end")
"""What is told of a find, as a row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value that a product's texts say of one cell, surest find first."""

    product: str  #: its id
    attribute: str
    outcome: Outcome
    cell: tuple[str, ...]  #: what the shop has there
    value: str  #: the table's word for the find; if it has none, the text's
    known: bool  #: whether it has one
    found: ExtractedValue

    def to_json(self) -> dict[str, Any]:
        found = self.found
        told = (self.product, self.attribute, self.outcome.value, list(self.cell), self.value, self.known)
        place = (round(found.confidence, 4), found.text, found.field, found.start, found.end)
        return dict(zip(COLUMNS, (*told, *place), strict=True))


class Said(NamedTuple):
    """A value of a cell, as its surest find says it."""

    value: str
    known: bool
    found: ExtractedValue


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A product's cells afterwards, and why."""

    id: str
    table: dict[str, tuple[str, ...]]  #: attribute -> values; no key: still blank; an empty tuple: known to be absent
    entries: tuple[Entry, ...] = ()
    error: str | None = None  #: of the product or of the reading: its cells are as they were


@dataclass
class FillReport:
    """What became of each attribute's cells.

    Finds do not depend on the cells, so that on products which the model was not trained on the agreement with the
    filled ones tells how often what is filled into blank ones is what the shop would have written.
    """

    rows: int = 0
    errors: int = 0
    before: Counter[str] = field(default_factory=Counter)  #: attribute -> filled cells of the shop
    outcomes: defaultdict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    """attribute -> cells by what became of their finds"""
    surest: defaultdict[str, Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    """attribute -> filled cells by whether the surest find in them agrees"""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(attribute, words that the table lacks) -> blank cells"""

    def add(self, row: FilledRow) -> None:
        self.rows += 1
        self.errors += row.error is not None
        filled = {e.attribute for e in row.entries if e.outcome == Outcome.FILLED}
        self.before.update(a for a, values in row.table.items() if values and a not in filled)
        for attribute, outcome in {(e.attribute, e.outcome) for e in row.entries}:
            self.outcomes[attribute][outcome] += 1
        for entry in {e.attribute: e for e in reversed(row.entries) if e.cell}.values():
            self.surest[entry.attribute][entry.outcome == Outcome.AGREES] += 1
        blank = (Outcome.FILLED, Outcome.UNKNOWN)
        self.unknown.update({(e.attribute, e.value) for e in row.entries if not e.known and e.outcome in blank})

    def agreement(self, attribute: str) -> float | None:
        """Share of the filled cells with a find whose surest one says the same, 0..1; None: there are none."""
        cells = self.surest[attribute]
        return cells[True] / cells.total() if cells else None

    @property
    def expected(self) -> float | None:
        """Share of what was filled in that the shop would have written, by its attributes' agreement; None: no telling.

        Attributes of which no find met a filled cell do not count.
        """
        told = [(counts[Outcome.FILLED], self.agreement(a)) for a, counts in self.outcomes.items()]
        cells = sum(n for n, share in told if share is not None)
        return sum(n * share for n, share in told if share is not None) / cells if cells else None

    @property
    def filled(self) -> int:
        """Cells that were blank, and are not now."""
        return sum(counts[Outcome.FILLED] for counts in self.outcomes.values())

    @property
    def attributes(self) -> list[str]:
        """Those with anything to tell; those first of which most cells were filled."""
        return sorted({*self.before, *self.outcomes}, key=lambda a: (-self.outcomes[a][Outcome.FILLED], a))

    def to_json(self) -> dict[str, Any]:
        return {
            "products": self.rows,
            "errors": self.errors,
            "filled": self.filled,
            "expected": self.expected,
            "attributes": {
                a: {"before": self.before[a], "after": self.before[a] + self.outcomes[a][Outcome.FILLED]}
                | {outcome.value: self.outcomes[a][outcome] for outcome in Outcome}
                | {"agreement": self.agreement(a)}
                for a in self.attributes
            },
            "unknown_words": [{"attribute": a, "value": v, "cells": n} for (a, v), n in self.unknown.most_common()],
        }

    def render(self, top: int = 5) -> RenderableType:
        """The report as a rich table."""
        from rich.console import Group
        from rich.table import Table

        read = max(self.rows - self.errors, 1)
        found = [a for a in self.attributes if self.outcomes[a]]
        shown = [o for o in Outcome if any(self.outcomes[a][o] for a in found)]
        table = Table("attribute", title=f"Cells of {self.rows:,} products")
        for name in ("before", "now", *(o.value for o in shown), "agreement"):
            table.add_column(name, justify="right")
        for name in found:
            counts, agreement = self.outcomes[name], self.agreement(name)
            shares = (self.before[name], self.before[name] + counts[Outcome.FILLED])
            cells = [f"{n / read:.0%}" for n in shares] + [f"{counts[o]:,}" for o in shown]
            table.add_row(name, *cells, "-" if agreement is None else f"{agreement:.0%}")
        expected = self.expected
        hope = "" if expected is None else f", {expected:.0%} of them as the shop would have, by their agreement"
        notes = [f"{self.filled:,} blank cells were filled{hope}."]
        notes += [f"{self.errors:,} rows could not be read, and are as they were."] if self.errors else []
        if silent := [a for a in self.attributes if a not in found]:
            notes.append(f"Nothing was found of {len(silent)} attributes: {', '.join(silent)}.")
        if self.unknown:
            words = ", ".join(f"{a}: {v} ({n:,})" for (a, v), n in self.unknown.most_common(top))
            notes.append(f"Words that the table lacks: {len(self.unknown):,}, most often {words}.")
        return Group(table, *notes)


def fill_table(
    products: Iterable[Product],
    predictions: Iterable[Prediction],
    names: Names,
    *,
    min_confidence: float = 0.5,
    known_only: bool = False,
) -> Iterator[FilledRow]:
    """Every product's table with its blank cells filled from what was found in it, in the order of the products.

    ``min_confidence``: finds below it say nothing. ``known_only``: fill with words that the table has, nothing else.
    The same value found twice counts once, as its surest find. Rows with an error keep what they have.

    Raises :class:`DataError` where the predictions are of other products.
    """
    for product, prediction in paired(products, predictions):
        table = names.table(product)
        error = product.error or prediction.error
        entries: list[Entry] = []
        for attribute, finds in _by_attribute(() if error else prediction.values, min_confidence).items():
            of_cell = list(_entries(product.id, attribute, table.get(attribute), finds, names, known_only))
            filled = tuple(e.value for e in of_cell if e.outcome == Outcome.FILLED)
            entries += of_cell
            table |= {attribute: filled} if filled else {}
        yield FilledRow(product.id, table, tuple(entries), error)


def _by_attribute(values: Iterable[ExtractedValue], least: float) -> dict[str, list[ExtractedValue]]:
    """The finds of each attribute that are sure enough, surest first."""
    finds: defaultdict[str, list[ExtractedValue]] = defaultdict(list)
    for value in sorted(values, key=lambda v: -v.confidence):
        if value.confidence >= least:
            finds[value.attribute].append(value)
    return finds


def _entries(
    product: str,
    attribute: str,
    cell: tuple[str, ...] | None,
    finds: Iterable[ExtractedValue],
    names: Names,
    known_only: bool,
) -> Iterator[Entry]:
    """What the finds of one cell say, each value once; ``cell``: None where it is blank."""
    said: dict[str, Said] = {}
    for found in finds:
        word = names.of(attribute, found.text, cell or ())
        value = _written(found.text) if word is None else word
        said.setdefault(names.folded(value), Said(value, word is not None, found))
    own = {names.folded(value) for value in cell or ()}
    agrees, full = bool(own & said.keys()), False
    for key, (value, known, found) in said.items():
        if cell is not None:
            outcome = Outcome.AGREES if key in own else Outcome.FURTHER if agrees else Outcome.DIFFERS
        elif known_only and not known:
            outcome = Outcome.UNKNOWN
        else:
            outcome = Outcome.FURTHER if full else Outcome.FILLED
            full = names.takes_one(attribute)
        yield Entry(product, attribute, outcome, cell or (), value, known, found)


def _written(text: str) -> str:
    """A text's words as a cell has them: on one line, and without half characters, which no file can hold."""
    return HALF_CHARACTER.sub("\ufffd", " ".join(text.split()))
