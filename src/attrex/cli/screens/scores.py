"""The screens of scores: of `attrex evaluate`, and of `attrex compare` on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures

if TYPE_CHECKING:
    from attrex.evaluation.incomplete import Incomplete
    from attrex.evaluation.metrics import Scores


def score_screen(scores: Scores, bounds: Incomplete | None = None, everything: bool = False) -> Group:
    """What the scores are good for, a summary, and the attributes, most gold spans first."""
    summary = [
        [name, *_decimals(s.precision, s.recall, s.f1), "{:.3f} - {:.3f}".format(*s.interval) if s.interval else ""]
        for name, s in {
            "TAG (exact spans)": scores.tag,
            "TAG, overlapping spans": scores.overlap,
            "CLS (attribute present)": scores.cls,
            'CLS with "no attribute"': scores.cls_with_none,
            "CLS from values": scores.cls_values,
        }.items()
    ]
    macro = f"{scores.macro_f1:.3f}" if scores.macro_attributes else "-"
    summary += [
        ["accuracy, as for MAE", "", "", f"{scores.accuracy:.3f}", ""],
        [f"macro-F1 ({scores.macro_attributes:,} attributes)", "", "", macro, ""],
    ]
    attributes = [
        [
            name,
            *_decimals(s.tag.precision, s.tag.recall, s.tag.f1),
            *(f"{n:,}" for n in (s.tag.gold, s.tag.predicted, s.tag.correct)),
            f"{s.overlap_f1:.3f}",
        ]
        for name, s in scores.per_attribute.items()
    ]
    title = f"{scores.products:,} products"
    if scores.errors:
        title += f", {scores.errors:,} of them unreadable or without prediction (counted as empty)"
    interval = f"F1 {scores.confidence * 100:g} % interval"
    return Group(
        *([Text(_bounds(bounds))] if bounds else []),
        Figures(title, ("metric", "precision", "recall", "F1", interval), summary, everything, what="metrics"),
        Text(
            "TAG: a value is right where its attribute and both ends are right. CLS: an attribute is right where the "
            f"product has it. macro-F1: mean TAG-F1 of the attributes with at least {scores.min_support} gold spans.",
            "dim",
        ),
        Figures(
            "By attribute",
            ("attribute", "P", "R", "F1", "gold", "predicted", "correct", "overlap"),
            attributes,
            everything,
        ),
    )


def photo_screen(found: Mapping[str, float]) -> Figures:
    """What the photo decides where a text names several colours; ``found``: of :func:`attrex.demo.run.photo_use`."""
    rows = [[name, f"{share:.1%}"] for name, share in found.items() if name != "texts"]
    title = f"{found['texts']:.0f} texts that name several colours"
    return Figures(title, ("photo", "right colour"), rows, everything=True)


def comparison_screen(cells: Sequence[Sequence[str]], everything: bool = False) -> Group:
    """Runs side by side; ``cells``: of :func:`attrex.evaluation.comparison.table_cells`."""
    (name, seeds, *figures), *rows = cells
    first = figures[0] if figures else ""
    compared = [heading for heading in ("difference", "95 % interval", "p") if heading in figures]
    order = [name, first, *compared, seeds, *(f for f in figures[1:] if f not in compared)]
    places = [cells[0].index(heading) for heading in order if heading]
    return Group(
        Figures(
            "Runs, the best first",
            [cells[0][i] for i in places],
            [[r[i] for i in places] for r in rows],
            everything,
            what="rows",
        )
    )


def _bounds(found: Incomplete) -> str:
    unknown = found.finds_in_blank_cells + found.finds_on_mentions
    return (
        "The labels are not complete. Do not choose a model by these scores alone: label some products in full and "
        f"give them with --gold.\nRecall {found.recall:.3f}, precision between {found.precision_lower:.3f} and "
        f"{found.precision_upper:.3f}: {unknown:,} values may be ones that the table lacks "
        f"({found.finds_in_blank_cells:,} in blank cells, {found.finds_on_mentions:,} on other words of filled ones); "
        "the scores below count them as wrong."
    )


def _decimals(*values: float) -> list[str]:
    return [f"{v:.3f}" for v in values]
