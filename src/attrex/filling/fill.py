"""Found values into a shop's table: blank cells are filled, filled ones are compared and left as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from attrex.io.rows import HALF_CHARACTER
from attrex.types import Prediction, Product, Value, paired
from attrex.vocabulary.normalizer import ValueNormalizer


class Outcome(StrEnum):
    """What becomes of a found value."""

    FILLED = "filled"  #: the cell was blank
    AGREES = "agrees"  #: the cell says so, too
    DIFFERS = "differs"  #: the cell says something else, or that there is none; a person decides
    FURTHER = "further"  #: said beside a value that the cell has, or that was filled into a cell that takes one
    UNKNOWN = "unknown"  #: not filled in: the table has no word for it, and only known ones were asked for


CHANGE_COLUMNS = ("id", "attribute", "outcome", "cell", "value", "known", "confidence", "text", "field", "start", "end")
"""What is told of a find, as a row; the last four are empty for a value that the text does not say."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value that was found for one cell, surest find first."""

    product: str  #: its id
    attribute: str
    outcome: Outcome
    cell: tuple[str, ...]  #: what the shop has there
    value: str  #: the table's word for the find; if it has none, the text's
    known: bool  #: whether it has one
    found: Value

    def to_json(self) -> dict[str, Any]:
        found = self.found
        told = (self.product, self.attribute, self.outcome.value, list(self.cell), self.value, self.known)
        place = (s.text, s.field, s.start, s.end) if (s := found.source) else (None,) * 4
        return dict(zip(CHANGE_COLUMNS, (*told, round(found.confidence, 4), *place), strict=True))


class Said(NamedTuple):
    """A value of a cell, as its surest find says it."""

    value: str
    known: bool
    found: Value


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A product's cells afterwards, and why."""

    id: str
    table: dict[str, tuple[str, ...]]  #: attribute -> values; no key: still blank; an empty tuple: known to be absent
    entries: tuple[Entry, ...] = ()
    error: str | None = None  #: of the product or of the reading: its cells are as they were


def fill_table(
    products: Iterable[Product],
    predictions: Iterable[Prediction],
    names: ValueNormalizer,
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


def _by_attribute(values: Iterable[Value], least: float) -> dict[str, list[Value]]:
    """The finds of each attribute that are sure enough, surest first."""
    finds: defaultdict[str, list[Value]] = defaultdict(list)
    for value in sorted(values, key=lambda v: -v.confidence):
        if value.confidence >= least:
            finds[value.attribute].append(value)
    return finds


def _entries(
    product: str,
    attribute: str,
    cell: tuple[str, ...] | None,
    finds: Iterable[Value],
    names: ValueNormalizer,
    known_only: bool,
) -> Iterator[Entry]:
    """What the finds of one cell say, each value once; ``cell``: None where it is blank."""
    said: dict[str, Said] = {}
    for found in finds:
        word = names.of(attribute, found.value, cell or ())
        value = _written(found.value) if word is None else word
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
            full = names.is_single_valued(attribute)
        yield Entry(product, attribute, outcome, cell or (), value, known, found)


def _written(text: str) -> str:
    """A text's words as a cell has them: on one line, without soft hyphens or what no file can hold."""
    return HALF_CHARACTER.sub("\ufffd", " ".join(text.replace("\u00ad", "").split()))
