"""Scores as tables for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from attrex.evaluation.metrics import Scores


def score_tables(scores: Scores) -> Group:
    """A summary and a table per attribute, most gold spans first, for a terminal."""
    title = f"{scores.products} products"
    if scores.errors:
        title += f", {scores.errors} of them unreadable or without prediction (counted as empty)"
    return Group(_summary_table(scores, title), _attribute_table(scores))


def _summary_table(scores: Scores, title: str) -> Table:
    table = _score_table(title, "metric", "precision", "recall", "F1", f"F1 {scores.confidence * 100:g} % interval")
    rows = {
        "TAG (exact spans)": scores.tag,
        "overlapping spans": scores.overlap,
        "CLS (attribute present)": scores.cls,
        'CLS with "no attribute"': scores.cls_with_none,
        "CLS from values": scores.cls_values,
    }
    for name, s in rows.items():
        interval = "{:.3f} - {:.3f}".format(*s.interval) if s.interval else ""
        table.add_row(name, *_decimals(s.precision, s.recall, s.f1), interval)
    table.add_row("MAE accuracy", "", "", *_decimals(scores.accuracy))
    table.add_row(
        f"macro-F1 ({scores.macro_attributes} attributes)",
        "",
        "",
        *(_decimals(scores.macro_f1) if scores.macro_attributes else ["-"]),
    )
    table.caption = f"macro-F1: attributes with at least {scores.min_support} gold spans"
    return table


def _attribute_table(scores: Scores) -> Table:
    table = _score_table("Per attribute", "attribute", "P", "R", "F1", "overlap", "gold", "predicted", "correct")
    for name, s in scores.per_attribute.items():
        numbers = _decimals(s.tag.precision, s.tag.recall, s.tag.f1, s.overlap_f1)
        table.add_row(escape(name), *numbers, str(s.tag.gold), str(s.tag.predicted), str(s.tag.correct))
    return table


def _score_table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _decimals(*values: float) -> list[str]:
    return [f"{v:.3f}" for v in values]
