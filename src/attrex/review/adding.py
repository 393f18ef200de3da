"""Adding the cells of a run, in a transaction of the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from attrex.review.cells import Act, Added, Population, ProposedCell, State
from attrex.review.deciding import event_row, parts
from attrex.review.rows import OPEN, content_of
from attrex.review.tables import batches, cells, events, products


def batch_of(c: Connection, population: Population | None, now: float) -> int:
    """The number of what is added: of the last batch, where it is the same run again."""
    size, digest = (population.size, population.digest) if population else (0, "")
    last = c.execute(select(batches).order_by(batches.c.id.desc()).limit(1)).first()
    if last is not None and last.digest == digest:
        return int(last.id)
    return int(c.execute(insert(batches).values(time=now, digest=digest, population=size)).inserted_primary_key[0])  # type: ignore[index]


def add_part(c: Connection, part: Sequence[ProposedCell], batch: int, now: float, changed: set[str]) -> Added:
    numbers = _product_numbers(c, part)
    there = {
        (row.product, row.attribute): row
        for row in c.execute(select(cells).where(cells.c.product.in_(list(set(numbers.values())))))
    }
    new: dict[tuple[int, str], dict[str, Any]] = {}
    updated = kept = 0
    for proposed in part:
        key = numbers[proposed.product], proposed.attribute
        content = content_of(proposed)
        content["priority"] = proposed.order if content["sampled"] else content["risk"]
        row = there.get(key)
        if content["same_key"]:
            changed.add(content["same_key"])
        if row is None:
            kept += key in new
            new.setdefault(key, {"product": key[0], "attribute": key[1], "batch": batch, **content})
        elif row.state == State.DECIDED or (row.claimed_until or 0) > now or _is_same(row, content, batch):
            kept += 1
        else:
            updated += 1
            if row.same_key:
                changed.add(row.same_key)
            c.execute(update(cells).where(cells.c.id == row.id).values(**content, batch=batch, state=State.OPEN))
            c.execute(insert(events).values(event_row(row.id, now, Act.UPDATED)))
    if new:
        c.execute(insert(cells), list(new.values()))
        products_in = list({product for product, _ in new})
        ids = c.execute(select(cells.c.id, cells.c.product, cells.c.attribute).where(cells.c.product.in_(products_in)))
        c.execute(insert(events), [event_row(i, now, Act.ADDED) for i, p, a in ids if (p, a) in new])
    return Added(len(new), updated, kept)


def open_cells(c: Connection, run: Iterable[str], now: float) -> dict[tuple[str, str], int]:
    """(product, attribute) -> number of the open cells of some products that are in nobody's hands."""
    found: dict[tuple[str, str], int] = {}
    free = or_(cells.c.claimed_until.is_(None), cells.c.claimed_until <= now)
    for part in parts(run):
        of_part = select(products.c.name, cells.c.attribute, cells.c.id).join_from(cells, products)
        for name, attribute, i in c.execute(of_part.where(OPEN, free, products.c.name.in_(part))):
            found[name, attribute] = i
    return found


def withdraw(c: Connection, ids: Iterable[int], now: float) -> None:
    for part in parts(ids):
        c.execute(update(cells).where(cells.c.id.in_(part)).values(state=State.WITHDRAWN))
        c.execute(insert(events), [event_row(i, now, Act.WITHDRAWN) for i in part])


def _is_same(row: Any, content: dict[str, Any], batch: int) -> bool:
    proposed = all(row._mapping[name] == content[name] for name in content if name != "priority")
    return proposed and row.state == State.OPEN and (row.batch == batch or not row.sampled)


def _product_numbers(c: Connection, part: Sequence[ProposedCell]) -> dict[str, int]:
    """Product -> its number; texts and photos of one that is there already are those of the last run."""
    of_name = {p.product: p for p in part}
    found = select(products).where(products.c.name.in_(list(of_name)))
    there = {row.name: row for row in c.execute(found)}
    rows = {
        name: {"name": name, "fields": dict(p.fields), "images": list(p.images), "category": p.category}
        for name, p in of_name.items()
    }
    for name, row in there.items():
        if any(row._mapping[key] != value for key, value in rows[name].items()):
            c.execute(update(products).where(products.c.id == row.id).values(rows[name]))
    if new := [rows[name] for name in rows if name not in there]:
        c.execute(insert(products), new)
    return {row.name: row.id for row in c.execute(found)}
