"""The table test: every figure against a hand example, a brute force, or a scorer of its own."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import attrex
from attrex.config import Config
from attrex.errors import ConfigError, DataError
from attrex.evaluation.table import (
    ENOUGH_CELLS,
    Answer,
    CellScores,
    FilledCells,
    ReliabilityBin,
    Share,
    cut_off,
    filled_cells,
    photo_kinds,
    reliability,
    table_answers,
    table_attributes,
    table_remarks,
    table_scores,
    with_photos,
)
from attrex.inference.extractor import Extractor
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

PEER = Path(__file__).parents[3] / "shared" / "peers" / "table_scorer.py"
"""A scorer that others wrote; it may stand beside the checkout, and is no part of it."""


def product(id: str = "1", said: Sequence[str] | None = (), **table: str | tuple[str, ...]) -> Product:
    """``said``: attributes of which the text has a span; None: nobody has looked."""
    cells = {name: (value,) if isinstance(value, str) else value for name, value in table.items()}
    spans = None if said is None else tuple(Span(name, 0, 1, "x") for name in said)
    return Product(id, {"text": "x"}, table=cells, spans=spans)


def color(cells: str) -> FilledCells:
    """Cells of one attribute, one a product: "9+ 8- ." is right at 0.9, wrong at 0.8, no answer."""
    words = cells.split()
    answers = [{} if w == "." else {"Color": Answer("red" if w[-1] == "+" else "no", int(w[:-1]) / 10)} for w in words]
    return filled_cells([product(Color="red")] * len(words), answers, ["Color"])


def values(scores: CellScores) -> dict[str, float | None]:
    return {name: share.value for name, share in scores.shares.items()}


# --- answers and cells ------------------------------------------------------------------------------------------------


def test_the_surest_value_is_the_answer_in_the_shops_words() -> None:
    labelled = Product(
        "0", {"text": "azure"}, table={"Color": ("Blue",)}, spans=(Span("Color", 0, 5, "azure", value="Blue"),)
    )
    normalizer = ValueNormalizer.fit([labelled, product(Color="Red"), product(Fit="Slim")])
    found = [
        Prediction(
            "1",
            (
                Value("Color", "red", 0.5),
                Value.from_span(Span("Color", 0, 5, "azure"), 0.7),
                Value("Color", "BLUE", 0.6),
                Value("Fit", "slim", 0.4),
                Value("Fit", "boxy", 0.4),  # no surer than the one before
                Value("Sole", "crepe", 0.1),  # of which the shop knows nothing
            ),
        ),
        Prediction("2", error="line 2: no text"),
    ]
    answers = {"Color": Answer("Blue", 0.7), "Fit": Answer("Slim", 0.4), "Sole": Answer("crepe", 0.1)}
    assert table_answers(found, normalizer) == [answers, {}]


def test_only_filled_cells_are_judged_and_spellings_are_one() -> None:
    normalizer = ValueNormalizer.fit()
    shop = [
        product("1", ["Color"], Color=("Navy Blue", "Red"), Fit="Slim"),
        product("2", None, Color="Green", Fit=()),
        product("3", [], Size="XL"),
    ]
    answers = [
        {"Color": Answer("navy-blue", 0.9), "Size": Answer("XL", 0.8)},
        {"Color": Answer("grey", 0.2), "Fit": Answer("Slim", 0.8)},
        {"Color": Answer("Red", 0.7)},
    ]
    cells = filled_cells(shop, answers, ["Fit", "Color"], lambda value: normalizer.folded[value])
    rows = zip(cells.product, cells.attribute, cells.confidence, cells.right, cells.said, cells.labelled, strict=True)
    assert next(rows) == (0, 1, 0.9, True, True, True)
    assert np.array_equal(cells.attribute, [1, 0, 1])
    assert np.array_equal(cells.confidence, [0.9, nan, 0.2], equal_nan=True)
    assert (cells.right.tolist(), cells.labelled.tolist()) == ([True, False, False], [True, True, False])
    assert not filled_cells(shop, answers, ["Color"]).right.any()  # as they are written, "navy-blue" is another value
    assert len(filled_cells(shop, answers, ["Sole"]).right) == 0


def test_attributes_with_enough_filled_cells_are_judged() -> None:
    shop = [product(Color="red", Fit="Slim") for _ in range(ENOUGH_CELLS)] + [product(Color="red", Sole="flat", Cut=())]
    assert table_attributes(shop) == ["Color", "Fit"]
    assert table_attributes(shop, ["Sole", "Color"]) == ["Color", "Sole"]
    assert table_attributes(shop, "Sole") == ["Sole"]


@pytest.mark.parametrize(
    ("shop", "asked", "message"),
    [
        ([product()], None, r"judges filled cells, but none of the 1 products has one; give products with their table"),
        (
            [Product("1", {}, error="line 1: no text")],
            ["Color"],
            "none of the 1 products has one; 1 could not be read, the first because of: line 1: no text; give",
        ),
        (
            [product(Color="red", Fit=())],
            ["Colour"],
            r"expected attributes with filled cells, got \['Colour'\]; did you mean 'Color'\?; filled are \['Color'\]",
        ),
        (
            [product(Color="red")] * 3 + [product(Fit="Slim")],
            None,
            "expected attributes with at least 50 filled cells, got 'Color' with 3 as the fullest; name the attributes",
        ),
    ],
)
def test_it_is_said_why_there_is_nothing_to_judge(shop: list[Product], asked: list[str] | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table_attributes(shop, asked)


def test_what_to_know_before_one_reads_the_figures() -> None:
    shop = [product("1", Color="red", Fit="Slim"), Product("2", {}, error="line 2: no text")]
    assert table_remarks(shop[:1], (), ["Color", "Fit"], ["Color", "Fit"]) == []
    assert table_remarks(shop, [product("1", Color="red")], ["Color", "Fit"], ["Color"]) == [
        "1 of 3 rows could not be read, the first because of: line 2: no text",
        "the model does not know ['Fit']: it answers none of their cells",
        "no validation product has a filled cell of ['Fit']: they get no cut-off",
        "1 of the 2 products are validation products, too: cut-offs look better than they are on products that they "
        "were chosen on",
    ]


# --- scores -----------------------------------------------------------------------------------------------------------


def test_figures_by_hand() -> None:
    test = [
        product("1", ["Color", "Fit"], Color="red", Fit="Slim"),
        product("2", [], Color="red", Fit="Slim"),
        product("3", [], Color="red"),
        product("4", None, Color="red"),
    ]
    answers = [
        {"Color": Answer("red", 0.9), "Fit": Answer("Slim", 0.3)},
        {"Color": Answer("red", 0.6), "Fit": Answer("Wide", 0.9)},
        {"Color": Answer("blue", 0.8)},
        {},
    ]
    valid = filled_cells(
        [product(Color="red", Fit="Slim")] * 3,
        [
            {"Color": Answer("red", 0.8), "Fit": Answer("Wide", 0.5)},
            {"Color": Answer("red", 0.7)},
            {"Color": Answer("blue", 0.5)},
        ],
        ["Color", "Fit"],
    )
    found = table_scores(filled_cells(test, answers, ["Color", "Fit"]), valid, wanted=(0.6, 1.0), bootstrap=0)
    assert values(found.per_attribute["Color"]) == {
        "accuracy": 2 / 4,
        "said": 1 / 3,  # nobody has looked at the fourth
        "unsaid": 1 / 2,
        "answered": 3 / 4,
        "coverage@0.6": 3 / 4,  # from 0.5 on, 2 of 3 are right in validation
        "reached@0.6": 2 / 3,
        "coverage@1": 2 / 4,  # from 0.7 on
        "reached@1": 1 / 2,
    }
    assert found.per_attribute["Color"].cut_offs == {"cut_off@0.6": 0.5, "cut_off@1": 0.7}
    assert values(found.per_attribute["Fit"]) == {
        "accuracy": 1 / 2,
        "said": 1 / 2,
        "unsaid": 0.0,
        "answered": 1.0,
        "coverage@0.6": 0.0,
        "reached@0.6": None,
        "coverage@1": 0.0,
        "reached@1": None,
    }
    assert found.per_attribute["Fit"].cut_offs == {"cut_off@0.6": None, "cut_off@1": None}
    assert values(found.overall) == {
        "accuracy": 3 / 6,
        "said": 2 / 5,
        "unsaid": 1 / 3,
        "answered": 5 / 6,
        "coverage@0.6": 3 / 6,
        "reached@0.6": 2 / 3,
        "coverage@1": 2 / 6,
        "reached@1": 1 / 2,
    }
    assert (found.overall.cells, found.per_attribute["Fit"].cells, found.overall.cut_offs) == (6, 2, {})
    assert found.overall.shares["unsaid"] == Share(1, 3)


def test_without_validation_nothing_is_said_of_coverage() -> None:
    found = table_scores(color("9+ 8- ."), bootstrap=20)
    assert list(found.overall.shares) == ["accuracy", "said", "unsaid", "answered"]
    assert found.per_attribute["Color"].cut_offs == {}


def test_where_nobody_has_looked_for_spans_unsaid_is_left_out() -> None:
    cells = filled_cells([product(said=None, Color="red")], [{"Color": Answer("red", 0.9)}], ["Color"])
    found = table_scores(cells).to_json()["all"]
    assert (found["accuracy"], found["said"], found["unsaid"]) == (1, None, None)
    assert found["ci95"] == {"accuracy": [1, 1], "answered": [1, 1]}


def test_the_figures_as_json() -> None:
    found = table_scores(color("9+ 8- ."), color("9+"), bootstrap=20, confidence=0.9).to_json()
    assert found["all"].keys() | {"cut_off@0.95", "cut_off@0.98"} == found["per_attribute"]["Color"].keys()
    assert found["per_attribute"]["Color"] == {
        "cells": 3,
        "accuracy": 1 / 3,
        "said": 0.0,
        "unsaid": 1 / 3,
        "answered": 2 / 3,
        "coverage@0.95": 1 / 3,
        "reached@0.95": 1.0,
        "coverage@0.98": 1 / 3,
        "reached@0.98": 1.0,
        "cut_off@0.95": 0.9,
        "cut_off@0.98": 0.9,
        "ece": pytest.approx((0.1 + 0.8) / 2),
        "reliability": [
            {"confidence": 0.8, "accuracy": 0.0, "cells": 1},
            {"confidence": 0.9, "accuracy": 1.0, "cells": 1},
        ],
        "ci90": found["all"]["ci90"],
    }
    assert found["all"]["ci90"].keys() == {k for k in found["all"] if k not in ("cells", "ece", "reliability", "ci90")}


@pytest.mark.parametrize(
    ("cells", "wanted", "cut"),
    [
        ("9+ 8+ 7-", 1.0, 0.8),
        ("7- 9+ 8+", 0.6, 0.7),  # 2 of 3; the order does not matter
        ("9- 8+ 7+ 6+", 0.75, 0.6),  # the lowest one, although it is not reached above
        ("9+ 8+ 8- 7+", 1.0, 0.9),  # the two at 0.8 count both or not at all
        ("9- 8-", 0.5, inf),
        (". .", 0.5, inf),
        ("9+ .", 0.5, 0.9),
        ("", 0.5, inf),
    ],
)
def test_the_cut_off_is_the_lowest_that_has_the_wanted_precision(cells: str, wanted: float, cut: float) -> None:
    found = color(cells)
    assert cut_off(found.confidence, found.right, wanted) == cut


def test_the_calibration_error_by_hand() -> None:
    cells = color("9+ 9+ 9+ 9- 5+ 5- . 1-")  # three bins: (0.1, 0.5, 0.5), (0.9, 0.9), (0.9, 0.9)
    points = reliability(cells.confidence, cells.right, bins=3)
    assert points == (
        ReliabilityBin(pytest.approx(1.1 / 3), pytest.approx(1 / 3), 3),
        ReliabilityBin(pytest.approx(0.9), 0.75, 2),  # equally sure answers are equally often right in every bin
        ReliabilityBin(pytest.approx(0.9), 0.75, 2),
    )
    error = (3 * (1.1 / 3 - 1 / 3) + 4 * (0.9 - 0.75)) / 7
    assert CellScores(8, {}, points).ece == pytest.approx(error)
    assert reliability(np.array([nan]), np.array([False])) == ()
    assert CellScores(1, {}, ()).ece is None


def test_bins_hold_equally_many_answers() -> None:
    confidence = np.linspace(0, 1, 100)
    points = reliability(confidence, confidence > 0.5)
    assert [b.cells for b in points] == [7] * 10 + [6] * 5
    assert sum(b.cells * b.accuracy for b in points) == pytest.approx(50)
    assert [b.cells for b in reliability(confidence[:3], confidence[:3] > 0.5)] == [1, 1, 1]


def test_intervals_are_of_resampled_products() -> None:
    rng = random.Random(3)
    cells = color(" ".join(rng.choice(["9+", "9-", "3+", "."]) for _ in range(40)))
    found = table_scores(cells, color("9+"), bootstrap=200, seed=5, confidence=0.9)
    drawn = np.random.default_rng(5).integers(40, size=(200, 40))
    accuracy = cells.right[drawn].mean(1)
    kept = cells.confidence[drawn] >= 0.9
    reached = (cells.right[drawn] & kept).sum(1) / kept.sum(1)
    for scores in (found.overall, found.per_attribute["Color"]):
        assert scores.shares["accuracy"].interval == pytest.approx(tuple(np.quantile(accuracy, [0.05, 0.95])))
        assert scores.shares["reached@0.95"].interval == pytest.approx(tuple(np.quantile(reached, [0.05, 0.95])))


@pytest.mark.parametrize(
    "options", [{"bootstrap": -1}, {"confidence": 1.0}, {"wanted": (95,)}, {"wanted": (0.0,)}], ids=str
)
def test_arguments_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"wanted precisions above 0 up to 1, got bootstrap=.*; correct them"):
        table_scores(color("9+"), **options)


def test_cells_that_cannot_be_scored() -> None:
    with pytest.raises(DataError, match="expected cells of at least one product, got none"):
        table_scores(filled_cells([], [], ["Color"]))
    with pytest.raises(DataError, match=r"attributes \['Color'\], in this order, got \['Fit'\]; make both"):
        table_scores(color("9+"), filled_cells([], [], ["Fit"]))


# --- against a brute force, and against another scorer ----------------------------------------------------------------

NAMES = ("Color", "Fit", "Sole")
CELL = st.tuples(
    st.sampled_from([(), ("a",), ("a", "b"), ("c",)]),
    st.none() | st.tuples(st.sampled_from("abc"), st.integers(0, 4).map(lambda n: n / 4)),
    st.booleans(),
)
SHOP = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12)


def shop_of(rows: Sequence[Sequence[Any]]) -> tuple[list[Product], list[dict[str, Answer]]]:
    products, answers = [], []
    for number, row in enumerate(rows):
        cells = dict(zip(NAMES, row, strict=True))
        said = [name for name, cell in cells.items() if cell[2]]
        products.append(product(str(number), said, **{name: cell[0] for name, cell in cells.items()}))
        answers.append({name: Answer(*cell[1]) for name, cell in cells.items() if cell[1]})
    return products, answers


def lowest_cut(cells: Sequence[tuple[float, bool]], wanted: float) -> float:
    """Every confidence is tried."""
    good = []
    for cut in {confidence for confidence, _ in cells}:
        kept = [right for confidence, right in cells if confidence >= cut]
        if sum(kept) >= wanted * len(kept):
            good.append(cut)
    return min(good, default=inf)


def answered(products: list[Product], answers: list[dict[str, Answer]], name: str) -> list[tuple[float, bool]]:
    pairs = [(a[name], p.table[name]) for p, a in zip(products, answers, strict=True) if name in a and p.table[name]]
    return [(answer.confidence, answer.value in cell) for answer, cell in pairs]


@settings(deadline=None, max_examples=60)
@given(SHOP, SHOP, st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_shares_are_those_of_a_brute_force(test_rows: Any, valid_rows: Any, wanted: float) -> None:
    test, valid = shop_of(test_rows), shop_of(valid_rows)
    found = table_scores(filled_cells(*test, NAMES), filled_cells(*valid, NAMES), wanted=(wanted,), bootstrap=0)
    totals = np.zeros((3, 2), int)
    for name in NAMES:
        cells = sum(bool(p.table[name]) for p in test[0])
        said = answered(*test, name)
        cut = lowest_cut(answered(*valid, name), wanted)
        kept = [right for confidence, right in said if confidence >= cut]
        shares = {"accuracy": (sum(right for _, right in said), cells), f"coverage@{wanted:g}": (len(kept), cells)}
        shares[f"reached@{wanted:g}"] = (sum(kept), len(kept))
        assert {k: (s.part, s.whole) for k, s in found.per_attribute[name].shares.items() if k in shares} == shares
        totals += [*shares.values()]
    assert [[found.overall.shares[k].part, found.overall.shares[k].whole] for k in shares] == totals.tolist()


@pytest.mark.skipif(not PEER.exists(), reason="the other scorer is not beside this checkout")
def test_figures_are_those_of_another_scorer() -> None:
    spec = importlib.util.spec_from_file_location("table_scorer", PEER)
    assert spec is not None
    assert spec.loader is not None
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    rng = random.Random(1)

    def drawn(count: int) -> tuple[list[Product], list[dict[str, Answer]]]:
        def cell() -> tuple[Any, ...]:
            sure = round(rng.random(), 2)
            answer = ("a" if rng.random() < 0.7 + 0.3 * sure else "b", sure)
            return rng.choice([(), ("a",), ("a", "c")]), rng.choice([None, answer, answer, answer]), rng.random() < 0.5

        return shop_of([(cell(), cell(), cell()) for _ in range(count)])

    def rows(shop: tuple[list[Product], list[dict[str, Answer]]]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        listed = [
            {"id": p.id, "attributes": p.table, "spans": [{"attribute": s.attribute} for s in p.spans or ()]}
            for p in shop[0]
        ]
        return listed, {p.id: {k: tuple(a) for k, a in one.items()} for p, one in zip(*shop, strict=True)}

    test, valid = drawn(400), drawn(300)
    (test_rows, test_said), (valid_rows, valid_said) = rows(test), rows(valid)
    expected = peer.report(valid_rows, test_rows, valid_said, test_said, NAMES)
    ours = table_scores(filled_cells(*test, NAMES), filled_cells(*valid, NAMES), bootstrap=0).to_json()
    found = {"all": ours["all"], **ours["per_attribute"]}
    assert 0 < expected["all"]["coverage@0.95"] < 1
    assert {name: {key: found[name][key] for key in row} for name, row in expected.items()} == expected


# --- photos -----------------------------------------------------------------------------------------------------------


def photos(*products: tuple[str | None, str | None, str]) -> tuple[list[Product], list[str]]:
    """Products of (category, group, photo), and the photo that each gets of another."""
    shop = [
        Product(str(i), {"text": ""}, (Path(photo),) if photo else (), category, group=group)
        for i, (category, group, photo) in enumerate(products)
    ]
    return shop, [str(p.images[0]) if p.images else "" for p in with_photos(shop, "other")]


def test_a_product_gets_the_photos_of_another_one_of_its_category() -> None:
    _, found = photos(
        ("shoe", None, "a"), ("bag", None, "b"), ("shoe", None, "c"), ("bag", None, "d"), ("bag", None, "")
    )
    assert found == ["c", "d", "a", "b", ""]
    _, found = photos((None, None, "a"), (None, None, "b"), (None, None, "c"))
    assert found == ["b", "c", "a"]


def test_without_another_one_in_the_category_any_will_do() -> None:
    _, found = photos(("shoe", None, "a"), ("bag", None, "b"), ("shoe", None, "c"))
    assert found == ["c", "c", "a"]


def test_another_product_is_of_another_group() -> None:
    _, found = photos(
        ("shoe", "1", "a"), ("shoe", "1", "b"), ("shoe", "2", "c"), ("shoe", "2", "d"), ("shoe", "2", "e")
    )
    assert found == ["c", "d", "a", "b", "a"]
    _, found = photos((None, None, "a"), (None, None, "a"), (None, None, "b"))  # the same photo
    assert found == ["b", "b", "a"]


def test_kinds_of_photos_that_make_no_difference_are_left_out() -> None:
    shop, found = photos((None, "1", "a"), (None, "1", "b"))
    assert found == ["", ""]
    assert photo_kinds(shop) == ("own", "none")
    assert photo_kinds([]) == photo_kinds(with_photos(shop, "none")) == ("none",)
    assert photo_kinds(photos((None, None, "a"), (None, None, "b"))[0]) == ("own", "none", "other")
    assert with_photos(shop, "own") == shop


# --- a model ----------------------------------------------------------------------------------------------------------


def build(config: Config, schema: Schema, **changes: dict[str, Any]) -> Extractor:
    raw = config.model_dump()
    for section, settings_ in changes.items():
        raw[section] |= settings_
    torch.manual_seed(0)
    model = new_model(Config.parse(raw), Shop(schema=schema))
    return Extractor(model, device="cpu")


def test_a_model_is_asked_for_the_cells_with_each_kind_of_photos(
    tiny: Config, schema: Schema, products: list[Product]
) -> None:
    extractor = build(tiny, schema)
    extractor.model.normalizer = ValueNormalizer.fit(products)
    shop = [replace(p, spans=None, complete=False) for p in products[:20]]
    options: dict[str, Any] = {"attributes": ["Color", "Material"], "threshold": 0.4, "bootstrap": 20}
    found = attrex.evaluate_table(extractor, shop, valid=products[20:40], **options)
    assert (found.products, found.validation_products, list(found.readings)) == (20, 20, ["own", "none", "other"])
    normalizer = extractor.model.normalizer

    def cells(rows: list[Product]) -> FilledCells:
        answers = table_answers(extractor.extract(rows, threshold=0.4), normalizer)
        names = table_attributes(shop, options["attributes"])
        return filled_cells(rows, answers, names, lambda value: normalizer.folded[value])

    assert found.readings["own"] == table_scores(cells(shop), cells(products[20:40]), bootstrap=20)
    assert found.readings["own"].overall.shares["answered"].part > 0
    assert found.readings["own"].overall.shares["unsaid"].value is None
    bare, bare_valid = ([p.without_images() for p in rows] for rows in (shop, products[20:40]))
    assert found.readings["none"] == table_scores(cells(bare), cells(bare_valid), bootstrap=20)
    assert len({str(scores.overall.reliability) for scores in found.readings.values()}) == 3
    assert list(attrex.evaluate_table(extractor, shop, photos=False, **options).readings) == ["none"]
    assert found.to_json()["photos"]["other"]["per_attribute"].keys() == {"Color", "Material"}


def test_a_model_that_reads_texts_only_is_asked_once(tiny: Config, schema: Schema, products: list[Product]) -> None:
    extractor = build(tiny, schema, fusion={"kind": "none"}, image={"model": None})
    found = attrex.evaluate_table(extractor, products[:6], attributes=["Color"], bootstrap=0)
    assert (list(found.readings), found.validation_products) == (["none"], None)
