"""What annotation files hold: a text, and marks in it, counted as their tool counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """A marked piece of a text, in the offsets of its file."""

    start: int
    end: int
    label: str  #: the attribute
    text: str | None = None  #: what the file says that it marks; None: it does not say
    value: str | None = None  #: the table's value it stands for, where the file keeps it


UNSEEN = "it has no labels, as a text has that nobody has looked at; say complete if somebody has looked at all"
"""A document's warning where a tool's file does not tell the one from the other."""


class Document(NamedTuple):
    """One annotated text."""

    where: str  #: for messages, e.g. ``export.json task 3``
    product: str  #: id
    field: str
    text: str
    marks: tuple[Mark, ...] | None  #: None: nobody has looked, or the answer does not count
    complete: bool | None = None  #: None: the file does not say
    warnings: tuple[str, ...] = ()


@dataclass
class AnnotationReport:
    """What an import has read, and what it did to make every span say what its text says."""

    documents: int = 0
    spans: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """``trimmed`` of spaces, ``widened`` to whole words, ``moved`` to the only place that says the words, ``lost``,
    ``overlapping`` another span"""
    units: Counter[str] = field(default_factory=Counter)  #: how offsets were counted -> documents where it matters
    skipped: Counter[str] = field(default_factory=Counter)  #: reason -> documents whose answer does not count
    remarks: list[str] = field(default_factory=list)  #: what a person should know

    def summary(self) -> str:
        """One line for a person."""
        done = ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()) if n)
        skipped = "; ".join(f"{n} left unlabelled: {reason}" for reason, n in sorted(self.skipped.items()))
        return (
            f"{self.spans:,} spans in {self.documents:,} texts"
            + (f" ({done})" if done else "")
            + (f"; {skipped}" if skipped else "")
        )


class Format(NamedTuple):
    """How one tool's files are read and written."""

    title: str
    read: Callable[[Path], Iterable[Document]]
    write: Callable[[Path, Iterable[Document]], None]  #: of documents whose marks count characters
    units: tuple[str, ...]  #: how its offsets may be counted, the usual way first
    suffixes: tuple[str, ...]  #: of its files; "" where it is a directory
    overlaps: str = ""  #: what to do in the tool, so that it keeps spans that overlap
