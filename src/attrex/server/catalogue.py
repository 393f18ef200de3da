"""What a run of fill made of a shop's table, as the page on the catalogue shows it: figures, and the cells behind them.

The page is fed by the files that the run wrote: its report, and its list of changes. A limit for a precision is chosen
on the held-out cells of the model that is served, and counted in the list of changes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, Request
from pydantic import Field, StrictStr
from starlette.responses import Response

from attrex.errors import CheckpointError, ConfigError, DataError, kind_of, short
from attrex.filling.fill import Outcome
from attrex.inference.selection import DIGITS, HeldOut, load_held_out
from attrex.io.files import file_rows
from attrex.plain_json import load_json, whole_characters
from attrex.server.bodies import JSON
from attrex.server.described import describe
from attrex.server.guard import guarded
from attrex.server.refusals import dumps
from attrex.server.reviewing import Form, add_action
from attrex.server.settings import Limits

if TYPE_CHECKING:
    from attrex.server.service import Service

PRECISIONS = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
"""What the dial can be set to."""
FIGURES = ("before", "after", "filled", "blank", "left", "conflicts")
"""Of an attribute in the report, in cells."""
MOST = 100  #: cells that are listed at once
KINDS = ("filled", "left", "conflicts", "unknown")
_FILLABLE = (Outcome.FILLED, Outcome.BELOW)


class Cells(Form):
    """The cells behind a figure: filled and left ones least and most sure first, contradicted ones most sure first."""

    attribute: StrictStr
    kind: Literal["filled", "left", "conflicts", "unknown"]
    offset: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 0
    limit: Annotated[int, Field(strict=True, ge=1, le=MOST)] = 50


class Changes:
    """A file of changes, in a database of this process: the surest find of each cell, and all that were filled in.

    Raises :class:`DataError` for a file that is no list of changes.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._db = sqlite3.connect("", check_same_thread=False)  # on disk where it is large, gone with the process
        self._db.execute(
            "CREATE TABLE found (product, attribute, kind, fillable, cell, value, known, confidence, text, decided_by)"
        )
        self._db.executemany("INSERT INTO found VALUES (?,?,?,?,?,?,?,?,?,?)", _surest(path))
        self._db.execute("CREATE INDEX listed ON found (attribute, kind, confidence)")

    def listed(self, asked: Cells) -> dict[str, Any]:
        order = "ASC" if asked.kind == "filled" else "DESC"
        with self._lock:
            where = "FROM found WHERE attribute = ? AND kind = ?", (asked.attribute, asked.kind)
            (total,) = self._db.execute(f"SELECT count(*) {where[0]}", where[1]).fetchone()
            rows = self._db.execute(
                f"SELECT product, cell, value, known, confidence, text, decided_by {where[0]} "
                f"ORDER BY confidence {order}, rowid LIMIT ? OFFSET ?",
                (*where[1], asked.limit, asked.offset),
            ).fetchall()
        names = ("product", "cell", "value", "known", "confidence", "text", "decided_by")
        return {"total": total, "cells": [dict(zip(names, row, strict=True)) for row in rows]}

    def fillable(self) -> dict[str, np.ndarray]:
        """Attribute -> confidences of the surest finds in blank cells."""
        with self._lock:
            rows = self._db.execute("SELECT attribute, confidence FROM found WHERE fillable ORDER BY attribute")
            found: dict[str, list[float]] = {}
            for attribute, confidence in rows:
                found.setdefault(attribute, []).append(confidence)
        return {attribute: np.array(sure).round(DIGITS) for attribute, sure in found.items()}


def _surest(path: Path) -> Iterator[tuple[Any, ...]]:
    before: tuple[str, str] | None = None
    for row in file_rows(path):
        if row.values is None:
            raise DataError(f"{path} line {row.number}: expected a row of a list of changes, got: {row.error}")
        try:
            said = {key: row.values[key] for key in ("id", "attribute", "outcome", "value", "confidence")}
            outcome, confidence = Outcome(said["outcome"]), float(said["confidence"])
            cell, known = _text(row.values.get("cell")), str(row.values.get("known")).lower() == "true"
        except (KeyError, ValueError, TypeError) as exc:
            raise DataError(
                f"{path} line {row.number}: expected what attrex fill --changes writes, got a row without a good {exc}"
            ) from None
        key = str(said["id"]), str(said["attribute"])
        is_surest, before = key != before, key
        if not is_surest and outcome != Outcome.FILLED:
            continue
        is_contradicted = outcome == Outcome.DIFFERS and cell
        kind = {Outcome.FILLED: "filled", Outcome.UNKNOWN: "unknown"}.get(outcome)
        kind = "left" if outcome == Outcome.BELOW and not cell else "conflicts" if is_contradicted else kind
        fillable = is_surest and outcome in _FILLABLE and not cell
        text, by = (row.values.get(key) or None for key in ("text", "decided_by"))
        words = (cell, str(said["value"]), known, confidence, text and str(text), by and str(by))
        yield tuple(map(whole_characters, (*key, kind, fillable, *words)))


def _text(cell: Any) -> str:
    return ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell or "")


@dataclass
class Catalogue:
    """A run's figures by attribute, and its cells where there is a list of changes."""

    report: Mapping[str, Any]
    changes: Changes | None
    _dials: dict[str, Any] = field(default_factory=dict)  #: hash of a model -> what limits of it buy

    @classmethod
    def load(cls, folder: str | Path) -> Catalogue:
        """From what a run wrote: a folder with ``report.json`` of fill or ``complete.json`` of complete, and with
        ``changes.csv`` or ``changes.jsonl``; or the report alone.

        Raises :class:`ConfigError` where nothing is there, :class:`DataError` for what is none of these.
        """
        folder = Path(folder)
        names = [folder] if folder.is_file() else [folder / name for name in ("report.json", "complete.json")]
        report = next((path for path in names if path.is_file()), None)
        if report is None:
            raise ConfigError(
                f"{folder}: expected a folder with report.json, of attrex fill --report, or with complete.json, of "
                "attrex complete; found neither"
            )
        lists = [report.with_name(f"changes.{kind}") for kind in ("csv", "jsonl")]
        changes = next((path for path in lists if path.is_file()), None)
        return cls(_read_report(report), Changes(changes) if changes else None)

    def facts(self, model: Path, digest: str) -> dict[str, Any]:
        """All that the page shows at first; limits are chosen with the model of a directory, and kept by its hash."""
        if digest not in self._dials:
            self._dials = {digest: self._dial(model)}
        return {**self.report, "listed": self.changes is not None, "dial": self._dials[digest]}

    def _dial(self, model: Path) -> list[dict[str, Any]] | None:
        """What each precision buys, by the model's held-out cells; None: it has none, or there is no list of cells."""
        try:
            held_out = load_held_out(model)
        except CheckpointError:
            return None
        return None if self.changes is None else list(_bought(held_out, self.changes.fillable()))


def _bought(held_out: HeldOut, found: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    for precision in PRECISIONS:
        limits = {a: c.threshold for a, c in held_out.cutoffs(precision).items()}
        attributes = {a: _filled(sure, limits.get(a)) for a, sure in found.items()}
        filled, finds = sum(one["filled"] for one in attributes.values()), sum(map(len, found.values()))
        yield {"precision": precision, "filled": filled, "left": finds - filled, "attributes": attributes}


def _filled(sure: np.ndarray, limit: float | None) -> dict[str, Any]:
    return {"limit": limit, "filled": 0 if limit is None else int((sure >= limit).sum())}


def _read_report(path: Path) -> dict[str, Any]:
    wanted = f"{path}: expected the report of attrex fill --report, or the record of attrex complete"
    try:
        found = load_json(path.read_text(encoding="utf-8"))
        if path.name == "complete.json":
            found = found["done"]["fill"]["cells"]
        attributes = [
            {"attribute": name, **{key: _count(row[key]) for key in FIGURES}, "agreement": _share(row["agreement"])}
            for name, row in found["attributes"].items()
        ]
        facts = {key: _count(found[key]) for key in ("products", "errors", "filled")}
        return whole_characters({**facts, "expected": _share(found["expected"]), "attributes": attributes})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        what = f"no {short(exc.args[0])} in it" if isinstance(exc, KeyError) else str(exc)
        raise DataError(f"{wanted}, got something else: {what}") from None


def _count(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError(f"a number of cells should be 0 or more, got {short(number)}")
    return number


def _share(number: Any) -> float | None:
    if number is not None and (isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1):
        raise ValueError(f"a share should be between 0 and 1, got {kind_of(number)} {short(number)}")
    return None if number is None else float(number)


def add_catalogue(app: FastAPI, catalogue: Catalogue, service: Service, limits: Limits) -> None:
    """The addresses of a catalogue: /v1/catalogue and the cells behind its figures."""

    async def facts(request: Request) -> Response:
        loaded = service.loaded
        found = await asyncio.to_thread(catalogue.facts, loaded.directory, loaded.hash)
        return Response(dumps(found | {"review": service.settings.reviews is not None}), media_type=JSON)

    path = "/v1/catalogue"
    app.add_api_route(path, guarded(facts), methods=["GET"], response_model=None, **describe(path))
    if catalogue.changes is not None:
        add_action(app, f"{path}/cells", Cells, catalogue.changes.listed, limits, service.bodies)
