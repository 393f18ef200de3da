"""Progress events, and how the command line shows them."""

from __future__ import annotations

import io
import itertools
import json

import pytest
from rich.console import Console

from attrex.cli import console
from attrex.cli.console import ConsoleProgress
from attrex.progress import ProgressEvent, duration, note, silent, track


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at it takes a second."""
    seconds = itertools.count()
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(seconds)))


def shown(*, terminal: bool = False, first: int = 0, **options: bool) -> str:
    """What is written while a task of 200 steps runs, with a message at the end."""
    out = io.StringIO()
    progress = ConsoleProgress(Console(file=out, force_terminal=terminal, width=120), **options)
    for step in range(first, 201):
        progress(ProgressEvent("reading", step, 200, facts="loss 1.5"))
    note(progress, "done with [red]markup[/]")
    progress(ProgressEvent("reading", finished=True))
    return out.getvalue()


def test_items_are_reported_as_they_come() -> None:
    events: list[ProgressEvent] = []
    assert list(track("ab", "reading", events.append, done=3)) == ["a", "b"]
    assert [(e.done, e.total, e.finished) for e in events] == [(3, 5, False), (4, 5, False), (0, None, True)]
    assert list(track(iter("ab"), "reading", silent)) == ["a", "b"]


def test_a_log_gets_a_line_every_twentieth_and_each_message() -> None:
    *steps, last = shown().splitlines()
    assert len(steps) == 20
    assert steps[0] == "reading 10 of 200 (5%) · loss 1.5 · 10 s, 3 min left"
    assert last == "done with [red]markup[/]"


def test_what_is_done_at_once_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.time, "monotonic", lambda: 0.0)
    assert shown().splitlines() == ["done with [red]markup[/]"]


def test_a_resumed_task_counts_from_where_it_resumes() -> None:
    assert shown(first=150).splitlines()[0].startswith("reading 160 of 200 (80%)")


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    out = shown(terminal=True)
    assert "/200" in out
    assert "reading 10 of 200" not in out
    assert out.rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_quiet_says_nothing() -> None:
    assert shown(quiet=True) == ""


def test_a_log_of_json_has_an_object_a_line() -> None:
    rows = [json.loads(line) for line in shown(json_lines=True).splitlines()]
    assert rows[0] == {"task": "reading", "done": 10, "total": 200, "facts": "loss 1.5", "seconds": 10.0}
    assert rows[-1] == {"message": "done with [red]markup[/]"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (7500, "2 h 05 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
