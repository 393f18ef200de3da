"""The command line: parse, call, print. Heavy imports live inside the commands, so that --help is quick."""

from __future__ import annotations

import errno
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from attrex import __version__
from attrex.cli import labels, measuring, training, using
from attrex.cli.console import fail, note, progress
from attrex.cli.weights import weights
from attrex.errors import AttrexError

COMMANDS = (
    labels.check,
    labels.locate,
    labels.lexicon,
    labels.ocr,
    training.train,
    training.pretrain,
    measuring.evaluate,
    measuring.compare,
    using.extract,
    using.fill,
    using.export,
    using.report,
    measuring.benchmark,
    training.demo,
    training.systems,
    training.settings,
    weights,
    using.push,
)


class LogFormat(StrEnum):
    """How messages beside the results are written."""

    TEXT = "text"
    JSON = "json"


class Commands(TyperGroup):
    """Errors about the user's input are one line, not a traceback, and end with code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AttrexError as exc:
            fail(str(exc))
        except OSError as exc:  # disk full, no right to write there ...
            if exc.errno == errno.EPIPE:  # `attrex settings | head`
                raise
            fail(f"{exc.strerror}: {exc.filename}" if exc.strerror and exc.filename else str(exc))
        except KeyboardInterrupt:
            resumable = ctx.invoked_subcommand in ("train", "pretrain", "extract", "ocr")
            note("interrupted" + ("; what was finished is kept, go on with --resume" if resumable else ""))
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
for command in COMMANDS:
    app.command()(command)


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"attrex {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="Messages beside the results: text, or json: an object a line.")
    ] = LogFormat.TEXT,
    allow_code: Annotated[
        list[str] | None,
        typer.Option(
            metavar="package.module:Class",
            help="A class that a model may name as its system, fusion or guidance; it is run. May be repeated.",
        ),
    ] = None,
) -> None:
    """What goes before the command."""
    progress.quiet, progress.json_lines = quiet, log_format is LogFormat.JSON


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the process with the command's exit code."""
    app(arguments)
