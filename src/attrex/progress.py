"""What long work reports: events to a callback. The library prints nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One report: a step of a task, a message worth keeping, or both."""

    task: str = ""  #: what is done, e.g. ``extracting``; empty for a message alone
    done: int = 0  #: steps done so far
    total: int | None = None  #: steps in all, where that is known
    message: str = ""  #: one line, e.g. the score of a validation
    facts: str = ""  #: what is known of the running task, e.g. its loss; replaced by the next event's
    finished: bool = False  #: the task is over


Progress = Callable[[ProgressEvent], None]
"""A callback for :class:`ProgressEvent`."""


def silent(event: ProgressEvent) -> None:
    """The progress that reports nothing."""


def track(items: Iterable[T], task: str, progress: Progress, *, done: int = 0) -> Iterator[T]:
    """The items as they come, each reported as a step; ``done`` of them were there before."""
    total = done + len(items) if isinstance(items, Sized) else None
    for number, item in enumerate(items, done):
        progress(ProgressEvent(task, number, total))
        yield item
    progress(ProgressEvent(task, finished=True))


def note(progress: Progress, message: str) -> None:
    """Report a message alone."""
    progress(ProgressEvent(message=message))


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `1 h 05 min`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
