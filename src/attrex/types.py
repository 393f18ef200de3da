"""What flows through Attrex: products in, predictions out.

Frozen dataclasses without tensors. Offsets are Python characters (code points) into one named text field, end
exclusive; ``product.fields[span.field][span.start:span.end] == span.text`` always holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import zip_longest
from pathlib import Path
from typing import Any

from attrex.characters import word_of
from attrex.errors import DataError, short

ImageSource = Path | bytes
"""A photo: the path of a file, or the bytes of one."""
OUTSIDE, BEGIN, INSIDE = 0, 1, 2
"""The tags of one attribute: no value, its first unit, a further unit of it."""
UNKNOWN = -1
"""In place of a tag, in training: the unit may have any of them."""


class CellState(IntEnum):
    """What is known of one (product, attribute) cell of the shop's table before training.

    The state travels unchanged from the table to the loss: a blank cell is *unknown*, it is not *absent*.
    """

    BLANK = 0  #: nothing known: the shop left the cell empty
    ABSENT = 1  #: known to have no value: declared so, or the annotation is complete
    LOCATED = 2  #: has a value, and the text says it: there are spans
    NOT_LOCATED = 3  #: has a value that was not found in the text: only the photo, or inference, can tell


@dataclass(frozen=True, slots=True)
class Span:
    """A value said in the text: characters ``start`` to ``end`` (exclusive) of ``field``."""

    attribute: str
    start: int
    end: int
    text: str
    field: str = "text"
    value: str | None = None  #: the table's value it stands for ("T-shirt" -> "Tshirts"), when known

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What exact scoring compares: (attribute, field, start, end)."""
        return (self.attribute, self.field, self.start, self.end)

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "attribute": self.attribute,
            "field": self.field,
            "start": self.start,
            "end": self.end,
            "text": self.text,
        }
        if self.value is not None:
            out["value"] = self.value
        return out


@dataclass(frozen=True, slots=True)
class Product:
    """One product as the shop has it, with labels where there are any."""

    id: str
    fields: Mapping[str, str]  #: texts in reading order, e.g. {"title": ..., "description": ...}
    images: tuple[ImageSource, ...] = ()
    category: str | None = None
    table: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The shop's cells: attribute -> values. No key: blank (unknown). An empty tuple: known to be absent."""
    spans: tuple[Span, ...] | None = None  #: labels in the text; None: nobody has looked
    complete: bool = False
    """True: ``spans`` are all there are (hand annotation). False: more may be unlabelled (located from a table)."""
    group: str | None = None  #: products of one group (same text or photo) must not be split over train and test
    warnings: tuple[str, ...] = ()
    error: str | None = None  #: set on a row that could not be read; such a product passes through, marked
    held: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Attribute -> what its cell holds where that is no value: a marker such as N/A, spaces, what cannot be read. It is
    not in ``table``, and yet nothing is ever written into it."""
    number: int | None = field(default=None, compare=False)
    """Where its row is in its file, from 1: the line, the sheet's row, the item."""
    reviewed: frozenset[str] = frozenset()
    """Attributes of which a person has decided what the product has: their labels are all there are."""

    def __post_init__(self) -> None:
        for span in self.spans or ():
            if span.field not in self.fields:
                raise DataError(
                    f"product {short(self.id)}: a span of {short(span.attribute)} is in field {short(span.field)}, "
                    f"but the product has {list(self.fields)}"
                )
            said = self.fields[span.field][span.start : span.end]
            if not 0 <= span.start < span.end or said != span.text:
                raise DataError(
                    f"product {short(self.id)}: span {short(span.attribute)} {span.start}:{span.end} of "
                    f"{short(span.field)} should be "
                    f"{short(span.text)} but the text says {short(said)}; offsets are characters (not "
                    "bytes), end exclusive"
                )

    def cell_state(self, attribute: str) -> CellState:
        """What is known of this product's cell for ``attribute``."""
        if any(s.attribute == attribute for s in self.spans or ()):
            return CellState.LOCATED
        values = self.table.get(attribute)
        if values:
            return CellState.NOT_LOCATED
        return CellState.ABSENT if values is not None or self.complete else CellState.BLANK

    def without_images(self) -> Product:
        """The same product with its photos taken away."""
        return replace(self, images=())

    def _repr_html_(self) -> str:
        from attrex.reports.notebook import product_html

        return product_html(self)


@dataclass(frozen=True, slots=True)
class RegionWeights:
    """Where in a photo the model looked for a value: one weight per region, in spatial order, rows from the top."""

    image: int  #: index into ``Product.images``
    weights: tuple[tuple[float, ...], ...]  #: rows x columns, each 0..1, the largest of a value's photos is 1

    def to_json(self) -> dict[str, Any]:
        return {"image": self.image, "weights": [[round(w, 4) for w in row] for row in self.weights]}


@dataclass(frozen=True, slots=True)
class WordWeight:
    """A word that spoke for a value which the text does not say itself."""

    field: str
    start: int  #: characters, end exclusive
    end: int
    text: str
    weight: float  #: its share of the attention to the text, 0..1

    def to_json(self) -> dict[str, Any]:
        return {**{key: getattr(self, key) for key in _SOURCE}, "weight": round(self.weight, 4)}


DECIDED_BY = ("text", "photo", "both")
"""What a value of the head hangs on: taken away, the head would choose otherwise."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an attribute: one that the text says, one that only the photo shows, or one a person has set."""

    attribute: str
    value: str  #: the word for it: of a calibrated model, and once normalised, the shop's; else the text's own
    confidence: float
    """0..1; 1 for a person's decision. Of a calibrated model: how probable it is that the shop would write this value.
    Of others: the range score, where the model predicts a range, times the exact probability of the span."""
    source: Span | None = None  #: where the text says it, in exact characters; None: the text does not
    regions: tuple[RegionWeights, ...] = ()  #: where in the photos the model looked, a grid per photo
    decided_by: str | None = None  #: one of `DECIDED_BY`; None for a model without a value head
    words: tuple[WordWeight, ...] = ()  #: of a value that the text does not say, the words that spoke for it

    def __post_init__(self) -> None:
        if self.source is not None and self.source.attribute != self.attribute:
            raise DataError(
                f"expected the source of a value of {short(self.attribute)} to be a span of "
                f"{short(self.attribute)}, got one of "
                f"{short(self.source.attribute)}; change the attribute of both"
            )

    @classmethod
    def from_span(cls, span: Span, confidence: float = 1.0, regions: tuple[RegionWeights, ...] = ()) -> Value:
        """A value that the text says; its word is the span's value, where that is known, else the text's own.

        Without what nobody sees in it, and trade marks (:func:`~attrex.characters.word_of`).
        """
        if span.value is None:
            return cls(span.attribute, word_of(span.text), confidence, span, regions)
        return cls(span.attribute, span.value, confidence, replace(span, value=None), regions)

    @property
    def key(self) -> tuple[str, str, int, int] | None:
        """What exact scoring compares: (attribute, field, start, end); None for a value without a source."""
        return None if self.source is None else self.source.key

    def to_json(self) -> dict[str, Any]:
        source = self.source
        return {
            "attribute": self.attribute,
            "value": self.value,
            "confidence": round(self.confidence, 4),
            "source": source and {"field": source.field, "start": source.start, "end": source.end, "text": source.text},
            "regions": [r.to_json() for r in self.regions],
            **({"decided_by": self.decided_by} if self.decided_by else {}),
            **({"words": [w.to_json() for w in self.words]} if self.words else {}),
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was extracted from one product. A row that could not be read has ``error`` and no values."""

    id: str
    values: tuple[Value, ...] = ()
    range: Mapping[str, float] = field(default_factory=dict)
    """Predicted attribute range (Eq. 6-7): the selected attributes with their scores. Empty for models without one."""
    coverage: float = 1.0  #: share of the text's non-space characters that the model has read
    warnings: tuple[str, ...] = ()
    error: str | None = None
    content: str | None = field(default=None, compare=False)  #: a hash of what it was made of, for ``--resume``

    @property
    def spans(self) -> tuple[Span, ...]:
        """The places of the values that the text says."""
        return tuple(v.source for v in self.values if v.source is not None)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "values": [v.to_json() for v in self.values],
            "range": {a: round(s, 4) for a, s in self.range.items()},
            "coverage": round(self.coverage, 4),
            "warnings": list(self.warnings),
            "error": self.error,
            **({} if self.content is None else {"content": self.content}),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Prediction:
        """The inverse of :meth:`to_json`. Raises :class:`DataError` naming the key that is missing or wrong."""
        name, scores = _require(row, "id", object), _require(row, "range", Mapping, {})
        warnings = _require(row, "warnings", list, [])
        if not all(isinstance(warning, str) for warning in warnings):
            raise DataError(f"not a prediction row: 'warnings' should be a list of texts, got {short(warnings)}")
        return cls(
            id=str(name),
            values=tuple(_parse_value(v) for v in _require(row, "values", list)),
            range={a: _require(scores, a, float) for a in scores},
            coverage=float(_require(row, "coverage", float, 1.0)),
            warnings=tuple(warnings),
            error=None if row.get("error") is None else _require(row, "error", str),
            content=None if row.get("content") is None else _require(row, "content", str),
        )

    def _repr_html_(self) -> str:
        from attrex.reports.notebook import prediction_html

        return prediction_html(self)


def paired(products: Iterable[Product], predictions: Iterable[Prediction]) -> Iterator[tuple[Product, Prediction]]:
    """Products with what was found in them. Raises :class:`DataError` where the finds are of other products."""
    for row, (product, prediction) in enumerate(zip_longest(products, predictions), 1):
        if product is None or prediction is None or product.id != prediction.id:
            table, found = (repr(one.id) if one else "none" for one in (product, prediction))
            raise DataError(
                f"row {row}: expected finds for the products of the table, in their order, but the table has {table} "
                f"and the finds are of {found}; give the file that `attrex extract` wrote for this table"
            )
        yield product, prediction


_JSON_KINDS = {str: "text", int: "a whole number", float: "a number", list: "a list", Mapping: "an object"}
_SOURCE = {"field": str, "start": int, "end": int, "text": str}
_WORD = {**_SOURCE, "weight": float}


def _parse_value(row: Any) -> Value:
    if isinstance(row, Mapping) and "text" in row and "value" not in row:
        raise DataError(
            "a prediction row of an earlier version of Attrex, to be extracted again: its values have 'text', 'field', "
            "'start' and 'end' in place of 'value' and 'source'"
        )
    attribute, word = _require(row, "attribute", str), _require(row, "value", str)
    confidence, source = _require(row, "confidence", float), None
    if not 0 <= confidence <= 1:
        raise DataError(f"not a prediction row: 'confidence' should be between 0 and 1, got {short(confidence)}")
    if "source" not in row or row["source"] is not None:
        place = _require(row, "source", Mapping)
        source = Span(attribute, **_parse_place(place))
    regions = []
    for grid in _require(row, "regions", list, []):
        image, weights = _require(grid, "image", int), _require(grid, "weights", list)
        if not all(
            isinstance(line, list) and all(isinstance(w, float) or _is_number(w) for w in line) for line in weights
        ):
            raise DataError(
                f"not a prediction row: 'weights' should be a list of lists of numbers, got {short(weights)}"
            )
        regions.append(RegionWeights(image, tuple(tuple(line) for line in weights)))
    decided_by = row.get("decided_by")
    if decided_by is not None and decided_by not in DECIDED_BY:
        raise DataError(f"not a prediction row: 'decided_by' should be text, photo or both, got {short(decided_by)}")
    words = () if row.get("words") is None else _require(row, "words", list)  # None: an empty column of Parquet
    return Value(attribute, word, confidence, source, tuple(regions), decided_by, tuple(map(_parse_word, words)))


def _parse_word(row: Any) -> WordWeight:
    return WordWeight(**_parse_place(row), weight=_require(row, "weight", float))


def _parse_place(row: Any) -> dict[str, Any]:
    place = {key: _require(row, key, kind) for key, kind in _SOURCE.items()}
    if not 0 <= place["start"] <= place["end"]:
        where = f"{short(place['start'])} to {short(place['end'])}"
        raise DataError(f"not a prediction row: expected a place from 'start' to 'end', counted from 0, got {where}")
    return place


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold; NaN and the infinite ones are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _require(row: Any, key: str, kind: Any, default: Any = None) -> Any:
    """What a part of a prediction row has under ``key``; without a default it must be there."""
    if not isinstance(row, Mapping):
        raise DataError(f"not a prediction row: expected an object with {short(key)}, got {short(row)}")
    if key not in row and default is None:
        raise DataError(f"not a prediction row: key {short(key)} is missing, found {sorted(row)}")
    found = row.get(key, default)
    truth = isinstance(found, bool) and kind in (int, float)
    if truth or not (_is_number(found) if kind is float else isinstance(found, kind)):
        raise DataError(f"not a prediction row: {short(key)} should be {_JSON_KINDS[kind]}, got {short(found)}")
    return found
