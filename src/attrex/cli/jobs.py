"""Commands for catalogues that outgrow one process: run, merge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from attrex import pipeline
from attrex.cli.console import complain, console, note, progress
from attrex.cli.inputs import allowed
from attrex.cli.options import (
    BatchSize,
    Deterministic,
    ModelArgument,
    NoPhotos,
    SourceOptions,
    Threshold,
    reads_products,
)
from attrex.errors import ConfigError

STREAM = "-"


@reads_products("limit", remote=True)
def run_command(
    model: ModelArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Products: a file, a folder, a pattern in quotes, an address (s3://...); - is a pipe."
        ),
    ],
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder or address of the results; - is a pipe.")],
    workers: Annotated[
        int | None, typer.Option(help="Processes, each on one core; default: one for each core.", min=1)
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only the I-th share of N, for a scheduler that gives them out.")
    ] = None,
    shard_rows: Annotated[int | None, typer.Option(help="Rows of a shard; default: 2048.", min=1)] = None,
    redo: Annotated[
        bool, typer.Option("--redo", help="Do again the shards whose input, model or options have changed.")
    ] = False,
    long: Annotated[bool, typer.Option("--long", help="Parquet with a row for each value, for SQL.")] = False,
    wide: Annotated[bool, typer.Option("--wide", help="Parquet with a column for each attribute.")] = False,
    min_confidence: Annotated[
        float | None,
        typer.Option(help="Values with a lower one are listed, not filled in; default: 0.5.", min=0, max=1),
    ] = None,
    fill_precision: Annotated[
        float | None,
        typer.Option(help="Share of what is filled in that has to be right, as of attrex fill.", min=0, max=1),
    ] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="With --fill-precision: one limit for attributes with few held-out cells.")
    ] = False,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Fill only words that the model knows from its training.")
    ] = False,
    threshold: Threshold = None,
    no_photos: NoPhotos = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Keep which regions of the photos were looked at.")
    ] = False,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="torch for a model, onnx for an export, auto: what MODEL is.")
    ] = "auto",
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of torch: fp32, bf16, or auto: bf16 where the processor has it.")
    ] = None,
    batch_size: BatchSize = None,
    deterministic: Deterministic = False,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="local: processes of this machine; ray: workers of a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of Ray's cluster, e.g. auto; default: one is started on this machine."),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Counts for Prometheus, written anew after each shard.")
    ] = None,
    *,
    source: SourceOptions,
) -> None:
    """Extract, name and fill a big catalogue, shard by shard.

    Stopped or killed, the same command goes on with what is not finished. Each option can be given as ATTREX_RUN_NAME.

    Example: [bold]attrex run demo/work/model "shop/*.csv" --out results[/]
    """
    if (long and wide) or (STREAM in (data, out) and (long or wide)):
        raise ConfigError("a job writes one form of files, and a pipe rows of JSON; give --long, --wide, or neither")
    shop = source.shop_of(model)
    how: dict[str, Any] = {
        "min_confidence": min_confidence,
        "fill_precision": fill_precision,
        "pool": pool,
        "backend": backend,
        "precision": precision,
        "deterministic": deterministic,
        "batch_size": batch_size,
        "threshold": threshold,
        "photos": not no_photos,
        "evidence": evidence,
        "known_only": known_only,
    }
    place: dict[str, Any] = {
        "shop": shop,
        "images": source.images,
        "allow_outside": source.allow_outside,
        "allow_code": allowed,
    }
    if STREAM in (data, out):
        if data != out:
            raise ConfigError(f"a pipe has two ends: give - as INPUT and as --out, got {data!r} and {out!r}")
        source.opened.append(pipeline.run_stream(model, sys.stdin.buffer, sys.stdout.buffer, **place, **how))
        return
    result = pipeline.run(
        model,
        data,
        out,
        **place,
        **how,
        split=source.split,
        dialect=source.dialect,
        workers=workers,
        shard=shard,
        shard_rows=shard_rows,
        redo=redo,
        form="long" if long else "wide" if wide else "rows",
        metrics=metrics,
        engine=engine,
        address=address,
        progress=progress,
    )
    source.opened.append(result)
    console.print(
        f"{result.rows:,} products in {result.shards:,} shards ({result.skipped:,} were finished before), "
        f"{result.values:,} values, {result.filled:,} cells filled; {result.tally.unreadable:,} rows that could not be "
        "read (marked in the output)",
        soft_wrap=True,
    )
    if result.failed:
        complain(f"{len(result.failed)} shards could not be finished:\n  " + "\n  ".join(result.failed))
        raise typer.Exit(1)
    note(f"results: {out}")


def merge_command(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="What attrex run wrote.")],
    out: Annotated[
        str, typer.Option(metavar="FILE", help="One file of the same kind: .jsonl, or .parquet of --long and --wide.")
    ],
    errors: Annotated[
        str | None, typer.Option(metavar="FILE", help="The rows that could not be read, and why, .jsonl.")
    ] = None,
) -> None:
    """Put the files of a finished job together.

    Refused if a shard is missing, double, changed, or of another input, model or other options.

    Example: [bold]attrex merge results --out values.jsonl[/]
    """
    merged = pipeline.merge(directory, out, errors=errors, progress=progress)
    console.print(
        f"{merged.rows:,} products of {merged.shards:,} shards, none missing and none double; {merged.bad_rows:,} rows "
        "could not be read",
        soft_wrap=True,
    )
    note(f"values: {merged.path}")
