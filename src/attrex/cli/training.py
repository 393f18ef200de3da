"""Commands that train, and that tell what can be trained: train, pretrain, demo, systems, settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from attrex.cli.console import console, no_bars_in_logs, note, notes, with_progress
from attrex.cli.inputs import labelled_by_hand, labelled_products, part_of, read_rows
from attrex.cli.options import Columns, Fields, Images, Limit, Set
from attrex.errors import ConfigError

if TYPE_CHECKING:
    from attrex.types import Product


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
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="Another model's predictions for the training products, as `attrex extract` writes them: labels for "
            "cells that the table leaves unknown.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="small, mepave, mae, ... or a YAML file.")] = "small",
    system: Annotated[
        str | None, typer.Option(help="What to train: one of `attrex systems`, or package.module:Class.")
    ] = None,
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
    from attrex.io.splitting import split_by_group
    from attrex.shop.schema import Schema
    from attrex.training.train import train as fit

    no_bars_in_logs()
    settings = [*([f"system={system}"] if system else ()), *(["range.tune_threshold=true"] if gold else ())]
    settings += [*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())]
    config = Config.load(preset, settings)
    if gold and valid_file:
        raise ConfigError("--gold takes the place of --valid; give one of them")
    known = Schema.load(schema) if schema else None
    source = read_rows(train_file, images, fields, columns, part_of(train_file, "train"), limit)
    products, lexicon = labelled_products(with_progress(source, "reading"), known)
    if gold:
        validation = labelled_by_hand(read_rows(gold, images, fields, columns))
    elif valid_file:
        source = read_rows(valid_file, images, fields, columns, part_of(valid_file, "valid"), limit)
        validation, _ = labelled_products(with_progress(source, "reading"), known, lexicon)
    else:
        products, validation = split_by_group(products, 0.1)
        note(f"validation: {len(validation):,} of the products, by group, held out of training")
    if train_gold:
        products += labelled_by_hand(read_rows(train_gold, images, fields, columns))
    where = None if not trackers else [] if trackers == ["none"] else trackers
    model = fit(
        products,
        validation,
        out,
        config=config,
        schema=known,
        resume=resume,
        trackers=where,
        console=notes,
        teacher=teacher,
    )
    if lexicon:
        lexicon.save(out / "lexicon.yaml")
        note(
            f"what the texts call the table's values: {out / 'lexicon.yaml'}; edit it, and locate --lexicon goes by it"
        )
    tag = model.metrics["validation"]["tag"]
    console.print(
        f"{config.system_name}: validation TAG-F1 {tag['f1']:.4f} (P {tag['precision']:.4f}, R {tag['recall']:.4f}), "
        f"{model.metrics['minutes']:.1f} minutes",
        soft_wrap=True,
    )
    note(f"model: {out}\nnext: attrex evaluate {out} DATA, or attrex extract {out} INPUT --out values.jsonl")


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
    from attrex.labels.labeler import DistantLabeler
    from attrex.training.pretrain import pretrain as go_on

    no_bars_in_logs()
    settings = [*(overrides or ()), *([f"training.seed={seed}"] if seed is not None else ())]
    config, labeler = Config.load(preset, settings), DistantLabeler(None)

    def read(source: str, split: str) -> Iterator[Product]:
        for product in with_progress(
            read_rows(source, None, fields, columns, part_of(source, split), limit), "reading"
        ):
            yield labeler.locate(product) if product.spans is None and product.table else product

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
    note(f"encoder: {out}\nnext: attrex train --set text.model={out} --train FILE --out DIR")


def demo(
    out: Annotated[Path, typer.Option(help="Directory for data, model and report.")] = Path("demo"),
    products: Annotated[int, typer.Option(help="Training products to draw.", min=50)] = 800,
    seed: Annotated[int, typer.Option(help="Seed of the catalogue and the training.")] = 0,
) -> None:
    """Draw a catalogue, train on it, extract from unseen products, evaluate, and write a report to look at.

    Example: [bold]attrex demo --out demo[/]
    """
    from attrex.demo.run import run

    no_bars_in_logs()
    run(out, products=products, seed=seed, console=console)


def systems() -> None:
    """The systems that can be trained, from which papers, and what each needs.

    Example: [bold]attrex systems[/]
    """
    from attrex.systems import known_systems, system_info

    columns = (Column(name, no_wrap=True) for name in ("system", "paper", "reads", "attribute", "values by"))
    table = Table(*columns, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in known_systems():
        info = system_info(name)
        asked = "given" if info.attribute_given else "predicted"
        table.add_row(name, info.paper, info.reads, asked, info.decodes)
    console.print(table)
    note(
        "train one: attrex train --system NAME; a class of your own: --system package.module:Class\n"
        "attribute given: it answers for one attribute at a time, and is asked for all of them unless you name some\n"
        "*: published with frozen encoders (training.scheme=fixed)"
    )


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
