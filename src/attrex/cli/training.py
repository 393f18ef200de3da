"""Commands that train, and that tell what can be trained: train, distill, pretrain, demo, systems, settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrex import pipeline
from attrex.cli.console import console, no_bars_in_logs, note, progress, with_progress
from attrex.cli.inputs import allowed, part_of
from attrex.cli.options import ModelArgument, Preset, Seed, Set, SourceOptions, reads_products
from attrex.cli.screens.completing import completion_screen
from attrex.cli.screens.lists import systems_screen
from attrex.cli.screens.scores import photo_screen
from attrex.errors import ConfigError

if TYPE_CHECKING:
    from attrex.types import Product


@reads_products("split")
def train_command(
    train_file: Annotated[
        str,
        typer.Option("--train", metavar="FILE", help="Labelled products, or a table whose values are located first."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the model.")],
    valid_file: Annotated[
        str | None,
        typer.Option("--valid", metavar="FILE", help="Validation products; default: a tenth of the training groups."),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Products labelled in full by hand, in place of --valid: the best state and the threshold of the "
            "attribute range are chosen on them.",
        ),
    ] = None,
    train_gold: Annotated[
        str | None, typer.Option(metavar="FILE", help="Products labelled in full by hand to learn from as well.")
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="What another system found in the products (docs/how-to/teacher.md): labels for cells that the table "
            "leaves unknown. May be repeated.",
        ),
    ] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Further products, whose labels are the finds of --teacher; those without are left out. May be "
            "repeated.",
        ),
    ] = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            help="What people decided of cells of these products, from `attrex review export`.",
        ),
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option(help="What `locate --mine` wrote for these labels; it is kept with the model.")
    ] = None,
    preset: Preset = "small",
    system: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to train: one of `attrex systems`, or package.module:Class."),
    ] = None,
    overrides: Set = None,
    seed: Seed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    trackers: Annotated[
        list[str] | None,
        typer.Option(
            "--tracker",
            metavar="NAME",
            help="Where curves go: tensorboard, wandb, mlflow ..., or none. May be repeated.",
        ),
    ] = None,
    *,
    source: SourceOptions,
) -> None:
    """Train a model on labelled products.

    The state with the best TAG-F1 on the validation products is kept.

    Example: [bold]attrex train --train demo/data/train.jsonl --valid demo/data/valid.jsonl --out runs/first[/]
    """
    no_bars_in_logs()
    if gold and valid_file:
        raise ConfigError("--gold takes the place of --valid; give one of them")
    shop, whole = source.shop_of(), source.whole()
    settings = [*([f"system={system}"] if system else ()), *(overrides or ())]
    settings += [f"training.seed={seed}"] if seed is not None else []
    further = [whole.products(file, shop, split=part_of(file, "train")) for file in unlabelled or ()]
    model = pipeline.train(
        source.products(train_file, shop, split=part_of(train_file, "train")),
        source.products(valid_file, shop, split=part_of(valid_file, "valid")) if valid_file else None,
        out,
        shop=shop,
        config=preset,
        settings=settings,
        gold=whole.products(gold, shop) if gold else None,
        train_gold=whole.products(train_gold, shop) if train_gold else None,
        teacher=teacher,
        unlabelled=[product for file in further for product in file] if further else None,
        verdicts=verdicts,
        lexicon=lexicon,
        resume=resume,
        trackers=None if not trackers else [] if trackers == ["none"] else trackers,
        progress=progress,
    )
    from attrex.vocabulary.lexicon import LEXICON_FILE

    if (out / LEXICON_FILE).exists():
        note(f"what the texts call the values: {out / LEXICON_FILE}; edit it, and label by it with locate --lexicon")
    tag = model.metrics["validation"]["tag"]
    console.print(
        f"{model.config.system_name}: validation TAG-F1 {tag['f1']:.4f} (P {tag['precision']:.4f}, "
        f"R {tag['recall']:.4f}), {model.metrics['minutes']:.1f} minutes",
        soft_wrap=True,
    )
    note(f"model: {out}\nnext: attrex evaluate {out} DATA, or attrex extract {out} INPUT --out values.jsonl")


@reads_products("split")
def distill_command(
    model: ModelArgument,
    data: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Products to learn from: texts, and photos where there are any.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the student, a model as any other.")],
    valid_file: Annotated[
        str | None,
        typer.Option(
            "--valid",
            metavar="FILE",
            help="Products with their table that MODEL was not trained on; default: a tenth of the products, and the "
            "confidences stay those of MODEL.",
        ),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(help="Layers of its text encoder; default: half of those of MODEL.", min=1)
    ] = None,
    overrides: Set = None,
    seed: Seed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    *,
    source: SourceOptions,
) -> None:
    """Train a smaller, faster student that finds what a model finds.

    It learns from products without labels what the model says of them. Settings of training are those that the model
    was trained with; --set changes them.

    Example: [bold]attrex distill demo/work/model demo/data/train.jsonl --valid demo/data/valid.jsonl --out student[/]
    """
    no_bars_in_logs()
    shop = source.shop_of(model)
    rows = [source.products(file, shop, split=part_of(file, "train")) for file in data]
    student = pipeline.distill(
        model,
        rows[0] if len(rows) == 1 else [product for file in rows for product in file],
        out,
        validation=source.products(valid_file, shop, split=part_of(valid_file, "valid")) if valid_file else None,
        layers=layers,
        settings=[*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())],
        shop=shop,
        resume=resume,
        allow_code=allowed,
        progress=progress,
    )
    found = student.metrics["distilled"]
    console.print(
        f"{found['layers']} layers in place of {found['of']}: agreement with the model F1 {found['agreement_f1']:.4f}, "
        f"same value in {found['cells_agreement']:.1%} of the cells, {student.metrics['minutes']:.1f} minutes",
        soft_wrap=True,
    )
    note(f"student: {out}\nnext: attrex export {out} --int8 --against {model} --sample FILE --out DIR")


@reads_products("split", "images")
def pretrain_command(
    data: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Products, labelled or not; only their texts are read.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the encoder.")],
    valid_file: Annotated[
        str | None,
        typer.Option("--valid", metavar="FILE", help="Products whose hidden words are guessed before and after."),
    ] = None,
    preset: Preset = "small",
    overrides: Set = None,
    seed: Seed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    *,
    source: SourceOptions,
) -> None:
    """Adapt the text encoder to product texts, before training.

    Its pretraining is continued: words are hidden and guessed, and known values are hidden as a whole. Train with the
    result as text.model.

    Example: [bold]attrex pretrain demo/data/train.jsonl --out runs/encoder[/]
    """
    from attrex.config import Config
    from attrex.labels.labeler import DistantLabeler
    from attrex.training.pretrain import pretrain as go_on

    no_bars_in_logs()
    settings = [*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())]
    config, shop = Config.load(preset, settings), source.shop_of()
    labeler = DistantLabeler(shop)

    def read(file: str, split: str) -> Iterator[Product]:
        for product in with_progress(source.products(file, shop, split=part_of(file, split)), "reading"):
            yield labeler.label(product) if product.spans is None and product.table else product

    products = [product for file in data for product in read(file, "train")]
    validation = list(read(valid_file, "valid")) if valid_file else []
    found = go_on(products, out, validation=validation, config=config, resume=resume, progress=progress)
    console.print(f"{found['windows']:,} texts, {found['known_values']:,} known values, {found['steps']:,} steps")
    if found["validation"]:
        before, after = found["validation"]["before"], found["validation"]["after"]
        console.print(
            f"hidden words of the validation products guessed: {before['accuracy']:.4f} before, "
            f"{after['accuracy']:.4f} after",
            soft_wrap=True,
        )
    note(f"encoder: {out}\nnext: attrex train --set text.model={out} --train FILE --out DIR")


def demo_command(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for the export, the filled one and what was made on the way.")
    ] = Path("demo"),
    products: Annotated[int, typer.Option(help="Number of products in the export.", min=50)] = 800,
    seed: Annotated[int, typer.Option(help="Seed of the catalogue and the training.")] = 0,
) -> None:
    """See it all at work on a drawn catalogue, in some minutes.

    Draws a shop's export with blank cells and completes it, as `attrex complete` does with yours. The drawn products
    tell how many cells were filled rightly, and what the photos told. The same command again continues.

    Example: [bold]attrex demo --out demo[/]
    """
    from attrex.demo.run import run

    no_bars_in_logs()
    found = run(out, products=products, seed=seed, progress=progress)
    console.print(completion_screen(found.completion), photo_screen(found.photo_use), sep="\n")
    console.print(f"Of the blank cells that were filled, {found.right:.1%} are as they were drawn.\n")
    for what, path in found.files.items():
        console.print(f"{what}: {path}", markup=False, highlight=False, soft_wrap=True)


def systems_command() -> None:
    """List the systems that can be trained, and what each needs.

    Example: [bold]attrex systems[/]
    """
    from attrex.systems import known_systems, system_info

    console.print(systems_screen({name: system_info(name) for name in known_systems()}))
    note("train one: attrex train --system NAME; a class of your own: --system package.module:Class")


def settings_command(
    preset: Preset = "small",
    overrides: Set = None,
) -> None:
    """List the settings of a preset with their meaning, as Markdown.

    Example: [bold]attrex settings --preset mae[/]
    """
    from attrex.config import Config, describe

    config = Config.load(preset, overrides or ())
    print(f"# Settings of `{config.preset}` ({config.system_name})\n\n{describe(config)}", end="")
