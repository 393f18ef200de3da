"""What became of a table's cells, attribute by attribute, and how far to trust what was filled in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from attrex.filling.fill import MIN_CONFIDENCE, FilledRow, Outcome
from attrex.shop.schema import Schema
from attrex.types import Value

if TYPE_CHECKING:
    from attrex.inference.selection import Cutoff


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
    given: Counter[str] = field(default_factory=Counter)
    """attribute -> cells of rows that were read of which the shop says something, or that there is nothing"""
    finds: Counter[str] = field(default_factory=Counter)  #: attribute -> values found, each once a cell
    below: Counter[str] = field(default_factory=Counter)  #: attribute -> of them, those below the limit
    left: Counter[str] = field(default_factory=Counter)
    """attribute -> blank cells left to people: something was found, and even the surest find is below the limit"""
    no_column: Counter[str] = field(default_factory=Counter)
    """attribute -> cells with a find that would be filled, had the file a column for it"""
    found_in: Counter[str] = field(default_factory=Counter)  #: attribute -> blank cells with any find
    conflicts: Counter[str] = field(default_factory=Counter)
    """attribute -> filled cells that are probably wrong (:mod:`attrex.filling.conflicts`)"""
    asked: Collection[str] = ()  #: attributes that a value head was asked for (:func:`attributes_asked`)
    min_confidence: float = MIN_CONFIDENCE  #: the limit that was asked for
    cutoffs: Mapping[str, Cutoff] | None = None  #: attribute -> the limit, in place of one for all

    def add(self, row: FilledRow) -> None:
        self.rows += 1
        self.errors += row.error is not None
        filled = {e.attribute for e in row.entries if e.outcome == Outcome.FILLED}
        self.before.update(a for a, values in row.table.items() if values and a not in filled)
        for attribute, outcome in {(e.attribute, e.outcome) for e in row.entries}:
            self.outcomes[attribute][outcome] += 1
        if row.error is None:
            self.given.update((row.table.keys() | row.held.keys()) - filled)
        self.finds.update(e.attribute for e in row.entries)
        self.below.update(e.attribute for e in row.entries if e.outcome == Outcome.BELOW)
        for entry in {e.attribute: e for e in reversed(row.entries)}.values():  # the surest of each cell
            is_blank = entry.attribute in filled or entry.attribute not in {**row.table, **row.held}
            self.found_in[entry.attribute] += is_blank
            if entry.outcome == Outcome.BELOW:
                self.left[entry.attribute] += is_blank
            elif entry.outcome == Outcome.NO_COLUMN:
                self.no_column[entry.attribute] += 1
            elif entry.cell and entry.outcome != Outcome.KEPT:
                self.surest[entry.attribute][entry.outcome == Outcome.AGREES] += 1
                self.conflicts[entry.attribute] += entry.outcome == Outcome.DIFFERS
        blank = (Outcome.FILLED, Outcome.UNKNOWN)
        self.unknown.update({(e.attribute, e.value) for e in row.entries if not e.known and e.outcome in blank})

    def added(self, row: FilledRow) -> FilledRow:
        """The row, once it is counted."""
        self.add(row)
        return row

    def agreement(self, attribute: str) -> float | None:
        """Share of the filled cells with a find whose surest one says the same, 0..1; None: there are none."""
        cells = self.surest[attribute]
        return cells[True] / cells.total() if cells else None

    @property
    def estimated_precision(self) -> float | None:
        """Share of what was filled in that the shop would have written, by its attributes' agreement; None: no telling.

        Attributes of which no find met a filled cell do not count.
        """
        shares = {a: self.agreement(a) for a in self.outcomes}
        right = sum(self.outcomes[a][Outcome.FILLED] * share for a, share in shares.items() if share is not None)
        return right / self.cells_with_estimate if self.cells_with_estimate else None

    @property
    def cells_with_estimate(self) -> int:
        """Cells that were filled, of attributes with an agreement: what :attr:`estimated_precision` is a share of."""
        return sum(n[Outcome.FILLED] for a, n in self.outcomes.items() if self.agreement(a) is not None)

    def blank(self, attribute: str) -> int:
        """Cells of rows that were read of which the shop says nothing."""
        return self.rows - self.errors - self.given[attribute]

    def filled_share(self, attribute: str) -> float | None:
        """Share of the blank cells that were filled, 0..1; None: there are none."""
        blank = self.blank(attribute)
        return self.outcomes[attribute][Outcome.FILLED] / blank if blank else None

    def blank_cells(self, attribute: str) -> dict[str, int]:
        """What became of the attribute's blank cells; each counts once.

        - ``filled``: it has a value now.
        - ``unknown``: the table has no word for what was found, and only known ones were asked for; or the file cannot
          hold it.
        - ``left``: what was found is below the limit.
        - ``no_column``: the file has no column for it.
        - ``does_not_apply``: a value head was asked, and found the product to have no value of the attribute.
        - ``no_evidence``: nothing was found, and no value head was asked.
        """
        filled, left, found = self.outcomes[attribute][Outcome.FILLED], self.left[attribute], self.found_in[attribute]
        silent, asked = self.blank(attribute) - found, attribute in self.asked
        return {
            "filled": filled,
            "unknown": found - filled - left - self.no_column[attribute],
            "left": left,
            "no_column": self.no_column[attribute],
            "does_not_apply": silent if asked else 0,
            "no_evidence": 0 if asked else silent,
        }

    @property
    def filled(self) -> int:
        """Cells that were blank, and are not now."""
        return sum(counts[Outcome.FILLED] for counts in self.outcomes.values())

    @property
    def attributes(self) -> list[str]:
        """Those with anything to tell; those first of which most cells were filled."""
        return sorted(
            {*self.before, *self.outcomes, *(self.cutoffs or ())}, key=lambda a: (-self.outcomes[a][Outcome.FILLED], a)
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "products": self.rows,
            "errors": self.errors,
            "filled": self.filled,
            "expected": self.estimated_precision,
            "expected_of": self.cells_with_estimate,
            "min_confidence": self.min_confidence if self.cutoffs is None else None,
            "finds": self.finds.total(),
            "below": self.below.total(),
            "attributes": {
                a: {"before": self.before[a], "after": self.before[a] + self.outcomes[a][Outcome.FILLED]}
                | {outcome.value: self.outcomes[a][outcome] for outcome in Outcome}
                | {"agreement": self.agreement(a), "conflicts": self.conflicts[a], "blank": self.blank(a)}
                | {key: n for key, n in self.blank_cells(a).items() if key not in ("filled", "unknown")}
                | ({} if self.cutoffs is None else {"cutoff": self._cutoff(a)})
                for a in self.attributes
            },
            "unknown_words": [{"attribute": a, "value": v, "cells": n} for (a, v), n in self.unknown.most_common()],
        }

    def _cutoff(self, attribute: str) -> dict[str, Any] | None:
        """The attribute's cut-off and what it buys; None: there is no held-out cell to choose one on."""
        cutoff = (self.cutoffs or {}).get(attribute)
        if cutoff is None:
            return None
        return cutoff.to_json() | {"share_of_finds": cutoff.share, "share_of_blank": self.filled_share(attribute)}


class FoundKind(NamedTuple):
    """What there is of values, to be told in one pass over predictions (:func:`found_kinds`)."""

    attribute: str
    said: bool  #: whether the text says them
    decided: bool  #: whether something tells what decided them: a value head does


def found_kinds(values: Iterable[Value]) -> set[FoundKind]:
    """Which kinds of values there are."""
    return {FoundKind(v.attribute, v.source is not None, v.decided_by is not None) for v in values}


def attributes_asked(found: Iterable[FoundKind], schema: Schema) -> frozenset[str]:
    """The attributes that the value head which found the values was asked for: those whose options it knows.

    None where the values are of a model without a value head.
    """
    decided = [kind for kind in found if kind.decided]
    options = {kind.attribute for kind in decided if not kind.said}  # what the text does not say is an option
    return frozenset(options.union(a.name for a in schema.attributes if a.options) if decided else ())
