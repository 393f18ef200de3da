from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from attrex.errors import DataError
from attrex.filling.fill import COLUMNS, FilledRow, FillReport, Outcome, fill_table
from attrex.filling.names import Names
from attrex.types import ExtractedValue, Prediction, Product


def product(number: int = 0, **table: tuple[str, ...]) -> Product:
    return Product(str(number), {"text": "the text"}, table=table)


def read(number: int = 0, **finds: dict[str, float]) -> Prediction:
    """What was found: attribute -> words -> confidence."""
    values = [ExtractedValue(a, w, "text", 0, len(w), c) for a, said in finds.items() for w, c in said.items()]
    return Prediction(str(number), tuple(values))


def filled(one: Product, found: Prediction, *more: Product, **how: Any) -> FilledRow:
    names = Names()
    for p in (one, *more):
        names.learn(p)
    (row,) = fill_table([one], [found], names, **how)
    return row


def outcomes(row: FilledRow) -> dict[str, Outcome]:
    return {entry.value: entry.outcome for entry in row.entries}


RED = product(1, Color=("Red",))


def test_a_blank_cell_is_filled_in_the_tables_words() -> None:
    row = filled(product(Fit=("Slim",)), read(Color={"red": 0.9}), RED)
    assert row.table == {"Fit": ("Slim",), "Color": ("Red",)}
    (entry,) = row.entries
    assert tuple(entry.to_json()) == COLUMNS
    assert list(entry.to_json().values()) == ["0", "Color", "filled", [], "Red", True, 0.9, "red", "text", 0, 3]


def test_a_filled_cell_is_compared_and_never_changed() -> None:
    same = filled(RED, read(1, Color={"RED": 0.7, "blue": 0.9}))
    assert outcomes(same) == {"blue": Outcome.FURTHER, "Red": Outcome.AGREES}
    other = filled(RED, read(1, Color={"blue": 0.9}))
    assert outcomes(other) == {"blue": Outcome.DIFFERS}
    assert same.table == other.table == {"Color": ("Red",)}


def test_a_cell_known_to_be_absent_stays_so() -> None:
    row = filled(product(Color=()), read(Color={"red": 0.9}), RED)
    assert (row.table, outcomes(row)) == ({"Color": ()}, {"Red": Outcome.DIFFERS})


def test_the_surest_value_fills_a_cell_that_takes_one() -> None:
    row = filled(product(), read(Color={"blue": 0.8, "red": 0.9, "Red ": 0.7}), RED)
    assert (row.table, outcomes(row)) == ({"Color": ("Red",)}, {"Red": Outcome.FILLED, "blue": Outcome.FURTHER})


def test_cells_that_hold_several_get_all() -> None:
    row = filled(product(), read(Color={"blue": 0.8, "red": 0.9}), product(1, Color=("Red", "White")))
    assert row.table == {"Color": ("Red", "blue")}


def test_unsure_finds_say_nothing_and_unknown_words_only_fill_when_they_may() -> None:
    finds = read(Color={"Sky\n blue": 0.6, "red": 0.4})
    assert filled(product(), read(Color={"cut \ud83d": 0.9})).table == {"Color": ("cut \ufffd",)}
    assert filled(product(), finds, RED).table == {"Color": ("Sky blue",)}
    assert filled(product(), finds, RED, min_confidence=0.7).entries == ()
    row = filled(product(), finds, RED, known_only=True, min_confidence=0.3)
    assert (row.table, outcomes(row)) == ({"Color": ("Red",)}, {"Sky blue": Outcome.UNKNOWN, "Red": Outcome.FILLED})


@pytest.mark.parametrize("side", ["product", "reading"])
def test_a_row_with_an_error_keeps_what_it_has(side: str) -> None:
    found = read(Fit={"slim": 0.9})
    if side == "product":
        row = filled(Product("0", {}, table={"Color": ("Red",)}, error="broken"), found)
    else:
        row = filled(product(Color=("Red",)), Prediction("0", found.values, error="broken"))
    assert row == FilledRow("0", {"Color": ("Red",)}, (), "broken")


def test_finds_of_other_products_are_refused() -> None:
    with pytest.raises(DataError, match="row 1: expected finds for the products of the table"):
        filled(product(), read(7))


def test_the_report_counts_cells_and_how_often_the_surest_find_agrees() -> None:
    shop = [product(i, Color=("Red",)) for i in range(3)] + [product(3, Size=("XL",)), Product("4", {}, error="broken")]
    finds = [{"red": 0.9, "blue": 0.5}, {"red": 0.8, "blue": 0.9}, {"blue": 0.9}, {"blue": 0.9, "red": 0.6}, {}]
    names = Names()
    for p in shop:
        names.learn(p)
    report = FillReport()
    for row in fill_table(shop, [read(i, Color=f) for i, f in enumerate(finds)], names):
        report.add(row)
    assert report.to_json() == {
        "products": 5,
        "errors": 1,
        "filled": 1,
        "expected": 1 / 3,
        "attributes": {
            "Color": {"before": 3, "after": 4, "filled": 1, "agrees": 2, "differs": 1, "further": 3, "unknown": 0}
            | {"agreement": 1 / 3},
            "Size": {"before": 1, "after": 1, "filled": 0, "agrees": 0, "differs": 0, "further": 0, "unknown": 0}
            | {"agreement": None},
        },
        "unknown_words": [{"attribute": "Color", "value": "blue", "cells": 1}],
    }
    console = Console(width=100, record=True)
    console.print(report.render(), markup=False)
    said = console.export_text()
    assert "1 blank cells were filled, 33% of them as the shop would have, by their agreement." in said
    assert "Nothing was found of 1 attributes: Size." in said
    assert "1 rows could not be read" in said
    assert "Words that the table lacks: 1, most often Color: blue (1)." in said


def test_what_to_expect_of_filled_cells_is_weighted_by_their_number() -> None:
    report = FillReport()
    report.outcomes["Color"][Outcome.FILLED] = 30
    report.surest["Color"].update({True: 9, False: 1})
    report.outcomes["Fit"][Outcome.FILLED] = 10
    report.surest["Fit"].update({True: 1, False: 1})
    report.outcomes["Care"][Outcome.FILLED] = 1000  # of which nobody knows
    report.surest["Brand"].update({True: 1000})  # never blank
    assert report.expected == pytest.approx((30 * 0.9 + 10 * 0.5) / 40)


def test_attributes_without_filled_cells_have_no_agreement() -> None:
    report = FillReport()
    report.add(filled(product(), read(Color={"red": 0.9}), RED))
    assert report.agreement("Color") is None
    assert report.expected is None
    assert report.to_json()["attributes"]["Color"]["after"] == 1
