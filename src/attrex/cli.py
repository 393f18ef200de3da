"""The command line: parse, call, print. Heavy imports live inside the commands, so that --help is quick."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from typer.core import TyperGroup

from attrex.errors import AttrexError, ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    from attrex.data.mapping import ColumnMapping
    from attrex.evaluation.evaluate import Evaluation
    from attrex.inference.extractor import Extractor
    from attrex.locating.lexicon import Lexicon
    from attrex.locating.locate import LocatePolicy, Locator
    from attrex.schema import Schema
    from attrex.types import Product

T = TypeVar("T")
console = Console()
notes = Console(stderr=True)


class Commands(TyperGroup):
    """Errors about the user's input are one line, not a traceback, and end with code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AttrexError as exc:
            _fail(str(exc))
        except OSError as exc:  # disk full, no right to write there ...
            if exc.errno == errno.EPIPE:  # `attrex settings | head`
                raise
            _fail(f"{exc.strerror}: {exc.filename}" if exc.strerror and exc.filename else str(exc))
        except KeyboardInterrupt:
            resumable = ctx.invoked_subcommand in ("train", "pretrain", "extract")
            _note("interrupted" + ("; what was finished is kept, go on with --resume" if resumable else ""))
            raise typer.Exit(130) from None


app = typer.Typer(
    name="attrex",
    cls=Commands,
    help="Fill a shop's attribute table from product titles, descriptions and photos, with evidence for every value.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

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
    split: Split = None,
    limit: Limit = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON too.")] = None,
) -> None:
    """What to know of a data set before training: fill rates, lengths, photos, leaks between splits, and advice.

    Ends with code 1 where something is wrong with the data, with 0 where there is only advice.

    Example: [bold]attrex check demo/data/train.jsonl demo/data/valid.jsonl[/]
    """
    from attrex.config import Config
    from attrex.data.checks import check as look
    from attrex.data.mentions import Mentions
    from attrex.inference.checkpoint import load_tokenizer
    from attrex.model.text_encoder import resolve_text_model
    from attrex.schema import Schema

    config = Config.load(preset)
    splits = {Path(d).name: _read(d, images, fields, columns, split, limit) for d in data}
    if len(splits) < len(data):
        raise DataError(f"the data files need different names to tell the splits apart, got {', '.join(data)}")
    texts = [p.without_images() for d in data for p in _read(d, images, fields, columns, split, limit)]
    mentions = Mentions.learn(texts, Schema.learn(texts), min_share=config.range.mention_share)
    backend = load_tokenizer(resolve_text_model(config.text.model)).backend_tokenizer
    backend.no_truncation()
    report = look(
        splits,
        count_tokens=lambda text: len(backend.encode(text, add_special_tokens=False).ids),
        max_tokens=config.text.max_tokens,
        overlap=config.text.overlap,
        check_images=not no_photos,
        image_size=config.image.size,
        mentions=mentions,
    )
    console.print(report.render(), markup=False)
    _write_json(json_file, report.to_json(), "report")
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def locate(
    table: Annotated[str, typer.Argument(help="Products with their table: JSONL, CSV, TSV, Parquet, MAE directory.")],
    out: Annotated[Path, typer.Option(help="Labelled products, JSONL.")],
    policy: Annotated[Path | None, typer.Option(help="YAML policy: case, inflection, columns to merge ...")] = None,
    schema: Annotated[Path | None, typer.Option(help="Schema with aliases and merged columns.")] = None,
    mine: Annotated[
        Path | None,
        typer.Option(help="First find out what the texts call the values, write it as YAML to edit, and go by it."),
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Go by what --mine has written and you have edited.")] = None,
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Label anew what has labels already, but for complete ones.")
    ] = False,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON too.")] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(help="Labelled products: how far would the policy agree with their labels? May be repeated."),
    ] = None,
) -> None:
    """Find the table's values in the texts: labels for training, without anybody labelling.

    Example: [bold]attrex locate demo/data/catalog.jsonl --out located.jsonl --mine lexicon.yaml[/]

    With lexicon.yaml edited, the same again with --lexicon lexicon.yaml in place of --mine.
    """
    from attrex.data.readers import write_products
    from attrex.locating.lexicon import NOTHING_MINED, Lexicon
    from attrex.locating.locate import LocatePolicy, Locator
    from attrex.schema import Schema

    _check_out(out, (".jsonl", ".jsonl.gz"), table, *(compare or ()))
    if mine and lexicon:
        raise ConfigError("--mine writes a lexicon and --lexicon reads one; give one of them")
    known = Schema.load(schema) if schema else None
    how = LocatePolicy.load(policy) if policy else LocatePolicy()
    words = Lexicon.load(lexicon) if lexicon else NOTHING_MINED
    if mine:
        words = _mined(_read(table, images, fields, columns, split, limit), mine, known, how, table)
    locator = Locator(known, how, words)
    source = _read(table, images, fields, columns, split, limit)
    bare = (replace(p, spans=None) if relabel and not p.complete else p for p in source)
    count = write_products(out, (locator.locate(p) for p in _progress(bare, "locating")))
    console.print(locator.report.render(), markup=False)
    found = locator.report.to_json()
    if compare:
        source = _read(table, images, fields, columns, split, limit)
        references = [p for name in compare for p in _read(name)]
        found["agreement"] = _agreement(_progress(source, "comparing"), references, Locator(known, how, words))
        console.print(_agreement_table(found["agreement"]))
    _write_json(report, found, "report")
    _note(f"{count:,} labelled products: {out}")


@app.command()
def lexicon(
    words: Annotated[Path, typer.Argument(help="What `attrex locate --mine` has written.")],
    table: Annotated[str, typer.Argument(help="Products with their table, as `attrex locate` reads or writes them.")],
    found: Annotated[Path, typer.Argument(help="What `attrex extract` has found in them: .jsonl or .parquet.")],
    out: Annotated[Path, typer.Option(help="The lexicon with the model's opinion, YAML to edit.")],
    policy: Annotated[Path | None, typer.Option(help="The policy that the values were located with.")] = None,
    promote: Annotated[
        float, typer.Option(min=0, max=1, help="A suggested form is accepted if so much of its places is read.")
    ] = 0.5,
    demote: Annotated[
        float, typer.Option(min=0, max=1, help="An accepted form is only suggested if less of its places is read.")
    ] = 0.1,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Ask a trained model about a lexicon: are its forms read as values where the table says they are?

    Example: [bold]attrex lexicon lexicon.yaml located.jsonl found.jsonl --out reviewed.yaml[/]

    Then locate anew with --lexicon reviewed.yaml.
    """
    from attrex.inference.output import read_predictions
    from attrex.locating.lexicon import Lexicon
    from attrex.locating.locate import LocatePolicy, Locator
    from attrex.locating.second_opinion import second_opinion

    _check_out(out, (".yaml", ".yml"), str(words), table, str(found))
    known = Lexicon.load(words)
    products = _progress(_read(table, None, fields, columns, split, limit), "comparing")
    locator = Locator(None, LocatePolicy.load(policy) if policy else LocatePolicy())
    opinion = second_opinion(known, products, read_predictions(found), locator, promote=promote, demote=demote)
    out.parent.mkdir(parents=True, exist_ok=True)
    opinion.lexicon.save(out)
    console.print(opinion.render())
    _note(f"lexicon: {out}")


@app.command()
def ocr(
    data: Annotated[str, typer.Argument(help="Products with photos, from any reader.")],
    out: Annotated[Path, typer.Option(help="The same products with a field photo_text, JSONL.")],
    min_score: Annotated[float, typer.Option(help="Leave out lines that are less sure.", min=0, max=1)] = 0.8,
    photos: Annotated[int, typer.Option(help="Photos of a product that are read at most.", min=1)] = 4,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Read what the photos say: text on products and packaging becomes a field, to find values in as in all others.

    Labels that are there do not know the new field: locate anew, with --relabel.

    Example: [bold]attrex ocr demo/data/catalog.jsonl --out with-photo-text.jsonl[/]
    """
    from attrex.data.ocr import FIELD, PhotoReader
    from attrex.data.readers import write_products

    _check_out(out, (".jsonl", ".jsonl.gz"), data)
    reader, found = PhotoReader(min_score=min_score, photos=photos), 0

    def read() -> Iterator[Product]:
        nonlocal found
        source = _read(data, images, fields, columns, split, limit)
        for product in map(reader.read, _progress(source, "reading photos")):
            found += FIELD in product.fields
            yield product

    count = write_products(out, read())
    console.print(f"{count:,} products, {found:,} of which have text in their photos")
    _note(f"products: {out}")


@app.command()
def train(
    train_file: Annotated[str, typer.Option("--train", help="Labelled products, or a table whose values get located.")],
    out: Annotated[Path, typer.Option(help="Directory of the model.")],
    valid_file: Annotated[
        str | None, typer.Option("--valid", help="Validation products; default: a tenth of the training groups.")
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            help="Products labelled in full by hand: the best state and S_thr are chosen on them, not on --valid."
        ),
    ] = None,
    train_gold: Annotated[
        str | None, typer.Option(help="Products labelled in full by hand to learn from as well.")
    ] = None,
    preset: Annotated[str, typer.Option(help="small, mepave, mae, ... or a YAML file.")] = "small",
    system: Annotated[str | None, typer.Option(help="What to train, one of `attrex systems`.")] = None,
    overrides: Set = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    schema: Annotated[Path | None, typer.Option(help="Schema to train for; default: learned from the data.")] = None,
    trackers: Annotated[
        list[str] | None,
        typer.Option("--tracker", help="Where curves go: tensorboard, wandb, mlflow ..., or none; may be repeated."),
    ] = None,
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

    settings = [*([f"system={system}"] if system else ()), *(["range.tune_threshold=true"] if gold else ())]
    settings += [*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())]
    config = Config.load(preset, settings)
    if gold and valid_file:
        raise ConfigError("--gold takes the place of --valid; give one of them")
    known = Schema.load(schema) if schema else None
    source = _read(train_file, images, fields, columns, _part(train_file, "train"), limit)
    products, lexicon = _labelled(_progress(source, "reading"), known)
    if gold:
        validation = _by_hand(_read(gold, images, fields, columns))
    elif valid_file:
        source = _read(valid_file, images, fields, columns, _part(valid_file, "valid"), limit)
        validation, _ = _labelled(_progress(source, "reading"), known, lexicon)
    else:
        products, validation = split_by_group(products, 0.1)
        _note(f"validation: {len(validation):,} of the products, by group, held out of training")
    if train_gold:
        products += _by_hand(_read(train_gold, images, fields, columns))
    where = None if not trackers else [] if trackers == ["none"] else trackers
    model = fit(products, validation, out, config=config, schema=known, resume=resume, trackers=where, console=notes)
    if lexicon:
        lexicon.save(out / "lexicon.yaml")
        _note(
            f"what the texts call the table's values: {out / 'lexicon.yaml'}; edit it, and locate --lexicon goes by it"
        )
    tag = model.metrics["validation"]["tag"]
    console.print(
        f"{config.system_name}: validation TAG-F1 {tag['f1']:.4f} (P {tag['precision']:.4f}, R {tag['recall']:.4f}), "
        f"{model.metrics['minutes']:.1f} minutes",
        soft_wrap=True,
    )
    _note(f"model: {out}\nnext: attrex evaluate {out} DATA, or attrex extract {out} INPUT --out values.jsonl")


@app.command()
def pretrain(
    data: Annotated[list[str], typer.Argument(help="Products, labelled or not; only their texts are read.")],
    out: Annotated[Path, typer.Option(help="Directory of the encoder.")],
    valid_file: Annotated[
        str | None, typer.Option("--valid", help="Products whose hidden words are guessed before and after.")
    ] = None,
    preset: Annotated[str, typer.Option(help="small, mepave, mae, ... or a YAML file.")] = "small",
    overrides: Set = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    fields: Fields = None,
    columns: Columns = None,
    limit: Limit = None,
) -> None:
    """Go on with the text encoder's pretraining on product texts; train with the result as text.model.

    Values that labels or tables tell of are hidden as a whole, wherever a text says them.

    Example: [bold]attrex pretrain demo/data/train.jsonl --out runs/encoder[/]
    """
    from attrex.config import Config
    from attrex.locating.locate import Locator
    from attrex.training.pretrain import pretrain as go_on

    settings = [*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())]
    config, locator = Config.load(preset, settings), Locator(None)

    def read(source: str, split: str) -> Iterator[Product]:
        for product in _progress(_read(source, None, fields, columns, _part(source, split), limit), "reading"):
            yield locator.locate(product) if product.spans is None and product.table else product

    products = [product for source in data for product in read(source, "train")]
    validation = list(read(valid_file, "valid")) if valid_file else []
    found = go_on(products, out, validation=validation, config=config, resume=resume, console=notes)
    console.print(f"{found['windows']:,} texts, {found['known_values']:,} known values, {found['steps']:,} steps")
    if found["validation"]:
        before, after = found["validation"]["before"], found["validation"]["after"]
        console.print(
            f"hidden words of the validation products guessed: {before['accuracy']:.4f} before, "
            f"{after['accuracy']:.4f} after",
            soft_wrap=True,
        )
    _note(f"encoder: {out}\nnext: attrex train --set text.model={out} --train FILE --out DIR")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Model directory or Hugging Face hub name.")],
    data: Annotated[str, typer.Argument(help="Labelled products.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the metrics as JSON.")] = None,
    attributes: Annotated[str | None, typer.Option(help="Score only these, separated by commas.")] = None,
    threshold: Annotated[float | None, typer.Option(help="S_thr instead of the model's.", min=0, max=1)] = None,
    gold: Annotated[
        str | None, typer.Option(help="Products whose values are all labelled by hand: scored beside DATA.")
    ] = None,
    no_photos: NoPhotos = False,
    given: Annotated[
        bool, typer.Option("--given", help="Ask each product only for the attributes that it has, as some papers do.")
    ] = False,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Score a model: TAG-F1, CLS-F1, accuracy, macro-F1, per attribute, with confidence intervals.

    Labels from a table are not complete: the precision is then given between two bounds, and --gold tells the truth.

    Example: [bold]attrex evaluate demo/model demo/data/test.jsonl --json metrics.json[/]
    """
    from attrex.evaluation.evaluate import evaluate as measure
    from attrex.evaluation.metrics import count
    from attrex.evaluation.tables import render

    products = list(_read(data, images, fields, columns, split, limit))
    by_hand = _by_hand(_read(gold, images, fields, columns)) if gold else []
    chosen = [a.strip() for a in attributes.split(",")] if attributes else None
    for labelled in (products, by_hand) if gold else (products,):  # labels that cannot be scored are told at once
        count(labelled, [None] * len(labelled), attributes=chosen)
    extractor = _extractor(model)

    def scored(labelled: list[Product]) -> Evaluation:
        result = measure(
            extractor,
            _progress(labelled, "extracting"),
            attributes=chosen,
            threshold=threshold,
            photos=not no_photos,
            given=given,
        )
        console.print(render(result.scores))
        if result.incomplete:
            console.print(result.incomplete.render(), soft_wrap=True)
        return result

    result = scored(products)
    console.print(f"decoded sequences per product: {result.sequences_per_product:.2f}")
    found = result.to_json()
    if gold:
        console.print(f"\nLabelled by hand, {gold}:", markup=False, highlight=False, soft_wrap=True)
        found["gold"] = scored(by_hand).to_json()
    _write_json(json_file, found, "metrics")


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(help="Runs: files of attrex evaluate --json or recipes/run.py.")],
    against: Annotated[str | None, typer.Option(help="Row that the others are compared with.")] = None,
    part: Annotated[str, typer.Option(help="What to compare on: test, or gold: products labelled by hand.")] = "test",
    metric: Annotated[str, typer.Option(help="tag, overlap, cls, cls_values or accuracy.")] = "tag",
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write every run, all figures in full.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figure, .svg, .png or .pdf.")] = None,
) -> None:
    """A table of runs in Markdown: means over seeds, their spread, and the difference to one of them with its interval.

    Runs that differ in nothing but the seed are a row; the interval is of a paired bootstrap over products and seeds.

    Example: [bold]attrex compare runs/*.json --against uls-dram --plot runs.svg[/]
    """
    from attrex.evaluation.comparison import compare as side_by_side
    from attrex.evaluation.comparison import csv_text, figure_of, markdown
    from attrex.evaluation.comparison import plot as draw
    from attrex.evaluation.runs import COMPARED, PARTS, read_runs

    for value, known, option in ((part, PARTS, "--part"), (metric, COMPARED, "--metric")):
        if value not in known:
            raise ConfigError(f"{option} {value!r}{did_you_mean(value, known)}; expected one of {', '.join(known)}")
    for out, suffixes, option in ((csv_file, (".csv",), "--csv"), (plot, (".svg", ".png", ".pdf"), "--plot")):
        if out:
            _check_out(out, suffixes, *map(str, files), option=option)
            out.parent.mkdir(parents=True, exist_ok=True)
    rows = side_by_side(read_runs(files), against, part=part, metric=metric)
    print(markdown(rows), end="")
    if csv_file:
        csv_file.write_text(csv_text(rows), encoding="utf-8")
        _note(f"runs: {csv_file}")
    if plot:
        draw(rows, plot, figure_of(part, metric))
        _note(f"plot: {plot}")


@app.command()
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
    batch_size: Batch = None,
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
    from attrex.inference.output import PredictionFile

    _check_out(out, (), data)
    target = PredictionFile(out, resume=resume)
    if target.finished:
        _note(f"{out} is finished already: nothing left to do; delete it to extract again")
        return
    source = _read(data, images, fields, columns, split, limit)
    extractor = _extractor(model, backend, precision, cache)
    rows = batch_size or extractor.model.config.training.eval_batch_size
    predictions = extractor.extract(
        target.left(source, step=rows * CHUNK),
        batch_size=rows,
        threshold=threshold,
        min_confidence=min_confidence,
        evidence=not no_evidence,
        photos=not no_photos,
    )
    target.write(_progress(predictions, "extracting", done=target.tally.rows))
    tally = target.tally
    console.print(
        f"{tally.rows:,} products, {tally.values:,} values; {tally.warnings:,} products with warnings, "
        f"{tally.errors:,} rows that could not be read (marked in the output)",
        soft_wrap=True,
    )
    _note(f"values: {out}")


@app.command()
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
    from attrex.data.synthetic import draw_catalogue
    from attrex.evaluation.parity import export_checked
    from attrex.inference.checkpoint import load_model

    if sample:
        products = list(_read(sample, images, fields, columns, split, limit))
    else:  # their labels say nothing of this model's attributes
        products = [replace(d.product, spans=None) for d in draw_catalogue(100, seed=0)]
        _note("no --sample: compared on 100 drawn products; give products of your own to be sure")
    parity = export_checked(load_model(model), out, products, int8=int8, tolerance=tolerance)
    against = f", TAG-F1 {parity.model_f1:.4f} -> {parity.export_f1:.4f}" if parity.model_f1 is not None else ""
    console.print(
        f"{parity.products:,} products: agreement with the model F1 {parity.agreement_f1:.4f}{against}", soft_wrap=True
    )
    _note(f"export: {out}\nnext: attrex extract {out} INPUT --out values.jsonl")


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
    _check_out(out, (".html", ".htm"), data)
    products = list(_read(data, images, fields, columns, split, limit))
    models = [(name, _extractor(name)) for name in [model, *second]]
    path = report_page(out, products, models, photos=not no_photos, most=most)
    _note(f"report: {path}")


@app.command()
def benchmark(
    model: Annotated[str, typer.Argument(help="Model directory, an export, or a Hugging Face hub name.")],
    data: Annotated[str, typer.Argument(help="Products like those that are to be extracted from.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each way is measured, in turn.", min=1)] = 3,
    batch_size: Batch = None,
    images: Images = None,
    fields: Fields = None,
    columns: Columns = None,
    split: Split = None,
    limit: Limit = 500,
) -> None:
    """How fast a model is on this machine: products/s, single products, memory, stages; torch, ONNX and int8.

    Example: [bold]attrex benchmark demo/model demo/data/test.jsonl --json speed.json[/]
    """
    from tempfile import TemporaryDirectory

    from attrex.benchmark import benchmark as measure
    from attrex.benchmark import render

    products = list(_read(data, images, fields, columns, split, limit))
    with TemporaryDirectory() as work:
        found = measure(model, products, Path(work), rounds=rounds, batch_size=batch_size, progress=_note)
    for table in render(found):
        console.print(table)
    _write_json(json_file, found, "figures")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for data, model and report.")] = Path("demo"),
    products: Annotated[int, typer.Option(help="Training products to draw.", min=50)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the catalogue and the training.")] = 0,
) -> None:
    """Draw a catalogue, train on it, extract from unseen products, evaluate, and write a report to look at.

    Example: [bold]attrex demo --out demo[/]
    """
    from attrex.demo import run

    run(out, products=products, seed=seed, console=console)


@app.command()
def systems() -> None:
    """The systems that can be trained, from which papers, and what each needs.

    Example: [bold]attrex systems[/]
    """
    from attrex.systems import SYSTEMS

    table = Table(
        Column("system", no_wrap=True),
        "published as",
        "reads",
        "attribute",
        "values by",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for name, info in SYSTEMS.items():
        asked = "given" if info.attribute_given else "predicted"
        table.add_row(name, f"{info.title}, {info.paper}", info.reads, asked, info.decodes)
    console.print(table)
    _note("attrex train --system NAME; where nobody says which attribute to look for, all of them are asked for")


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
    print(f"# Settings of `{config.preset}` ({config.system_name})\n\n{describe(config)}", end="")


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

    _note(f"uploaded: {push_model(model, name, private=not public)}")


# ---- shared by the commands ---------------------------------------------------------------------------------------


def _read(
    source: str,
    images: Path | None = None,
    fields: str | None = None,
    columns: Path | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> Iterator[Product]:
    from attrex.data.readers import read_products

    return read_products(source, mapping=_mapping(fields, columns), images=images, split=split, limit=limit)


def _mapping(fields: str | None, columns: Path | None) -> ColumnMapping:
    """The column mapping of a YAML file, with --fields on top."""
    from attrex.data.mapping import ColumnMapping

    mapping = ColumnMapping.load(columns) if columns else ColumnMapping()
    return replace(mapping, fields=tuple(f.strip() for f in fields.split(","))) if fields else mapping


def _part(source: str, split: str) -> str | None:
    """The split to take from a source that has several; a file has none."""
    return split if source.startswith("hf:") or Path(source).is_dir() else None


def _labelled(
    products: Iterable[Product], schema: Schema | None, lexicon: Lexicon | None = None
) -> tuple[list[Product], Lexicon | None]:
    """Products with spans; those without, but with a table, get its values located with the default policy.

    Goes by ``lexicon``, or by one mined from the products, which comes with them.
    """
    from attrex.locating.locate import Locator
    from attrex.locating.mining import mine

    found = list(products)
    bare = sum(p.spans is None and p.error is None for p in found)
    if not bare:
        return found, None
    lexicon = lexicon or mine(_progress(found, "mining"), schema)
    locator = Locator(schema, lexicon=lexicon)
    found = [locator.locate(p) for p in found]
    notes.print(locator.report.render(), markup=False)
    _note(
        f"{bare:,} of {len(found):,} products had no labelled spans: their table's values were located in the texts; "
        "`attrex locate` does so with a policy of yours"
    )
    return found, lexicon


def _by_hand(products: Iterable[Product]) -> list[Product]:
    """Products whose labels are all there are."""
    return [replace(p, complete=True) for p in products]


def _mined(products: Iterable[Product], file: Path, schema: Schema | None, policy: LocatePolicy, table: str) -> Lexicon:
    """What the texts call the table's values, also as a file."""
    from attrex.locating.mining import mine

    _check_out(file, (".yaml", ".yml"), table, option="--mine")
    found = mine(_progress(products, "mining"), schema, policy)
    file.parent.mkdir(parents=True, exist_ok=True)
    found.save(file)
    _note(f"lexicon: {file}")
    return found


def _extractor(model: str, backend: str = "auto", precision: str | None = None, cache: Path | None = None) -> Extractor:
    from attrex.inference.extractor import Extractor

    return Extractor.load(model, backend=backend, precision=precision, cache_dir=cache)


def _agreement(table: Iterable[Product], references: Iterable[Product], locator: Locator) -> dict[str, Any]:
    """Locate each table row's values in the reference's own text of that product, and compare with its labels."""
    from attrex.locating.locate import agreement

    wanted = {p.id: p for p in references if p.spans is not None}
    located = [
        locator.locate(replace(p, fields=wanted[p.id].fields, spans=None))
        for p in table
        if p.id in wanted and p.error is None
    ]
    if not located:
        raise DataError(
            f"--compare: none of the {len(wanted)} labelled reference products is in the table; "
            "compare with the labels of the same products (the same ids)"
        )
    return agreement(located, [wanted[p.id] for p in located])


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


def _check_out(out: Path, suffixes: Sequence[str], *inputs: str, option: str = "--out") -> None:
    """Nothing is written over what is read, nor under a name that says it is something else."""
    if suffixes and not out.name.lower().endswith(tuple(suffixes)):
        raise DataError(f"{option} should end in {' or '.join(suffixes)}, got {out.name!r}")
    if out.is_dir():
        raise DataError(f"{option} should be a file, but {out} is a directory; name a file in it")
    if any(out.resolve() == Path(name).resolve() for name in inputs):
        raise DataError(f"{option} {out} is the file that is read, and would be written over; choose another name")


def _write_json(path: Path | None, content: Any, what: str) -> None:
    from attrex.inference.directory import write_json

    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
        _note(f"{what}: {path}")


def _note(text: str) -> None:
    """For a person, beside the output: as it is, for names of files and data may look like markup."""
    notes.print(text, markup=False, highlight=False, soft_wrap=True)


def _fail(message: str) -> NoReturn:
    notes.print("[red]error:[/]", escape(message), highlight=False, soft_wrap=True)
    raise typer.Exit(2) from None


def _progress(items: Iterable[T], what: str, done: int = 0) -> Iterator[T]:
    total = len(items) if isinstance(items, Sized) else None
    with Progress(
        TextColumn(f"[bold]{what}[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,  # in a log it would leave empty lines
    ) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the process with the command's exit code."""
    app(arguments)
