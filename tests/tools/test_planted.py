"""Wrong values that are planted in a table, and how a list of conflicts finds them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from attrex.config import Config
from attrex.errors import DataError
from attrex.io.predictions import PredictionFile
from attrex.io.readers import write_products
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Value

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "planted.py"


@pytest.fixture(scope="module")
def planted() -> Any:
    spec = spec_from_file_location("benchmarks_planted", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def shelf(number: int) -> list[Product]:
    """Colours 4 red to 1 blue, and a fit."""
    colors = ["Red", "RED", "Red", "Red", "Blue"]
    return [
        Product(str(i), {"title": f"thing {i}"}, table={"Color": (colors[i % 5],), "Fit": ("Slim",)})
        for i in range(number)
    ]


def test_other_values_of_the_attribute_are_planted_by_their_frequency(planted: Any) -> None:
    products = [*shelf(400), Product("green", {}, table={"Color": ("Green", "Blue")}), Product("bad", {}, error="x")]
    changed, cells = planted.plant(products, ["Color"], 200, 0, str.casefold)
    assert len(cells) == 200
    assert [p.id for p in changed] == [p.id for p in products]
    before = {p.id: p.table["Color"] for p in products if p.table}
    planted_values = []
    for product in changed:
        if (product.id, "Color") in cells:
            (value,) = product.table["Color"]
            assert value.casefold() not in {v.casefold() for v in before[product.id]}
            planted_values.append(value)
        elif product.table:
            assert product.table["Color"] == before[product.id]
    counts = {v: planted_values.count(v) for v in ("Red", "RED", "Blue", "Green")}
    assert counts["Red"] > counts["RED"] > 0  # in place of Blue: 3 to 1
    assert counts["Blue"] > 20 * counts["Green"]  # in place of Red: 81 to 1
    assert all(p.table["Fit"] == ("Slim",) for p in changed[:400])
    assert planted.plant(products, ["Color"], 200, 0, str.casefold) == (changed, cells)
    assert planted.plant(products, ["Color"], 200, 1, str.casefold)[1] != cells


@pytest.mark.parametrize(
    ("attributes", "cells", "message"),
    [
        (["Color"], 11, "expected at least 11 filled cells of Color, got 10; give more products"),
        (["Color", "Colour"], 5, "expected attributes with filled cells, none has Colour; give other --attributes"),
        (["Fit"], 5, "expected 5 cells of Fit with another value to plant, got 0; give more products"),
    ],
)
def test_what_cannot_be_planted_is_told(planted: Any, attributes: Sequence[str], cells: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        planted.plant(shelf(10), attributes, cells, 0)


def test_a_curve_counts_equally_probable_conflicts_together(planted: Any) -> None:
    curve = planted.Curve.of([0.5, 0.9, 0.7, 0.7, 0.1], [True, True, False, True, False], planted=4)
    assert (curve.listed.tolist(), curve.found.tolist()) == ([1, 3, 4, 5], [1, 2, 3, 3])
    assert curve.recall_at(0.8) == 0.25
    assert curve.recall_at(0.75) == 0.75
    assert curve.recall_at(0.6) == 0.75
    assert curve.among(2) == (3, 2 / 3, 0.5)
    assert curve.among(99) == (5, 3 / 5, 0.75)
    assert curve.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 4)
    empty = planted.Curve.of([], [], planted=4)
    assert (empty.recall_at(0.8), empty.among(5), empty.average_precision) == (0.0, (0, 0.0, 0.0), 0.0)


def test_planted_values_are_found_where_the_finds_are_right(
    planted: Any, tmp_path: Path, tiny: Config, schema: Schema, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data, values = tmp_path / "model", tmp_path / "data.jsonl", tmp_path / "values.jsonl"
    new_model(tiny, Shop(schema=schema)).save(model)
    products = shelf(50)
    write_products(data, products)
    finds = [(Value("Color", p.table["Color"][0], 0.9), Value("Fit", "Loose", 0.9)) for p in products]
    PredictionFile(values).write(Prediction(p.id, f) for p, f in zip(products, finds, strict=True))
    options = ["--attributes", "Color", "--cells", "10", "--seeds", "2"]
    planted.main([str(model), str(data), *options, "--values", str(values)])
    said = capsys.readouterr().out
    assert "50 products, 50 filled cells of Color; 10 are planted" in said
    one = "1.000 (1.000 to 1.000)"
    assert f"| find - own (as listed) | {one} | {one} | {one} |" in said
    assert f"| 10 | 10 | {one} | {one} |" in said
    assert "| Color | 10 | 100% | 0 |" in said  # conflicts of Fit are not counted
    assert "| planted | 10 | 0.0% |" in said
    assert "| others | 0 | 0.0% |" in said
    planted.main([str(model), str(data), *options, "--limit", "20"])  # extracts
    assert "20 products, 20 filled cells of Color; 10 are planted" in capsys.readouterr().out
