"""Commands that use a model and what it finds: extract, fill, export, report, push."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from attrex.cli.console import console, note, with_progress
from attrex.cli.inputs import load_extractor, part_of
from attrex.cli.options import BatchSize, NoPhotos, Source, reads_products
from attrex.cli.outputs import check_out, save_json
from attrex.errors import ConfigError


@reads_products()
def extract(
    model: Annotated[str, typer.Argument(help="Model directory or Hugging Face hub name.")],
    data: Annotated[str, typer.Argument(metavar="INPUT", help="Products: JSONL, CSV, TSV, Parquet, a directory ...")],
    out: Annotated[Path, typer.Option(help="Where the values go, .jsonl or .parquet.")],
    threshold: Annotated[float | None, typer.Option(help="S_thr instead of the model's.", min=0, max=1)] = None,
    min_confidence: Annotated[float | None, typer.Option(help="Leave out values below it.", min=0, max=1)] = None,
    no_photos: NoPhotos = False,
    no_evidence: Annotated[bool, typer.Option("--no-evidence", help="Leave out the region weights.")] = False,
    backend: Annotated[str, typer.Option(help="torch for a model, onnx for an export, auto: what is there.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="Of torch: fp32, bf16, or auto: bf16 where the processor has it.")
    ] = None,
    batch_size: BatchSize = None,
    cache: Annotated[Path | None, typer.Option(help="Keep encoded photos here, for the next run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted extraction.")] = False,
    *,
    source: Source,
) -> None:
    """Extract attribute values with offsets, confidence and image evidence; one row per product, in order.

    Example: [bold]attrex extract demo/model demo/data/test.jsonl --out values.jsonl[/]
    """
    from attrex.inference.extractor import CHUNK
    from attrex.io.predictions import PredictionFile, read_predictions

    check_out(out, (), data, source.shop)
    depends_on = {
        "MODEL": str(Path(model).resolve()) if Path(model).exists() else model,
        "--threshold": threshold,
        "--min-confidence": min_confidence,
        "--no-photos": no_photos,
        "--no-evidence": no_evidence,
        "--precision": precision,
        "--batch-size": batch_size,
        **source.record(),
    }
    target = PredictionFile(out, resume=resume, options=depends_on)
    products = source.read(data, source.shop_of(model))
    if target.finished:
        target.check_same(products, (prediction.id for prediction in read_predictions(out)))
        note(f"{out} is finished already: nothing left to do; delete it to extract again")
        return
    with target.open():
        extractor = load_extractor(model, backend, precision, cache)
        rows = batch_size or extractor.model.config.training.eval_batch_size
        predictions = extractor.extract(
            target.remaining(products, step=rows * CHUNK),
            batch_size=rows,
            threshold=threshold,
            min_confidence=min_confidence,
            evidence=not no_evidence,
            photos=not no_photos,
        )
        target.write(with_progress(predictions, "extracting", done=target.counts.rows))
    counts = target.counts
    console.print(
        f"{counts.rows:,} products, {counts.values:,} values; {counts.warnings:,} products with warnings, "
        f"{counts.errors:,} rows that could not be read (marked in the output)",
        soft_wrap=True,
    )
    note(f"values: {out}")


@reads_products("images")
def fill(
    table: Annotated[str, typer.Argument(help="The products that were read, with their table.")],
    found: Annotated[Path, typer.Argument(help="What `attrex extract` has found in them: .jsonl or .parquet.")],
    out: Annotated[Path, typer.Option(help="The filled table: .csv, .jsonl or .parquet, a row per product.")],
    changes: Annotated[
        Path | None, typer.Option(help="Every find and what became of it, a row each, .csv or .jsonl.")
    ] = None,
    catalog: Annotated[
        list[str] | None,
        typer.Option(
            help="More products with their table (of splits: train) to learn the shop's words from. May be repeated."
        ),
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(help="What the texts call the values: of `locate --mine`.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that read the products: it knows the shop's words from its training.")
    ] = None,
    min_confidence: Annotated[float, typer.Option(help="Finds below it do not count.", min=0, max=1)] = 0.5,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Fill in words that the table, shop or lexicon has, and no others.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
    *,
    source: Source,
) -> None:
    """Fill the blank cells of a table with what was found, in the shop's own words. Filled cells are never changed.

    Example: [bold]attrex fill catalog.jsonl values.jsonl --out filled.csv --changes changes.csv[/]
    """
    from attrex.filling.changes import CHANGES_SUFFIXES, write_filled
    from attrex.filling.fill import fill_table
    from attrex.inference.directory import locate_model
    from attrex.io.predictions import read_predictions
    from attrex.io.tables import SEPARATOR, TABLE_SUFFIXES
    from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon
    from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

    read = (table, found, lexicon, source.shop, *(catalog or ()))
    check_out(out, TABLE_SUFFIXES, *read)
    check_out(changes, CHANGES_SUFFIXES, *read, out, option="--changes")
    check_out(report, (), *read, out, changes, option="--report")
    shop = source.shop_of(model)
    if model and lexicon:
        raise ConfigError("--model knows the words of its lexicon from its training; give --model or --lexicon")
    if model:
        normalizer = ValueNormalizer.load(locate_model(model) / NORMALIZER_FILE)
    else:
        normalizer = ValueNormalizer.fit(shop=shop, lexicon=Lexicon.load(lexicon) if lexicon else NOTHING_MINED)
    for file in catalog or ():
        rows_of = replace(source.whole(), split=part_of(file, "train")).read(file, shop)
        normalizer.refine(with_progress(rows_of, "learning the words"))
    limit = source.limit
    own = with_progress(source.read(table, shop), "learning the words")
    normalizer.refine(own, islice(read_predictions(found), limit))
    products = with_progress(source.read(table, shop), "filling")
    finds_of = islice(read_predictions(found), limit)
    rows = fill_table(products, finds_of, normalizer, min_confidence=min_confidence, known_only=known_only)
    separator, order = shop.cells.separator or SEPARATOR, normalizer.attributes
    counts = write_filled(rows, out, changes, id_column=shop.columns.id, order=order, separator=separator)
    console.print(counts.render(), markup=False)
    save_json(report, counts.to_json(), "report")
    note((f"changes: {changes}\n" if changes else "") + f"table: {out}")


@reads_products(limit=500)
def export(
    model: Annotated[str, typer.Argument(help="Model directory or Hugging Face hub name.")],
    out: Annotated[Path, typer.Option(help="Directory of the export.")],
    int8: Annotated[bool, typer.Option("--int8", help="Text encoder in 8 bits: smaller and faster.")] = False,
    sample: Annotated[
        str | None, typer.Option(help="Products of yours, best labelled, to compare on; default: drawn ones.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="TAG-F1 that may be lost, 0..1.", min=0, max=1)] = 0.002,
    *,
    source: Source,
) -> None:
    """Export a model to ONNX: extraction without torch, and faster. Refused if it finds other values than the model.

    Example: [bold]attrex export demo/model --out demo/onnx --sample demo/data/valid.jsonl[/]
    """
    from attrex.demo.catalogue import draw_catalogue
    from attrex.evaluation.parity import export_checked
    from attrex.inference.checkpoint import load_model

    if sample:
        products = list(source.read(sample, source.shop_of(model)))
    else:  # their labels say nothing of this model's attributes
        products = [replace(d.product, spans=None) for d in draw_catalogue(100, seed=0)]
        note("no --sample: compared on 100 drawn products; give products of your own to be sure")
    parity = export_checked(load_model(model), out, products, int8=int8, tolerance=tolerance)
    against = f", TAG-F1 {parity.model_f1:.4f} -> {parity.export_f1:.4f}" if parity.model_f1 is not None else ""
    console.print(
        f"{parity.products:,} products: agreement with the model F1 {parity.agreement_f1:.4f}{against}", soft_wrap=True
    )
    note(f"export: {out}\nnext: attrex extract {out} INPUT --out values.jsonl")


@reads_products()
def report(
    model: Annotated[str, typer.Argument(help="Model directory.")],
    others: Annotated[
        list[str], typer.Argument(metavar="[MODEL2] DATA", help="A second model if wanted, then the data.")
    ],
    out: Annotated[Path, typer.Option(help="The page, .html.")],
    most: Annotated[int, typer.Option("--products", help="At most so many products on the page.", min=1)] = 200,
    no_photos: NoPhotos = False,
    *,
    source: Source,
) -> None:
    """One self-contained HTML page: values in the text, the photo's heat-map for each, two models side by side.

    Example: [bold]attrex report demo/model demo/data/test.jsonl --out report.html[/]
    """
    from attrex.reports.compose import report_page

    if len(others) > 2:
        raise ConfigError(
            f"attrex report takes MODEL, at most one more MODEL2, and DATA; got {len(others) + 1} arguments"
        )
    *second, data = others
    check_out(out, (".html", ".htm"), data)
    products = list(source.read(data, source.shop_of(model)))
    models = [(name, load_extractor(name)) for name in [model, *second]]
    path = report_page(out, products, models, photos=not no_photos, most=most)
    note(f"report: {path}")


def push(
    model: Annotated[Path, typer.Argument(help="Model directory.")],
    name: Annotated[str, typer.Argument(help="Name on the Hugging Face hub, owner/model.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public; default: private.")] = False,
) -> None:
    """Upload a model to the Hugging Face hub; it is loaded from there by its name.

    Example: [bold]attrex push runs/first my-shop/attributes[/]
    """
    from attrex.inference.checkpoint import push_model

    note(f"uploaded: {push_model(model, name, private=not public)}")
