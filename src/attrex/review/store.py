"""The review store: cells that people decide, shared by several of them and by several processes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from attrex.errors import ConfigError, ReviewError, UnknownCellError, did_you_mean, short
from attrex.review.adding import add_part, batch_of, open_cells, withdraw
from attrex.review.cells import (
    Act,
    Added,
    Decision,
    Event,
    Kind,
    Population,
    ProposedCell,
    ReviewCell,
    SameWords,
    State,
    Undone,
    Verdict,
)
from attrex.review.checks import checked_reviewer, checked_values
from attrex.review.deciding import (
    AT_ONCE,
    UNCLAIMED,
    cells_where,
    check_followers,
    decide_cells,
    event_row,
    others_of,
    parts,
    prioritise,
    same_keys,
)
from attrex.review.progress import ReviewStats, review_stats
from attrex.review.rows import (
    DECIDED,
    OPEN,
    cell_of,
    decision_of,
    event_of,
    free_for,
    held_by,
    same_counts,
    select_cells,
)
from attrex.review.tables import cells, decisions, events, open_database, products, reading, writing

T = TypeVar("T")
CLAIM_MINUTES = 15.0
"""How long a cell is a reviewer's who has said nothing of it."""
SAMPLE_SHARE = 0.2
"""Of the cells that are handed out, those of the sample that measures the sure ones."""


class ReviewStore:
    """Cells to decide in a database. Safe to be used by several threads, and by several processes at once.

    :param where: a SQLite file, or the address of a database (:func:`~attrex.review.tables.open_database`).
    :param clock: seconds since 1970.
    :param draw: numbers in 0..1: whether the next cell is one of the sample (:data:`SAMPLE_SHARE`).
    """

    def __init__(
        self,
        where: str | Path,
        *,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._engine = open_database(where)
        self._clock, self._draw = clock, draw

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> ReviewStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- cells come in ------------------------------------------------------------------------------------------------

    def decided_cells(self) -> set[tuple[str, str]]:
        """(product, attribute) of the cells that somebody has decided."""
        with reading(self._engine) as c:
            rows = c.execute(select(products.c.name, cells.c.attribute).join_from(cells, products).where(DECIDED))
            return {(name, attribute) for name, attribute in rows}

    def add(
        self, proposed: Iterable[ProposedCell], population: Population | None = None, run: Iterable[str] = ()
    ) -> Added:
        """Put the cells of a run in. One that is there, open and in nobody's hands gets the new proposal; what is
        decided stays. The same run added again changes nothing.

        :param population: what those of :attr:`Kind.SURE` are a sample of, in random order.
        :param run: the products that the run has read: their open cells that it does not propose are withdrawn.
        """
        counts = Added()
        with writing(self._engine) as c:
            now = self._clock()
            batch = batch_of(c, population, now)
            changed: set[str] = set()
            stale = open_cells(c, run, now)
            for part in parts(proposed):
                counts += add_part(c, part, batch, now, changed)
                for cell in part:
                    stale.pop((cell.product, cell.attribute), None)
            changed |= same_keys(c, stale.values())
            withdraw(c, stale.values(), now)
            prioritise(c, changed)
        return counts + Added(withdrawn=len(stale))

    # --- cells go out -------------------------------------------------------------------------------------------------

    def claim(
        self,
        reviewer: str,
        *,
        count: int = 1,
        attribute: str | None = None,
        kind: Kind | str | None = None,
        product: str | None = None,
        minutes: float = CLAIM_MINUTES,
    ) -> list[ReviewCell]:
        """The next cells for a reviewer, which nobody else gets meanwhile; fewer where no more are open.

        Those that the reviewer has and has not decided come first, so that a page may be loaded again. Then the cells
        in order of what a decision is worth (:attr:`ProposedCell.risk` times the cells that it settles); among them,
        one in five, those of the sample in its random order.

        :param minutes: for how long they are the reviewer's.
        """
        who, now = checked_reviewer(reviewer), self._clock()
        if count < 1 or minutes <= 0:
            raise ConfigError(f"count and minutes should be more than 0, got {count} and {minutes}")
        wanted = _filter(attribute, kind)
        if product is not None:
            wanted.append(cells.c.product == select(products.c.id).where(products.c.name == product).scalar_subquery())
        with writing(self._engine) as c:
            held = select(cells.c.id).where(OPEN, held_by(who, now), *wanted).order_by(cells.c.claimed_until)
            ids = list(c.execute(held.order_by(cells.c.sampled, cells.c.priority.desc()).limit(count)).scalars())
            while len(ids) < count:
                first = int(self._draw() < SAMPLE_SHARE)
                found = next((n for n in (_next(c, q, who, now, wanted, ids) for q in (first, 1 - first)) if n), None)
                if found is None:
                    break
                ids.append(found)
            if ids:
                claimed = {"claimed_by": who, "claimed_until": now + 60 * minutes}
                c.execute(update(cells).where(cells.c.id.in_(ids)).values(claimed))
            return _cells_in_order(c, ids)

    def release(self, reviewer: str, ids: Collection[int] | None = None) -> int:
        """Give cells back that a reviewer has not decided, all or some; returns how many."""
        who = checked_reviewer(reviewer)
        given_back = update(cells).where(OPEN, cells.c.claimed_by == who).values(UNCLAIMED)
        with writing(self._engine) as c:
            if ids is None:
                return c.execute(given_back).rowcount
            return sum(c.execute(given_back.where(cells.c.id.in_(part))).rowcount for part in parts(ids))

    # --- cells are looked at ------------------------------------------------------------------------------------------

    def cell(self, id: int) -> ReviewCell:
        """One cell; raises :class:`UnknownCellError`."""
        with reading(self._engine) as c:
            return _cell(c, id)

    def cells(
        self,
        *,
        decided: bool | None = None,
        attribute: str | None = None,
        kind: Kind | str | None = None,
        verdict: Verdict | str | None = None,
        reviewer: str | None = None,
        product: str | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[ReviewCell]:
        """Cells as a list to look through, in the order of their numbers; claims nothing.

        :param reviewer: who has decided them.
        """
        chosen = [*_filter(attribute, kind), cells.c.state != State.WITHDRAWN]
        if decided is not None:
            chosen.append(DECIDED if decided else OPEN)
        if verdict is not None:
            chosen.append(cells.c.verdict == _verdict(verdict).value)
        if reviewer is not None:
            chosen.append(cells.c.reviewer == reviewer)
        if product is not None:
            chosen.append(products.c.name == product)
        with reading(self._engine) as c:
            ordered = select_cells().where(*chosen).order_by(cells.c.id).offset(offset).limit(limit)
            return _cells_of(c, c.execute(ordered).all())

    def same_words(self, id: int, reviewer: str, *, examples: int = 5) -> SameWords | None:
        """The other open cells that the same words decide: of the attribute, whose text says the same, and that say
        the same themselves. None where there are none.

        Left out are those of the sample, each of which is looked at by itself, and those in somebody else's hands.
        """
        who, now = checked_reviewer(reviewer), self._clock()
        with reading(self._engine) as c:
            lead = _cell(c, id)
            others = others_of(lead, who, now)
            ids = list(c.execute(select(cells.c.id).where(*others).order_by(cells.c.id)).scalars())
            if not ids:
                return None
            shown = _cells_in_order(c, ids[:examples])
        return SameWords(lead.proposed.words or "", tuple(ids), tuple(shown))

    def history(self, id: int) -> list[Event]:
        """What happened to a cell, oldest first."""
        with reading(self._engine) as c:
            _cell(c, id)
            found = select(events).where(events.c.cell == id).order_by(events.c.id)
            return [event_of(row) for row in c.execute(found)]

    # --- people decide ------------------------------------------------------------------------------------------------

    def decide(
        self,
        id: int,
        reviewer: str,
        verdict: Verdict | str,
        values: Sequence[str] = (),
        *,
        also: Collection[int] = (),
    ) -> Decision:
        """A reviewer's verdict on a cell, and on others with the same words.

        The same verdict once more by the same reviewer is the decision that is there: a request may be sent again.

        :param values: of :attr:`Verdict.CORRECT`: what the cell has, options or the person's own words.
        :param also: the other cells that it settles, of those :meth:`same_words` has shown; what somebody else has
            decided or claimed since is left out (:attr:`Decision.left`).

        Raises :class:`ReviewError` for a cell that is decided already or in somebody else's hands, and
        :class:`DataError` for values that do not go with the verdict.
        """
        who, now = checked_reviewer(reviewer), self._clock()
        with writing(self._engine) as c:
            cell = _cell(c, id)
            said, decided = checked_values(_verdict(verdict), values, cell.proposed.proposal)
            if cell.verdict is not None:
                if (cell.verdict, cell.values, cell.reviewer) == (said, decided, who) and cell.decision:
                    return _decision(c, cell.decision)
                raise ReviewError(
                    f"cell {id} is decided already, by {short(cell.reviewer)}: {cell.verdict.value}; take that back "
                    f"first (decision {cell.decision})"
                )
            if cell.claimed_by not in (None, who) and (cell.claimed_until or 0) > now:
                raise ReviewError(f"cell {id} is in the hands of {short(cell.claimed_by)}; take the next one")
            shown = set(also) - {id}
            if shown and said == Verdict.UNSURE:
                raise ReviewError("unsure says nothing of other cells; decide them one by one, or leave out also")
            followers = cells_where(c, others_of(cell, who, now), shown)
            check_followers(c, cell, shown - {i for i, _ in followers})
            return decide_cells(c, who, now, cell, said, decided, followers, len(shown) - len(followers))

    def undo(self, decision: int, reviewer: str, *, only: Collection[int] | None = None) -> Undone:
        """Take a decision back; its cells are open again, but those that somebody has touched since.

        :param only: these of its cells alone.
        """
        who, now = checked_reviewer(reviewer), self._clock()
        with writing(self._engine) as c:
            taken = _decision(c, decision)
            mine = [cells.c.decision == decision, DECIDED]
            ids = [i for i, _ in cells_where(c, mine, None if only is None else set(only))]
            number = taken.cells if only is None else len(set(only))
            blank: dict[str, Any] = {"state": State.OPEN, "verdict": None, "cell_values": None, "decision": None}
            blank |= {"settled": 1, "reviewer": None, "decided_at": None} | UNCLAIMED
            for part in parts(ids):
                chosen = update(cells).where(cells.c.id.in_(part))
                c.execute(chosen.values(blank))
                c.execute(insert(events), [event_row(i, now, Act.UNDONE, who, decision=decision) for i in part])
            if ids:
                prioritise(c, same_keys(c, ids))
                left = c.execute(select(func.count()).where(cells.c.decision == decision)).scalar()
                if not left:
                    chosen = update(decisions).where(decisions.c.id == decision)
                    c.execute(chosen.values(undone_by=who, undone_at=now))
            return Undone(decision, taken.cell, len(ids), number - len(ids))

    def last_decision(self, reviewer: str) -> Decision | None:
        """The reviewer's last one that stands, for undo."""
        theirs = [decisions.c.reviewer == checked_reviewer(reviewer), decisions.c.undone_at.is_(None)]
        with reading(self._engine) as c:
            row = c.execute(select(decisions).where(*theirs).order_by(decisions.c.id.desc()).limit(1)).first()
            return None if row is None else decision_of(row)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def stats(self) -> ReviewStats:
        """How far the review is, and how right the sure cells are."""
        with reading(self._engine) as c:
            return review_stats(c, self._clock())

    def decided(self) -> Iterator[ReviewCell]:
        """All decided cells, in the order of their numbers."""
        last = 0
        while True:
            with reading(self._engine) as c:
                part = select_cells().where(DECIDED, cells.c.id > last).order_by(cells.c.id).limit(AT_ONCE)
                found = [cell_of(row) for row in c.execute(part)]
            if not found:
                return
            yield from found
            last = found[-1].id


def _verdict(verdict: Verdict | str) -> Verdict:
    return _one_of(Verdict, verdict, "verdict")


def _one_of(kind: type[T], value: T | str, what: str) -> T:
    known = [member.value for member in kind]  # type: ignore[attr-defined]
    if value not in known:
        raise ConfigError(
            f"{what} should be one of {', '.join(known)}, got {short(value)}{did_you_mean(str(value), known)}"
        )
    return kind(value)  # type: ignore[call-arg]


def _filter(attribute: str | None, kind: Kind | str | None) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = [] if attribute is None else [cells.c.attribute == attribute]
    return chosen if kind is None else [*chosen, cells.c.kind == _one_of(Kind, kind, "kind").value]


def _cell(c: Connection, id: int) -> ReviewCell:
    row = c.execute(select_cells().where(cells.c.id == id)).first()
    if row is None:
        raise UnknownCellError(f"there is no cell {id} in the review store")
    return _cells_of(c, [row])[0]


def _cells_in_order(c: Connection, ids: Sequence[int]) -> list[ReviewCell]:
    rows = c.execute(select_cells().where(cells.c.id.in_(ids))).all()
    place = {i: n for n, i in enumerate(ids)}
    return sorted(_cells_of(c, rows), key=lambda cell: place[cell.id])


def _cells_of(c: Connection, rows: Sequence[Any]) -> list[ReviewCell]:
    """With how many cells the same words settle; one of the sample, or decided, is not among those counted."""
    alike = same_counts(c, [row.same_key for row in rows if row.same_key])
    return [
        cell_of(row, alike.get(row.same_key, 0) + bool(row.sampled or row.state == State.DECIDED or not row.same_key))
        for row in rows
    ]


def _decision(c: Connection, id: int) -> Decision:
    row = c.execute(select(decisions).where(decisions.c.id == id)).first()
    if row is None:
        raise UnknownCellError(f"there is no decision {id} in the review store")
    return decision_of(row)


def _next(
    c: Connection, sampled: int, who: str, now: float, wanted: Sequence[ColumnElement[bool]], taken: Sequence[int]
) -> int | None:
    """The first open cell of one of the two queues that is free."""
    queue = [OPEN, cells.c.sampled == sampled, free_for(who, now), cells.c.id.not_in(taken), *wanted]
    first = select(cells.c.id).where(*queue).order_by(cells.c.priority.desc(), cells.c.id).limit(1)
    return c.execute(first).scalar()
