"""Ids stay when texts, models and options change: what was made of other ones is not gone on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attrex.errors import DataError
from attrex.filling.fill import fill_table
from attrex.io.content import model_hash, product_hash
from attrex.io.predictions import PredictionFile, read_predictions
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

SHOE = Product("1", {"title": "red shoe"}, (Path("photos/a.jpg"),), category="Shoes")
HOW = {"model": "m", "model's content": "0123", "threshold": 0.5}


def found_in(product: Product) -> Prediction:
    return Prediction(product.id, content=product_hash(product))


@pytest.mark.parametrize(
    "change",
    [
        {"fields": {"title": "blue shoe"}},
        {"fields": {"description": "red shoe"}},
        {"fields": {"title": "red shoe", "description": ""}},
        {"images": ()},
        {"images": (Path("photos/b.jpg"),)},
        {"images": (b"bytes",)},
        {"category": "Boots"},
    ],
)
def test_what_is_read_of_a_product_is_its_hash(change: dict[str, Any]) -> None:
    assert product_hash(replace(SHOE, **change)) != product_hash(SHOE)
    assert product_hash(replace(SHOE, table={"Color": ("Red",)}, warnings=("w",))) == product_hash(SHOE)
    assert product_hash(replace(SHOE, images=(Path("/elsewhere/photos/a.jpg"),))) == product_hash(SHOE)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_other_texts_under_the_same_ids_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    changed = replace(SHOE, fields={"title": "blue shoe"})
    PredictionFile(path, options=HOW).write([found_in(SHOE)])
    rows = [(p.id, p.content) for p in read_predictions(path)]
    PredictionFile(path, resume=True, options=HOW).check_same([SHOE], rows)
    for product, how in ((changed, HOW), (SHOE, HOW | {"model's content": "4567"}), (SHOE, HOW | {"threshold": 0.6})):
        with pytest.raises(DataError, match="is finished, but its row 1 was made when product '1' had other texts"):
            PredictionFile(path, resume=True, options=how).check_same([product], rows)


def test_an_unfinished_file_is_refused_too_and_one_that_does_not_say_is_taken(tmp_path: Path) -> None:
    def cut(prediction: Prediction) -> Any:
        yield prediction
        raise KeyboardInterrupt

    for number, prediction in enumerate((found_in(SHOE), Prediction("1"))):
        with pytest.raises(KeyboardInterrupt):
            PredictionFile(tmp_path / f"{number}.jsonl", options=HOW).write(cut(prediction))
    changed = replace(SHOE, fields={"title": "blue shoe"})
    with pytest.raises(DataError, match="row 1 was made when product '1' had other texts"):
        PredictionFile(tmp_path / "0.jsonl", resume=True, options=HOW).remaining([changed])
    assert list(PredictionFile(tmp_path / "0.jsonl", resume=True, options=HOW).remaining([SHOE])) == []
    assert list(PredictionFile(tmp_path / "1.jsonl", resume=True, options=HOW).remaining([changed])) == []


@pytest.mark.parametrize("name", ["model.safetensors", "thresholds.json", "shop.yaml", "tokenizer/tokenizer.json"])
def test_a_model_is_its_files_and_not_its_name(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "tokenizer").mkdir(parents=True)
        for file in ("model.safetensors", "thresholds.json", "shop.yaml", "tokenizer/tokenizer.json", "run.json"):
            (tmp_path / folder / file).write_text("x")
    (tmp_path / "a" / "run.json").write_text("another run")
    assert model_hash(tmp_path / "a") == model_hash(tmp_path / "b")
    (tmp_path / "a" / name).write_text("y")
    assert model_hash(tmp_path / "a") != model_hash(tmp_path / "b")


def test_a_place_that_says_something_else_now_fills_nothing() -> None:
    value = Value.from_span(Span("Color", 0, 3, "red", "title"), 0.9)
    of_photo_text = Value.from_span(Span("Size", 0, 2, "XL", "photo_text"), 0.9)
    finds = [Prediction("1", (value, of_photo_text))]

    def filled(product: Product) -> tuple[dict[str, Any], str | None]:
        (row,) = fill_table([product], finds, ValueNormalizer.fit([product]), check_places=True)
        return row.table, row.error

    assert filled(SHOE) == ({"Color": ("red",), "Size": ("XL",)}, None)
    table, error = filled(replace(SHOE, fields={"title": "A red shoe"}, table={"Fit": ("Slim",)}))
    assert table == {"Fit": ("Slim",)}
    assert error == (
        "expected 'red' at 0:3 of 'title', where it was found, got 'A r': the text was changed since; extract again"
    )
