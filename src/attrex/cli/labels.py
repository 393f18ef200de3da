"""Commands about data and labels: photos, check, locate, convert, lexicon, ocr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from attrex import pipeline
from attrex.cli.console import console, note, progress, with_progress
from attrex.cli.options import All, SourceOptions, reads_products
from attrex.cli.outputs import save_json
from attrex.cli.screens.check import check_screen
from attrex.cli.screens.labels import agreement_screen, label_screen
from attrex.cli.screens.lexicon import lexicon_screen
from attrex.errors import ConfigError, DataError
from attrex.io.outputs import check_out
from attrex.types import Product


@reads_products()
def check_command(
    data: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Data files; several are taken as splits of one data set.")
    ],
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Whose text encoder and window size to measure lengths with.")
    ] = "small",
    no_photos: Annotated[bool, typer.Option("--no-photos", help="Do not decode the photos.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON too.")] = None,
    everything: All = False,
    *,
    source: SourceOptions,
) -> None:
    """Check a data set before training: what to correct, and figures.

    Fill rates, lengths of texts, photos, and products that are in several splits, each with advice.

    Ends with code 1 where something is wrong with the data, with 0 where there is only advice.

    Example: [bold]attrex check demo/data/train.jsonl demo/data/valid.jsonl[/]
    """
    check_out(json_file, (), *data, source.shop, preset, option="--json")
    shop = source.shop_of()
    splits = {Path(d).name: source.products(d, shop) for d in data}
    if len(splits) < len(data):
        raise DataError(f"the data files need different names to tell the splits apart, got {', '.join(data)}")
    report = pipeline.check(
        splits,
        shop=shop,
        preset=preset,
        photos=not no_photos,
        max_bad_rows=source.max_bad_rows,
        progress=progress,
    )
    console.print(check_screen(report, everything))
    save_json(json_file, report.to_json(), "report")
    if not report.ok:
        raise typer.Exit(1)


@reads_products()
def locate_command(
    table: Annotated[
        str,
        typer.Argument(metavar="TABLE", help="Products with their table: JSONL, CSV, TSV, Parquet, MAE directory."),
    ],
    out: Annotated[Path, typer.Option(help="Labelled products, JSONL.")],
    mine: Annotated[
        Path | None,
        typer.Option(help="First learn what the texts call the values, write it as YAML to edit, and use it."),
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Use the words that --mine wrote and you edited.")] = None,
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Label products again that have labels, except complete ones.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Labelled products: how far do the new labels agree with theirs? May be repeated."
        ),
    ] = None,
    everything: All = False,
    *,
    source: SourceOptions,
) -> None:
    """Find the table's values in the texts: labels for training.

    Example: [bold]attrex locate demo/data/catalog.jsonl --shop demo/data/shop.yaml --out located.jsonl[/]

    With --mine lexicon.yaml it first learns what the texts call the values. Edit lexicon.yaml, and run it again with
    --lexicon lexicon.yaml in place of --mine.
    """
    from attrex.io.readers import Products

    read = (table, lexicon, source.shop, *(compare or ()))
    check_out(out, (".jsonl", ".jsonl.gz"), *read, option="--out")
    check_out(mine, (".yaml", ".yml"), *read, out, option="--mine")
    check_out(report, (), *read, out, mine, option="--report")
    if mine and lexicon:
        raise ConfigError("--mine writes a lexicon and --lexicon reads one; give one of them")
    if mine and mine.exists():
        raise ConfigError(
            f"--mine {mine} is there already, and may have been edited: use it with --lexicon {mine}, name another "
            "file, or delete it to mine again"
        )
    shop = source.shop_of()
    products = source.products(table, shop)
    words = pipeline.MINE if mine else lexicon
    labelled = pipeline.locate(products, out, shop=shop, lexicon=words, relabel=relabel, progress=progress)
    for remark in labelled.remarks:
        note(f"note: {remark}")
    console.print(label_screen(labelled.report, everything))
    found = labelled.report.to_json()
    if compare:
        by_hand = [Products(name) for name in compare]
        source.opened.extend(by_hand)
        references = [product for products in by_hand for product in products]
        found["agreement"] = pipeline.compare_labels(products, references, shop=shop, lexicon=labelled.lexicon)
        console.print(agreement_screen(found["agreement"], everything))
    save_json(report, found, "report")
    if mine:  # last: where it is there, the same command is refused
        labelled.lexicon.save(mine)
        note(f"lexicon: {mine}")
    note(f"{labelled.report.products:,} labelled products: {out}")


@reads_products()
def convert_command(
    source_file: Annotated[
        str,
        typer.Argument(metavar="IN", help="What an annotation tool exported; or products, to be annotated there."),
    ],
    out: Annotated[Path, typer.Option(help="Labelled products, JSONL; with --to the tool's file (brat: a directory).")],
    to: Annotated[
        str | None,
        typer.Option(metavar="TOOL", help="Write for label-studio, doccano, argilla, prodigy, spacy or brat."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--from", metavar="TOOL", help="The tool of IN; default: by what the file has.")
    ] = None,
    offsets: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="How IN counts: characters, utf-16 or bytes, with +lf where a line end is one; default: as fits.",
        ),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="The spans are all there are: what is not marked is no value.")
    ] = False,
    products: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The products that were annotated: they get the labels, and keep the rest."),
    ] = None,
    *,
    source: SourceOptions,
) -> None:
    """Labels from an annotation tool, or products for one.

    Every span is proved to say what its text says. Offsets that the tool counts otherwise are converted; spaces at a
    span's edges are trimmed, a word that it cuts is taken whole; what was changed, or lost, is told.

    Example: [bold]attrex convert export.json --products demo/data/catalog.jsonl --out labelled.jsonl[/]

    The other way: [bold]attrex convert demo/data/train.jsonl --to label-studio --out tasks.json[/]
    """
    from attrex.io.annotations.files import format_of

    shop = source.shop_of()
    reads = kind is not None or (not source_file.startswith("hf:") and format_of(Path(source_file)) is not None)
    given: Any = source_file if reads or to is None else source.products(source_file, shop)
    read = None if products is None else source.products(products, shop)
    report = pipeline.convert(
        given, out, to=to, kind=kind, offsets=offsets, complete=complete, products=read, shop=shop
    )
    for remark in report.remarks:
        note(f"note: {remark}")
    console.print(report.summary(), highlight=False, markup=False)
    note(f"{'annotations' if to else 'products'}: {out}")


@reads_products("images")
def lexicon_command(
    words: Annotated[Path, typer.Argument(metavar="LEXICON", help="What `attrex locate --mine` wrote.")],
    table: Annotated[
        str,
        typer.Argument(metavar="TABLE", help="Products with their table, as `attrex locate` reads or writes them."),
    ],
    found: Annotated[
        Path, typer.Argument(metavar="VALUES", help="What `attrex extract` found in them: .jsonl or .parquet.")
    ],
    out: Annotated[Path, typer.Option(help="The lexicon with the model's opinion, YAML to edit.")],
    promote: Annotated[
        float, typer.Option(min=0, max=1, help="Accept a suggested form if this share of its places is read.")
    ] = 0.5,
    demote: Annotated[
        float, typer.Option(min=0, max=1, help="Only suggest an accepted form if a lower share of its places is read.")
    ] = 0.1,
    everything: All = False,
    *,
    source: SourceOptions,
) -> None:
    """Review a lexicon: does a model read its words as values, too?

    Example: [bold]attrex lexicon lexicon.yaml located.jsonl found.jsonl --out reviewed.yaml[/]

    Edit the result, and run attrex locate again with --lexicon reviewed.yaml.
    """
    from attrex.io.predictions import read_predictions
    from attrex.labels.lexicon_review import review_lexicon
    from attrex.vocabulary.lexicon import Lexicon

    check_out(out, (".yaml", ".yml"), words, table, found, source.shop, option="--out")
    known, shop = Lexicon.load(words), source.shop_of()
    products = with_progress(source.products(table, shop), "comparing")
    opinion = review_lexicon(known, products, read_predictions(found), shop, promote=promote, demote=demote)
    opinion.lexicon.save(out)
    console.print(lexicon_screen(opinion, everything))
    note(f"lexicon: {out}\nnext: edit it, then attrex locate TABLE --out FILE --lexicon {out}")


@reads_products()
def ocr_command(
    data: Annotated[str, typer.Argument(metavar="INPUT", help="Products with photos, in any format.")],
    out: Annotated[Path, typer.Option(help="The same products with a field photo_text, JSONL.")],
    min_score: Annotated[float, typer.Option(help="Leave out lines with a lower score.", min=0, max=1)] = 0.8,
    photos: Annotated[int, typer.Option(help="Read at most this many photos of a product.", min=1)] = 4,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run from OUT.part.")] = False,
    *,
    source: SourceOptions,
) -> None:
    """Read the text in photos into a field of the products.

    Text on products and packaging becomes the field photo_text, in which values are found as in the others. Label the
    products again afterwards (attrex locate --relabel): labels that are there do not cover the new field.

    While it runs, finished products are in OUT.part; after an interruption the same command with --resume continues.

    Example: [bold]attrex ocr demo/data/catalog.jsonl --out with-photo-text.jsonl[/]
    """
    from attrex.io.content import product_hash
    from attrex.io.ocr import FIELD, PhotoReader
    from attrex.io.products import product_to_row
    from attrex.io.readers import read_products
    from attrex.io.resumable import ResumableWriter

    check_out(out, (".jsonl", ".jsonl.gz"), data, option="--out")
    found: Counter[str] = Counter()

    def count(row: Mapping[str, Any]) -> None:
        found.update(products=1, read=FIELD in row.get("fields", ()))

    def texts_of(product: Product) -> str:
        return product_hash(product, FIELD)

    depends_on = {"--min-score": min_score, "--photos": photos, **source.record()}
    target = ResumableWriter(
        out,
        what="reading of photos",
        key="attributes",
        resume=resume,
        options=depends_on,
        count=count,
        hash_of=texts_of,
        content_of=lambda row: texts_of(next(read_products([row], allow_outside=True))),
    )
    products = source.products(data, source.shop_of())
    if target.finished:
        finished = read_products(out, allow_outside=True)
        target.check_same(products, ((product.id, texts_of(product)) for product in finished))
        note(f"{out} is finished already: nothing left to do; delete it to read the photos again")
        return
    with target.open():
        reader = PhotoReader(min_score=min_score, photos=photos)
        read = map(reader.read, with_progress(target.remaining(products), "reading photos", done=found["products"]))
        target.append(product_to_row(product, out.parent) for product in read)
    console.print(f"{found['products']:,} products, {found['read']:,} of which have text in their photos")
    note(f"products: {out}")


@reads_products("images")
def photos_command(
    export: Annotated[str, typer.Argument(metavar="EXPORT", help="Products whose photo columns hold web addresses.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the photos; afterwards give it as --images.")],
    at_once: Annotated[int, typer.Option(help="So many at a time.", min=1)] = 8,
    per_host: Annotated[int, typer.Option(help="So many at a time from one host.", min=1)] = 4,
    tries: Annotated[int, typer.Option(help="Tries for a photo whose host does not answer or is busy.", min=1)] = 4,
    max_bytes: Annotated[int, typer.Option(help="Refuse a photo of more bytes.", min=1)] = 20_000_000,
    max_pixels: Annotated[int, typer.Option(help="Refuse a photo of more pixels.", min=1)] = 50_000_000,
    seconds: Annotated[float, typer.Option(help="Time for one try.", min=0.001)] = 60.0,
    redirects: Annotated[int, typer.Option(help="Follow at most so many redirects.", min=0)] = 5,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Ask hosts of this machine and its own network, too.")
    ] = False,
    *,
    source: SourceOptions,
) -> None:
    """Download the photos that an export names by web address.

    Every command finds them with --images DIR. Run it again to continue, or to try again what is missing; what is there
    is not fetched again. DIR/missing.csv lists what is missing, and why.

    Example: [bold]attrex photos export.csv --out photos[/]
    """
    from attrex.io.download import Politeness
    from attrex.io.fetch import FetchLimits
    from attrex.pipeline.downloading import MISSING_FILE

    found = pipeline.photos(
        source.products(export, source.shop_of()),
        out,
        allow_private=allow_private,
        limits=FetchLimits(max_bytes=max_bytes, max_pixels=max_pixels, seconds=seconds, redirects=redirects),
        politeness=Politeness(at_once=at_once, per_host=per_host, tries=tries),
        progress=progress,
    )
    console.print(
        f"{found.addresses:,} addresses in {found.products:,} products: {found.downloaded:,} photos downloaded, "
        f"{found.kept:,} were there, {len(found.missing):,} missing",
        soft_wrap=True,
    )
    if found.missing:
        for reason, times in Counter(found.missing.values()).most_common(3):
            note(f"missing, {times:,} times: {reason}")
        note(f"missing: {out / MISSING_FILE}, of {found.incomplete:,} products; run it again to try these again")
    note(f"photos: {out}\nnext: attrex check {export} --images {out}")
