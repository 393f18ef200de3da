"""Extracted values into a shop's table: blank cells are filled, filled ones are compared and left as they are."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from attrex.errors import short
from attrex.io.rows import HALF_CHARACTER
from attrex.types import Prediction, Product, Value, paired
from attrex.vocabulary.normalizer import ValueNormalizer

if TYPE_CHECKING:
    from attrex.inference.selection import Cutoff

MIN_CONFIDENCE = 0.5
"""The limit where neither another one nor a precision is asked for."""


class Outcome(StrEnum):
    """What becomes of a found value."""

    FILLED = "filled"  #: the cell was blank
    AGREES = "agrees"  #: the cell has it, too
    DIFFERS = "differs"  #: the cell has something else, or that there is none; a person decides
    FURTHER = "further"  #: named beside a value that the cell has, or that was filled into a cell that takes one
    UNKNOWN = "unknown"  #: not filled in: the table has no word for it, and only known ones were asked for
    BELOW = "below"  #: not filled in, nor compared: its confidence does not reach the limit
    KEPT = "kept"  #: not filled in: the cell holds something that is no value, such as N/A, or that cannot be read
    NO_COLUMN = "no_column"  #: not filled in: the file has no column for it
    UNWRITABLE = "unwritable"  #: not filled in: the file cannot hold it, in its encoding or the column's type


PLACE_COLUMNS = ("text", "field", "start", "end", "decided_by")
"""What a find stands on: the first four are empty for a value that the text does not say, the last one for a model
without a value head."""
CHANGE_COLUMNS = ("id", "attribute", "outcome", "cell", "value", "known", "confidence", *PLACE_COLUMNS)
"""The row of a value in a file of changes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value that was found for one cell, surest first."""

    product: str  #: its id
    attribute: str
    outcome: Outcome
    cell: tuple[str, ...]  #: what the shop has there
    value: str  #: the table's word for the find; if it has none, the text's
    known: bool  #: whether it has one
    found: Value
    in_cell: bool = False  #: whether it is one of the cell's values, in whatever spelling

    def to_json(self) -> dict[str, Any]:
        change = (self.product, self.attribute, self.outcome.value, list(self.cell), self.value, self.known)
        row = (*change, round(self.found.confidence, 4), *place_of(self.found))
        return dict(zip(CHANGE_COLUMNS, row, strict=True))


def place_of(found: Value) -> tuple[Any, ...]:
    """What a find stands on, as :data:`PLACE_COLUMNS`."""
    place = (s.text, s.field, s.start, s.end) if (s := found.source) else (None,) * 4
    return (*place, found.decided_by)


class NamedValue(NamedTuple):
    """A value of one cell, as its surest find names it."""

    value: str
    known: bool
    found: Value


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A product's cells afterwards, and why."""

    id: str
    table: dict[str, tuple[str, ...]]  #: attribute -> values; no key: still blank; an empty tuple: known to be absent
    entries: tuple[Entry, ...] = ()
    error: str | None = None  #: of product, reading, or a text that was changed: its cells are as they were
    held: Mapping[str, str] = field(default_factory=dict)  #: attribute -> what its cell holds that is no value
    number: int | None = None  #: where its row is in its file, from 1


def fill_table(
    products: Iterable[Product],
    predictions: Iterable[Prediction],
    normalizer: ValueNormalizer,
    *,
    min_confidence: float = MIN_CONFIDENCE,
    cutoffs: Mapping[str, Cutoff] | None = None,
    known_only: bool = False,
    check_places: bool = False,
    columns: Collection[str] | None = None,
    can_hold: Callable[[str, str], bool] | None = None,
    decided: Collection[tuple[str, str]] = (),
) -> Iterator[FilledRow]:
    """Every product's table with its blank cells filled from what was found in it, in the order of the products.

    ``min_confidence``: the limit, 0..1; finds below it are told of (:attr:`Outcome.BELOW`), and neither filled in nor
    compared. ``cutoffs``: in place of it a limit for each attribute; one that cannot be reached, or an attribute
    without any, fills nothing. ``known_only``: fill with values that the table has, nothing else. ``columns``: the
    attributes that the table's file has a column for; None: any. ``can_hold``: whether the file can hold a text in an
    attribute's column. The same value found twice counts once, as its surest find. Rows with an error keep what they
    have. ``check_places``: so does a row whose text no longer says what was found in it. ``decided``: (product,
    attribute) of cells that a person has decided: what is said of them counts, whatever the limit.

    Raises :class:`DataError` where the predictions are of other products.
    """

    def counts(found: Value) -> bool:
        if cutoffs is None:
            return found.confidence >= min_confidence
        return found.attribute in cutoffs and cutoffs[found.attribute].keeps(found.confidence)

    def obstacle(attribute: str, value: str) -> Outcome | None:
        if columns is not None and attribute not in columns:
            return Outcome.NO_COLUMN
        return None if can_hold is None or can_hold(attribute, value) else Outcome.UNWRITABLE

    for product, prediction in paired(products, predictions):
        table = dict(product.table)
        error = product.error or prediction.error or (_stale(product, prediction) if check_places else None)
        entries: list[Entry] = []
        for attribute, finds in _by_attribute(() if error else prediction.values).items():
            cell, held = table.get(attribute), product.held.get(attribute)
            sure = (lambda found: True) if (product.id, attribute) in decided else counts
            of_cell = list(_entries(product.id, attribute, cell, held, finds, sure, normalizer, known_only, obstacle))
            filled = tuple(cell_text(e.value) for e in of_cell if e.outcome == Outcome.FILLED)
            entries += of_cell
            table |= {attribute: filled} if filled else {}
        yield FilledRow(product.id, table, tuple(entries), error, product.held, product.number)


def _stale(product: Product, prediction: Prediction) -> str | None:
    """Why finds are of another text than the product has now; None where every place says what was found there.

    Of a field that was not read this time, such as the text in photos, nothing is known.
    """
    for span in prediction.spans:
        text = product.fields.get(span.field)
        if text is not None and text[span.start : span.end] != span.text:
            return (
                f"expected {short(span.text)} at {span.start}:{span.end} of {short(span.field)}, where it was found, "
                f"got {short(text[span.start : span.end])}: the text was changed since; extract again"
            )
    return None


def _by_attribute(values: Iterable[Value]) -> dict[str, list[Value]]:
    """The finds of each attribute, surest first; of the same text only the surest."""
    finds: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    for value in sorted(values, key=lambda v: -v.confidence):
        finds[value.attribute].setdefault(value.value, value)
    return {attribute: list(by_text.values()) for attribute, by_text in finds.items()}


def _entries(
    product: str,
    attribute: str,
    cell: tuple[str, ...] | None,
    held: str | None,
    finds: Iterable[Value],
    counts: Callable[[Value], bool],
    normalizer: ValueNormalizer,
    known_only: bool,
    obstacle: Callable[[str, str], Outcome | None],
) -> Iterator[Entry]:
    """What the finds of one cell name, each value once.

    ``cell``: None where it is blank. ``held``: what it holds then that is no value; None: nothing.
    """
    named: dict[str, NamedValue] = {}  # by folded value
    translated = attribute in normalizer.translated
    for found in finds:
        known = normalizer.normalize(attribute, found.value, cell or ())
        option = _written(found.value) if known is None else known
        value = normalizer.written(attribute, option) if translated else option
        if not cell_text(value):
            continue
        named.setdefault(normalizer.folded[option], NamedValue(value, known is not None, found))
    own = {normalizer.key(attribute, value) if translated else normalizer.folded[value] for value in cell or ()}
    agrees, full = any(key in own and counts(found) for key, (_, _, found) in named.items()), False
    for key, (value, is_known, found) in named.items():
        if not counts(found):
            outcome = Outcome.BELOW
        elif cell is not None:
            outcome = Outcome.AGREES if key in own else Outcome.FURTHER if agrees else Outcome.DIFFERS
        elif held is not None:
            outcome = Outcome.KEPT
        elif in_the_way := obstacle(attribute, cell_text(value)):
            outcome = in_the_way
        elif known_only and not is_known:
            outcome = Outcome.UNKNOWN
        else:
            outcome = Outcome.FURTHER if full else Outcome.FILLED
            full = full or normalizer.is_single_valued(attribute)
        there = (held,) if cell is None and held else cell or ()
        yield Entry(product, attribute, outcome, there, value, is_known, found, in_cell=key in own)


def _written(text: str) -> str:
    """A text's words as a cell has them: on one line, without what nobody sees."""
    return " ".join(cell_text(text).split())


def cell_text(text: str) -> str:
    """A value as it is written into a cell: no control, zero-width or bidirectional characters, half ones as U+FFFD."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = HALF_CHARACTER.sub("\ufffd", text)
    shown = (" " if c in _LINE_BREAKS else c for c in text if c in _LINE_BREAKS or not _is_invisible(c))
    return "".join(shown).strip()


_LINE_BREAKS = "\t\n\v\f\r\x85\u2028\u2029"
_PREPENDED = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Format characters that are seen, in front of a number (Unicode's Prepended_Concatenation_Mark)."""
_IGNORABLE = (
    *((0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF)),
)
"""What is not seen beside control and format characters (Unicode's Default_Ignorable_Code_Point)."""


def _is_invisible(character: str) -> bool:
    if unicodedata.category(character) in ("Cc", "Cf"):
        return character not in _PREPENDED
    point = ord(character)
    return any(first <= point <= last for first, last in _IGNORABLE) or point & 0xFFFE == 0xFFFE
