"""Commands about data and labels: check, locate, lexicon, ocr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from attrex import pipeline
from attrex.cli.console import console, note, progress, with_progress
from attrex.cli.options import Source, reads_products
from attrex.cli.outputs import check_out, save_json
from attrex.errors import ConfigError, DataError


@reads_products()
def check(
    data: Annotated[list[str], typer.Argument(help="Data files; several are taken as splits of one data set.")],
    preset: Annotated[str, typer.Option(help="Whose text encoder and window size to measure lengths with.")] = "small",
    no_photos: Annotated[bool, typer.Option("--no-photos", help="Do not decode the photos.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON too.")] = None,
    *,
    source: Source,
) -> None:
    """What to know of a data set before training: fill rates, lengths, photos, leaks between splits, and advice.

    Ends with code 1 where something is wrong with the data, with 0 where there is only advice.

    Example: [bold]attrex check demo/data/train.jsonl demo/data/valid.jsonl[/]
    """
    check_out(json_file, (), *data, source.shop, preset, option="--json")
    shop = source.shop_of()
    splits = {Path(d).name: source.products(d, shop) for d in data}
    if len(splits) < len(data):
        raise DataError(f"the data files need different names to tell the splits apart, got {', '.join(data)}")
    report = pipeline.check(splits, shop=shop, preset=preset, photos=not no_photos, progress=progress)
    console.print(report.render(), markup=False)
    save_json(json_file, report.to_json(), "report")
    if not report.ok:
        raise typer.Exit(1)


@reads_products()
def locate(
    table: Annotated[str, typer.Argument(help="Products with their table: JSONL, CSV, TSV, Parquet, MAE directory.")],
    out: Annotated[Path, typer.Option(help="Labelled products, JSONL.")],
    mine: Annotated[
        Path | None,
        typer.Option(help="First find out what the texts call the values, write it as YAML to edit, and go by it."),
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Go by what --mine has written and you have edited.")] = None,
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Label anew what has labels already, but for complete ones.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(help="Labelled products: how far would the labels agree with theirs? May be repeated."),
    ] = None,
    *,
    source: Source,
) -> None:
    """Find the table's values in the texts: labels for training, without anybody labelling.

    Example: [bold]attrex locate demo/data/catalog.jsonl --shop demo/data/shop.yaml --out located.jsonl[/]

    With --mine lexicon.yaml it first finds out what the texts call the values; with lexicon.yaml edited, the same again
    with --lexicon lexicon.yaml in place of --mine.
    """
    from attrex.io.readers import Products

    read = (table, lexicon, source.shop, *(compare or ()))
    check_out(out, (".jsonl", ".jsonl.gz"), *read)
    check_out(mine, (".yaml", ".yml"), *read, out, option="--mine")
    check_out(report, (), *read, out, mine, option="--report")
    if mine and lexicon:
        raise ConfigError("--mine writes a lexicon and --lexicon reads one; give one of them")
    if mine and mine.exists():
        raise ConfigError(
            f"--mine {mine} is there already, and may have been edited: go by it with --lexicon {mine}, name another "
            "file, or delete it to mine anew"
        )
    shop = source.shop_of()
    products = source.products(table, shop)
    words = pipeline.MINE if mine else lexicon
    labelled = pipeline.locate(products, out, shop=shop, lexicon=words, relabel=relabel, progress=progress)
    for remark in labelled.remarks:
        note(f"note: {remark}")
    console.print(labelled.report.render(), markup=False)
    found = labelled.report.to_json()
    if compare:
        references = [product for name in compare for product in Products(name)]
        found["agreement"] = pipeline.compare_labels(products, references, shop=shop, lexicon=labelled.lexicon)
        console.print(_agreement_table(found["agreement"]))
    if mine:
        labelled.lexicon.save(mine)
        note(f"lexicon: {mine}")
    save_json(report, found, "report")
    note(f"{labelled.report.products:,} labelled products: {out}")


@reads_products("images")
def lexicon(
    words: Annotated[Path, typer.Argument(help="What `attrex locate --mine` has written.")],
    table: Annotated[str, typer.Argument(help="Products with their table, as `attrex locate` reads or writes them.")],
    found: Annotated[Path, typer.Argument(help="What `attrex extract` has found in them: .jsonl or .parquet.")],
    out: Annotated[Path, typer.Option(help="The lexicon with the model's opinion, YAML to edit.")],
    promote: Annotated[
        float, typer.Option(min=0, max=1, help="A suggested form is accepted if so much of its places is read.")
    ] = 0.5,
    demote: Annotated[
        float, typer.Option(min=0, max=1, help="An accepted form is only suggested if less of its places is read.")
    ] = 0.1,
    *,
    source: Source,
) -> None:
    """Ask a trained model about a lexicon: are its forms read as values where the table says they are?

    Example: [bold]attrex lexicon lexicon.yaml located.jsonl found.jsonl --out reviewed.yaml[/]

    Then locate anew with --lexicon reviewed.yaml.
    """
    from attrex.io.predictions import read_predictions
    from attrex.labels.lexicon_review import review_lexicon
    from attrex.vocabulary.lexicon import Lexicon

    check_out(out, (".yaml", ".yml"), words, table, found, source.shop)
    known, shop = Lexicon.load(words), source.shop_of()
    products = with_progress(source.products(table, shop), "comparing")
    opinion = review_lexicon(known, products, read_predictions(found), shop, promote=promote, demote=demote)
    opinion.lexicon.save(out)
    console.print(opinion.render())
    note(f"lexicon: {out}")


@reads_products()
def ocr(
    data: Annotated[str, typer.Argument(help="Products with photos, from any reader.")],
    out: Annotated[Path, typer.Option(help="The same products with a field photo_text, JSONL.")],
    min_score: Annotated[float, typer.Option(help="Leave out lines that are less sure.", min=0, max=1)] = 0.8,
    photos: Annotated[int, typer.Option(help="Photos of a product that are read at most.", min=1)] = 4,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted reading (OUT.part).")] = False,
    *,
    source: Source,
) -> None:
    """Read what the photos say: text on products and packaging becomes a field, to find values in as in all others.

    Labels that are there do not know the new field: locate anew, with --relabel. While it runs, finished products are
    in OUT.part; after an interruption the same command with --resume goes on.

    Example: [bold]attrex ocr demo/data/catalog.jsonl --out with-photo-text.jsonl[/]
    """
    from attrex.io.ocr import FIELD, PhotoReader
    from attrex.io.products import product_to_row
    from attrex.io.readers import read_products
    from attrex.io.resumable import ResumableWriter

    check_out(out, (".jsonl", ".jsonl.gz"), data)
    found: Counter[str] = Counter()

    def count(row: Mapping[str, Any]) -> None:
        found.update(products=1, read=FIELD in row.get("fields", ()))

    depends_on = {"--min-score": min_score, "--photos": photos, **source.record()}
    target = ResumableWriter(
        out, what="reading of photos", key="attributes", resume=resume, options=depends_on, count=count
    )
    products = source.products(data, source.shop_of())
    if target.finished:
        target.check_same(products, (product.id for product in read_products(out)))
        note(f"{out} is finished already: nothing left to do; delete it to read the photos again")
        return
    with target.open():
        reader = PhotoReader(min_score=min_score, photos=photos)
        read = map(reader.read, with_progress(target.remaining(products), "reading photos", done=found["products"]))
        target.append(product_to_row(product, out.parent) for product in read)
    console.print(f"{found['products']:,} products, {found['read']:,} of which have text in their photos")
    note(f"products: {out}")


def _agreement_table(found: dict[str, Any]) -> Table:
    numbers = ("precision", "recall", "f1", "reference", "located")
    table = Table("attribute", title=f"Agreement with the labels of {found['products']:,} products")
    for name in (*numbers, "differences"):
        table.add_column(name, justify="right" if name in numbers else "left")
    for name, row in [("all", found), *found["per_attribute"].items()]:
        differences = ", ".join(f"{kind} {n}" for kind, n in row["differences"].items())
        scores = (f"{row[n]:.4f}" for n in numbers[:3])
        table.add_row(escape(name), *scores, *(f"{row[n]:,}" for n in numbers[3:]), differences)
    return table
