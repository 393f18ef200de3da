"""The command line: parse, call, print. Heavy imports live inside the commands, so that --help is quick."""

from __future__ import annotations

import errno
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType
from typing import Annotated, Any

import typer

from attrex import __version__
from attrex.cli import asking, completing, inputs, jobs, labels, measuring, reviewing, serving, training, using
from attrex.cli.console import fail, guard_terminal, note, progress
from attrex.cli.help import Command, Group, name_values
from attrex.cli.weights import weights_command
from attrex.errors import AttrexError, printable
from attrex.io.atomic import NO_SPACE

COMMANDS = {
    "All at once": (completing.complete_command,),
    "Label and check": (
        labels.photos_command,
        labels.check_command,
        labels.locate_command,
        labels.convert_command,
        labels.lexicon_command,
        labels.ocr_command,
    ),
    "Train": (
        training.train_command,
        training.distill_command,
        training.pretrain_command,
        training.demo_command,
    ),
    "Use": (
        using.extract_command,
        using.fill_command,
        using.report_command,
        using.export_command,
        using.push_command,
        serving.serve_command,
    ),
    "At scale": (jobs.run_command, jobs.merge_command),
    "Measure": (
        measuring.evaluate_command,
        measuring.calibrate_command,
        measuring.compare_command,
        measuring.benchmark_command,
    ),
    "Look up": (training.systems_command, training.settings_command, weights_command),
}
"""Heading in --help -> the functions of the commands, each named after its command."""
FULL = ("No space left on device", "os error 28", "os error 122", "os error 27", "inline_container.cc")
"""What safetensors, tokenizers and torch say of a full disk, quota or file, as errors of no kind of their own."""
RESUMABLE = ("train", "distill", "pretrain", "extract", "ocr")


class LogFormat(StrEnum):
    """How messages beside the results are written."""

    TEXT = "text"
    JSON = "json"


def with_options(message: str, command: Any) -> str:
    """An error of the library with the command's options in place of arguments: --min-confidence, not min_confidence.

    Arguments are written as ``name=True`` or in backticks; those of several words also as they are.
    """
    options = {p.name: p.opts[0] for p in command.params if p.param_type_name == "option"} | {
        p.opts[0].removeprefix("--"): p.opts[0] for p in command.params if p.param_type_name == "option"
    }

    def option(match: re.Match[str]) -> str:
        return options.get(next(name for name in match.groups() if name), match[0])

    return re.sub(r"`(\w+)`|\b(\w+)=True\b|\b([a-z]+(?:_[a-z]+)+)\b", option, message)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which a job's scheduler or `docker stop` sends: ends like Ctrl-C, with what is finished kept."""


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is tidied up now is not interrupted once more
    raise Terminated


@contextmanager
def _ending_by_signal() -> Iterator[None]:
    """SIGTERM raises :class:`Terminated` in the block; only the main thread can ask for that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


_USAGE_ERRORS: tuple[Any, ...] = typer.BadParameter.__bases__
"""Of arguments and options; typer prints them itself."""


class Commands(Group):
    """Errors about the user's input are one line, not a traceback, and end with code 2."""

    def invoke(self, ctx: Any) -> Any:
        with _ending_by_signal():
            return self._invoke(ctx)

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _USAGE_ERRORS as exc:  # they quote arguments, and a shell makes arguments of names of files
            exc.message = printable(exc.message)
            raise
        except AttrexError as exc:
            command = self.commands.get(ctx.invoked_subcommand)
            fail(with_options(str(exc), command) if command else str(exc))
        except OSError as exc:  # disk full, no right to write there ...
            if exc.errno == errno.EPIPE:  # `attrex settings | head`
                raise
            said = f"{exc.strerror}: {exc.filename}" if exc.strerror and exc.filename else str(exc)
            fail(said + _room_first(ctx.invoked_subcommand) if exc.errno in NO_SPACE else said)
        except Exception as exc:
            if not any(words in str(exc) for words in FULL):
                raise
            fail(f"no space left to write a model: {str(exc).splitlines()[0]}{_room_first(ctx.invoked_subcommand)}")
        except KeyboardInterrupt as exc:
            terminated = isinstance(exc, Terminated)
            note(f"{'terminated' if terminated else 'interrupted'}; {_way_on(ctx.invoked_subcommand)}")
            raise typer.Exit(143 if terminated else 130) from None


def _room_first(command: str) -> str:
    return f"; free some space there; {_way_on(command)}"


def _way_on(command: str) -> str:
    """How to continue a command that did not come to its end."""
    if command in RESUMABLE:
        return "finished work is kept: run the same command with --resume to continue"
    if command in ("complete", "photos", "run"):
        return "finished work is kept: run the same command to continue"
    return "run the same command to start again"


app = typer.Typer(
    name="attrex",
    cls=Commands,
    help="Fill a shop's attribute table from product titles, descriptions and photos, with evidence for every value.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "ATTREX"},  # ATTREX_RUN_WORKERS=4 is --workers 4 of `attrex run`
)
for heading, commands in COMMANDS.items():
    for command in commands:
        name_values(command)
        name = command.__name__.removesuffix("_command")
        app.command(name, cls=Command, rich_help_panel=heading)(command)
app.add_typer(asking.ask_app, name="ask", rich_help_panel="Train")
app.add_typer(reviewing.review_app, name="review", rich_help_panel="Use")


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"attrex {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_tell_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="Print results and errors only.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option(metavar="FORMAT", help="Messages beside the results: text, or json, an object a line.")
    ] = LogFormat.TEXT,
    allow_code: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="A class that a model may name as its own, package.module:Class; its code is run. May be repeated.",
        ),
    ] = None,
) -> None:
    """What goes before the command."""
    progress.quiet, progress.json_lines = quiet, log_format is LogFormat.JSON
    inputs.allowed[:] = allow_code or ()


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the process with the command's exit code."""
    guard_terminal()
    app(arguments)
