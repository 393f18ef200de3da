"""The command that does the whole job: complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from attrex import pipeline
from attrex.cli.console import console, no_bars_in_logs, note, progress
from attrex.cli.options import All, Preset, Set, SourceOptions, reads_products
from attrex.cli.screens.completing import completion_screen


@reads_products("images", "split")
def complete_command(
    export: Annotated[str, typer.Argument(metavar="EXPORT", help="The shop's export: CSV, XLSX, JSON, XML ...")],
    out: Annotated[Path, typer.Option(help="The same with its blank cells filled; its name ends as EXPORT's does.")],
    photos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory of the photos; default: the export's."),
    ] = None,
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Read photos that the data names anywhere, not only in --photos.")
    ] = False,
    minutes: Annotated[
        float, typer.Option(help="For the training, which does as many passes as fit in. The other steps add to it.")
    ] = pipeline.TRAINING_MINUTES,
    precision: Annotated[
        float | None,
        typer.Option(
            help="Share of what is filled in that has to be right; the rest is left to people. Default: what is more "
            "likely right than wrong is filled in.",
            min=0,
            max=1,
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where everything on the way is kept; default: OUT.work, beside --out."),
    ] = None,
    preset: Preset = "small",
    overrides: Set = None,
    everything: All = False,
    *,
    source: SourceOptions,
) -> None:
    """From a shop's export to one with its blank cells filled.

    Recognises the file, finds its values in the texts, checks them, trains a model on them, extracts, fills the blank
    cells and writes a report. Filled cells are never changed. The same command again continues what was interrupted.

    Example: [bold]attrex complete export.csv --photos photos --out filled.csv[/]
    """
    no_bars_in_logs()
    source = replace(source, images=photos, allow_outside=allow_outside)
    found = pipeline.complete(
        source.products(export, source.shop_of()),
        out,
        minutes=minutes,
        precision=precision,
        work=work,
        config=preset,
        settings=overrides or (),
        progress=progress,
    )
    console.print(completion_screen(found, everything))
    places = {
        "filled": found.filled,
        "every value, and what became of it": found.changes,
        "the page to look at": found.report,
        "the model": found.model,
        "to take the fills back": f"attrex fill --undo {found.changes}",
    }
    for what, path in places.items():
        console.print(f"{what}: {path}", markup=False, highlight=False, soft_wrap=True)
    note(f"next products: attrex extract {found.model} INPUT --out values.jsonl")
