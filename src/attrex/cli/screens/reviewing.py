"""The screens of `attrex review`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures

if TYPE_CHECKING:
    from attrex.review.cells import Event, ReviewCell, SameWords
    from attrex.review.progress import ReviewStats

MOST_TEXT = 400
"""Characters of a product's text that are shown."""


def cell_screen(cell: ReviewCell) -> Group:
    """A cell with what a person needs to decide it."""
    p = cell.proposed
    shop = "blank" if p.cell is None else ", ".join(p.cell) or "no value, says the shop"
    lines = [
        f"cell {cell.id}: {p.product}, {p.attribute} ({p.kind.value}; a decision on its words settles {cell.same:,})",
        f"  shop: {shop}",
        f"  proposal: {', '.join(p.proposal)} ({p.confidence:.0%}{f', the text says {p.words!r}' if p.words else ''})",
    ]
    lines += [f"  or: {', '.join(o.value for o in p.options)}"] if p.options else []
    lines += [f"  {name}: {text[:MOST_TEXT]}" for name, text in p.fields.items() if text]
    lines += [f"  photo: {image}" for image in p.images]
    if cell.verdict:
        values = "" if cell.values is None else f" {', '.join(cell.values)}"
        lines.append(f"  decided: {cell.verdict.value}{values}, by {cell.reviewer} (decision {cell.decision})")
    return Group(*map(Text, lines))


def same_screen(shown: SameWords) -> Group:
    """The cells that a decision would settle, too."""
    examples = [f"  {c.proposed.product}: {', '.join(c.proposed.proposal)}" for c in shown.examples]
    more = ["  ..."] if len(shown.ids) > len(examples) else []
    return Group(*map(Text, [f"{len(shown.ids):,} other cells say {shown.words!r}:", *examples, *more]))


def history_screen(events: Sequence[Event]) -> Group:
    """What happened to a cell, a line each."""
    lines = []
    for event in events:
        row = event.to_json()
        values = "" if event.values is None else ", ".join(event.values)
        said = (event.reviewer, row["verdict"], values, event.decision and f"decision {event.decision}")
        lines.append(Text("  ".join(str(part) for part in (row["time"], row["act"], *said) if part)))
    return Group(*lines)


def stats_screen(stats: ReviewStats) -> Group:
    """How far a review is."""
    done = stats.cells - stats.open
    share = f" ({done / stats.cells:.0%})" if stats.cells else ""
    lines = [f"{done:,} of {stats.cells:,} cells are decided{share}, {stats.claimed:,} are in somebody's hands."]
    lines += [_sure(stats)] if stats.sure else []
    verdicts = ", ".join(f"{n:,} {v}" for v, n in stats.verdicts.items() if n)
    lines += [f"Verdicts: {verdicts}."] if verdicts else []
    lines += [
        f"{name}: {number:,} decisions, {stats.last_hour.get(name, 0):,} in the last hour"
        for name, number in stats.reviewers.items()
    ]
    rows = [[name, f"{cells:,}", f"{decided:,}"] for name, (cells, decided) in stats.attributes.items()]
    table = Figures("Cells to review", ("attribute", "cells", "decided"), rows, False)
    return Group(*map(Text, lines), table)


def _sure(stats: ReviewStats) -> str:
    sure = stats.sure
    assert sure is not None
    looked = sure.right + sure.wrong + sure.unsure
    if sure.value is None:
        return f"Of {sure.population:,} sure cells nobody has looked at the first of the sample yet."
    unsure = f", {sure.unsure:,} cannot be told" if sure.unsure else ""
    return (
        f"Of {sure.population:,} sure cells {looked:,} of the sample count: {sure.value:.1%} are right "
        f"({sure.level:.0%} interval {sure.low:.1%} to {sure.high:.1%}, whenever one stops){unsure}."
    )
