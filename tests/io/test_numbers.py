"""Numbers in ids and cells: as the file spells them, or the integer that they are."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.errors import kind_of
from attrex.io.readers import read_products
from attrex.plain_json import load_json, number_text
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        ("417", "417"),
        ("417.0", "417"),
        ("1e5", "100000"),
        ("7.50", "7.50"),
        ("-0.0", "0"),
        ("1e400", "1e400"),
        ("1E-7", "1E-7"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_numbers_of_json(tmp_path: Path, spelled: str, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"id": {spelled}, "title": "x", "attributes": {{"Size": [{spelled}]}}}}')
    (product,) = read_products(tmp_path / "a.jsonl")
    assert (product.id, product.table) == (text, {"Size": (text,)})


def test_numbers_in_a_cell_of_json(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,title,attributes\n7.0,x,"{""Size"": 7.50, ""Height"": 8.0}"\n')
    (product,) = read_products(tmp_path / "a.csv")
    assert (product.id, product.table) == ("7.0", {"Size": ("7.50",), "Height": ("8",)})  # CSV has no numbers


def test_numbers_of_parquet(tmp_path: Path) -> None:
    columns = {
        "id": pa.array([417.0, 1e5]),  # as pandas writes integers with gaps
        "title": ["x", "x"],
        "Size": pa.array([0.1, 2.0], pa.float32()),
        "Sizes": pa.array([[0.1, 2.0], []], pa.list_(pa.float32())),
        "Price": pa.array([Decimal("417.000"), Decimal("1.500")], pa.decimal128(10, 3)),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    shop = Shop(columns=ColumnMapping(attributes=("Size", "Sizes", "Price")))
    one, two = read_products(tmp_path / "a.parquet", shop=shop)
    assert (one.id, one.table) == ("417", {"Size": ("0.1",), "Sizes": ("0.1", "2"), "Price": ("417",)})
    assert (two.id, two.table) == ("100000", {"Size": ("2",), "Sizes": (), "Price": ("1.500",)})


def test_numbers_of_python() -> None:
    row = {"id": np.float64(5.0), "title": "x", "attributes": {"Size": np.float32(0.1), "Count": np.int64(3)}}
    (product,) = read_products([row])
    assert (product.id, product.table) == ("5", {"Size": ("0.1",), "Count": ("3",)})
    assert [number_text(v) for v in (True, 1e22, Decimal("1E+3"), float("inf"))] == ["True", "1e+22", "1000", "inf"]


def test_a_number_is_a_number_in_messages() -> None:
    assert kind_of(load_json("1.50")) == "a number"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_json_in_too_many_levels_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deep|Expecting"):
        load_json(text)


def test_a_row_in_too_many_levels_is_marked_and_the_next_is_read(tmp_path: Path) -> None:
    deep = '{"id": 1, "title": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (tmp_path / "a.jsonl").write_text(f"{deep}\n{json.dumps({'id': 2, 'title': 'x'})}\n")
    one, two = read_products(tmp_path / "a.jsonl")
    assert "nested too deep" in (one.error or "")
    assert (two.id, two.error) == ("2", None)
