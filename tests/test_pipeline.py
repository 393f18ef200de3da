"""The job as functions, called as a notebook calls them: any source, and errors that name arguments."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import attrex
from attrex import pipeline
from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.errors import CheckpointError, ConfigError, DataError
from attrex.evaluation.calibrating import calibrate_extractor
from attrex.inference.extractor import Extractor
from attrex.inference.selection import HeldOut
from attrex.shop.mapping import ColumnMapping
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

ROWS = [
    {"id": "1", "title": "red cotton shirt", "attributes": {"Color": "Red", "Material": "Cotton"}},
    {"id": "2", "title": "blue wool scarf", "attributes": {"Color": "Blue"}},
]
FOUND = [Prediction("1"), Prediction("2")]


def test_mine_is_known_by_its_text(tmp_path: Path):
    data = write_catalogue(tmp_path, train=12, valid=1, test=1, images=False)
    word = "".join(["mi", "ne"])  # a string of its own, as one from a file or a form is
    labelled = attrex.locate(data / "catalog.jsonl", shop=data / "shop.yaml", lexicon=word)
    assert labelled.lexicon.attributes
    assert any(p.spans for p in labelled)


@pytest.mark.parametrize(
    ("columns", "refused"),
    [({}, False), ({"attributes": ("Color", "Material")}, False), ({"attributes": ("Material",)}, True)],
)
def test_filled_cells_in_columns_that_nobody_mapped_are_not_taken_for_blank(
    tmp_path: Path, columns: dict[str, Any], refused: bool
) -> None:
    table = tmp_path / "shop.csv"
    table.write_text("id,title,description,Color,Material\n1,Cap,A blue cap of wool,Navy,\n2,Scarf,A red scarf,,Silk\n")
    blue, wool = Span("Color", 2, 6, "blue", "description"), Span("Material", 14, 18, "wool", "description")
    red = Span("Color", 2, 5, "red", "description")
    predictions = [
        Prediction("1", (Value.from_span(blue, 0.99), Value.from_span(wool, 0.99))),
        Prediction("2", (Value.from_span(red, 0.99),)),
    ]
    shop = Shop(columns=ColumnMapping(**columns))
    if refused:
        with pytest.raises(DataError, match=r"columns of attributes that the shop does not read, Color: .*columns: "):
            attrex.fill(table, predictions, tmp_path / "filled.csv", shop=shop)
        assert not (tmp_path / "filled.csv").exists()
    else:
        attrex.fill(table, predictions, tmp_path / "filled.csv", shop=shop)
        rows = (tmp_path / "filled.csv").read_text().splitlines()
        assert rows == [
            "id,title,description,Color,Material",
            "1,Cap,A blue cap of wool,Navy,wool",
            "2,Scarf,A red scarf,red,Silk",
        ]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


@pytest.mark.parametrize("as_file", [True, False])
def test_locate_reads_a_file_or_rows_without_a_shop_and_can_be_iterated_twice(table: Path, as_file: bool) -> None:
    labelled = attrex.locate(table if as_file else ROWS)
    for _ in range(2):
        assert [[s.text for s in p.spans or ()] for p in labelled] == [["red", "cotton"], ["blue"]]
    assert list(attrex.locate(labelled)) == list(labelled)


def test_locate_goes_by_the_file_of_a_shop(table: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop.yaml"
    shop.write_text("cells: {blank: [Blue]}\n", encoding="utf-8")
    for source in (table, ROWS):
        assert [len(p.spans or ()) for p in attrex.locate(source, shop=shop)] == [2, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": "changes.csv"}, "changes are written beside the table; give out, too"),
        ({"conflicts": "conflicts.csv"}, "conflicts are written beside the table; give out, too"),
        ({"min_confidence": 2}, "min_confidence should be between 0 and 1, got 2"),
        ({"precision": 0.9, "min_confidence": 0.5, "model": "m"}, "`precision` .* min_confidence is one for all"),
        ({"precision": 0.9}, "`precision` needs `model`"),
        ({"pool": True}, "`pool` puts attributes together to reach a `precision`; give both"),
        ({"cutoffs": {}, "min_confidence": 0.5}, "cutoffs are the limits; give neither"),
        ({"limit": -1}, "limit should be 1 or more"),
        ({"catalog": "catalog.jsonl"}, "catalog should be a list of sources"),
        ({"model": object()}, "model should be a model directory or a hub name, got object"),
    ],
)
def test_fill_refuses_what_it_cannot_do(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        attrex.fill(ROWS, FOUND, **options)


def test_fill_goes_by_cut_offs_that_are_given() -> None:
    cutoffs = HeldOut.of([("Material", 0.9, True)] * 200).cutoffs(0.98)
    found = [FOUND[0], Prediction("2", (Value("Material", "wool", 0.95), Value("Fit", "slim", 1.0)))]
    filling = attrex.fill(ROWS, found, cutoffs=cutoffs)
    assert {e.attribute: e.outcome.value for e in filling.rows[1].entries} == {"Fit": "below", "Material": "filled"}
    assert filling.report.cutoffs is cutoffs


def test_fill_lists_what_is_probably_wrong_where_it_is_kept_or_asked_for(tmp_path: Path) -> None:
    finds = {"1": [("Color", "blue", 0.7), ("Material", "wool", 0.9)], "2": [("Color", "red", 0.8)]}
    found = [Prediction(i, tuple(Value(*value, decided_by="photo") for value in values)) for i, values in finds.items()]
    kept = attrex.fill(ROWS, found)
    assert [(c.product, c.attribute, c.value) for c in kept.conflicts] == [
        ("1", "Material", "wool"),
        ("2", "Color", "Red"),
        ("1", "Color", "Blue"),
    ]
    out, listed = tmp_path / "filled.csv", tmp_path / "conflicts.csv"
    assert attrex.fill(ROWS, found, out).conflicts == []
    assert attrex.fill(ROWS, found, out, conflicts=listed).conflicts == kept.conflicts
    assert listed.read_text().splitlines()[1] == "1,Material,Cotton,wool,0.9,0.0,0,,,,,photo"
    with pytest.raises(DataError, match=r"conflicts .*filled.csv is read or written already"):
        attrex.fill(ROWS, found, out, conflicts=out)


def test_an_attribute_without_a_value_does_not_apply_where_a_value_head_was_asked(tmp_path: Path) -> None:
    found = [Prediction("1"), Prediction("2", (Value("Fit", "Slim", 0.9, decided_by="photo"),))]
    shop = Shop(schema=Schema((Attribute("Material", options=("Cotton",)), Attribute("Season"))))
    rows = [*ROWS, {"id": "3", "title": "green hat", "attributes": {"Season": "Winter"}}]
    report = attrex.fill(rows, [*found, Prediction("3")], shop=shop).report
    blank = {a: report.blank_cells(a) for a in report.attributes}
    silent = {a: (cells["does_not_apply"], cells["no_evidence"]) for a, cells in blank.items()}
    assert silent == {"Fit": (2, 0), "Color": (0, 1), "Material": (2, 0), "Season": (0, 2)}
    headless = attrex.fill(ROWS, FOUND, shop=shop).report
    assert headless.blank_cells("Material")["no_evidence"] == 1


def test_nothing_is_written_over_what_is_read_nor_under_another_kinds_name(table: Path, tmp_path: Path) -> None:
    before = table.read_bytes()
    for write in (
        lambda out: attrex.locate(table, out),
        lambda out: attrex.fill(table, FOUND, out),
        lambda out: attrex.extract("no model", table, out),
    ):
        with pytest.raises(DataError, match=r"table.jsonl is read or written already"):
            write(table)
    with pytest.raises(DataError, match=r"changes .*table.jsonl is read or written already"):
        attrex.fill(table, FOUND, tmp_path / "filled.csv", changes=table)
    with pytest.raises(DataError, match=r"out should end in .csv or .jsonl or .parquet, got 'filled.txt'"):
        attrex.fill(table, FOUND, "filled.txt")
    with pytest.raises(DataError, match=r"out should end in .html or .htm"):
        attrex.report("no model", table, "report.txt")
    assert table.read_bytes() == before


def test_fill_says_what_predictions_are() -> None:
    with pytest.raises(DataError, match=r"got dict; of a dict make one with Prediction.from_json"):
        attrex.fill(ROWS, [p.to_json() for p in FOUND])  # type: ignore[misc]


def test_a_single_row_or_product_goes_into_a_list() -> None:
    for single in (ROWS[0], Product("1", {"title": "red shirt"})):
        with pytest.raises(DataError, match="put a single one into a list"):
            attrex.locate(single)  # type: ignore[arg-type]


def test_what_is_no_trained_model_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a trained model, got object; give its directory"):
        attrex.export(object(), tmp_path / "onnx", sample=[])  # type: ignore[arg-type]


def test_a_finished_extraction_is_counted_when_it_is_resumed(tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    out.write_text("".join(json.dumps(p.to_json()) + "\n" for p in FOUND), encoding="utf-8")
    model = tmp_path / "model"  # nothing is loaded from it
    model.mkdir()
    extraction = pipeline.extract(model, ROWS, out, shop=attrex.Shop(), resume=True)
    assert (len(extraction), [p.id for p in extraction]) == (2, ["1", "2"])


def test_the_shop_of_a_model_of_format_1_names_the_converter(tmp_path: Path) -> None:
    (tmp_path / "attrex.json").write_text('{"format": 1}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"convert the model: python -m attrex.tools.convert"):
        attrex.locate(ROWS, shop=tmp_path)


@pytest.fixture(scope="module")
def untrained(tiny: Config, schema: Schema, products: list[Product], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that chooses by the options' frequency, right now and then."""
    model = new_model(tiny, Shop(schema=schema))
    model.network.values.init_bias(torch.arange(sum(len(a.options) for a in schema.attributes), 0, -1).float())
    model.normalizer = ValueNormalizer.fit(products, shop=model.shop)
    return model.save(tmp_path_factory.mktemp("untrained") / "model")


def test_photos_that_all_lie_outside_of_the_folder_are_no_photos_to_learn_from(
    tiny: Config, schema: Schema, tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    table = tmp_path / "shop" / "table.jsonl"
    row = {"title": "Red shoe", "image": "../1.png", "attributes": {"Color": "Red"}}
    table.write_text("".join(json.dumps(row | {"id": str(i)}) + "\n" for i in range(20)), encoding="utf-8")
    with pytest.raises(DataError, match=r"expected photos to learn from, .*leads out of it.*image.model=null"):
        attrex.train(table, directory=tmp_path / "model", config=tiny, shop=Shop(schema=schema))
    assert not (tmp_path / "model").exists()


def test_a_model_is_calibrated_in_its_directory(untrained: Path, products: list[Product], tmp_path: Path) -> None:
    directory, events = shutil.copytree(untrained, tmp_path / "model"), []
    files = {p.name: p.read_bytes() for p in directory.iterdir() if p.is_file()}
    found = attrex.calibrate(str(directory), products[:40], progress=events.append)
    extractor = Extractor.load(untrained)
    assert found == calibrate_extractor(extractor, products[:40])
    assert json.loads((directory / "calibration.json").read_text()) == extractor.model.calibration.to_json()
    assert {n: (directory / n).read_bytes() for n in files} == files  # nothing else is touched
    assert {event.task for event in events} == {"reading"}
    assert 0 < found.right < 1
    (directory / "calibration.json").write_text('{"format": 1, "features": []}')  # an older one
    with pytest.raises(CheckpointError, match=r"of another version .*: attrex calibrate"):
        Extractor.load(directory)
    assert attrex.calibrate(directory, products[:40]) == found
    texts_only = attrex.calibrate(directory, products[:40], photos=False)
    assert texts_only != found


@pytest.mark.parametrize("model", ["shop/model", Path("nowhere"), object()])
def test_only_a_directory_is_calibrated(model: Any, products: list[Product]) -> None:
    got = "object" if type(model) is object else re.escape(repr(str(model)))
    with pytest.raises(
        ConfigError, match=f"expected the directory of a model, whose calibration is replaced, got {got}"
    ):
        attrex.calibrate(model, products)
