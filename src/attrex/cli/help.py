"""How --help looks: words that a person knows in place of types, and no type where the name says it all."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from typer.core import TyperCommand, TyperGroup
from typer.models import ArgumentInfo

WORDS = {bool: "", int: "NUMBER", float: "NUMBER", Path: "FILE", str: "TEXT"}
"""Type of an option -> what is shown for its value, where the option names nothing else; a switch takes none."""


def name_values(command: Callable[..., None]) -> None:
    """Give each argument and option of a command a readable metavar, where it has none."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    command.__annotations__ = {p.name: p.annotation for p in parameters}  # evaluated once: what is set below stays
    for parameter in parameters:
        kind, info = get_args(parameter.annotation)[:2]
        if info.metavar is None:
            plain = next((k for k in (kind, *get_args(kind)) if k in WORDS), None)
            info.metavar = parameter.name.upper() if isinstance(info, ArgumentInfo) else WORDS.get(plain)  # type: ignore[arg-type]


class _Plain:
    """Help without types."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option:
            option.metavar = ""
        return option


class Command(_Plain, TyperCommand):
    """A command whose arguments stand in the usage line and in the help by their names alone."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in str(self.help).split("\n\n"))
        for parameter in self.params:
            if hasattr(parameter, "show_envvar"):
                parameter.show_envvar = False  # every option has one, of its name
            if parameter.param_type_name == "argument":
                setattr(parameter, "display_type_rich", lambda ctx: "")  # noqa: B010 (a method of typer's)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [p for p in self.params if p.param_type_name == "argument"]
        names = [f"{p.metavar}{'...' if p.nargs != 1 and ' ' not in str(p.metavar) else ''}" for p in arguments]
        return [*names, str(self.options_metavar)]


class Group(_Plain, TyperGroup):
    """The commands together."""
