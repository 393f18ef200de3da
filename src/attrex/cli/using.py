"""Commands that use a model and what it finds: extract, fill, export, report, push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrex import pipeline
from attrex.cli.console import console, no_bars_in_logs, note, progress
from attrex.cli.inputs import allowed, part_of
from attrex.cli.options import (
    All,
    BatchSize,
    Deterministic,
    ModelArgument,
    NoPhotos,
    SourceOptions,
    Threshold,
    reads_products,
)
from attrex.cli.outputs import save_json
from attrex.cli.screens.filling import fill_screen, undo_screen
from attrex.errors import ConfigError
from attrex.io.outputs import check_out


@reads_products()
def extract_command(
    model: ModelArgument,
    data: Annotated[str, typer.Argument(metavar="INPUT", help="Products: JSONL, CSV, TSV, Parquet, a directory ...")],
    out: Annotated[Path, typer.Option(help="Where the values go, .jsonl or .parquet.")],
    threshold: Threshold = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Leave out values with a lower confidence.", min=0, max=1)
    ] = None,
    no_photos: NoPhotos = False,
    no_evidence: Annotated[
        bool, typer.Option("--no-evidence", help="Leave out which regions of the photos were looked at.")
    ] = False,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="torch for a model, onnx for an export, auto: what MODEL is.")
    ] = "auto",
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of torch: fp32, bf16, or auto: bf16 where the processor has it.")
    ] = None,
    batch_size: BatchSize = None,
    deterministic: Deterministic = False,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep encoded photos and finds here: the next run reads what has changed."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted extraction.")] = False,
    *,
    source: SourceOptions,
) -> None:
    """Extract attribute values from products.

    Each value comes with its place in the text, its confidence, and the regions of the photo that were looked at. One
    row per product, in order.

    Example: [bold]attrex extract demo/work/model demo/data/test.jsonl --out values.jsonl[/]
    """
    check_out(out, (), data, source.shop, option="--out")
    shop = source.shop_of(model)
    extraction = pipeline.extract(
        model,
        source.products(data, shop),
        out,
        shop=shop,
        threshold=threshold,
        min_confidence=min_confidence,
        photos=not no_photos,
        evidence=not no_evidence,
        backend=backend,
        precision=precision,
        batch_size=batch_size,
        deterministic=deterministic,
        cache=cache,
        resume=resume,
        options=source.record(),
        allow_code=allowed,
        progress=progress,
    )
    counts = extraction.counts
    console.print(
        f"{counts.rows:,} products, {counts.values:,} values; {counts.warnings:,} products with warnings, "
        f"{counts.errors:,} rows that could not be read (marked in the output)",
        soft_wrap=True,
    )
    note(f"values: {out}")


@reads_products("images")
def fill_command(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="The products that were read, with their table.")
    ] = None,
    found: Annotated[
        Path | None, typer.Argument(metavar="VALUES", help="What `attrex extract` found in them: .jsonl or .parquet.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The filled table: TABLE with its blank cells filled where the names end alike; else a row per "
            "product, .csv, .jsonl or .parquet."
        ),
    ] = None,
    changes: Annotated[
        Path | None, typer.Option(help="Every value and what became of it, .csv or .jsonl; --undo reads it.")
    ] = None,
    conflicts: Annotated[
        Path | None, typer.Option(help="Filled cells that are probably wrong, most probably first, .csv or .jsonl.")
    ] = None,
    catalog: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="More products with their table (of splits: train) to learn the shop's words from. May be repeated.",
        ),
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option(help="What the texts call the values, from `attrex locate --mine`.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="The model that read the products: it knows the shop's words from its training."
        ),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(help="Values with a lower one are listed, not filled in; default: 0.5.", min=0, max=1),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            help="Share of what is filled in that has to be right: each attribute gets the limit that reaches it on "
            "held-out cells.",
            min=0,
            max=1,
        ),
    ] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="With --precision: one limit for attributes with few held-out cells.")
    ] = False,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Fill only words that the table, shop or lexicon has.")
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Write options that have labels in several languages in this one, such as de; default: the one of the "
            "filled cells.",
        ),
    ] = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            help="What people decided, from `attrex review export`: it is filled in, and what they rejected is not.",
        ),
    ] = None,
    new_columns: Annotated[
        bool, typer.Option("--new-columns", help="Add columns at the end for attributes that TABLE has none for.")
    ] = False,
    spreadsheet_safe: Annotated[
        bool,
        typer.Option(
            "--spreadsheet-safe", help="Put an apostrophe before what is written and begins with =, +, - or @."
        ),
    ] = False,
    undo: Annotated[
        Path | None,
        typer.Option(
            metavar="CHANGES",
            help="Take back the fills of the run with these --changes, but not in cells changed since; in place of the "
            "filled table, or to --out.",
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
    everything: All = False,
    *,
    source: SourceOptions,
) -> None:
    """Fill the blank cells of a table with extracted values.

    Values are written in the shop's own words. Filled cells are never changed, and neither is anything else in the
    file.

    Example: [bold]attrex fill catalog.jsonl values.jsonl --out filled.jsonl --changes changes.csv[/]
    """
    from attrex.filling.changes import CHANGES_SUFFIXES

    if undo is not None:
        if found is not None:
            raise ConfigError("--undo takes the filled table at most, not VALUES; leave it out")
        undone = pipeline.undo_fill(undo, table, out, progress=progress)
        console.print(undo_screen(undone))
        note(f"table: {undone.path}" if undone.path else f"{undo}: nothing was filled in that run")
        return
    if table is None or found is None or out is None:
        raise ConfigError("attrex fill takes TABLE, VALUES and --out, or --undo CHANGES; name what is missing")
    read = (table, found, lexicon, verdicts, source.shop, *(catalog or ()))
    check_out(out, (), *read, option="--out")
    check_out(changes, CHANGES_SUFFIXES, *read, out, option="--changes")
    check_out(conflicts, CHANGES_SUFFIXES, *read, out, changes, option="--conflicts")
    check_out(report, (), *read, out, changes, conflicts, option="--report")
    shop, whole = source.shop_of(model), source.whole()
    filling = pipeline.fill(
        source.products(table, shop),
        found,
        out,
        changes=changes,
        conflicts=conflicts,
        model=model,
        shop=shop,
        catalog=[whole.products(file, shop, split=part_of(file, "train")) for file in catalog or ()],
        lexicon=lexicon,
        min_confidence=min_confidence,
        precision=precision,
        pool=pool,
        known_only=known_only,
        language=language,
        verdicts=verdicts,
        new_columns=new_columns,
        spreadsheet_safe=spreadsheet_safe,
        limit=source.limit,
        progress=progress,
    )
    console.print(fill_screen(filling.report, everything))
    save_json(report, filling.report.to_json(), "report")
    written = {"changes": changes, "conflicts": conflicts, "table": out}
    note("\n".join(f"{what}: {path}" for what, path in written.items() if path))


@reads_products(limit=500)
def export_command(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the export.")],
    int8: Annotated[bool, typer.Option("--int8", help="Text encoder in 8 bits: smaller and faster.")] = False,
    sample: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Your products, best labelled, to compare on; default: drawn ones."),
    ] = None,
    tolerance: Annotated[float, typer.Option(help="TAG-F1 that may be lost.", min=0, max=1)] = 0.002,
    fast: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Products to train a smaller student on, as `attrex distill` does, which is exported with --int8 and "
            "compared with MODEL. It is kept as OUT-student; the same command again continues.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Compare with this model, e.g. the one that MODEL is a student of."),
    ] = None,
    *,
    source: SourceOptions,
) -> None:
    """Export a model to ONNX: faster, and without torch.

    The export is compared with the model on a sample, and refused if it finds other values.

    Example: [bold]attrex export demo/work/model --out onnx --sample demo/data/valid.jsonl[/]
    """
    shop = source.shop_of(model)
    if fast:
        no_bars_in_logs()
    parity = pipeline.export(
        model,
        out,
        sample=source.products(sample, shop) if sample else None,
        shop=shop,
        int8=int8,
        fast=source.whole().products(fast, shop, split=part_of(fast, "train")) if fast else None,
        against=against,
        tolerance=tolerance,
        allow_code=allowed,
        progress=progress,
    )
    against = f", TAG-F1 {parity.model_f1:.4f} -> {parity.export_f1:.4f}" if parity.model_f1 is not None else ""
    console.print(
        f"{parity.products:,} products: agreement with the model F1 {parity.agreement_f1:.4f}, same value in "
        f"{parity.cells_agreement:.1%} of the cells{against}",
        soft_wrap=True,
    )
    note(f"export: {out}\nnext: attrex extract {out} INPUT --out values.jsonl")


@reads_products()
def report_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model directory.")],
    others: Annotated[
        list[str], typer.Argument(metavar="[MODEL2] DATA", help="A second model to compare with, if any, and products.")
    ],
    out: Annotated[Path, typer.Option(help="The page, .html.")],
    most: Annotated[int, typer.Option("--products", help="Show at most this many products.", min=1)] = 200,
    no_photos: NoPhotos = False,
    min_confidence: Annotated[
        float | None, typer.Option(help="From which on attrex fill fills a cell in; default: 0.5.", min=0, max=1)
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Share of what is filled in that has to be right, as of fill.", min=0, max=1)
    ] = None,
    *,
    source: SourceOptions,
) -> None:
    """Show values in texts and photos on one HTML page.

    The page needs no other file: values in the text, the photo's heat-map for each, two models side by side. Of
    products with a table it says what fill makes of each value, and cells can be decided in it.

    Example: [bold]attrex report demo/work/model demo/data/test.jsonl --out report.html[/]
    """
    if len(others) > 2:
        raise ConfigError(
            f"attrex report takes MODEL, at most one more MODEL2, and DATA; got {len(others) + 1} arguments"
        )
    *second, data = others
    check_out(out, (".html", ".htm"), data, option="--out")
    shop = source.shop_of(model)
    page = pipeline.report(
        [model, *second],
        source.products(data, shop),
        out,
        shop=shop,
        photos=not no_photos,
        most=most,
        min_confidence=min_confidence,
        precision=precision,
        allow_code=allowed,
    )
    note(f"report: {page}")


def push_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model directory.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name on the Hugging Face hub, owner/model.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public; default: private.")] = False,
) -> None:
    """Upload a model to the Hugging Face hub.

    Every command then takes its name in place of a directory.

    Example: [bold]attrex push runs/first my-shop/attributes[/]
    """
    from attrex.inference.checkpoint import push_model

    note(f"uploaded: {push_model(model, name, private=not public)}")
