"""Commands that measure: evaluate, compare, benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrex.cli.console import console, note, with_progress
from attrex.cli.inputs import labelled_by_hand, load_extractor, read_rows
from attrex.cli.options import BatchSize, Columns, Fields, Images, Limit, NoPhotos, Split
from attrex.cli.outputs import check_out, files_of, save_json
from attrex.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from attrex.evaluation.evaluate import Evaluation
    from attrex.types import Product


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
    from attrex.evaluation.evaluate import evaluation_remarks
    from attrex.evaluation.metrics import count
    from attrex.evaluation.tables import score_tables

    check_out(json_file, (), data, gold, columns, *files_of(model), option="--json")
    products = list(read_rows(data, images, fields, columns, split, limit))
    by_hand = labelled_by_hand(read_rows(gold, images, fields, columns)) if gold else []
    chosen = [a.strip() for a in attributes.split(",") if a.strip()] if attributes else None
    for labelled in (products, by_hand) if gold else (products,):  # labels that cannot be scored are told at once
        count(labelled, [None] * len(labelled), attributes=chosen)
    extractor = load_extractor(model)

    def scored(labelled: list[Product]) -> Evaluation:
        for remark in evaluation_remarks(labelled, extractor.names, chosen):
            note(f"note: {remark}")
        result = measure(
            extractor,
            with_progress(labelled, "extracting"),
            attributes=chosen,
            threshold=threshold,
            photos=not no_photos,
            gold_attributes=given,
        )
        console.print(score_tables(result.scores))
        if result.incomplete:
            console.print(result.incomplete.render(), soft_wrap=True)
        return result

    result = scored(products)
    console.print(f"decoded sequences per product: {result.sequences_per_product:.2f}")
    found = result.to_json()
    if gold:
        console.print(f"\nLabelled by hand, {gold}:", markup=False, highlight=False, soft_wrap=True)
        found["gold"] = scored(by_hand).to_json()
    save_json(json_file, found, "metrics")


def compare(
    files: Annotated[list[Path], typer.Argument(help="Runs: files of attrex evaluate --json or paper/recipes/run.py.")],
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
    from attrex.evaluation.comparison import comparison_remarks, csv_text, figure_of, markdown
    from attrex.evaluation.comparison import plot as draw
    from attrex.evaluation.runs import COMPARED, RUN_PARTS, read_runs

    for value, known, option in ((part, RUN_PARTS, "--part"), (metric, COMPARED, "--metric")):
        if value not in known:
            raise ConfigError(f"{option} {value!r}{did_you_mean(value, known)}; expected one of {', '.join(known)}")
    for out, suffixes, option in ((csv_file, (".csv",), "--csv"), (plot, (".svg", ".png", ".pdf"), "--plot")):
        if out:
            check_out(out, suffixes, *files, option=option)
            out.parent.mkdir(parents=True, exist_ok=True)
    runs = read_runs(files)
    if len(runs) < len(files):
        note(f"{len(files)} files were named, but only {len(runs)} different ones: each counts once")
    rows = side_by_side(runs, against, part=part, metric=metric)
    print(markdown(rows), end="")
    for remark in comparison_remarks(rows):
        note(f"note: {remark}")
    if csv_file:
        csv_file.write_text(csv_text(rows), encoding="utf-8")
        note(f"runs: {csv_file}")
    if plot:
        draw(rows, plot, figure_of(part, metric))
        note(f"plot: {plot}")


def benchmark(
    model: Annotated[str, typer.Argument(help="Model directory, an export, or a Hugging Face hub name.")],
    data: Annotated[str, typer.Argument(help="Products like those that are to be extracted from.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each way is measured, in turn.", min=1)] = 3,
    batch_size: BatchSize = None,
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

    from attrex.tools.benchmark import benchmark as measure
    from attrex.tools.benchmark import benchmark_tables

    check_out(json_file, (), data, columns, *files_of(model), option="--json")
    products = list(read_rows(data, images, fields, columns, split, limit))
    with TemporaryDirectory() as work:
        found = measure(model, products, Path(work), rounds=rounds, batch_size=batch_size, progress=note)
    for table in benchmark_tables(found):
        console.print(table)
    save_json(json_file, found, "figures")
