"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Images = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, help="Directory where relative image paths start; default: the data file's."
    ),
]
Fields = Annotated[str | None, typer.Option(help="Text columns in reading order, e.g. title,description.")]
Columns = Annotated[
    Path | None, typer.Option(help="YAML file that says which columns hold what (see docs/data.md), e.g. `id: sku`.")
]
Split = Annotated[str | None, typer.Option(help="Split of a directory or data set, e.g. train.")]
Limit = Annotated[int | None, typer.Option(help="Only the first so many products.", min=1)]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a setting, e.g. --set training.epochs=2.")]
BatchSize = Annotated[int | None, typer.Option(help="Rows per batch; default: the model's.", min=1)]
NoPhotos = Annotated[bool, typer.Option("--no-photos", help="Read the texts only.")]
