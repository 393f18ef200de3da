"""The commands of `attrex ask`: a language model is asked by files, prepare and read; nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrex import pipeline
from attrex.cli.console import console, note, progress
from attrex.cli.help import Command, name_values
from attrex.cli.options import SourceOptions, reads_products
from attrex.cli.reviewing import ReviewGroup

if TYPE_CHECKING:
    from attrex.pipeline.asking import Asked

Model = Annotated[
    str | None, typer.Option(metavar="DIR", help="A model whose attributes and options are asked for, without --shop.")
]


@reads_products()
def prepare_command(
    data: Annotated[str, typer.Argument(metavar="FILE", help="Products to ask about.")],
    out: Annotated[Path, typer.Option(help="The questions, .jsonl, a line per product.")],
    llm: Annotated[str, typer.Option(metavar="NAME", help="The language model, as the service names it.")],
    model: Model = None,
    photos: Annotated[
        int, typer.Option(metavar="N", help="Send at most so many photos of a product, as data URLs.", min=0)
    ] = 0,
    *,
    source: SourceOptions,
) -> None:
    """Write questions about products as a batch file for a language model.

    They are in the form of OpenAI's batches, which many services and servers take. Nothing is sent.

    Example: [bold]attrex ask prepare catalog.jsonl --shop examples/fashion/shop.yaml --llm NAME --out prompts.jsonl[/]
    """
    shop = source.shop_of(model)
    asked = pipeline.ask_prepare(source.products(data, shop), out, llm=llm, shop=shop, photos=photos, progress=progress)
    console.print(f"{asked.rows:,} questions about {asked.products:,} products", soft_wrap=True)
    for what in asked.warnings[:3]:
        note(what)
    _tell_left(asked, "products were left out")
    note(f"questions: {out}; when they are answered: attrex ask read ANSWERS --products {data} --out finds.jsonl")


@reads_products("images")
def read_command(
    answers: Annotated[
        Path, typer.Argument(metavar="ANSWERS", help="The batch's answers.", exists=True, dir_okay=False)
    ],
    products: Annotated[str, typer.Option(metavar="FILE", help="The products that were asked about.")],
    out: Annotated[Path, typer.Option(help="The finds, .jsonl or .parquet.")],
    model: Model = None,
    *,
    source: SourceOptions,
) -> None:
    """Make finds of a language model's answers, for `attrex train --teacher`.

    What cannot be read is a marked row, with its reason: a refusal, an answer that was cut off, an unknown product.

    Example: [bold]attrex ask read answers.jsonl --products catalog.jsonl --model demo/work/model --out finds.jsonl[/]
    """
    shop = source.shop_of(model)
    asked = pipeline.ask_read(answers, source.products(products, shop), out, shop=shop, progress=progress)
    console.print(
        f"{asked.values:,} values in {asked.rows - asked.left.total():,} of {asked.rows:,} answers; "
        f"{asked.unanswered:,} of {asked.products:,} products have none",
        soft_wrap=True,
    )
    if asked.unknown:
        note(f"{asked.unknown:,} values were left out: the shop does not have their attribute")
    _tell_left(asked, "rows are marked")
    note(f"finds: {out}; learn from them: attrex train --train FILE --teacher {out} --out DIR")


def _tell_left(asked: Asked, what: str) -> None:
    for why, number in asked.left.most_common():
        note(f"{number:,} {what}: {why}")


ask_app = typer.Typer(
    cls=ReviewGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Ask a language model by files: its answers teach a model.

    Example: [bold]attrex ask prepare catalog.jsonl --model demo/work/model --llm NAME --out prompts.jsonl[/]""",
)
for command in (prepare_command, read_command):
    name_values(command)
    ask_app.command(command.__name__.removesuffix("_command"), cls=Command)(command)
