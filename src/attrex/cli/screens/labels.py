"""The screens of `attrex locate`: what became of a table's cells, and how far labels agree with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures, to_do

if TYPE_CHECKING:
    from attrex.labels.report import LabelReport

EXAMPLES = 5
"""Values or columns in a sentence."""


def label_screen(report: LabelReport, everything: bool = False) -> Group:
    """How many cells were located, what to do about the others, and the figures by attribute."""
    attributes = sorted(report.attributes.items(), key=lambda item: -item[1].cells)
    rows = [
        [
            name,
            f"{counts.cells:,}",
            f"{counts.located:,}",
            f"{counts.located / counts.cells:.0%}" if counts.cells else "",
            f"{counts.spans:,}",
            f"{counts.lost_to_overlap:,}",
            f"{report.columns.merged[name]:,}",
        ]
        for name, counts in attributes
    ]
    sources = ", ".join(f"{source} {n:,}" for source, n in report.sources.most_common()) or "none"
    kept = f" {report.already_labelled:,} products were labelled before and kept." if report.already_labelled else ""
    claimed = [[*names, f"{n:,}"] for names, n in report.ambiguous.most_common()]
    headings = ("attribute", "filled\ncells", "located", "share", "labels", "taken by\nanother", "merged\ncolumns")
    return Group(
        Text(f"Located in the text of {report.products:,} products: {report.summary()}."),
        *to_do(_advice(report)),
        Figures("Cells by attribute", headings, rows, everything),
        *(
            [
                Figures(
                    "Words of two attributes",
                    ("words", "labelled", "also of", "times"),
                    claimed,
                    everything,
                    3,
                    "words",
                )
            ]
            if claimed
            else []
        ),
        Text(f"\nLabels by the rule that found them: {sources}.{kept}"),
    )


def agreement_screen(found: dict[str, Any], everything: bool = False) -> Group:
    """How far labels agree with those of other people; ``found``: of :func:`attrex.pipeline.compare_labels`."""
    kinds = {"missing": "missing", "boundary": "other\nends", "attribute": "other\nattribute", "extra": "extra"}
    rows = [
        [
            name,
            *(f"{row[score]:.3f}" for score in ("f1", "precision", "recall")),
            *(f"{row[number]:,}" for number in ("reference", "located")),
            *(f"{row['differences'].get(kind, 0):,}" for kind in kinds),
        ]
        for name, row in [("all", found), *found["per_attribute"].items()]
    ]
    headings = ("attribute", "F1", "P", "R", "theirs", "located", *kinds.values())
    title = f"Agreement with the labels of {found['products']:,} products"
    return Group(Figures(title, headings, rows, everything))


def _advice(report: LabelReport) -> list[str]:
    never = {a: c.never_found for a, c in report.attributes.items() if c.never_found}
    advice = []
    if never:
        most = sorted(((n, a, v) for a, values in never.items() for v, n in values.items()), key=lambda x: -x[0])
        examples = ", ".join(f"{a}: {v} ({n:,})" for n, a, v in most[:EXAMPLES])
        advice.append(
            f"Values that are in no text: {len(most):,}. Where texts use other words, add aliases to the shop's file, "
            f"or learn them with --mine. Most often: {examples}"
        )
    if report.ambiguous:
        advice.append(
            f"Words that two attributes claim: {len(report.ambiguous):,} (below). Merge attributes that mean the same, "
            "or set a priority in the shop's file"
        )
    if report.columns.dropped:
        dropped = ", ".join(f"{c} ({n:,})" for c, n in report.columns.dropped.most_common(EXAMPLES))
        advice.append(
            f"Columns of no attribute, which were dropped: {len(report.columns.dropped):,}. Add those that are one to "
            f"the shop's file: {dropped}"
        )
    if report.errors:
        example = f", such as: {report.error_examples[0]}" if report.error_examples else ""
        advice.append(
            f"Rows that could not be read: {report.errors:,} of {report.products:,}; they are marked in the "
            f"output{example}"
        )
    return advice
