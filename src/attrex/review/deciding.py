"""Deciding cells, in a transaction of the store: which a decision settles, and what is written of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from attrex.errors import ReviewError
from attrex.review.cells import Act, Decision, ReviewCell, State, Verdict
from attrex.review.rows import OPEN, free_for, same_counts, settled_with
from attrex.review.tables import cells, decisions, events

T = TypeVar("T")
AT_ONCE = 500
"""Rows in one statement."""
_WORTH = (
    update(cells)
    .where(cells.c.same_key == bindparam("key"), OPEN, cells.c.sampled == 0)
    .values(priority=cells.c.risk * bindparam("number"))
)


UNCLAIMED: dict[str, None] = {"claimed_by": None, "claimed_until": None}


def parts(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def others_of(lead: ReviewCell, who: str, now: float) -> list[ColumnElement[bool]]:
    """The cells that a reviewer's decision on one settles, too."""
    return [settled_with(lead.proposed.same_key), cells.c.id != lead.id, free_for(who, now)]


def cells_where(
    c: Connection, where: Sequence[ColumnElement[bool]], only: set[int] | None
) -> list[tuple[int, tuple[str, ...]]]:
    """(id, proposal) of the cells that fulfil a condition, all or some."""
    if only is not None and not only:
        return []
    rows = c.execute(select(cells.c.id, cells.c.proposal).where(*where).order_by(cells.c.id))
    return [(i, tuple(proposal)) for i, proposal in rows if only is None or i in only]


def check_followers(c: Connection, lead: ReviewCell, left: set[int]) -> None:
    """Raise where cells were asked for that the same words do not decide, whoever has them."""
    for part in parts(left):
        found = c.execute(select(cells.c.id, cells.c.same_key, cells.c.sampled).where(cells.c.id.in_(part)))
        fitting = {i for i, key, sampled in found if key is not None and key == lead.proposed.same_key and not sampled}
        if other := set(part) - fitting:
            raise ReviewError(
                f"cell {min(other)} does not have the words of cell {lead.id}; give the cells that same_words has shown"
            )


def decide_cells(
    c: Connection,
    who: str,
    now: float,
    lead: ReviewCell,
    verdict: Verdict,
    values: tuple[str, ...] | None,
    followers: Sequence[tuple[int, tuple[str, ...]]],
    left: int,
) -> Decision:
    listed = None if values is None else list(values)
    said = {"cell": lead.id, "reviewer": who, "verdict": verdict.value, "cell_values": listed, "time": now}
    number = c.execute(insert(decisions).values(**said, cells=1 + len(followers))).inserted_primary_key[0]  # type: ignore[index]
    of_cell = [(lead.id, verdict), *((i, _follows(verdict, values, proposal)) for i, proposal in followers)]
    for each in dict.fromkeys(v for _, v in of_cell):
        for part in parts(i for i, v in of_cell if v == each):
            decided = {"state": State.DECIDED, "verdict": each.value, "cell_values": listed, "decision": number}
            decided |= {"settled": len(of_cell), "reviewer": who, "decided_at": now} | UNCLAIMED
            c.execute(update(cells).where(cells.c.id.in_(part)).values(decided))
            c.execute(insert(events), [event_row(i, now, Act.DECIDED, who, each, listed, number) for i in part])
    if lead.proposed.same_key:
        prioritise(c, {lead.proposed.same_key})
    return Decision(number, lead.id, who, verdict, values, now, 1 + len(followers), left)


def _follows(verdict: Verdict, values: tuple[str, ...] | None, proposal: tuple[str, ...]) -> Verdict:
    """What a decision on the same words says of a cell that may have another proposal."""
    if verdict in (Verdict.ACCEPT, Verdict.CORRECT):
        return Verdict.ACCEPT if proposal == values else Verdict.CORRECT
    return verdict


def event_row(
    cell: int,
    now: float,
    act: Act,
    who: str | None = None,
    verdict: Verdict | None = None,
    values: list[str] | None = None,
    decision: int | None = None,
) -> dict[str, Any]:
    said = {"verdict": verdict and verdict.value, "cell_values": values, "decision": decision}
    return {"cell": cell, "time": now, "act": act.value, "reviewer": who, **said}


def same_keys(c: Connection, ids: Iterable[int]) -> set[str]:
    found: set[str] = set()
    for part in parts(ids):
        found.update(filter(None, c.execute(select(cells.c.same_key).where(cells.c.id.in_(part))).scalars()))
    return found


def prioritise(c: Connection, keys: Collection[str]) -> None:
    """Order by what a decision is worth now: how probably it mends a cell, and how many it settles."""
    for part in parts(keys):
        if worth := [{"key": key, "number": number} for key, number in same_counts(c, part).items()]:
            c.execute(_WORTH, worth)
