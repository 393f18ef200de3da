"""How far a review is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from attrex.review.cells import State, Verdict
from attrex.review.estimate import Estimate, estimate
from attrex.review.tables import batches, cells, decisions


@dataclass(frozen=True)
class ReviewStats:
    """Where a review stands."""

    cells: int
    open: int
    claimed: int  #: of the open ones, those in somebody's hands
    verdicts: Mapping[str, int]  #: verdict -> cells
    kinds: Mapping[str, tuple[int, int]]  #: kind -> cells, and of them those decided
    attributes: Mapping[str, tuple[int, int]]  #: attribute -> the same two
    reviewers: Mapping[str, int]  #: reviewer -> decisions that stand
    last_hour: Mapping[str, int]  #: reviewer -> of them, those of the last hour
    sure: Estimate | None  #: how right the sure cells are; None: no sample was drawn

    def to_json(self) -> dict[str, Any]:
        return {
            "cells": self.cells,
            "open": self.open,
            "claimed": self.claimed,
            "decided": self.cells - self.open,
            "verdicts": dict(self.verdicts),
            "kinds": {k: {"cells": n, "decided": d} for k, (n, d) in self.kinds.items()},
            "attributes": {a: {"cells": n, "decided": d} for a, (n, d) in self.attributes.items()},
            "reviewers": {
                r: {"decisions": n, "last_hour": self.last_hour.get(r, 0)} for r, n in self.reviewers.items()
            },
            "sure": self.sure and self.sure.to_json(),
        }


def review_stats(connection: Connection, now: float) -> ReviewStats:
    columns = (cells.c.state, cells.c.kind, cells.c.verdict, cells.c.attribute)
    counted = connection.execute(
        select(*columns, func.count()).where(cells.c.state != State.WITHDRAWN).group_by(*columns)
    ).all()
    verdicts: Counter[str] = Counter()
    kinds, attributes = (Counter[str](), Counter[str]()), (Counter[str](), Counter[str]())
    for state, kind, verdict, attribute, number in counted:
        for total, done in (kinds, attributes):
            name = kind if total is kinds[0] else attribute
            total[name] += number
            done[name] += number if state == State.DECIDED else 0
        if state == State.DECIDED:
            verdicts[verdict] += number
    claimed = connection.execute(select(func.count()).where(cells.c.claimed_until > now)).scalar() or 0
    standing = decisions.c.undone_at.is_(None)
    by_reviewer = select(decisions.c.reviewer, func.count()).group_by(decisions.c.reviewer)
    return ReviewStats(
        cells=kinds[0].total(),
        open=kinds[0].total() - kinds[1].total(),
        claimed=claimed,
        verdicts={v.value: verdicts[v.value] for v in Verdict},
        kinds={k: (kinds[0][k], kinds[1][k]) for k in sorted(kinds[0])},
        attributes={a: (attributes[0][a], attributes[1][a]) for a in sorted(attributes[0])},
        reviewers=dict(connection.execute(by_reviewer.where(standing)).tuples().all()),
        last_hour=dict(connection.execute(by_reviewer.where(standing, decisions.c.time > now - 3600)).tuples().all()),
        sure=_sure(connection),
    )


def _sure(connection: Connection) -> Estimate | None:
    """From the last batch's sample: its first cells, up to one that nobody has decided."""
    last = connection.execute(select(batches).where(batches.c.population > 0).order_by(batches.c.id.desc())).first()
    if last is None:
        return None
    of_sample = select(cells.c.verdict).where(cells.c.batch == last.id, cells.c.sampled == 1)
    told: list[bool | None] = []
    for verdict in connection.execute(of_sample.order_by(cells.c.priority.desc(), cells.c.id)).scalars():
        if verdict is None:
            break
        told.append(None if verdict == Verdict.UNSURE else verdict == Verdict.ACCEPT)
    return estimate(told, last.population)
