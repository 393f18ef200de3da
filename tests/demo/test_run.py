"""The demo from start to end at a tiny scale, and the figures it prints, by hand."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.demo.run import SETTINGS, color_accuracy, run, share_right, swap_photos, trapped, write_export
from attrex.errors import DataError
from attrex.io.predictions import read_predictions
from attrex.progress import ProgressEvent
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

COLORS = Schema((Attribute("Color", options=("red", "blue")),))


def test_the_demo_completes_an_export_and_goes_on_in_the_same_directory(tmp_path: Path, tiny: Config) -> None:
    (tmp_path / "tiny.yaml").write_text(tiny.to_yaml(), encoding="utf-8")
    out = tmp_path / "demo [1]"
    trained = []
    settings = {"config": tmp_path / "tiny.yaml", "settings": ["training.epochs=0.5"]}
    for _ in range(2):
        events: list[ProgressEvent] = []
        demo = run(out, products=64, unseen=8, **settings, progress=events.append)
        steps = [event.message[:3] for event in events if event.message[1:2] == "/"]
        trained.append("3/6" in steps)
        assert set(demo.photo_use) >= {"texts", "the product's own", "taken away"}
        assert 0 <= demo.right <= 1
        assert all(path.exists() for path in demo.files.values())
        assert len(list(read_predictions(demo.completion.values))) == 64
        assert json.loads((out / "metrics.json").read_text())["products"] == 8
    assert trained == [True, False]
    assert sorted(p.name for p in out.iterdir()) == [
        "data",
        "demo.json",
        "export.csv",
        "filled.csv",
        "metrics.json",
        "work",
    ]

    with pytest.raises(DataError, match="expected at least 50 products"):
        run(out, products=8, unseen=8, **settings)
    assert not demo.completion.model.exists()  # of another demo


def test_the_export_is_what_a_shop_has_and_fills_are_compared_with_what_was_drawn(tmp_path: Path) -> None:
    write_catalogue(tmp_path, train=0, valid=0, test=30, seed=1, images=False)
    drawn = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    with write_export(tmp_path / "test.jsonl", tmp_path / "export.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, made in zip(rows, drawn, strict=True):
        assert (row["sku"], row["title"]) == (made["id"], made["fields"]["title"])
        assert {a: [row[a]] for a in made["truth"] if row[a]} == made["attributes"]
    first, second = drawn[:2]
    name, values = next(iter(first["truth"].items()))
    changes = [
        ("id", "attribute", "outcome", "value"),
        (first["id"], name, "filled", values[0]),
        (first["id"], "Voltage", "filled", "12 V"),  # a product of the catalogue has none
        (second["id"], name, "differs", "nothing"),
    ]
    (tmp_path / "changes.csv").write_text("\n".join(map(",".join, changes)), encoding="utf-8")
    assert share_right(tmp_path / "changes.csv", tmp_path / "test.jsonl") == 0.5


def test_a_directory_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "run.json").touch()
    with pytest.raises(DataError, match=r"is not empty and holds no demo .*; choose another directory"):
        run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "run.json").exists()


def product(name: str, *colors: str) -> Product:
    text = "red or blue or green"
    spans = tuple(Span("Color", text.index(c), text.index(c) + len(c), c) for c in colors)
    return Product(name, {"text": text}, images=(name.encode(),), spans=spans)


def prediction(name: str, *colors: str) -> Prediction:
    return Prediction(name, tuple(Value.from_span(Span("Color", 0, len(c), c), 0.9) for c in colors))


def test_a_colour_is_right_when_it_is_the_only_one_read() -> None:
    products = [
        product("1", "red"),
        product("2", "red"),
        product("3", "red"),
        product("4", "blue"),
        product("5", "red"),
    ]
    read = [
        prediction("1", "Red", "red"),  # said twice, in any case: right
        prediction("2", "red", "blue"),  # one too many
        prediction("3"),  # none
        prediction("4", "red"),  # the wrong one
        prediction("5", "red"),  # right, but not asked for
    ]
    assert color_accuracy(products, read, {"1", "2", "3", "4"}) == 0.25
    assert color_accuracy(products, read, {"1", "5"}) == 1.0
    assert color_accuracy(products, read, set()) == 0.0


def test_a_value_head_is_right_by_its_surest_colour_in_the_shops_words() -> None:
    normalizer = ValueNormalizer.fit(shop=Shop(aliases={"red": ("crimson",)}, schema=COLORS))
    crimson = Product("1", {"text": "crimson"}, spans=(Span("Color", 0, 7, "crimson"),))
    surest = Value("Color", "red", 0.8, decided_by="photo")
    tagged = replace(Value.from_span(Span("Color", 0, 4, "blue"), 0.3), decided_by="text")
    found = [Prediction("1", (tagged, surest))]
    assert color_accuracy([crimson], found, {"1"}, normalizer) == 1.0
    assert color_accuracy([crimson], found, {"1"}) == 0.0  # as strings it is another word
    assert color_accuracy([crimson], [Prediction("1", (replace(tagged, confidence=0.9), surest))], {"1"}) == 0.0


def test_swapped_photos_belong_to_the_next_product() -> None:
    swapped = swap_photos([product("1"), product("2"), product("3")])
    assert [(p.id, p.images) for p in swapped] == [("1", (b"2",)), ("2", (b"3",)), ("3", (b"1",))]


def test_trapped_products_with_the_number_of_colours_they_mention(tmp_path: Path) -> None:
    write_catalogue(tmp_path, train=0, valid=0, test=40, seed=1, images=False)
    ids = trapped(tmp_path / "test.jsonl", "ambiguous_color")
    assert ids
    assert set(ids.values()) <= {2, 3}
    rows = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    assert set(ids) == {r["id"] for r in rows if "ambiguous_color" in r["traps"]}


def test_the_settings_of_the_demo_are_valid() -> None:
    assert Config.load("small", SETTINGS).system_name == "Partial-DRAM"
