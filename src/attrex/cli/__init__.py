"""The command line: parse, call, print. Heavy imports live inside the commands, so that --help is quick."""

from __future__ import annotations

import errno
import re
from enum import StrEnum
from typing import Annotated, Any

import typer

from attrex import __version__
from attrex.cli import inputs, labels, measuring, training, using
from attrex.cli.console import fail, note, progress
from attrex.cli.help import Command, Group, name_values
from attrex.cli.weights import weights_command
from attrex.errors import AttrexError

COMMANDS = {
    "Label and check": (
        labels.photos_command,
        labels.check_command,
        labels.locate_command,
        labels.lexicon_command,
        labels.ocr_command,
    ),
    "Train": (training.train_command, training.pretrain_command, training.demo_command),
    "Use": (
        using.extract_command,
        using.fill_command,
        using.report_command,
        using.export_command,
        using.push_command,
    ),
    "Measure": (
        measuring.evaluate_command,
        measuring.calibrate_command,
        measuring.compare_command,
        measuring.benchmark_command,
    ),
    "Look up": (training.systems_command, training.settings_command, weights_command),
}
"""Heading in --help -> the functions of the commands, each named after its command."""
RESUMABLE = ("train", "pretrain", "extract", "ocr")


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


class Commands(Group):
    """Errors about the user's input are one line, not a traceback, and end with code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AttrexError as exc:
            command = self.commands.get(ctx.invoked_subcommand)
            fail(with_options(str(exc), command) if command else str(exc))
        except OSError as exc:  # disk full, no right to write there ...
            if exc.errno == errno.EPIPE:  # `attrex settings | head`
                raise
            fail(f"{exc.strerror}: {exc.filename}" if exc.strerror and exc.filename else str(exc))
        except KeyboardInterrupt:
            if ctx.invoked_subcommand in RESUMABLE:
                note("interrupted; finished work is kept: run the same command with --resume to continue")
            else:
                note("interrupted; run the same command to start again")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="attrex",
    cls=Commands,
    help="Fill a shop's attribute table from product titles, descriptions and photos, with evidence for every value.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for heading, commands in COMMANDS.items():
    for command in commands:
        name_values(command)
        name = command.__name__.removesuffix("_command")
        app.command(name, cls=Command, rich_help_panel=heading)(command)


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
    app(arguments)
