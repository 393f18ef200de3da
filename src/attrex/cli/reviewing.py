"""Commands that people review cells with: attrex review add, next, decide, undo, history, stats, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from attrex import pipeline
from attrex.cli.console import console, note, progress
from attrex.cli.help import Command, Group, name_values
from attrex.cli.options import SourceOptions, reads_products
from attrex.cli.outputs import save_json
from attrex.cli.screens.reviewing import cell_screen, history_screen, same_screen, stats_screen
from attrex.errors import ConfigError

Store = Annotated[
    str,
    typer.Argument(metavar="STORE", help="The review store: a file such as review.db, or postgresql://user@host/name."),
]
Reviewer = Annotated[str, typer.Option("--as", metavar="NAME", help="Who decides.")]
Cell = Annotated[int, typer.Argument(metavar="CELL", help="The cell's number.")]


@reads_products()
def add_command(
    store: Store,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The products that were read, with their table.")],
    found: Annotated[
        Path, typer.Argument(metavar="VALUES", help="What `attrex extract` found in them: .jsonl or .parquet.")
    ],
    model: Annotated[
        str | None, typer.Option(metavar="DIR", help="The model that read the products: it knows the shop's words.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="From which on attrex fill fills a cell in; default: 0.5.", min=0, max=1)
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Share of what is filled in that has to be right, as of fill.", min=0, max=1)
    ] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="With --precision: one limit for attributes with few held-out cells.")
    ] = False,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Words that the table, shop or lexicon lacks are doubtful.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option(help="So many sure cells are drawn, to measure them; default: 200.", min=0)
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(help="Of blank cells, those whose surest value has this confidence; default: 0.1.", min=0, max=1),
    ] = None,
    *,
    source: SourceOptions,
) -> None:
    """Put the cells of a table that a person should look at into a store.

    They are what attrex fill makes of the same table: values that are not sure enough, values in cells that have none,
    filled cells that are probably wrong, and a random sample of what would be filled in. Run it again after another
    extraction: what nobody has decided gets the new proposals.

    Example: [bold]attrex review add review.db demo/export.csv demo/work/values.jsonl --model demo/work/model[/]
    """
    shop = source.shop_of(model)
    added, collected = pipeline.review_add(
        store,
        source.products(table, shop),
        found,
        model=model,
        shop=shop,
        min_confidence=min_confidence,
        precision=precision,
        pool=pool,
        known_only=known_only,
        sample=sample,
        least=least,
        limit=source.limit,
        progress=progress,
    )
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in collected.counts().items())
    console.print(
        f"{len(collected.cells):,} cells of {len(collected.products):,} products ({kinds}): {added.new:,} are new, "
        f"{added.updated:,} have another proposal now, {added.kept:,} stay, {added.withdrawn:,} are no longer asked",
        highlight=False,
        soft_wrap=True,
    )
    note(f"next: attrex review next {_told(store)} --as NAME")


def next_command(
    store: Store,
    reviewer: Reviewer,
    count: Annotated[int, typer.Option(help="So many cells.", min=1)] = 1,
    attribute: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this attribute.")] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this kind: doubtful, differs, conflict or sure.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Nobody else gets them for so long.", min=0.01)] = 15.0,
) -> None:
    """Show the next cells for a reviewer, which nobody else gets.

    First those of which a decision mends most; one in five is of the random sample.

    Example: [bold]attrex review next review.db --as ann[/]
    """
    with pipeline.open_store(store) as opened:
        cells = opened.claim(reviewer, count=count, attribute=attribute, kind=kind, minutes=minutes)
    for cell in cells:
        console.print(cell_screen(cell))
    if not cells:
        note("no cell is open that nobody has in hands")


def decide_command(
    store: Store,
    cell: Cell,
    verdict: Annotated[
        str, typer.Argument(metavar="VERDICT", help="accept, correct, reject, does_not_apply or unsure.")
    ],
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[VALUE...]", help="With correct: what the cell has.")
    ] = None,
    *,
    reviewer: Reviewer,
    same_words: Annotated[
        bool, typer.Option("--same-words", help="Settle all cells whose text says the same words, once you saw them.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --same-words: do not ask.")] = False,
) -> None:
    """Decide a cell, or all cells with the same words.

    Example: [bold]attrex review decide review.db 17 correct "Round Neck" --as ann --same-words[/]
    """
    with pipeline.open_store(store) as opened:
        also: tuple[int, ...] = ()
        if same_words and (shown := opened.same_words(cell, reviewer)):
            console.print(same_screen(shown))
            if not yes and not typer.confirm(f"Settle these {len(shown.ids):,} cells, too?"):
                note("nothing is decided")
                return
            also = shown.ids
        decision = opened.decide(cell, reviewer, verdict, values or (), also=also)
    left = f"; {decision.left:,} were decided or taken meanwhile, and are left" if decision.left else ""
    console.print(f"decision {decision.id}: {decision.cells:,} cells{left}", highlight=False)


def undo_command(
    store: Store,
    decision: Annotated[
        int | None, typer.Argument(metavar="[DECISION]", help="Its number; default: the reviewer's last one.")
    ] = None,
    *,
    reviewer: Reviewer,
    only: Annotated[
        list[int] | None, typer.Option("--cell", metavar="NUMBER", help="Only this of its cells. May be repeated.")
    ] = None,
) -> None:
    """Take a decision back, in the cells that nobody touched since.

    Example: [bold]attrex review undo review.db --as ann[/]
    """
    with pipeline.open_store(store) as opened:
        if decision is None:
            last = opened.last_decision(reviewer)
            if last is None:
                raise ConfigError(f"{reviewer!r} has no decision to take back; name one")
            decision = last.id
        undone = opened.undo(decision, reviewer, only=only)
    console.print(
        f"decision {decision}: {undone.cells:,} cells are open again, {undone.touched:,} were touched since and stay",
        highlight=False,
    )


def history_command(store: Store, cell: Cell) -> None:
    """Show a cell and what happened to it.

    Example: [bold]attrex review history review.db 17[/]
    """
    with pipeline.open_store(store) as opened:
        console.print(cell_screen(opened.cell(cell)))
        console.print(history_screen(opened.history(cell)))


def stats_command(
    store: Store, json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.")] = None
) -> None:
    """Tell how far a review is, and how right the sure cells are.

    Example: [bold]attrex review stats review.db[/]
    """
    with pipeline.open_store(store) as opened:
        stats = opened.stats()
    console.print(stats_screen(stats))
    save_json(json_file, stats.to_json(), "figures")


def export_command(
    store: Store,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Verdicts, .jsonl; or the tool's file.")],
    to: Annotated[
        str | None,
        typer.Option(metavar="TOOL", help="The products of open cells for people to mark: label-studio or argilla."),
    ] = None,
) -> None:
    """Write verdicts for training and calibration, or cells for a tool.

    attrex train --verdicts FILE and attrex calibrate --verdicts FILE learn from them.

    Example: [bold]attrex review export review.db verdicts.jsonl[/]
    """
    number = pipeline.review_export(store, out, to=to)
    console.print(f"{number:,} {'verdicts' if to is None else 'products with open cells'}", highlight=False)
    note(f"{to or 'verdicts'}: {out}")


def import_command(
    store: Store,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Verdicts, or what people marked in Label Studio or Argilla.")
    ],
    *,
    reviewer: Reviewer,
    kind: Annotated[
        str | None, typer.Option("--from", metavar="TOOL", help="label-studio or argilla; default: what FILE is.")
    ] = None,
) -> None:
    """Decide cells by verdicts from a file.

    Cells that are decided keep what they have.

    Example: [bold]attrex review import review.db verdicts.jsonl --as ann[/]
    """
    found = pipeline.review_import(store, file, reviewer=reviewer, kind=kind)
    console.print(
        f"{found.decided:,} cells decided; {found.same:,} were so already, {len(found.left):,} are left as they are, "
        f"{found.unknown:,} are not in the store",
        highlight=False,
        soft_wrap=True,
    )
    for why in found.left[:3]:
        note(f"left: {why}")


class ReviewGroup(Group):
    """The commands of a review; errors name their options."""

    def invoke(self, ctx: Any) -> Any:
        from attrex.cli import with_options
        from attrex.errors import AttrexError

        try:
            return super().invoke(ctx)
        except AttrexError as exc:
            command = self.commands.get(ctx.invoked_subcommand or "")
            raise type(exc)(with_options(str(exc), command) if command else str(exc)) from exc


review_app = typer.Typer(
    cls=ReviewGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""People decide cells, and the model learns from it.

    Example: [bold]attrex review add review.db demo/export.csv demo/work/values.jsonl --model demo/work/model[/]""",
)
for command in (
    add_command,
    next_command,
    decide_command,
    undo_command,
    history_command,
    stats_command,
    export_command,
    import_command,
):
    name_values(command)
    review_app.command(command.__name__.removesuffix("_command"), cls=Command)(command)


def _told(store: str) -> str:
    """Where a store is, without a password."""
    return store if "@" not in store else "STORE"
