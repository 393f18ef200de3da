"""Which cells a person should look at, of what a fill run made of a table."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from attrex.errors import ConfigError
from attrex.filling.conflicts import conflicts_of
from attrex.filling.fill import Entry, FilledRow, Outcome
from attrex.review.cells import Kind, Option, Population, ProposedCell
from attrex.types import Product

SAMPLE = 200
"""Sure cells that are drawn: of so many that are all right, the interval of the share begins at 0.976."""
LEAST = 0.1
"""Finds in blank cells that are less sure are nearly always wrong, and cost a person as much time."""
MOST_OPTIONS = 9
"""Further values that a cell is offered with: a key each."""
_DOUBTFUL = (Outcome.BELOW, Outcome.UNKNOWN)


@dataclass(frozen=True)
class Collected:
    """The cells of a run to look at."""

    cells: Sequence[ProposedCell]
    population: Population  #: what the sample is of
    products: Sequence[str]  #: ids of all that were read

    def counts(self) -> dict[str, int]:
        """Kind -> cells."""
        kinds = [cell.kind for cell in self.cells]
        return {kind.value: kinds.count(kind) for kind in Kind}


def collect(
    rows: Iterable[tuple[Product, FilledRow]],
    fold: Callable[[str], str],
    *,
    sample: int = SAMPLE,
    least: float = LEAST,
    known: Collection[tuple[str, str]] = (),
    options: Mapping[str, Sequence[str]] | None = None,
) -> Collected:
    """All doubtful, differing and probably wrong cells of products, and a random sample of the sure ones.

    :param rows: products, and what became of their cells (:func:`~attrex.filling.fill.fill_table`).
    :param fold: makes one of two spellings.
    :param sample: how many sure cells are drawn; those of two runs are the same where both have them.
    :param least: of blank cells, only those whose surest find has at least this confidence, 0..1.
    :param known: (product, attribute) of cells that a person has decided: they are left out.
    :param options: attribute -> the shop's words for its values, most frequent first: offered behind what was found.
    """
    if sample < 0 or not 0 <= least <= 1:
        raise ConfigError(f"sample should be 0 or more and least between 0 and 1, got {sample} and {least}")
    listed: list[ProposedCell] = []
    drawn: list[tuple[float, int, ProposedCell]] = []
    digest, size, names = hashlib.blake2b(digest_size=16), 0, []
    for product, row in rows:
        names.append(product.id)
        for cell in cells_of(product, row, fold, least, options or {}) if row.error is None else ():
            if cell.kind != Kind.SURE:
                if (cell.product, cell.attribute) not in known:
                    listed.append(cell)
                continue
            said = [cell.product, cell.attribute, list(cell.proposal), round(cell.confidence, 4)]
            digest.update(json.dumps(said).encode())
            if (cell.product, cell.attribute) in known:
                continue
            size += 1
            heapq.heappush(drawn, (cell.order, size, cell))  # a number of its own: cells have no order
            if len(drawn) > sample:
                heapq.heappop(drawn)
    sure = [cell for _, _, cell in sorted(drawn, key=lambda one: one[:2], reverse=True)]
    return Collected((*listed, *sure), Population(size if sample else 0, digest.hexdigest()), names)


def cells_of(
    product: Product,
    row: FilledRow,
    fold: Callable[[str], str],
    least: float,
    options: Mapping[str, Sequence[str]],
) -> Iterator[ProposedCell]:
    """What there is to look at in a product, with the sure cells; the parameters are those of :func:`collect`."""
    conflicts = {c.attribute: c for c in conflicts_of(row)}
    for attribute, entries in groupby(row.entries, key=lambda entry: entry.attribute):
        surest, *more = of_cell = list(entries)
        shops = product.table.get(attribute)
        filled = [e for e in of_cell if e.outcome == Outcome.FILLED]
        sureness = surest.found.confidence
        if filled:
            lowest = min(e.found.confidence for e in filled)
            kind, proposal, confidence, risk = Kind.SURE, filled, lowest, 1 - lowest
        elif attribute in conflicts:
            kind, proposal, confidence = Kind.CONFLICT, [surest], sureness
            risk = max(conflicts[attribute].margin, 0.0)
        elif surest.outcome == Outcome.DIFFERS and shops == ():
            kind, proposal, confidence, risk = Kind.DIFFERS, [surest], sureness, sureness
        elif surest.outcome in _DOUBTFUL and shops is None and attribute not in product.held and sureness >= least:
            kind, proposal, confidence, risk = Kind.DOUBTFUL, [surest], sureness, sureness
        else:
            continue
        source = proposal[0].found.source
        values = tuple(e.value for e in proposal)
        yield ProposedCell(
            product.id,
            attribute,
            kind,
            values,
            shops,
            confidence,
            risk,
            proposal[0].found,
            _options(more, {fold(v) for v in values}, fold, options.get(attribute, ())),
            product.fields,
            tuple(str(image.absolute()) for image in product.images if isinstance(image, Path)),
            product.category,
            (fold(source.text) or None) if source else None,
        )


def _options(
    entries: Iterable[Entry], proposed: set[str], fold: Callable[[str], str], words: Sequence[str]
) -> tuple[Option, ...]:
    """What else was found, surest first, then the shop's most frequent words; what is proposed is none of them."""
    found: dict[str, Option] = {}
    for entry in entries:
        found.setdefault(fold(entry.value), Option(entry.value, entry.found.confidence))
    for word in words[: MOST_OPTIONS + len(proposed)]:
        found.setdefault(fold(word), Option(word, 0.0))
    return tuple(option for key, option in found.items() if key not in proposed)[:MOST_OPTIONS]
