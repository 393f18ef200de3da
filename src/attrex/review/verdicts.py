"""What people decided, as a file, and as what training, calibration and measuring learn from.

A verdict is about one cell, and complete for it: what it says is all that the product has of the attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attrex.errors import DataError, kind_of, short
from attrex.io.products import write_rows
from attrex.review.cells import Kind, ReviewCell, Verdict, time_text
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.folding import Folder

VERDICT_SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """One decided cell."""

    product: str  #: its id
    attribute: str
    verdict: Verdict
    values: tuple[str, ...] | None  #: what the cell has; empty: none; None: not known
    proposal: tuple[str, ...] = ()
    cell: tuple[str, ...] | None = None  #: what the shop had; None: blank
    kind: Kind | None = None
    confidence: float | None = None  #: of the proposal, 0..1
    source: Span | None = None  #: the words that the proposal stood on
    reviewer: str | None = None
    time: str | None = None  #: ISO 8601
    same_words: bool = False  #: decided for all cells with these words: they stand for the values

    @classmethod
    def of(cls, cell: ReviewCell) -> CellVerdict:
        """From a decided cell of the store."""
        assert cell.verdict is not None
        p = cell.proposed
        return cls(
            p.product,
            p.attribute,
            cell.verdict,
            cell.values,
            p.proposal,
            p.cell,
            p.kind,
            p.confidence,
            p.found.source if p.found else None,
            cell.reviewer,
            time_text(cell.decided_at),
            cell.settled > 1,
        )

    def to_json(self) -> dict[str, Any]:
        source = self.source
        return {
            "product": self.product,
            "attribute": self.attribute,
            "verdict": self.verdict.value,
            "values": None if self.values is None else list(self.values),
            "proposal": list(self.proposal),
            "cell": None if self.cell is None else list(self.cell),
            "kind": self.kind and self.kind.value,
            "confidence": self.confidence,
            "source": source and {"field": source.field, "start": source.start, "end": source.end, "text": source.text},
            "reviewer": self.reviewer,
            "time": self.time,
            "same_words": self.same_words,
        }

    @classmethod
    def from_json(cls, row: Any) -> CellVerdict:
        """The inverse of :meth:`to_json`; all but product, attribute, verdict and values may be missing.

        Raises :class:`DataError` that says what is wrong with it.
        """
        if not isinstance(row, Mapping):
            raise DataError(f"expected an object, got {kind_of(row)}")
        product, attribute = (_text(row, key) for key in ("product", "attribute"))
        try:
            verdict = Verdict(str(row.get("verdict")))
            kind = None if row.get("kind") is None else Kind(row["kind"])
        except ValueError as exc:
            raise DataError(f"verdict or kind: {exc}") from None
        values = _words(row, "values")
        known = {Verdict.ACCEPT: True, Verdict.CORRECT: True, Verdict.DOES_NOT_APPLY: False}.get(verdict)
        if known is not None and (values is None or bool(values) != known):
            wanted = "one or more" if known else "none, an empty list,"
            raise DataError(f"values should be {wanted} with verdict {verdict.value}, got {short(row.get('values'))}")
        confidence = row.get("confidence")
        if confidence is not None and (isinstance(confidence, bool) or not isinstance(confidence, int | float)):
            raise DataError(f"confidence should be a number, got {short(confidence)}")
        return cls(
            product,
            attribute,
            verdict,
            values if known is not None else None,
            _words(row, "proposal") or (),
            _words(row, "cell"),
            kind,
            confidence,
            _source(row.get("source"), attribute),
            None if row.get("reviewer") is None else _text(row, "reviewer"),
            None if row.get("time") is None else _text(row, "time"),
            row.get("same_words") is True,
        )


def _text(row: Mapping[str, Any], key: str) -> str:
    if not isinstance(row.get(key), str) or not row[key]:
        raise DataError(f"{key} should be text, got {short(row.get(key))}")
    return str(row[key])


def _words(row: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    values = row.get(key)
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise DataError(f"{key} should be a list of texts, or null, got {short(values)}")
    return tuple(values)


def _source(place: Any, attribute: str) -> Span | None:
    if place is None:
        return None
    kinds = {"field": str, "start": int, "end": int, "text": str}
    if not isinstance(place, Mapping) or not all(type(place.get(key)) is kind for key, kind in kinds.items()):
        raise DataError(f"source should be an object with field, start, end and text, got {short(place)}")
    return Span(attribute, place["start"], place["end"], place["text"], place["field"])


def write_verdicts(path: str | Path, cells: Iterable[ReviewCell]) -> int:
    """Decided cells as a file, one a line; returns how many."""
    return write_rows(path, (CellVerdict.of(cell).to_json() for cell in cells))


def read_verdicts(path: str | Path) -> list[CellVerdict]:
    """The verdicts of a file that :func:`write_verdicts` wrote. Raises :class:`DataError` naming the line at fault."""
    from attrex.io.files import file_rows

    path = Path(path)
    if not path.is_file() or not path.name.endswith(VERDICT_SUFFIXES):
        raise DataError(f"{path}: expected a file of verdicts, {' or '.join(VERDICT_SUFFIXES)}; attrex review export")
    found = []
    for row in file_rows(path):
        try:
            if row.values is None:
                raise DataError(row.error)
            found.append(CellVerdict.from_json(row.values))
        except DataError as exc:
            raise DataError(f"{path} line {row.number} is no verdict: {exc}; export them again") from exc
    return found


@dataclass
class VerdictCounts:
    """What became of verdicts that were given to products."""

    cells: int = 0  #: whose values are known now
    absent: int = 0  #: of them, those without a value
    rejected: int = 0  #: of which only that the proposal is wrong is known
    unsure: int = 0
    missing: list[str] = field(default_factory=list)  #: ids that no product has

    def render(self) -> str:
        """One line for a person."""
        missing = len(self.missing)
        return (
            f"verdicts: {self.cells:,} cells have what people decided ({self.absent:,} of them no value), "
            f"{self.rejected:,} proposals are rejected, {self.unsure:,} unsure"
            + (f"; {missing:,} are of products that are not here, such as {short(self.missing[0])}" if missing else "")
        )


class Verdicts:
    """Verdicts to be given to products, by their id. Of several on one cell the last one counts."""

    def __init__(self, verdicts: Iterable[CellVerdict]) -> None:
        self._of: dict[str, dict[str, CellVerdict]] = {}
        for verdict in verdicts:
            self._of.setdefault(verdict.product, {})[verdict.attribute] = verdict
        self._folder = Folder.of()

    @classmethod
    def load(cls, path: str | Path) -> Verdicts:
        return cls(read_verdicts(path))

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def count(self, products: Iterable[Product]) -> VerdictCounts:
        """What they say of these products."""
        counts, there = VerdictCounts(), {p.id for p in products if p.error is None}
        for name, of_product in self._of.items():
            for verdict in of_product.values():
                if name not in there:
                    counts.missing.append(name)
                elif verdict.values is not None:
                    counts.cells += 1
                    counts.absent += not verdict.values
                else:
                    counts.rejected += verdict.verdict == Verdict.REJECT
                    counts.unsure += verdict.verdict == Verdict.UNSURE
        return counts

    def applied(self, products: Iterable[Product]) -> Iterator[Product]:
        """Products whose cells have what people decided, and whose labels say nothing else.

        A label of a decided cell stays where it is one of its values; words that a value was read from are a label of
        it; a rejected label goes. Decided cells are complete (:attr:`Product.reviewed`). Applied once more after labels
        were located, it settles those, too.
        """
        for product in products:
            mine = self._of.get(product.id)
            yield product if mine is None or product.error else self._with(product, mine)

    def decided_cells(self) -> frozenset[tuple[str, str]]:
        """(product, attribute) of the cells whose values are known."""
        return frozenset((n, a) for n, of_it in self._of.items() for a, v in of_it.items() if v.values is not None)

    def values(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(attribute, values) that people have given cells."""
        for of_product in self._of.values():
            yield from ((a, v.values) for a, v in of_product.items() if v.values)

    def in_predictions(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Predictions that say of decided cells what people said, with a confidence of 1, and nothing rejected."""
        for prediction in predictions:
            mine = self._of.get(prediction.id)
            if mine is None or prediction.error:
                yield prediction
                continue
            kept = [v for v in prediction.values if v.attribute not in mine or self._stays(v, mine[v.attribute])]
            said = [Value(a, value, 1.0) for a, v in mine.items() for value in v.values or ()]
            yield replace(prediction, values=(*kept, *said))

    def _stays(self, found: Value, verdict: CellVerdict) -> bool:
        """Whether a find may stay beside a verdict: the cell's values are not known by it, and it was not rejected."""
        if verdict.values is not None:
            return False
        return verdict.verdict != Verdict.REJECT or not self._rejects(found, verdict)

    def _rejects(self, found: Value, verdict: CellVerdict) -> bool:
        same_place = found.source is not None and found.source == verdict.source
        return same_place or self._is_one(found.value, verdict.proposal)

    def _with(self, product: Product, mine: Mapping[str, CellVerdict]) -> Product:
        known = {a: v for a, v in mine.items() if v.values is not None}
        table = {**product.table, **{a: v.values or () for a, v in known.items()}}
        held = {a: text for a, text in product.held.items() if a not in known}
        spans = None if product.spans is None else tuple(self._labels(product, mine))
        reviewed = product.reviewed | known.keys()
        return replace(product, table=table, held=held, spans=spans, reviewed=reviewed)

    def _labels(self, product: Product, mine: Mapping[str, CellVerdict]) -> Iterator[Span]:
        for span in product.spans or ():
            verdict = mine.get(span.attribute)
            if verdict is None or self._agrees(span, verdict):
                yield span
        for attribute, verdict in mine.items():
            source, kept = verdict.source, verdict.values or ()
            if source is None or verdict.verdict not in (Verdict.ACCEPT, Verdict.CORRECT) or len(kept) != 1:
                continue
            own = [s for s in product.spans or () if s.attribute == attribute and self._agrees(s, verdict)]
            says = product.fields.get(source.field, "")[source.start : source.end] == source.text
            means_it = verdict.verdict == Verdict.ACCEPT or verdict.same_words or self._is_one(source.text, kept)
            if says and means_it and not any(_overlap(source, s) for s in own):
                yield replace(source, value=kept[0])

    def _agrees(self, span: Span, verdict: CellVerdict) -> bool:
        """Whether a label may stay beside a verdict."""
        if verdict.values is not None:
            return self._is_one(span.value or span.text, verdict.values)
        return verdict.verdict != Verdict.REJECT or not self._is_one(span.value or span.text, verdict.proposal)

    def _is_one(self, word: str, values: Sequence[str]) -> bool:
        return self._folder.fold(word) in map(self._folder.fold, values)


def _overlap(a: Span, b: Span) -> bool:
    return a.field == b.field and a.start < b.end and b.start < a.end
