"""Verdicts into a store from elsewhere, and cells out to annotation tools and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attrex.errors import DataError, ReviewError
from attrex.io.annotations.files import read_annotations, write_annotations
from attrex.review.cells import ReviewCell, Verdict
from attrex.review.store import ReviewStore
from attrex.review.verdicts import CellVerdict
from attrex.types import Product, Span
from attrex.vocabulary.folding import Folder


@dataclass
class Imported:
    """What became of verdicts from elsewhere."""

    decided: int = 0
    same: int = 0  #: the store has them already
    left: list[str] = field(default_factory=list)  #: why others were not taken: decided otherwise, in somebody's hands
    unknown: int = 0  #: of cells that the store does not have

    def to_json(self) -> dict[str, Any]:
        return {"decided": self.decided, "same": self.same, "left": len(self.left), "unknown": self.unknown}


def import_verdicts(store: ReviewStore, verdicts: Iterable[CellVerdict], reviewer: str) -> Imported:
    """Decide cells of the store as verdicts say; those that are decided keep what they have.

    :param reviewer: who said so, where a verdict does not tell.
    """
    counts = Imported()
    for said in verdicts:
        cell = next(iter(store.cells(product=said.product, attribute=said.attribute)), None)
        if cell is None:
            counts.unknown += 1
            continue
        named = said.verdict in (Verdict.ACCEPT, Verdict.CORRECT)  # what was accepted may not be proposed here
        if cell.values == said.values and (cell.verdict == said.verdict or (named and cell.verdict is not None)):
            counts.same += 1
        else:
            verdict, values = (Verdict.CORRECT, said.values or ()) if named else (said.verdict, ())
            try:
                store.decide(cell.id, said.reviewer or reviewer, verdict, values)
            except (ReviewError, DataError) as exc:
                counts.left.append(str(exc))
            else:
                counts.decided += 1
    return counts


def write_cells(store: ReviewStore, path: str | Path, kind: str) -> int:
    """The products of open cells for an annotation tool, with the proposals that the text says; returns how many.

    Where the tool's format cannot tell a proposal from a person's answer, the texts go without: what nobody has looked
    at would come back as accepted.

    :param kind: one of :data:`~attrex.io.annotations.files.FORMATS`.
    """
    proposed = list(_products(store))
    write_annotations(path, proposed, kind)
    if proposed and any(p.spans is not None for p in read_annotations(path, kind=kind)):
        write_annotations(path, (replace(p, spans=None) for p in proposed), kind)
    return len(proposed)


def _products(store: ReviewStore) -> Iterator[Product]:
    products: dict[str, Product] = {}
    for cell in _every(store, decided=False):
        p = cell.proposed
        known = products.setdefault(p.product, Product(p.product, dict(p.fields), spans=()))
        if span := _source(cell):
            products[p.product] = replace(known, spans=(*(known.spans or ()), span))
    yield from products.values()


def _every(store: ReviewStore, **which: Any) -> Iterator[ReviewCell]:
    offset = 0
    while part := store.cells(**which, offset=offset, limit=1000):
        yield from part
        offset += len(part)


def _source(cell: ReviewCell) -> Span | None:
    """The words that a proposal stands on, where the text still says them."""
    found = cell.proposed.found
    span = found.source if found else None
    if span is None or cell.proposed.fields.get(span.field, "")[span.start : span.end] != span.text:
        return None
    return replace(span, value=cell.proposed.proposal[0])


def annotated_verdicts(store: ReviewStore, annotated: Iterable[Product]) -> Iterator[CellVerdict]:
    """What people marked in an annotation tool, as verdicts on the open cells that they were shown.

    A mark on the proposal's words accepts it, other marks of the attribute correct it, and a proposal whose mark is
    gone is rejected. Nothing is said of cells whose proposal no text says, and of texts that nobody has looked at.
    """
    fold = Folder.of().fold
    for product in annotated:
        if product.spans is None:
            continue
        for cell in store.cells(product=product.id, decided=False, limit=10_000):
            shown = _source(cell)
            if shown is None or shown.field not in product.fields:
                continue
            marks = [span for span in product.spans if span.attribute == cell.proposed.attribute]
            values = tuple(dict.fromkeys(_value(mark, shown, fold) for mark in marks))
            verdict = Verdict.CORRECT if values else Verdict.REJECT
            yield CellVerdict(product.id, cell.proposed.attribute, verdict, values or None)


def _value(mark: Span, shown: Span, fold: Callable[[str], str]) -> str:
    """What a mark stands for: its own value; that of the proposal, where it is the same words; else its words."""
    if mark.value is not None:
        return mark.value
    return shown.value or shown.text if fold(mark.text) == fold(shown.text) else mark.text
