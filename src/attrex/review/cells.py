"""What is reviewed: cells with a proposal, what became of them, and what people decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from attrex.types import Value


class Kind(StrEnum):
    """Why a person should look at a cell."""

    DOUBTFUL = "doubtful"  #: blank, and what was found is not sure enough to be filled in, or no word of the shop's
    DIFFERS = "differs"  #: the shop says that there is no value, and one was found
    CONFLICT = "conflict"  #: the shop's value is probably wrong: something else was found, and nothing that agrees
    SURE = "sure"  #: filled in; drawn at random, to measure how right such cells are


class Verdict(StrEnum):
    """What a person says of a proposal."""

    ACCEPT = "accept"  #: it is the cell's value
    CORRECT = "correct"  #: the cell's values are others, which the person names
    REJECT = "reject"  #: it is wrong; the cell stays as it is
    DOES_NOT_APPLY = "does_not_apply"  #: the product has no value of the attribute
    UNSURE = "unsure"  #: cannot be told


@dataclass(frozen=True, slots=True)
class Option:
    """A further value that a person may choose."""

    value: str
    confidence: float  #: 0..1

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, slots=True)
class ProposedCell:
    """A cell that a person should look at, with all that they need to decide."""

    product: str  #: its id
    attribute: str
    kind: Kind
    proposal: tuple[str, ...]  #: the values proposed, in the shop's words
    cell: tuple[str, ...] | None  #: what the shop has; None: blank; empty: the shop says that there is none
    confidence: float  #: of the proposal, 0..1; of several values the lowest
    risk: float  #: how probable it is that the cell as it stands now is wrong, 0..1; it ranks
    found: Value | None = None  #: what the proposal stands on: words, regions of the photos
    options: tuple[Option, ...] = ()  #: the next best values, surest first
    fields: Mapping[str, str] = field(default_factory=dict)  #: the product's texts
    images: tuple[str, ...] = ()  #: its photos, as the paths of files
    category: str | None = None
    words: str | None = None
    """What the text says that the proposal stands on, as the shop's words are compared; None: it does not say it."""

    @property
    def order(self) -> float:
        """The place of a cell of the sample in its order: the higher, the earlier. Random, and always the same."""
        said = json.dumps([self.product, self.attribute]).encode()
        return int.from_bytes(hashlib.blake2b(said, digest_size=6, salt=b"sample").digest()) / 2**48

    @property
    def same_key(self) -> str | None:
        """Equal for the cells that one decision settles: the same words, in cells that say the same."""
        if not self.words:
            return None
        said = json.dumps([self.attribute, self.words, None if self.cell is None else sorted(self.cell)])
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Population:
    """The sure cells that a sample was drawn from."""

    size: int  #: how many there are, without those that a person had decided before
    digest: str  #: equal for the same cells with the same proposals: of the same run


@dataclass(frozen=True, slots=True)
class Added:
    """What became of cells that were given to a store."""

    new: int = 0
    updated: int = 0  #: were there, open, and have another proposal now
    kept: int = 0  #: were there with the same proposal, or are decided or in somebody's hands: left as they are
    withdrawn: int = 0  #: open ones of the run's products that it proposes nothing for any more

    def __add__(self, other: Added) -> Added:
        return Added(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ReviewCell:
    """A cell in the store."""

    id: int
    proposed: ProposedCell
    same: int = 1  #: open cells that a decision on these words would settle, this one among them
    verdict: Verdict | None = None  #: None: nobody has decided
    values: tuple[str, ...] | None = None  #: what the cell has, decided; empty: none; None: not known
    decision: int | None = None  #: its number
    settled: int = 1  #: cells that the decision settled; of several, by their words
    reviewer: str | None = None  #: who decided
    decided_at: float | None = None  #: seconds since 1970
    claimed_by: str | None = None  #: who is looking at it
    claimed_until: float | None = None  #: seconds since 1970

    def to_json(self) -> dict[str, Any]:
        """For a page; what is empty is left in, so that every cell has the same keys."""
        p = self.proposed
        return {
            "id": self.id,
            "product": p.product,
            "attribute": p.attribute,
            "kind": p.kind.value,
            "proposal": list(p.proposal),
            "cell": None if p.cell is None else list(p.cell),
            "confidence": round(p.confidence, 4),
            "words": p.words,
            "found": p.found and p.found.to_json(),
            "options": [option.to_json() for option in p.options],
            "fields": dict(p.fields),
            "images": len(p.images),  # a page asks for them by number: no path leaves the host
            "category": p.category,
            "same": self.same,
            "verdict": self.verdict and self.verdict.value,
            "values": None if self.values is None else list(self.values),
            "decision": self.decision,
            "reviewer": self.reviewer,
            "decided_at": time_text(self.decided_at),
            "claimed_by": self.claimed_by,
            "claimed_until": time_text(self.claimed_until),
        }


@dataclass(frozen=True, slots=True)
class SameWords:
    """The other cells that the same decision would settle: to be shown before it is applied."""

    words: str  #: as they are compared
    ids: tuple[int, ...]  #: of the other cells; give those that were shown to :meth:`ReviewStore.decide`
    examples: tuple[ReviewCell, ...]  #: the first few of them

    def to_json(self) -> dict[str, Any]:
        return {"words": self.words, "ids": list(self.ids), "examples": [cell.to_json() for cell in self.examples]}


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's verdict, on one cell or on all cells with the same words."""

    id: int
    cell: int  #: id of the cell that was looked at
    reviewer: str
    verdict: Verdict
    values: tuple[str, ...] | None  #: as :attr:`ReviewCell.values`
    time: float  #: seconds since 1970
    cells: int = 1  #: how many it settled
    left: int = 0  #: of the cells that were shown, those that somebody else has or has decided meanwhile

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "cell": self.cell,
            "reviewer": self.reviewer,
            "verdict": self.verdict.value,
            "values": None if self.values is None else list(self.values),
            "time": time_text(self.time),
            "cells": self.cells,
            "left": self.left,
        }


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of a decision's cells."""

    decision: int
    cell: int  #: id of the one that was looked at
    cells: int  #: that are open again
    touched: int  #: that somebody has undone or decided anew since, and are left as they are

    def to_json(self) -> dict[str, Any]:
        return {"decision": self.decision, "cell": self.cell, "cells": self.cells, "touched": self.touched}


class State(IntEnum):
    """Where a cell is on its way."""

    OPEN = 0
    DECIDED = 1
    WITHDRAWN = 2  #: a later run proposes nothing for it any more, and nobody had decided


class Act(StrEnum):
    """What happened to a cell."""

    ADDED = "added"
    UPDATED = "updated"  #: another run proposes something else, before anybody had decided
    WITHDRAWN = "withdrawn"  #: another run proposes nothing any more
    DECIDED = "decided"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a cell's history."""

    time: float  #: seconds since 1970
    act: Act
    reviewer: str | None = None
    verdict: Verdict | None = None
    values: tuple[str, ...] | None = None
    decision: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "time": time_text(self.time),
            "act": self.act.value,
            "reviewer": self.reviewer,
            "verdict": self.verdict and self.verdict.value,
            "values": None if self.values is None else list(self.values),
            "decision": self.decision,
        }


def time_text(seconds: float | None) -> str | None:
    """As files and pages have it: ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
