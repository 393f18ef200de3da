"""The screen of `attrex evaluate --table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures

if TYPE_CHECKING:
    from attrex.evaluation.table import CellScores, Share, TableEvaluation

_PHOTOS = {
    "own": ("own photos", "With the products' own photos"),
    "none": ("no photos", "Without photos"),
    "other": ("others' photos", "With the photos of other products"),
}
"""Kind of photos -> heading of its column, title of its table."""


def table_screen(found: TableEvaluation, everything: bool = False) -> Group:
    """The figures over all attributes with their intervals, and a table of attributes for each kind of photos."""
    readings = [scores.overall for scores in found.readings.values()]
    first, *_ = found.readings.values()
    rows = [
        [name, *(_with_interval(scores.shares[name]) for scores in readings)]
        for name in first.overall.shares
        if name != "said"
    ]
    rows.append(["ECE", *(_or_dash(scores.ece) for scores in readings)])
    columns = ("figure", *(_PHOTOS[kind][0] for kind in found.readings))
    title = (
        f"{found.products:,} products, {first.overall.cells:,} filled cells of {len(first.per_attribute)} attributes"
    )
    no_cut = found.validation_products is None
    return Group(
        *([Text("Give --valid FILE to see how many cells can be filled at a wanted precision.")] if no_cut else []),
        Figures(title, columns, rows, everything, what="figures"),
        Text(_explanation(first.overall, no_cut, first.confidence), "dim"),
        *(
            Figures(_PHOTOS[kind][1], _headings(scores.overall), _rows(scores.per_attribute), everything)
            for kind, scores in found.readings.items()
        ),
    )


def _explanation(scores: CellScores, no_cut: bool, confidence: float) -> str:
    said = ["accuracy: cells whose value is found again; one without an answer is wrong."]
    if unsaid := scores.shares["unsaid"].whole:
        said.append(f"unsaid: the same for the {unsaid:,} cells whose value the text does not say.")
    if not no_cut:
        said.append(
            "coverage@P: cells that are filled when each attribute has a cut-off, chosen on the validation products "
            "for precision P; reached@P: their precision."
        )
    said.append("ECE: how far confidence and accuracy are apart.")
    return " ".join([*said, f"In brackets: {confidence * 100:g} % intervals."])


def _headings(scores: CellScores) -> list[str]:
    shares = [name.replace("@", "\n@") for name in scores.shares if name not in ("said", "answered")]
    return ["attribute", "cells", *shares, "ECE"]


def _rows(attributes: dict[str, CellScores]) -> list[list[str]]:
    return [
        [
            name,
            f"{scores.cells:,}",
            *(_or_dash(share.value) for key, share in scores.shares.items() if key not in ("said", "answered")),
            _or_dash(scores.ece),
        ]
        for name, scores in attributes.items()
    ]


def _with_interval(share: Share) -> str:
    interval = " ({:.3f}-{:.3f})".format(*share.interval) if share.interval else ""
    return _or_dash(share.value) + interval


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
