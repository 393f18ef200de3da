"""What a person is told: results go to standard output, all else beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")
console = Console()
notes = Console(stderr=True)


def note(text: str) -> None:
    """For a person, beside the output: as it is, for names of files and data may look like markup."""
    notes.print(text, markup=False, highlight=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """End the command with an error about what the user gave."""
    notes.print("[red]error:[/]", escape(message), highlight=False, soft_wrap=True)
    raise typer.Exit(2) from None


def no_bars_in_logs() -> None:
    """transformers draws progress bars wherever it writes; in a log they are noise."""
    from transformers.utils import logging

    if not notes.is_terminal:
        logging.disable_progress_bar()


def with_progress(items: Iterable[T], what: str, done: int = 0) -> Iterator[T]:
    """The items as they come, with a bar on a terminal; ``done`` of them were before."""
    total = len(items) if isinstance(items, Sized) else None
    with Progress(
        TextColumn(f"[bold]{what}[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,  # in a log it would leave empty lines
    ) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)
