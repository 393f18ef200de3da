"""The README that comes with a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from attrex.config import Config
from attrex.shop.schema import Attribute, Schema
from attrex.training.model_card import model_card

SCORES = {
    "products": 1234,
    "tag": {"f1": 0.95, "precision": 0.96, "recall": 0.94, "ci95": [0.94, 0.96]},
    "cls": {"f1": 0.97},
    "macro_f1": 0.85,
    "accuracy": 0.92,
    "per_attribute": {"Color": {"f1": 0.9, "gold": 40}},
}
CELLS = {
    "Fit|Cut": {"blank": 5, "absent": 0, "located": 1, "not_located": 2},
    "Color": {"blank": 1, "absent": 3, "located": 70, "not_located": 4},
}


def card(*overrides: str, **metrics: Any) -> str:
    model: Any = SimpleNamespace(
        config=Config.load("small", overrides),
        schema=Schema((Attribute("Color"), Attribute("Fit|Cut"))),
        metrics={"seed": 3, "training_products": 5000, "minutes": 42.5, "cells": CELLS} | metrics,
    )
    return model_card(model)


def test_it_tells_origin_scores_and_attributes() -> None:
    text = card(validation=SCORES)
    assert "# ULS-DRAM: attribute values for 2 attributes" in text
    assert "preset `small`, seed 3, on 5,000 products in 42.5 minutes." in text
    assert "- text encoder: `minilm-l6`, windows of 160 tokens" in text
    assert "- image encoder: `efficientnet-lite0` at 128 pixels, up to 1 a product" in text
    assert "| 1,234 | 0.9500 (0.9400-0.9600) | 0.9600 | 0.9400 | 0.9700 | 0.8500 | 0.9200 |" in text
    rows = [line for line in text.splitlines() if line.startswith(("| Color", "| Fit"))]
    assert rows == ["| Color | 70 | 4 | 1 | 3 | 0.900 | 40 |", r"| Fit\|Cut | 1 | 2 | 5 | 0 | - | 0 |"]
    assert 'Extractor.load("this/directory")' in text


def test_it_tells_what_the_text_does_not_say_and_how_sure_is_how_right() -> None:
    per_attribute = {
        "Fit|Cut": {"cells": 200, "right": 0.7, "ece": 0.05},
        "Color": {"cells": 1000, "right": 0.9, "ece": 0.01},
    }
    calibration = {"cells": 1200, "right": 0.876, "ece": 0.0214, "per_attribute": per_attribute}
    text = card(calibration=calibration)
    assert (
        "what it does not say is chosen among the values that the attribute had in training, from text and photo"
        in text
    )
    assert "On 1,200 filled cells of the validation products" in text
    assert "87.6% of the surest values are right, and the expected calibration error is 0.021." in text
    assert "| Color | 1,000 | 0.900 | 0.010 |\n| Fit\\|Cut | 200 | 0.700 | 0.050 |" in text
    for settings in (["values.head=false"], ["range.kind=none"]):
        text = card(*settings, calibration=None)
        assert "what only the photo shows is not filled in." in text
        assert "confidences hold" not in text


def test_its_front_matter_is_yaml() -> None:
    _, front, _ = card().split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "attrex"


def test_a_model_without_photos_and_without_scores() -> None:
    text = card("image.model=null", "fusion.kind=none")
    assert "- text only: photos are not read" in text
    assert "Not measured." in text


@pytest.mark.parametrize(
    ("unknown", "words"),
    [
        ("negative", "absent"),
        ("masked", "unknown where its text names a known value, else as probably absent, with less weight in the loss"),
    ],
)
def test_it_says_what_blank_cells_were_taken_for(unknown: str, words: str) -> None:
    assert f"- a blank cell of the table was taken as {words}\n" in card(f"range.unknown={unknown}")


SUPERVISION = {
    "table": "partly filled",
    "products": 5000,
    "complete_products": 12,
    "cells": {
        "located": 71,
        "not_located": 6,
        "absent": 3,
        "ruled_out": 2,
        "blank": 4004,
        "blank_mentioned": 1003,
        "not_located_mentioned": 5,
    },
}


def test_it_says_what_was_known_of_the_cells() -> None:
    lines = card(supervision=SUPERVISION).splitlines()
    assert "- the table is partly filled: 12 of 5,000 products are marked complete" in lines
    assert (
        "- cells: 71 located, 6 filled but not located, 4,004 blank, 2 blank and ruled out by the category (taken as "
        "absent), 3 absent"
    ) in lines
    assert (
        "- known values that the texts name and the table lacks: in 1,003 blank cells, in 5 cells filled with another "
        "value"
    ) in lines


def test_it_says_when_doubt_outweighs_the_labels() -> None:
    said = "- these are more than the located cells, so that their tags were left out of the loss\n"
    assert said in card("range.unknown=masked", supervision=SUPERVISION | {"mostly_in_doubt": True})
    assert said not in card("range.unknown=masked", supervision=SUPERVISION | {"mostly_in_doubt": False})
    assert said not in card("range.unknown=negative", supervision=SUPERVISION | {"mostly_in_doubt": True})


def test_a_flat_tagger_weighs_no_cells_and_has_no_threshold() -> None:
    text = card("range.kind=none", "range.unknown=masked", supervision=SUPERVISION | {"mostly_in_doubt": True})
    assert "was taken as unknown where its text names a known value, else as absent\n" in text
    assert "- the best state was chosen, and validation scored, without the finds" in text
    assert "left out of the loss" not in text


def test_complete_validation_products_leave_nothing_open() -> None:
    assert "without the finds" in card("range.unknown=masked", left_open=True)
    assert "without the finds" not in card("range.unknown=masked", left_open=False)


def test_what_could_not_be_averaged_or_printed_breaks_no_table() -> None:
    cells = {"Care\nnotes": CELLS["Color"]}
    text = card(validation=SCORES | {"macro_f1": 0.0, "macro_attributes": 0}, cells=cells)
    assert "| 0.9700 | - | 0.9200 |" in text
    assert "| Care notes | 70 | 4 | 1 | 3 | - | 0 |" in text


def test_it_says_how_many_validation_products_were_trained_on() -> None:
    said = "12 of these products have the texts of a training product: their scores tell what was memorised."
    assert said in card(validation=SCORES, repeated_validation=12)
    assert "memorised" not in card(validation=SCORES, repeated_validation=0)


def test_complete_products_have_no_blank_cells_to_take_for_anything() -> None:
    text = card(supervision=SUPERVISION | {"table": "complete"})
    assert "- all training products are marked complete: what is not labelled was taken as absent" in text
    assert "a blank cell" not in text
