"""Commands that measure: evaluate, compare, benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrex import pipeline
from attrex.cli.console import console, note, progress
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
from attrex.cli.outputs import files_of, save_json
from attrex.cli.screens.figures import ROWS
from attrex.cli.screens.scores import comparison_screen, score_screen
from attrex.cli.screens.speed import speed_screen
from attrex.cli.screens.table import table_screen
from attrex.errors import ConfigError, did_you_mean, printable
from attrex.io.outputs import check_out

if TYPE_CHECKING:
    from attrex.types import Product


@reads_products()
def evaluate_command(
    model: ModelArgument,
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled products.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the metrics as JSON.")] = None,
    attributes: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Score only these, separated by commas.")
    ] = None,
    threshold: Threshold = None,
    gold: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Products whose values are all labelled by hand: scored beside DATA."),
    ] = None,
    no_photos: NoPhotos = False,
    given: Annotated[
        bool, typer.Option("--given", help="Ask each product only for the attributes that it has, as some papers do.")
    ] = False,
    table: Annotated[bool, typer.Option("--table", help="The table test: are the table's cells found again?")] = False,
    valid: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="With --table: products on which cut-offs for precision 0.95 and 0.98 are chosen."
        ),
    ] = None,
    deterministic: Deterministic = False,
    everything: All = False,
    *,
    source: SourceOptions,
) -> None:
    """Score a model on labelled products, with confidence intervals.

    TAG-F1 (the field's main score: attribute and both ends of the value are right), CLS-F1, accuracy, macro-F1, and
    the scores of each attribute. Labels from a table are not complete: the precision is then given between two bounds,
    and --gold measures it. With --table no labels are needed: the model's surest value for each filled cell is compared
    with the cell, of attributes with at least 50 of them, with photos, without, and with those of other products.

    Example: [bold]attrex evaluate demo/work/model demo/data/test.jsonl --json metrics.json[/]
    """
    check_out(json_file, (), data, gold, valid, source.shop, *files_of(model), option="--json")
    if table and (gold or given):
        raise ConfigError("--table judges the cells of DATA and takes no labels; leave out --gold and --given")
    if valid and not table:
        raise ConfigError("--valid FILE is what --table chooses its cut-offs on; give --table, or leave it out")
    shop = source.shop_of(model)
    chosen = [a.strip() for a in attributes.split(",") if a.strip()] if attributes else None
    if table:
        cells = pipeline.evaluate_table(
            model,
            source.products(data, shop),
            valid=source.whole().products(valid, shop, split=part_of(valid, "valid")) if valid else None,
            attributes=chosen,
            threshold=threshold,
            photos=not no_photos,
            deterministic=deterministic,
            allow_code=allowed,
            progress=progress,
        )
        console.print(table_screen(cells, everything))
        save_json(json_file, cells.to_json(), "figures")
        return

    def scored(products: Iterable[Product], by_hand: bool) -> dict[str, Any]:
        result = pipeline.evaluate(
            model,
            products,
            by_hand=by_hand,
            attributes=chosen,
            threshold=threshold,
            photos=not no_photos,
            gold_attributes=given,
            deterministic=deterministic,
            allow_code=allowed,
            progress=progress,
        )
        console.print(score_screen(result.scores, result.incomplete, everything))
        if not by_hand:
            console.print(f"decoded sequences per product: {result.sequences_per_product:.2f}")
        return result.to_json()

    # products that are not labelled are an error at once
    by_hand = pipeline.labelled_by_hand(source.whole().products(gold, shop)) if gold else []
    found = scored(source.products(data, shop), by_hand=False)
    if gold:
        console.print(f"\nLabelled by hand, {gold}:", markup=False, highlight=False, soft_wrap=True)
        found["gold"] = scored(by_hand, by_hand=True)
    save_json(json_file, found, "metrics")


def compare_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Files of attrex evaluate --json, tables of runs, or some runs of a table: 'TABLE.jsonl::uls-*'.",
        ),
    ],
    against: Annotated[str | None, typer.Option(metavar="NAME", help="Row that the others are compared with.")] = None,
    part: Annotated[
        str, typer.Option(metavar="NAME", help="What to compare on: test, or gold: products labelled by hand.")
    ] = "test",
    metric: Annotated[str, typer.Option(metavar="NAME", help="tag, overlap, cls, cls_values or accuracy.")] = "tag",
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write every run with all figures.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a plot, .svg, .png or .pdf.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every row and every figure in the table.")] = False,
) -> None:
    """Compare runs: means over seeds, and differences with intervals.

    Runs that differ in nothing but the seed are one row. The interval is of a paired bootstrap over products and seeds.
    The table has the 15 best rows, and the figures of --metric on --part; in a file or a pipe it is Markdown.

    Example: [bold]attrex compare runs/*.json --against uls-dram --plot runs.svg[/]
    """
    from attrex.evaluation.comparison import (
        FIGURES,
        comparison_remarks,
        csv_text,
        figure_of,
        figures_of,
        markdown,
        table_cells,
    )
    from attrex.evaluation.comparison import compare as side_by_side
    from attrex.evaluation.comparison import plot as draw
    from attrex.evaluation.runs import COMPARED, RUN_PARTS, read_runs, split_source
    from attrex.io.atomic import atomic_path, write_text

    for value, known, option in ((part, RUN_PARTS, "--part"), (metric, COMPARED, "--metric")):
        if value not in known:
            raise ConfigError(f"{option} {value!r}{did_you_mean(value, known)}; expected one of {', '.join(known)}")
    for out, suffixes, option in ((csv_file, (".csv",), "--csv"), (plot, (".svg", ".png", ".pdf"), "--plot")):
        if out:
            check_out(out, suffixes, *(split_source(source)[0] for source in runs), option=option)
            out.parent.mkdir(parents=True, exist_ok=True)
    different = {Path(source).resolve() for source in runs}
    if len(different) < len(runs):
        note(f"{len(runs)} files were named, but only {len(different)} different ones: each counts once")
    rows = side_by_side(read_runs(runs), against, part=part, metric=metric)
    figures = FIGURES if everything else figures_of(rows, part, metric)
    if console.is_terminal:
        console.print(comparison_screen(table_cells(rows, figures), everything))
    elif everything:
        print(printable(markdown(rows)), end="")
    else:
        print(printable(markdown(rows[:ROWS], figures)), end="")
        if len(rows) > ROWS:
            note(f"the {ROWS} best of {len(rows)} rows; --all shows every row, and all figures")
    for remark in comparison_remarks(rows):
        note(f"note: {remark}")
    if csv_file:
        write_text(csv_file, csv_text(rows))
        note(f"runs: {csv_file}")
    if plot:
        with atomic_path(plot, suffix=f".part{plot.suffix}") as whole:  # matplotlib goes by the suffix
            draw(rows, whole, figure_of(part, metric))
        note(f"plot: {plot}")


@reads_products(limit=500)
def benchmark_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model directory, an export, or a hub name.")],
    data: Annotated[str, typer.Argument(metavar="INPUT", help="Products like those to extract from.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each way of running it is measured.", min=1)] = 3,
    batch_size: BatchSize = None,
    *,
    source: SourceOptions,
) -> None:
    """Measure how fast a model is on this machine.

    Products per second, single products, memory, and where the time goes; in torch, ONNX and ONNX with 8 bits.

    Example: [bold]attrex benchmark demo/work/model demo/data/test.jsonl --json speed.json[/]
    """
    from tempfile import TemporaryDirectory

    from attrex.tools.benchmark import benchmark as measure

    check_out(json_file, (), data, source.shop, *files_of(model), option="--json")
    products = list(source.products(data, source.shop_of(model)))
    with TemporaryDirectory() as work:
        found = measure(model, products, Path(work), rounds=rounds, batch_size=batch_size, progress=note)
    console.print(speed_screen(found))
    save_json(json_file, found, "figures")


@reads_products()
def calibrate_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Directory of a model or an export with a value head.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Products with their table, not those it learned from.")],
    verdicts: Annotated[
        Path | None,
        typer.Option(
            help="What people decided of cells of DATA, from `attrex review export`: it counts, not the table.",
        ),
    ] = None,
    no_photos: NoPhotos = False,
    *,
    source: SourceOptions,
) -> None:
    """Make a model's confidences those of your own filled cells.

    For a new shop, or an export: nothing is trained. The filled cells are hidden, and what the model says of them is
    compared with what they hold. The calibration in the model's directory is replaced.

    Example: [bold]attrex calibrate demo/work/model demo/data/valid.jsonl[/]
    """
    from attrex.pipeline.given import directory_of

    directory = directory_of(model)  # nothing is fetched, only to be refused
    shop = source.shop_of(model)
    calibrated = pipeline.calibrate(
        directory,
        source.products(data, shop),
        shop=shop,
        verdicts=verdicts,
        photos=not no_photos,
        allow_code=allowed,
        progress=progress,
    )
    console.print(calibrated.render(), soft_wrap=True)
    note(f"calibration: {directory / 'calibration.json'}")
