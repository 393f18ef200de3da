"""Cells as rows of the store's tables, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Select, and_, func, or_, select

from attrex.review.cells import Act, Decision, Event, Kind, Option, ProposedCell, ReviewCell, State, Verdict
from attrex.review.tables import cells, products
from attrex.types import Prediction, Value

DECIDED: ColumnElement[bool] = cells.c.state == State.DECIDED
OPEN: ColumnElement[bool] = cells.c.state == State.OPEN


def free_for(reviewer: str, now: float) -> ColumnElement[bool]:
    """Whether a cell is in nobody else's hands."""
    return or_(cells.c.claimed_by.is_(None), cells.c.claimed_until <= now, cells.c.claimed_by == reviewer)


def held_by(reviewer: str, now: float) -> ColumnElement[bool]:
    """Whether a cell is in a reviewer's hands."""
    return and_(cells.c.claimed_by == reviewer, cells.c.claimed_until > now)


def settled_with(key: str | None) -> ColumnElement[bool]:
    """Whether a decision on these words settles a cell: it is open, and not of the sample."""
    return and_(cells.c.same_key == key, OPEN, cells.c.sampled == 0)


def select_cells() -> Select[Any]:
    """Cells with their products, for :func:`cell_of`."""
    columns = [c.label(f"product_{c.name}") for c in products.c]
    return select(*cells.c, *columns).join_from(cells, products)


def content_of(proposed: ProposedCell) -> dict[str, Any]:
    """What a run says of a cell, as the columns have it."""
    return {
        "kind": proposed.kind.value,
        "proposal": list(proposed.proposal),
        "cell": None if proposed.cell is None else list(proposed.cell),
        "confidence": round(proposed.confidence, 4),
        "risk": round(proposed.risk, 4),
        "words": proposed.words,
        "found": proposed.found and proposed.found.to_json(),
        "options": [option.to_json() for option in proposed.options],
        "same_key": proposed.same_key,
        "sampled": int(proposed.kind == Kind.SURE),
    }


def cell_of(row: Row[Any], same: int = 1) -> ReviewCell:
    """A row of :func:`select_cells`."""
    r = row._mapping
    return ReviewCell(
        r["id"],
        ProposedCell(
            r["product_name"],
            r["attribute"],
            Kind(r["kind"]),
            tuple(r["proposal"]),
            None if r["cell"] is None else tuple(r["cell"]),
            r["confidence"],
            r["risk"],
            _value_of(r["found"]),
            tuple(Option(o["value"], o["confidence"]) for o in r["options"]),
            r["product_fields"],
            tuple(r["product_images"]),
            r["product_category"],
            r["words"],
        ),
        same,
        verdict_of(r),
        values_of(r),
        r["decision"],
        r["settled"],
        r["reviewer"],
        r["decided_at"],
        r["claimed_by"],
        r["claimed_until"],
    )


def _value_of(found: Mapping[str, Any] | None) -> Value | None:
    return None if found is None else Prediction.from_json({"id": "", "values": [found]}).values[0]


def verdict_of(row: RowMapping) -> Verdict | None:
    return None if row["verdict"] is None else Verdict(row["verdict"])


def values_of(row: RowMapping) -> tuple[str, ...] | None:
    return None if row["cell_values"] is None else tuple(row["cell_values"])


def decision_of(row: Row[Any], left: int = 0) -> Decision:
    r = row._mapping
    return Decision(r["id"], r["cell"], r["reviewer"], Verdict(r["verdict"]), values_of(r), r["time"], r["cells"], left)


def event_of(row: Row[Any]) -> Event:
    r = row._mapping
    return Event(r["time"], Act(r["act"]), r["reviewer"], verdict_of(r), values_of(r), r["decision"])


def same_counts(connection: Connection, keys: list[str]) -> dict[str, int]:
    """Key -> how many open cells a decision on these words settles."""
    counts = select(cells.c.same_key, func.count()).where(cells.c.same_key.in_(keys), OPEN, cells.c.sampled == 0)
    return dict(connection.execute(counts.group_by(cells.c.same_key)).tuples().all())
