from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from attrex.cli.screens.filling import fill_screen
from attrex.filling.fill import Outcome, fill_table
from attrex.filling.report import FillReport, attributes_asked, found_kinds
from attrex.inference.selection import HeldOut
from attrex.shop.schema import Attribute, Schema
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

RED = {"Color": ("Red",)}


def report_of(*rows: tuple[Product, Mapping[str, float]], **limits: Any) -> FillReport:
    """Of products with the colours that were found in them, words -> confidence."""
    normalizer = ValueNormalizer.fit(product for product, _ in rows)
    report = FillReport(**{key: limit for key, limit in limits.items() if key != "known_only"})
    finds = [
        Prediction(p.id, tuple(Value.from_span(Span("Color", 0, len(w), w), c) for w, c in said.items()))
        for p, said in rows
    ]
    for row in fill_table([p for p, _ in rows], finds, normalizer, **limits):
        report.add(row)
    return report


def product(number: int, table: Mapping[str, tuple[str, ...]], error: str | None = None) -> Product:
    return Product(str(number), {"text": "the text"}, table=table, error=error)


def told(report: FillReport) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(fill_screen(report))
    return " ".join(console.export_text().split())


def test_the_report_counts_cells_and_how_often_the_surest_find_agrees() -> None:
    report = report_of(
        (product(0, RED), {"red": 0.9, "blue": 0.5}),
        (product(1, RED), {"red": 0.8, "blue": 0.9}),
        (product(2, RED), {"blue": 0.9}),
        (product(3, {"Size": ("XL",)}), {"blue": 0.9, "red": 0.6}),
        (product(4, {}, error="broken"), {}),
    )
    in_files = {"kept": 0, "no_column": 0, "unwritable": 0}
    assert report.to_json() == {
        "products": 5,
        "errors": 1,
        "filled": 1,
        "expected": 1 / 3,
        "expected_of": 1,
        "min_confidence": 0.5,
        "finds": 7,
        "below": 0,
        "attributes": {
            "Color": {"before": 3, "after": 4, "filled": 1, "agrees": 2, "differs": 1, "further": 3, "unknown": 0}
            | {"below": 0, "agreement": 1 / 3, "conflicts": 1, "blank": 1}
            | {"left": 0, "does_not_apply": 0, "no_evidence": 0}
            | in_files,
            "Size": {"before": 1, "after": 1, "filled": 0, "agrees": 0, "differs": 0, "further": 0, "unknown": 0}
            | {"below": 0, "agreement": None, "conflicts": 0, "blank": 3}
            | {"left": 0, "does_not_apply": 0, "no_evidence": 3}
            | in_files,
        },
        "unknown_words": [{"attribute": "Color", "value": "blue", "cells": 1}],
    }
    said = told(report)
    assert "1 blank cells were filled; 33% of them should be what the shop would have written." in said
    assert "Attributes of which nothing was found: Size" in said
    assert "Filled cells that say something else than texts or photos: 1. Review them: --conflicts lists them" in said
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
    said = told(report)
    assert "for 40 of them there is an estimate: 80% should be what the shop would have written" in said
    assert "For the other 1,000 there is none" in said


def test_attributes_without_filled_cells_have_no_agreement() -> None:
    report = report_of((product(0, {}), {"red": 0.9}))
    assert report.agreement("Color") is None
    assert report.estimated_precision is None
    assert "1 blank cells were filled; there is no estimate of how many are right" in told(report)
    assert report.to_json()["attributes"]["Color"]["after"] == 1


def test_what_is_below_the_limit_is_counted_and_named_and_not_called_nothing() -> None:
    report = report_of(
        (product(0, {}), {"red": 0.6, "blue": 0.5}),  # the surest is below: left to people
        (product(1, {}), {"red": 0.9, "blue": 0.5}),  # filled, beside one that is below
        (product(2, RED), {"blue": 0.6}),  # not compared
        (product(3, {"Color": ()}), {"blue": 0.6}),  # known to be absent: not blank
        min_confidence=0.7,
    )
    color = report.to_json()["attributes"]["Color"]
    assert (color["filled"], color["below"], color["left"], color["blank"]) == (1, 4, 1, 2)
    assert color["agreement"] is None
    assert (report.to_json()["finds"], report.to_json()["below"]) == (6, 5)
    said = told(report)
    assert "5 of 6 finds are below your limit of 0.7 (--min-confidence) and were not filled in" in said
    assert "1 blank cells are left to people. --changes lists them" in said
    assert "nothing was found" not in said


def test_of_each_blank_cell_it_is_told_what_became_of_it() -> None:
    rows = [
        (product(0, {}), {"red": 0.9, "blue": 0.8}),  # filled
        (product(1, {}), {"blue": 0.9}),  # a word that the table lacks
        (product(2, {}), {"red": 0.6}),  # below the limit
        (product(3, {}), {}),
        (product(4, {}), {}),
        (product(5, RED), {"blue": 0.9}),  # not blank
        (product(6, {"Color": ()}), {"red": 0.9}),  # known to be absent: not blank
        (product(7, {}, error="broken"), {}),
    ]
    how = {"min_confidence": 0.7, "known_only": True}
    color = {"filled": 1, "unknown": 1, "left": 1, "no_column": 0}
    report = report_of(*rows, **how)
    assert report.blank("Color") == 5
    assert report.blank_cells("Color") == color | {"does_not_apply": 0, "no_evidence": 2}
    assert "blank filled word the limit evidence" in told(report)  # headings have two lines, where needed
    assert "Color 5 1 1 1 2" in told(report)
    report.asked = {"Color"}
    assert report.blank_cells("Color") == color | {"does_not_apply": 2, "no_evidence": 0}
    said = told(report)
    assert "What became of the blank cells" in said
    assert "blank filled word the limit apply" in said
    assert "Cells that say that there is no value, of which one was found: 1. Review them: --changes lists" in said
    assert report.to_json()["attributes"]["Color"]["does_not_apply"] == 2


def test_a_value_head_was_asked_for_the_attributes_whose_options_it_knows() -> None:
    schema = Schema((Attribute("Color", options=("Red",)), Attribute("Size")))
    said = Value.from_span(Span("Size", 0, 2, "XL"))
    decided, chosen = replace(said, decided_by="text"), Value("Fit", "Slim", 0.9, decided_by="photo")
    for values, asked in (
        ([], set()),
        ([said], set()),  # no value head
        ([Value("Fit", "Slim", 0.9)], set()),
        ([said, decided], {"Color"}),
        ([chosen], {"Color", "Fit"}),  # what the text does not say is an option
    ):
        assert attributes_asked(found_kinds(values), schema) == asked


def held_out(**finds: tuple[int, int]) -> HeldOut:
    """Attributes with so many right and wrong finds, all of one confidence."""
    return HeldOut.of((a, 0.8, i < right) for a, (right, wrong) in finds.items() for i in range(right + wrong))


def test_a_precision_says_what_it_buys_and_what_it_would_take() -> None:
    cutoffs = held_out(Color=(200, 0), Fit=(100, 0), Care=(300, 30)).cutoffs(0.98)
    report = report_of(
        (product(0, {}), {"red": 0.81}), (product(1, {}), {"red": 0.7}), (product(2, RED), {}), cutoffs=cutoffs
    )
    assert report.to_json()["attributes"]["Color"]["cutoff"] == cutoffs["Color"].to_json() | {
        "share_of_finds": 1.0,
        "share_of_blank": 0.5,
    }
    assert report.to_json()["attributes"]["Fit"]["cutoff"]["missing"] == 49
    assert report.to_json()["min_confidence"] is None
    said = told(report)
    assert "1 of 2 finds are below the limits and were not filled in: 1 blank cells are left to people" in said
    assert "Each limit below keeps a precision of 0.98 with a probability of 95%, in cells like the held-out" in said
    assert "how many more right finds in held-out cells it would take at least: Fit (49), Care (" in said
    assert "Color 0.8000 100% 50% 1 100.0% -" in said  # limit, finds kept, blank filled, left, right, missing
    assert "Fit none 0% 0% 0 100.0% 49" in said


def test_a_limit_together_is_said_to_be_one_and_offered_where_it_is_not_asked_for() -> None:
    held = held_out(Color=(100, 0), Fit=(100, 0), Care=(300, 30))
    alone = told(report_of((product(0, {}), {"red": 0.9}), cutoffs=held.cutoffs(0.98)))
    assert "2 of them have few held-out cells: --pool gives them one limit together" in alone
    pooled = told(report_of((product(0, {}), {"red": 0.9}), cutoffs=held.cutoffs(0.98, pool=True)))
    assert "One limit together (*) have Color, Fit: the promise is for what is filled in of all of them as" in pooled
    assert "--pool" not in pooled
    missed = told(report_of((product(0, {}), {"red": 0.9}), cutoffs=held.cutoffs(0.99, pool=True)))
    assert "Color, Fit together (99)" in missed


def test_attributes_without_held_out_cells_are_named() -> None:
    said = told(report_of((product(0, {}), {"red": 0.9}), cutoffs=held_out(Fit=(200, 0)).cutoffs(0.98)))
    assert "Attributes without held-out cells, of which nothing was filled in: Color" in said
    assert "Color none - 0% 1 - -" in said
