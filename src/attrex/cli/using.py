"""Commands that use a model and what it finds: extract, fill, export, report, push."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from attrex.cli.console import console, note, with_progress
from attrex.cli.inputs import allowed_code, column_mapping, how_rows_are_read, load_extractor, part_of, read_rows
from attrex.cli.options import BatchSize, Columns, Fields, Images, Limit, NoPhotos, Split
from attrex.cli.outputs import check_out, save_json
from attrex.errors import ConfigError


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
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Extract attribute values with offsets, confidence and image evidence; one row per product, in order.

    Example: [bold]attrex extract demo/model demo/data/test.jsonl --out values.jsonl[/]
    """
    from attrex.inference.extractor import CHUNK
    from attrex.io.predictions import PredictionFile, read_predictions

    check_out(out, (), data, columns)
    how = {
        "MODEL": str(Path(model).resolve()) if Path(model).exists() else model,
        "--threshold": threshold,
        "--min-confidence": min_confidence,
        "--no-photos": no_photos,
        "--no-evidence": no_evidence,
        "--precision": precision,
        "--batch-size": batch_size,
        **how_rows_are_read(images, fields, columns),
    }
    target = PredictionFile(out, resume=resume, how=how)
    source = read_rows(data, images, fields, columns, split, limit)
    if target.finished:
        target.check_same(source, (prediction.id for prediction in read_predictions(out)))
        note(f"{out} is finished already: nothing left to do; delete it to extract again")
        return
    with target.begun():
        extractor = load_extractor(model, backend, precision, cache)
        rows = batch_size or extractor.model.config.training.eval_batch_size
        predictions = extractor.extract(
            target.left(source, step=rows * CHUNK),
            batch_size=rows,
            threshold=threshold,
            min_confidence=min_confidence,
            evidence=not no_evidence,
            photos=not no_photos,
        )
        target.write(with_progress(predictions, "extracting", done=target.tally.rows))
    tally = target.tally
    console.print(
        f"{tally.rows:,} products, {tally.values:,} values; {tally.warnings:,} products with warnings, "
        f"{tally.errors:,} rows that could not be read (marked in the output)",
        soft_wrap=True,
    )
    note(f"values: {out}")


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
    policy: Annotated[Path | None, typer.Option(help="The policy that the values were located with.")] = None,
    schema: Annotated[Path | None, typer.Option(help="Options and aliases, such as the model's schema.yaml.")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="What the texts call the values: of `locate --mine`.")] = None,
    min_confidence: Annotated[float, typer.Option(help="Finds below it say nothing.", min=0, max=1)] = 0.5,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Fill in words that the table, schema or lexicon has, and no others.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Fill the blank cells of a table with what was found, in the shop's own words. Filled cells are never changed.

    Example: [bold]attrex fill catalog.jsonl values.jsonl --out filled.csv --changes changes.csv[/]
    """
    from attrex.filling.changes import CHANGES_SUFFIXES, write_filled
    from attrex.filling.fill import fill_table
    from attrex.io.predictions import read_predictions
    from attrex.io.tables import SEPARATOR, TABLE_SUFFIXES
    from attrex.labels.labeler import LocatePolicy
    from attrex.shop.schema import Schema
    from attrex.types import paired
    from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon
    from attrex.vocabulary.normalizer import ValueNormalizer

    read = (table, found, policy, schema, lexicon, columns, *(catalog or ()))
    check_out(out, TABLE_SUFFIXES, *read)
    check_out(changes, CHANGES_SUFFIXES, *read, out, option="--changes")
    check_out(report, (), *read, out, changes, option="--report")
    names = ValueNormalizer(
        Schema.load(schema) if schema else None,
        LocatePolicy.load(policy) if policy else LocatePolicy(),
        Lexicon.load(lexicon) if lexicon else NOTHING_MINED,
    )
    mapping = column_mapping(fields, columns)
    for source in catalog or ():
        rows_of = read_rows(source, None, fields, columns, part_of(source, "train"))
        for product in with_progress(rows_of, "learning the words"):
            names.learn(product)
    pairs = paired(read_rows(table, None, fields, columns, split, limit), islice(read_predictions(found), limit))
    for product, finds in with_progress(pairs, "learning the words"):
        names.learn(product, finds)
    products = with_progress(read_rows(table, None, fields, columns, split, limit), "filling")
    finds_of = islice(read_predictions(found), limit)
    rows = fill_table(products, finds_of, names, min_confidence=min_confidence, known_only=known_only)
    separator = mapping.separator or SEPARATOR
    counts = write_filled(rows, out, changes, id_column=mapping.id, order=names.attributes, separator=separator)
    console.print(counts.render(), markup=False)
    save_json(report, counts.to_json(), "report")
    note((f"changes: {changes}\n" if changes else "") + f"table: {out}")


def export(
    model: Annotated[str, typer.Argument(help="Model directory or Hugging Face hub name.")],
    out: Annotated[Path, typer.Option(help="Directory of the export.")],
    int8: Annotated[bool, typer.Option("--int8", help="Text encoder in 8 bits: smaller and faster.")] = False,
    sample: Annotated[
        str | None, typer.Option(help="Products of yours, best labelled, to compare on; default: drawn ones.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="TAG-F1 that may be lost, 0..1.", min=0, max=1)] = 0.002,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = 500,
) -> None:
    """Export a model to ONNX: extraction without torch, and faster. Refused if it finds other values than the model.

    Example: [bold]attrex export demo/model --out demo/onnx --sample demo/data/valid.jsonl[/]
    """
    from attrex.demo.catalogue import draw_catalogue
    from attrex.evaluation.parity import export_checked
    from attrex.inference.checkpoint import load_model

    if sample:
        products = list(read_rows(sample, images, fields, columns, split, limit))
    else:  # their labels say nothing of this model's attributes
        products = [replace(d.product, spans=None) for d in draw_catalogue(100, seed=0)]
        note("no --sample: compared on 100 drawn products; give products of your own to be sure")
    parity = export_checked(load_model(model, allow_code=allowed_code()), out, products, int8=int8, tolerance=tolerance)
    against = f", TAG-F1 {parity.model_f1:.4f} -> {parity.export_f1:.4f}" if parity.model_f1 is not None else ""
    console.print(
        f"{parity.products:,} products: agreement with the model F1 {parity.agreement_f1:.4f}{against}", soft_wrap=True
    )
    note(f"export: {out}\nnext: attrex extract {out} INPUT --out values.jsonl")


def report(
    model: Annotated[str, typer.Argument(help="Model directory.")],
    others: Annotated[
        list[str], typer.Argument(metavar="[MODEL2] DATA", help="A second model if wanted, then the data.")
    ],
    out: Annotated[Path, typer.Option(help="The page, .html.")],
    most: Annotated[int, typer.Option("--products", help="At most so many products on the page.", min=1)] = 200,
    no_photos: NoPhotos = False,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
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
    products = list(read_rows(data, images, fields, columns, split, limit))
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
