"""The command that serves a model over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrex import pipeline
from attrex.cli.inputs import allowed
from attrex.cli.options import ModelArgument


def serve_command(
    model: ModelArgument,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; anything but this machine needs --tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes, each with the model.", min=1)] = 1,
    tokens: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who may ask: bearer tokens, one a line.", dir_okay=False)
    ] = None,
    photos_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Fetch photos that products name at this address, e.g. https://cdn.shop.com. May be repeated.",
        ),
    ] = None,
    review: Annotated[
        str | None,
        typer.Option(metavar="STORE", help="Also serve this review store: a file, or postgresql://user@host/name."),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also show what a run made of the table: the folder of `attrex complete`, or of `attrex fill` with "
            "report.json and changes.csv.",
        ),
    ] = None,
    queue: Annotated[int, typer.Option(help="Products that may wait; more are told to come later.", min=1)] = 2000,
    max_products: Annotated[int, typer.Option(help="Products of a request.", min=1)] = 500,
    max_body: Annotated[int, typer.Option(help="Megabytes of a request.", min=1)] = 32,
    answer_seconds: Annotated[float, typer.Option(help="How long a request may wait for its batches.", min=1)] = 60.0,
    grace_seconds: Annotated[
        float, typer.Option(help="After SIGTERM, for the requests that were accepted.", min=1)
    ] = 60.0,
    log_texts: Annotated[
        bool, typer.Option("--log-texts", help="Write what was asked into the log; by default no text is in it.")
    ] = False,
) -> None:
    """Answer requests over HTTP, and show pages to try the model.

    SIGTERM finishes what was accepted; SIGHUP takes the model anew from its directory. The log is an object a line.

    Example: [bold]attrex serve demo/work/model[/]
    """
    from attrex.server.settings import Limits, MiB, ServerSettings, read_tokens

    limits = Limits(
        body_bytes=max_body * MiB,
        bodies_bytes=max(8 * max_body * MiB, Limits().bodies_bytes),
        products=min(max_products, queue),
        queue=queue,
        answer_seconds=answer_seconds,
    )
    settings = ServerSettings(
        host=host,
        port=port,
        workers=workers,
        tokens=read_tokens(tokens) if tokens else (),
        photo_origins=tuple(photos_from or ()),
        reviews=review,
        catalogue=catalogue,
        log_texts=log_texts,
        grace_seconds=grace_seconds,
        limits=limits,
    )
    pipeline.serve(model, settings, allow_code=allowed)
