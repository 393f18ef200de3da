"""The command line: parse, call, print. Heavy imports live inside the commands, so that --help is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import fields as dataclass_fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from attrex.errors import AttrexError, ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    from attrex.data.readers import ColumnMapping
    from attrex.inference.extractor import Extractor
    from attrex.types import Product

app = typer.Typer(
    name="attrex",
    help="Fill a shop's attribute table from product titles, descriptions and photos, with evidence for every value.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
T = TypeVar("T")
console = Console()
notes = Console(stderr=True)

Images = Annotated[Path | None, typer.Option(help="Where relative image paths start; default: beside the data file.")]
Fields = Annotated[str | None, typer.Option(help="Text columns in reading order, e.g. title,description.")]
Columns = Annotated[
    Path | None, typer.Option(help="YAML file that says which columns hold what (see docs/data.md), e.g. `id: sku`.")
]
Split = Annotated[str | None, typer.Option(help="Split of a directory or data set, e.g. train.")]
Limit = Annotated[int | None, typer.Option(help="Only the first so many products.", min=1)]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a setting, e.g. --set training.epochs=2.")]
Batch = Annotated[int | None, typer.Option(help="Rows per batch; default: the model's.", min=1)]
NoPhotos = Annotated[bool, typer.Option("--no-photos", help="Read the texts only.")]


@app.command()
def check(
    data: Annotated[list[str], typer.Argument(help="Data files; several are taken as splits of one data set.")],
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    preset: Annotated[str, typer.Option(help="Whose text encoder and window size to measure lengths with.")] = "small",
    no_photos: Annotated[bool, typer.Option("--no-photos", help="Do not decode the photos.")] = False,
    limit: Limit = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON too.")] = None,
) -> None:
    """What to know of a data set before training: fill rates, lengths, photos, leaks between splits, and advice.

    Example: [bold]attrex check demo/data/train.jsonl demo/data/valid.jsonl[/]
    """
    from attrex.config import Config
    from attrex.data.checks import check as look
    from attrex.inference.checkpoint import load_tokenizer, write_json
    from attrex.model.text_encoder import resolve_text_model

    config = Config.load(preset)
    backend = load_tokenizer(resolve_text_model(config.text.model)).backend_tokenizer
    backend.no_truncation()
    splits = {Path(d).name: _read(d, images, fields, columns, None, limit) for d in data}
    if len(splits) < len(data):
        raise DataError(f"the data files need different names to tell the splits apart, got {', '.join(data)}")
    report = look(
        splits,
        count_tokens=lambda text: len(backend.encode(text, add_special_tokens=False).ids),
        max_tokens=config.text.max_tokens,
        overlap=config.text.overlap,
        check_images=not no_photos,
        image_size=config.image.size,
    )
    console.print(report.render())
    if json_file:
        write_json(json_file, report.to_json())
        notes.print(f"report: {json_file}")
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def locate(
    table: Annotated[str, typer.Argument(help="Products with their table: JSONL, CSV, TSV, Parquet, MAE directory.")],
    out: Annotated[Path, typer.Option(help="Labelled products, JSONL.")],
    policy: Annotated[Path | None, typer.Option(help="YAML policy: case, inflection, columns to merge ...")] = None,
    schema: Annotated[Path | None, typer.Option(help="Schema with aliases and merged columns.")] = None,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
) -> None:
    """Find the table's values in the texts: labels for training, without anybody labelling.

    Example: [bold]attrex locate demo/data/catalog.jsonl --out located.jsonl[/]
    """
    from attrex.data.locate import LocatePolicy, Locator
    from attrex.data.readers import write_products
    from attrex.inference.checkpoint import write_json
    from attrex.schema import Schema

    locator = Locator(Schema.load(schema) if schema else None, LocatePolicy.load(policy) if policy else LocatePolicy())
    source = _read(table, images, fields, columns, split, limit)
    count = write_products(out, (locator.locate(p) for p in _progress(source, "locating")))
    console.print(locator.report.render())
    if report:
        write_json(report, locator.report.to_json())
    notes.print(f"{count:,} labelled products: {out}")


@app.command()
def train(
    train_file: Annotated[str, typer.Option("--train", help="Labelled products, or a table whose values get located.")],
    out: Annotated[Path, typer.Option(help="Directory of the model.")],
    valid_file: Annotated[
        str | None, typer.Option("--valid", help="Validation products; default: a tenth of the training groups.")
    ] = None,
    preset: Annotated[str, typer.Option(help="small, mepave, mae, ... or a YAML file.")] = "small",
    overrides: Set = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    schema: Annotated[Path | None, typer.Option(help="Schema to train for; default: learned from the data.")] = None,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    limit: Limit = None,
) -> None:
    """Train a model on labelled products; the best state by validation TAG-F1 is kept.

    Example: [bold]attrex train --train demo/data/train.jsonl --valid demo/data/valid.jsonl --out runs/first[/]
    """
    from attrex.config import Config
    from attrex.data.splitting import split_by_group
    from attrex.schema import Schema
    from attrex.training.train import train as fit

    settings = [*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())]
    config = Config.load(preset, settings)
    products = _labelled(_progress(_read(train_file, images, fields, columns, None, limit), "reading"))
    if valid_file:
        validation = _labelled(_read(valid_file, images, fields, columns, None, limit))
    else:
        products, validation = split_by_group(products, 0.1)
        notes.print(f"validation: {len(validation):,} of the products, by group, held out of training")
    model = fit(
        products,
        validation,
        out,
        config=config,
        schema=Schema.load(schema) if schema else None,
        resume=resume,
        console=notes,
    )
    tag = model.metrics["validation"]["tag"]
    console.print(
        f"{config.system}: validation TAG-F1 {tag['f1']:.4f} (P {tag['precision']:.4f}, R {tag['recall']:.4f}), "
        f"{model.metrics['minutes']:.1f} minutes"
    )
    notes.print(f"model: {out}\nnext: attrex evaluate {out} DATA, or attrex extract {out} INPUT --out values.jsonl")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Model directory or Hugging Face hub name.")],
    data: Annotated[str, typer.Argument(help="Labelled products.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the metrics as JSON.")] = None,
    attributes: Annotated[str | None, typer.Option(help="Score only these, separated by commas.")] = None,
    threshold: Annotated[float | None, typer.Option(help="S_thr instead of the model's.", min=0, max=1)] = None,
    no_photos: NoPhotos = False,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Score a model: TAG-F1, CLS-F1, accuracy, macro-F1, per attribute, with confidence intervals.

    Example: [bold]attrex evaluate demo/model demo/data/test.jsonl --json metrics.json[/]
    """
    from attrex.evaluation.evaluate import evaluate as measure
    from attrex.evaluation.metrics import render
    from attrex.inference.checkpoint import write_json

    products = list(_read(data, images, fields, columns, split, limit))
    chosen = [a.strip() for a in attributes.split(",")] if attributes else None
    result = measure(
        _extractor(model),
        _progress(products, "extracting"),
        attributes=chosen,
        threshold=threshold,
        photos=not no_photos,
    )
    console.print(render(result.scores))
    console.print(f"decoded sequences per product: {result.sequences_per_product:.2f}")
    if json_file:
        write_json(json_file, result.to_json())
        notes.print(f"metrics: {json_file}")


@app.command()
def extract(
    model: Annotated[str, typer.Argument(help="Model directory or Hugging Face hub name.")],
    data: Annotated[str, typer.Argument(metavar="INPUT", help="Products: JSONL, CSV, TSV, Parquet, a directory ...")],
    out: Annotated[Path, typer.Option(help="Where the values go, .jsonl or .parquet.")],
    threshold: Annotated[float | None, typer.Option(help="S_thr instead of the model's.", min=0, max=1)] = None,
    min_confidence: Annotated[float | None, typer.Option(help="Leave out values below it.", min=0, max=1)] = None,
    no_photos: NoPhotos = False,
    no_evidence: Annotated[bool, typer.Option("--no-evidence", help="Leave out the region weights.")] = False,
    batch_size: Batch = None,
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
    from attrex.inference.output import PredictionFile

    target = PredictionFile(out, resume=resume)
    extractor = _extractor(model)
    source = islice(_read(data, images, fields, columns, split, limit), target.done, None)
    predictions = extractor.extract(
        source,
        batch_size=batch_size,
        threshold=threshold,
        min_confidence=min_confidence,
        evidence=not no_evidence,
        photos=not no_photos,
    )
    tally = {"values": 0, "warnings": 0, "errors": 0}

    def counted() -> Iterator[Any]:
        for prediction in predictions:
            tally["values"] += len(prediction.values)
            tally["warnings"] += bool(prediction.warnings)
            tally["errors"] += prediction.error is not None
            yield prediction

    rows = target.write(_progress(counted(), "extracting", done=target.done))
    console.print(
        f"{rows:,} products, {tally['values']:,} values; {tally['warnings']:,} products with warnings, "
        f"{tally['errors']:,} rows that could not be read (marked in the output)"
    )
    notes.print(f"values: {out}")


@app.command()
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
    products = list(_read(data, images, fields, columns, split, limit))
    models = [(name, _extractor(name)) for name in [model, *second]]
    path = report_page(out, products, models, photos=not no_photos, most=most)
    notes.print(f"report: {path}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for data, model and report.")] = Path("demo"),
    products: Annotated[int, typer.Option(help="Training products to draw.", min=50)] = 1200,
    seed: Annotated[int, typer.Option(help="Seed of the catalogue and the training.")] = 0,
) -> None:
    """Draw a catalogue, train on it, extract from unseen products, evaluate, and write a report to look at.

    Example: [bold]attrex demo --out demo[/]
    """
    from attrex.demo import run

    run(out, products=products, seed=seed, console=console)


@app.command()
def settings(
    preset: Annotated[str, typer.Option(help="small, mepave, mae, ... or a YAML file.")] = "small",
    overrides: Set = None,
) -> None:
    """Every setting of a preset with its value and meaning, as Markdown.

    Example: [bold]attrex settings --preset mae[/]
    """
    from attrex.config import Config, describe

    config = Config.load(preset, overrides or ())
    print(f"# Settings of `{config.preset}` ({config.system})\n\n{describe(config)}", end="")


@app.command()
def push(
    model: Annotated[Path, typer.Argument(help="Model directory.")],
    name: Annotated[str, typer.Argument(help="Name on the Hugging Face hub, owner/model.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public; default: private.")] = False,
) -> None:
    """Upload a model to the Hugging Face hub; it is loaded from there by its name.

    Example: [bold]attrex push runs/first my-shop/attributes[/]
    """
    from attrex.inference.checkpoint import push_model

    notes.print(f"uploaded: {push_model(model, name, private=not public)}")


# ---- shared by the commands ---------------------------------------------------------------------------------------


def _mapping(fields: str | None, columns: Path | None) -> ColumnMapping:
    """The column mapping of a YAML file, with --fields on top."""
    import yaml

    from attrex.data.readers import ColumnMapping

    options: dict[str, Any] = {}
    if columns:
        try:
            options = yaml.safe_load(columns.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
            raise ConfigError(f"--columns {columns} cannot be read as YAML: {exc}") from exc
        known = [f.name for f in dataclass_fields(ColumnMapping)]
        if not isinstance(options, dict):
            raise ConfigError(f"--columns {columns} should map names such as {', '.join(known[:4])} to columns")
        for key in options:
            if key not in known:
                raise ConfigError(f"--columns {columns}: unknown key {key!r}{did_you_mean(str(key), known)}")
    if fields:
        options["fields"] = [f.strip() for f in fields.split(",")]
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return ColumnMapping(**options)


def _read(
    source: str, images: Path | None, fields: str | None, columns: Path | None, split: str | None, limit: int | None
) -> Iterator[Product]:
    from attrex.data.readers import read_products

    return read_products(source, mapping=_mapping(fields, columns), images=images, split=split, limit=limit)


def _labelled(products: Iterable[Product]) -> list[Product]:
    """Products with spans; a table without any gets its values located first, with the default policy."""
    from attrex.data.locate import Locator

    found = list(products)
    if any(p.spans is not None for p in found):
        return found
    locator = Locator()
    found = [locator.locate(p) for p in found]
    notes.print(locator.report.render())
    notes.print("no labelled spans: the table's values were located in the texts; see `attrex locate` for the policy")
    return found


def _extractor(model: str) -> Extractor:
    from attrex.inference.extractor import Extractor

    return Extractor.load(model)


def _progress(items: Iterable[T], what: str, done: int = 0) -> Iterator[T]:
    total = len(items) if isinstance(items, Sized) else None
    with Progress(
        TextColumn(f"[bold]{what}[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=notes,
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: errors about the user's input are one red line, not a traceback."""
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        command(arguments, standalone_mode=True)
    except AttrexError as exc:
        notes.print("[red]error:[/]", escape(str(exc)), highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        notes.print("interrupted; what was finished is kept, go on with --resume")
        sys.exit(130)
