"""What nobody means to give: each is read, marked or refused with a sentence, and none with a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import attrex
from attrex.errors import AttrexError, CheckpointError, DataError
from attrex.evaluation.runs import read_runs
from attrex.inference.directory import locate_model, read_json
from attrex.io.outputs import check_out
from attrex.io.predictions import PredictionFile, read_predictions
from attrex.io.readers import read_products
from attrex.vocabulary.normalizer import ValueNormalizer

DEEP = "[" * 100_000 + "]" * 100_000
LONG = "9" * 5000
VALUE = {"attribute": "Color", "value": "Red", "confidence": 0.5, "source": None}


@pytest.mark.parametrize(
    "content", [DEEP, '{"a": ' * 100_000, f'{{"format": {LONG}}}', "\ud83d".encode("utf-16-le", "surrogatepass")]
)
@pytest.mark.parametrize(
    "read", [read_json, ValueNormalizer.load, lambda p: list(read_predictions(p)), lambda p: read_runs([p])]
)
def test_json_that_no_parser_takes(tmp_path: Path, read: Callable[[Path], object], content: str | bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AttrexError, match=r"a\.json"):
        read(path)


@pytest.mark.parametrize(
    "row", [{"range": True}, {"range": [1]}, {"range": {"Color": True}}, {"coverage": True}, {"values": True}]
)
def test_a_truth_in_place_of_numbers(tmp_path: Path, row: dict[str, object]) -> None:
    path = tmp_path / "values.jsonl"
    path.write_text(json.dumps({"id": "1", "values": []} | row))
    with pytest.raises(DataError, match="line 1 is not a prediction row"):
        list(read_predictions(path))


def test_half_a_character_in_a_values_file(tmp_path: Path) -> None:
    path = tmp_path / "values.jsonl"
    path.write_text(json.dumps({"id": "1", "values": [VALUE | {"value": "Red \ud83d"}]}))
    (prediction,) = read_predictions(path)
    assert prediction.values[0].value == "Red \ufffd"
    for suffix in ("jsonl", "parquet"):
        file = PredictionFile(tmp_path / f"out.{suffix}")
        with file.open():
            file.write([prediction])
        assert [p.values[0].value for p in read_predictions(tmp_path / f"out.{suffix}")] == ["Red \ufffd"]


@pytest.mark.parametrize(
    "products",
    [
        {"id": 1, "title": ["Red"]},
        {"id": "1", "title": "Red"},
        {"title": None},
        5,
        b"Red",
        "Red shirt\n" * 50,
        "Red " * 5000,
        "a\0b",
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_product_in_place_of_several(products: object) -> None:
    with pytest.raises(DataError, match="list"):
        list(attrex.locate(products))  # type: ignore[arg-type]


def test_an_address_keeps_its_slashes() -> None:
    for name in ("s3://bucket/a.csv", "https://shop.example/a.csv"):
        with pytest.raises(DataError, match=f"got the address '{name}'; Attrex fetches nothing"):
            list(read_products(name))
        with pytest.raises(DataError, match=f"got the address '{name}'"):
            check_out(Path(name), (".csv",))
        with pytest.raises(CheckpointError, match=f"got the address '{name}'"):
            locate_model(name)


def test_names_of_columns_are_compared_once(tmp_path: Path, growth: Callable[..., float]) -> None:
    def read(columns: int) -> None:
        path = tmp_path / "a.csv"
        path.write_text(",".join(["id", "title", *map(str, range(columns))]) + "\n1,x" + "," * columns + "\n")
        assert len(list(read_products(path))) == 1

    assert growth(read, 5_000) < 9
    (tmp_path / "b.csv").write_text("id,title,title\n1,x,y\n")
    with pytest.raises(DataError, match=r"got \['title'\] more than once"):
        list(read_products(tmp_path / "b.csv"))
