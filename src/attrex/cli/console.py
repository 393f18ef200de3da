"""What a person sees: results go to standard output, all else beside it."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from rich.console import Console as RichConsole
from rich.markup import escape
from rich.segment import Segment

from attrex.errors import printable
from attrex.progress import ProgressEvent, duration, track

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

T = TypeVar("T")


class Console(RichConsole):
    """A terminal whose every text passes :func:`~attrex.errors.printable`: a name cannot move its cursor."""

    def render(self, *arguments: Any, **options: Any) -> Iterator[Segment]:
        for segment in super().render(*arguments, **options):
            text, style, control = segment
            yield segment if control else Segment(printable(text), style)


console = Console()
notes = Console(stderr=True)
LINES = 20
"""Most lines of a task in a log file: one every 5 % of its steps ..."""
LINE_SECONDS = 2.0
"""... and not before so long has passed: of what is done at once nobody wants to read."""


class ConsoleProgress:
    """Shows progress events: a bar on a terminal, plain lines or JSON objects in a log.

    ``quiet``: errors and results only. ``json_lines``: each message and every 5 % of a task as a JSON object.
    """

    def __init__(self, out: Console, *, quiet: bool = False, json_lines: bool = False) -> None:
        self.out, self.quiet, self.json_lines = out, quiet, json_lines
        self.bar: Bar | None = None
        self.tasks: dict[str, TaskID] = {}
        self.begun: dict[str, tuple[float, int, int, float]] = {}  # task -> seconds, first step, last one told, seconds

    def __call__(self, event: ProgressEvent) -> None:
        if event.message:
            self.message(event.message)
        if not event.task or self.quiet:
            return
        if event.finished:
            self._end(event.task)
        elif self.out.is_terminal and not self.json_lines:
            self._draw(event)
        else:
            self._log(event)

    def message(self, text: str) -> None:
        """One line, as it is: names of files and data may look like markup."""
        if self.json_lines:
            self._write(message=text)
        elif not self.quiet:
            self.out.print(text, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, event: ProgressEvent) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        if self.bar is None:
            self.bar = Bar(
                TextColumn("[bold]{task.description}[/]"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.out,
                transient=True,
            )
            self.bar.start()
        if event.task not in self.tasks:
            self.tasks[event.task] = self.bar.add_task(event.task, total=event.total, facts="")
        self.bar.update(self.tasks[event.task], completed=event.done, total=event.total, facts=event.facts)

    def _log(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        started, first, last, told = self.begun.setdefault(event.task, (now, event.done, event.done, now))
        if not event.total or event.done - last < event.total / LINES or now - told < LINE_SECONDS:
            return
        self.begun[event.task] = started, first, event.done, now
        passed = now - started
        left = passed / (event.done - first) * (event.total - event.done)
        if self.json_lines:
            self._write(
                task=event.task, done=event.done, total=event.total, facts=event.facts, seconds=round(passed, 1)
            )
            return
        facts = f" · {event.facts}" if event.facts else ""
        self.message(
            f"{event.task} {event.done:,} of {event.total:,} ({event.done / event.total:.0%}){facts}"
            f" · {duration(passed)}, {duration(left)} left"
        )

    def _end(self, task: str) -> None:
        self.begun.pop(task, None)
        if self.bar and task in self.tasks:
            self.bar.remove_task(self.tasks.pop(task))
            if not self.tasks:
                self.bar.stop()
                self.bar = None

    def close(self) -> None:
        """Give the terminal back; also after an error or an interrupt."""
        if self.bar:
            self.bar.stop()
            self.bar, self.tasks = None, {}

    def _write(self, **fields: object) -> None:
        self.out.file.write(json_line(fields))


progress = ConsoleProgress(notes)
"""What the commands report to; ``--quiet`` and ``--log-format`` set it."""


def json_line(fields: dict[str, Any]) -> str:
    """An object as a line of a log."""
    return printable(json.dumps(fields, ensure_ascii=False)) + "\n"


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def guard_terminal() -> None:
    """Let nothing reach the terminal raw that is not printed by a command: logs, warnings, tracebacks."""
    if not logging.root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable())
        logging.root.addHandler(handler)
    logging.captureWarnings(True)
    sys.excepthook = _show_traceback


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(printable("".join(traceback.format_exception(kind, error, trace))))


def note(text: str) -> None:
    """A message beside the output."""
    progress.message(text)


def complain(message: str) -> None:
    """An error, also where only results and errors are wanted; the command goes on."""
    if progress.json_lines:
        notes.file.write(json_line({"error": message}))
    else:
        notes.print("[red]error:[/]", escape(message), highlight=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """End the command with an error about what the user gave."""
    complain(message)
    raise typer.Exit(2) from None


def no_bars_in_logs() -> None:
    """transformers draws progress bars wherever it writes; in a log they are noise."""
    from transformers.utils import logging

    if not notes.is_terminal:
        logging.disable_progress_bar()


def with_progress(items: Iterable[T], task: str, done: int = 0) -> Iterator[T]:
    """The items as they come, with a bar on a terminal; ``done`` of them were there before."""
    return track(items, task, progress, done=done)
