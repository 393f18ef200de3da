"""The recipes of the outside benchmarks: rows, answers, and the authors' formula on counts made by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from attrex.config import Config
from attrex.encoding.encoder import ProductEncoder
from attrex.errors import DataError
from attrex.inference.checkpoint import load_tokenizer
from attrex.io.readers import read_products
from attrex.shop.schema import Schema
from attrex.types import CellState, Prediction, Span, Value

FOLDER = Path(__file__).parents[2] / "paper" / "recipes" / "outside"
MODULES = ("scoring", "prepare", "run", "reachable")
SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="module")
def recipe() -> Iterator[dict[str, ModuleType]]:
    """The recipe's modules, which are found beside the script as when it is run."""
    known = dict(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield {name: import_module(name) for name in MODULES}
    sys.path.remove(str(FOLDER))
    for name in set(MODULES) - set(known):
        del sys.modules[name]


ROWS: list[dict[str, Any]] = [
    {"id": "a", "category": "Shoes", "attributes": {"Brand": ["Red Wing Heritage"], "Color": ["Red ", "Dark Red"]}},
    {"id": "b", "category": "Shoes", "attributes": {"Brand": ["Puma"], "Color": [], "Size": []}},
    {"id": "c", "category": "Tea", "attributes": {"Brand": ["Puma"]}},
]
ANSWERS = {"a": {"Brand": "Red Wing", "Color": "Dark Red"}, "b": {"Brand": "n/a", "Color": "Blue", "Fit": "Slim"}}


def test_every_target_counts_once(recipe: dict[str, ModuleType]) -> None:
    counts = recipe["scoring"].count(ROWS, ANSWERS)
    assert counts.total() == {"NN": 1, "NV": 1, "VN": 2, "VC": 1, "VW": 1}
    assert counts.micro() == pytest.approx([1 / 3, 1 / 4, 2 / 7])  # VC 1 of 3 answers and of 4 values
    # Brand of shoes 0, color 1/2 and 1, brand of tea 0; size has neither value nor answer and counts in no mean
    assert counts.macro() == pytest.approx([(1 / 2) / 3, 1 / 3, (2 / 3) / 3])


def test_a_product_counts_as_often_as_it_is_drawn(recipe: dict[str, ModuleType]) -> None:
    counts = recipe["scoring"].count(ROWS, ANSWERS)
    only_first = np.array([[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    assert counts.micro(only_first) == pytest.approx(np.array([[1 / 2, 1 / 2, 1 / 2]] * 2))
    assert counts.macro(only_first) == pytest.approx(np.array([[1 / 2, 1 / 2, 1 / 2]] * 2))


def test_a_comparison_is_paired(recipe: dict[str, ModuleType]) -> None:
    scoring = recipe["scoring"]
    rows = [{"id": str(i), "category": "Tea", "attributes": {"Brand": ["x"]}} for i in range(60)]
    all_right = scoring.count(rows, {str(i): {"Brand": "x"} for i in range(60)})
    some_right = scoring.count(rows, {str(i): {"Brand": "x" if i % 3 else "y"} for i in range(60)})
    assert scoring.compare(some_right, some_right, samples=50)["micro"] == {
        "difference": 0,
        "low": 0,
        "high": 0,
        "p": 1,
    }
    found = scoring.compare(all_right, some_right, samples=400)["micro"]
    assert found["difference"] == pytest.approx(100 / 3)
    assert found["low"] < 100 / 3 < found["high"]
    assert found["p"] == 0
    low, high = scoring.interval(some_right, samples=400)["micro"]
    assert low < 200 / 3 < high
    with pytest.raises(DataError, match="needs answers to the same rows, got 60 and 3 products"):
        scoring.compare(all_right, scoring.count(ROWS, ANSWERS))


def test_answers_to_other_rows_are_refused(recipe: dict[str, ModuleType]) -> None:
    with pytest.raises(
        DataError, match="1 answers are of products that are not in the test rows, the first one of 'z'"
    ):
        recipe["scoring"].count(ROWS, {"z": {}})


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("Red Wing Red boots", ["Red"], ["Red", "Red"]),
        ("Red Wing Red boots", ["Red", "Red Wing"], ["Red Wing", "Red"]),
        ("Hard DriveIn stock", ["Hard Drive"], ["Hard Drive"]),
        ("Drives, Drive", ["Drive"], ["Drive"]),  # by itself rather than in another word
        ("Drives", [" Drive "], ["Drive"]),
        ("5 x 15 x 5", ["5"], ["5", "5"]),
        ("Boots", ["Shoe", ""], []),
    ],
)
def test_a_value_is_labelled_wherever_the_text_says_it(
    recipe: dict[str, ModuleType], text: str, values: list[str], said: list[str]
) -> None:
    found = recipe["prepare"].places({"title": text}, values)
    assert [text[start:end] for _, start, end in sorted(found)] == said


def test_a_value_is_no_part_of_a_word_where_another_text_has_it_by_itself(recipe: dict[str, ModuleType]) -> None:
    texts = {"title": "Hon Desk", "description": "A Deskside cart"}
    assert recipe["prepare"].places(texts, ["Desk"]) == [("title", 4, 8)]


def test_prepared_rows_are_read_as_labelled_products(recipe: dict[str, ModuleType]) -> None:
    found_only = [{"id": "a", "title": "Puma tee", "category": "Shirts", "attributes": {"Brand": ["Puma"]}}]
    (product,) = read_products(list(recipe["prepare"].labelled(found_only)))
    assert product.spans == (Span("Brand", 0, 4, "Puma", "title"),)
    assert product.cell_state("Color") == CellState.ABSENT  # who lists what was found has read all of it
    looked = [
        {"id": "b", "title": "Tee", "description": "A tee by Puma", "attributes": {"Color": [], "Brand": ["Puma"]}}
    ]
    (product,) = read_products(list(recipe["prepare"].labelled(looked)))
    assert product.spans == (Span("Brand", 9, 13, "Puma", "description"),)
    assert product.cell_state("Color") == CellState.ABSENT
    assert product.cell_state("Size") == CellState.BLANK  # nobody was asked


def test_rows_are_read_as_their_authors_release_them(recipe: dict[str, ModuleType], tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    target = {"Brand": {"Puma": 1}, "Color": {"n/a": 1}}
    path.write_text(json.dumps({"input": "Puma tee", "category": "Shirts", "target_scores": target}) + "\n")
    (row,) = recipe["prepare"].read_rows(path)
    assert (row["id"], row["title"], row["attributes"]) == ("test0", "Puma tee", {"Brand": ["Puma"], "Color": []})
    assert recipe["prepare"].asked([row]) == {"Shirts": {"Brand", "Color"}}
    path.write_text('{"name": "Puma tee"}\n')
    with pytest.raises(
        DataError, match=r"line 1: expected a row with id, title and attributes.*got the keys \['name'\]"
    ):
        recipe["prepare"].read_rows(path)


def test_one_value_is_given_per_cell_the_surest(recipe: dict[str, ModuleType]) -> None:
    said = Value("Color", "Red", 0.4, Span("Color", 0, 3, "red"))
    values = (Value("Color", "Blue", 0.3), said, Value("Fit", "Slim", 0.1))
    answers = recipe["run"].one_value([Prediction("a", values)], 0.2)
    assert answers == {"a": {"Color": "red"}}  # in the text's words
    rows = [{"id": "a", "category": "Tea", "attributes": {"Color": ["red"], "Fit": []}}]
    assert recipe["run"].choose_limit(rows, [Prediction("a", values)]) == pytest.approx(0.15)


def test_a_value_inside_a_word_is_out_of_reach_unless_words_are_parted(
    recipe: dict[str, ModuleType], tiny: Config, tiny_text: Path
) -> None:
    rows = [
        {"id": "a", "title": "Hard DriveIn 29h", "attributes": {"Type": ["Hard Drive"], "Height": ["29"], "Fit": []}}
    ]

    def found(split: bool) -> tuple[int, int]:
        config = tiny.model_copy(update={"text": tiny.text.model_copy(update={"split_words": split})})
        encoder = ProductEncoder(load_tokenizer(str(tiny_text)), config, Schema(()))
        return recipe["reachable"].count_reachable(rows, encoder)

    assert found(split=False) == (2, 0)
    assert found(split=True) == (2, 2)


@pytest.mark.skipif(not (SHARED / "peers").is_dir(), reason="the other tools' answers are not in this checkout")
def test_stored_answers_are_scored_as_the_other_scorer_does(recipe: dict[str, ModuleType]) -> None:
    sys.path.insert(0, str(SHARED / "peers"))
    theirs = import_module("outside_scorer")
    sys.path.remove(str(SHARED / "peers"))
    rows = recipe["prepare"].read_rows(SHARED / "data" / "outside" / "oa-mine" / "test.jsonl")
    for path in sorted((SHARED / "data" / "outside" / "oa-mine").glob("*.predictions.jsonl")):
        answers = recipe["run"].read_answers(path)
        ours, expected = recipe["scoring"].count(rows, answers), theirs.score(rows, answers)
        assert ours.micro() == pytest.approx(expected["micro"])
        assert ours.macro() == pytest.approx(expected["macro"])
