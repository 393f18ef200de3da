from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from rich.console import Console

from attrex.cli.screens.filling import fill_screen
from attrex.filling.fill import Outcome, fill_table
from attrex.filling.report import FillReport
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

RED = {"Color": ("Red",)}


def report_of(*rows: tuple[Product, Mapping[str, float]]) -> FillReport:
    """Of products with the colours that were found in them, words -> confidence."""
    normalizer, report = ValueNormalizer.fit(product for product, _ in rows), FillReport()
    finds = [
        Prediction(p.id, tuple(Value.from_span(Span("Color", 0, len(w), w), c) for w, c in said.items()))
        for p, said in rows
    ]
    for row in fill_table([p for p, _ in rows], finds, normalizer):
        report.add(row)
    return report


def product(number: int, table: Mapping[str, tuple[str, ...]], error: str | None = None) -> Product:
    return Product(str(number), {"text": "the text"}, table=table, error=error)


def told(report: FillReport) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(fill_screen(report))
    return console.export_text()


def test_the_report_counts_cells_and_how_often_the_surest_find_agrees() -> None:
    report = report_of(
        (product(0, RED), {"red": 0.9, "blue": 0.5}),
        (product(1, RED), {"red": 0.8, "blue": 0.9}),
        (product(2, RED), {"blue": 0.9}),
        (product(3, {"Size": ("XL",)}), {"blue": 0.9, "red": 0.6}),
        (product(4, {}, error="broken"), {}),
    )
    assert report.to_json() == {
        "products": 5,
        "errors": 1,
        "filled": 1,
        "expected": 1 / 3,
        "expected_of": 1,
        "attributes": {
            "Color": {"before": 3, "after": 4, "filled": 1, "agrees": 2, "differs": 1, "further": 3, "unknown": 0}
            | {"agreement": 1 / 3},
            "Size": {"before": 1, "after": 1, "filled": 0, "agrees": 0, "differs": 0, "further": 0, "unknown": 0}
            | {"agreement": None},
        },
        "unknown_words": [{"attribute": "Color", "value": "blue", "cells": 1}],
    }
    said = told(report)
    assert "1 blank cells were filled; 33% of them should be what the shop would have written." in said
    assert "Attributes of which nothing was found: Size" in said
    assert "Rows that could not be read: 1; their cells are as they were" in said
    assert "Words that the table lacks: 1 (--known-only leaves them out), most often Color: blue (1)" in said


def test_what_to_expect_of_filled_cells_is_weighted_by_their_number() -> None:
    report = FillReport()
    report.outcomes["Color"][Outcome.FILLED] = 30
    report.surest["Color"].update({True: 9, False: 1})
    report.outcomes["Fit"][Outcome.FILLED] = 10
    report.surest["Fit"].update({True: 1, False: 1})
    report.outcomes["Care"][Outcome.FILLED] = 1000  # of which nobody knows
    report.surest["Brand"].update({True: 1000})  # never blank
    assert report.estimated_precision == pytest.approx((30 * 0.9 + 10 * 0.5) / 40)
    assert (report.cells_with_estimate, report.filled) == (40, 1040)
    said = " ".join(told(report).split())
    assert "for 40 of them there is an estimate: 80% should be what the shop would have written" in said
    assert "For the other 1,000 there is none" in said


def test_attributes_without_filled_cells_have_no_agreement() -> None:
    report = report_of((product(0, {}), {"red": 0.9}))
    assert report.agreement("Color") is None
    assert report.estimated_precision is None
    assert "1 blank cells were filled; there is no estimate of how many are right" in told(report)
    assert report.to_json()["attributes"]["Color"]["after"] == 1
