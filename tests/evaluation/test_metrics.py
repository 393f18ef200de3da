"""Every count is checked against a hand example, a brute force, or seqeval."""

from __future__ import annotations

import itertools
import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from attrex.errors import ConfigError, DataError
from attrex.evaluation.metrics import RANGE_THRESHOLD, Scores, resample, score
from attrex.types import Prediction, Product, Span, Value

TEXT = "blue jeans match blue spirits"


def product(*places: tuple[str, int, int], id: str = "p", text: str = TEXT) -> Product:
    return Product(id, {"text": text}, spans=tuple(Span(a, b, e, text[b:e]) for a, b, e in places))


def prediction(
    *places: tuple[str, int, int], id: str = "p", text: str = TEXT, range: dict[str, float] | None = None
) -> Prediction:
    values = tuple(Value.from_span(Span(a, b, e, text[b:e]), 0.9) for a, b, e in places)
    return Prediction(id, values, range or {})


def one(gold: Product, predicted: Prediction, **options) -> Scores:
    return score([gold], [predicted], bootstrap=0, **options)


def chunks(tags: list[str]) -> list[tuple[str, int, int]]:
    """Tags, ill-formed ones too, to (type, start, end) as conlleval reads them: I after O or another type opens one."""
    found: list[tuple[str, int, int]] = []
    before = "O"
    for i, tag in enumerate(tags):
        if tag != "O":
            name = tag[2:]
            if tag[0] == "I" and before != "O" and before[2:] == name:
                found[-1] = (name, found[-1][1], i + 1)
            else:
                found.append((name, i, i + 1))
        before = tag
    return found


def scored_tags(gold: list[list[str]], predicted: list[list[str]]) -> Scores:
    """Score sequences of tags, one character for each tag."""
    products, predictions = [], []
    for i, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        text = "x" * len(g)
        products.append(product(*chunks(g), id=str(i), text=text))
        predictions.append(prediction(*chunks(p), id=str(i), text=text))
    return score(products, predictions, bootstrap=0)


# --- accuracy: the examples of appendix A.3 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "accuracy"),
    [
        ("B-Color O O B-Color O", 1.0),  # (1) the same string twice is one value
        ("B-Color O O O O", 1.0),
        ("B-Color O O O B-Color", 0.0),  # (2) one string too many
        ("O O O O O", 0.0),  # (3) none of the annotated strings
        ("O O O B-Color I-Color", 0.0),
        ("B-Color B-Type O B-Color O", 1.0),  # (4) attributes beyond the annotation do not matter
    ],
)
def test_accuracy_examples_of_appendix_a3(tags, accuracy):
    starts = [0, 5, 11, 17, 22]
    ends = [4, 10, 16, 21, 29]
    predicted = [(name, starts[b], ends[e - 1]) for name, b, e in chunks(tags.split())]

    assert one(product(("Color", 0, 4)), prediction(*predicted)).accuracy == accuracy


def test_accuracy_weighs_an_attribute_by_its_distinct_values():
    text = "red and blue cotton shirt"
    gold = product(("Color", 0, 3), ("Color", 8, 12), ("Material", 13, 19), text=text)

    assert one(gold, prediction(("Color", 0, 3), ("Color", 8, 12), text=text)).accuracy == pytest.approx(2 / 3)
    assert one(gold, prediction(("Color", 0, 3), ("Material", 13, 19), text=text)).accuracy == pytest.approx(1 / 3)


def test_accuracy_ignores_case_and_white_space_but_not_case_when_told():
    text = "Crew  Neck, crew neck"
    gold, predicted = product(("Neckline", 0, 10), text=text), prediction(("Neckline", 12, 21), text=text)

    assert one(gold, predicted).accuracy == 1.0
    assert one(gold, predicted, ignore_case=False).accuracy == 0.0
    assert one(gold, predicted).tag.f1 == 0.0


# --- TAG-F1 -----------------------------------------------------------------------------------------------------------

TAG = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])
PAIRS = st.integers(1, 8).flatmap(
    lambda n: st.tuples(st.lists(TAG, min_size=n, max_size=n), st.lists(TAG, min_size=n, max_size=n))
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(PAIRS, min_size=1, max_size=6))
def test_tag_f1_is_seqeval_in_default_mode_ill_formed_tags_and_all(pairs):
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]

    tag = scored_tags(gold, predicted).tag

    assert tag.precision == pytest.approx(precision_score(gold, predicted, zero_division=0))
    assert tag.recall == pytest.approx(recall_score(gold, predicted, zero_division=0))
    assert tag.f1 == pytest.approx(f1_score(gold, predicted, zero_division=0))


def test_seqeval_in_strict_mode_is_another_number():
    gold, predicted = [["B-A", "I-A", "O", "B-B"]], [["I-A", "I-A", "O", "B-B"]]

    assert scored_tags(gold, predicted).tag.f1 == 1.0
    assert f1_score(gold, predicted, mode="strict", scheme=IOB2) == pytest.approx(2 / 3)


def test_two_adjacent_values_and_one_merged_value_are_both_wrong():
    assert scored_tags([["B-A", "B-A"]], [["B-A", "I-A"]]).tag.correct == 0


def test_duplicates_collapse():
    twice = one(product(("Color", 0, 4), ("Color", 0, 4)), prediction(*[("Color", 0, 4)] * 3))

    assert (twice.tag.correct, twice.tag.predicted, twice.tag.gold) == (1, 1, 1)


def test_one_span_of_two_attributes_counts_for_each():
    gold = product(("body", 0, 3), ("back", 0, 3))
    assert one(gold, prediction(("body", 0, 3), ("back", 0, 3))).tag.correct == 2
    half = one(gold, prediction(("body", 0, 3))).tag
    assert (half.correct, half.predicted, half.gold) == (1, 1, 2)


def test_the_field_of_a_span_counts():
    fields = {"title": "red", "description": "red"}
    gold = Product("p", fields, spans=(Span("Color", 0, 3, "red", "title"),))
    found = Prediction("p", (Value.from_span(Span("Color", 0, 3, "red", "description"), 1.0),))

    scores = one(gold, found)

    assert scores.tag.correct == scores.overlap.correct == 0
    assert scores.accuracy == 1.0  # it is the same string


def test_nothing_predicted_and_nothing_gold_is_zero_not_an_error():
    scores = one(product(), prediction())

    assert (scores.tag.precision, scores.tag.recall, scores.tag.f1, scores.macro_f1) == (0.0, 0.0, 0.0, 0.0)
    assert scores.per_attribute == {}


# --- overlap ----------------------------------------------------------------------------------------------------------


def test_overlap_needs_a_common_character_and_takes_each_span_once():
    gold = product(("Color", 0, 4), ("Color", 17, 21))

    # 4:8 only touches 0:4; both 17:18 and 19:25 overlap 17:21, but only one of them can have it
    scores = one(gold, prediction(("Color", 4, 8), ("Color", 17, 18), ("Color", 19, 25)))

    assert (scores.overlap.correct, scores.overlap.predicted, scores.overlap.gold) == (1, 3, 2)
    assert scores.tag.correct == 0
    assert scores.per_attribute["Color"].overlap_f1 == pytest.approx(2 / 5)


def test_an_empty_span_overlaps_nothing():
    assert one(product(("Color", 0, 4)), prediction(("Color", 2, 2))).overlap.correct == 0


PLACES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), max_size=5, unique=True)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(PLACES, PLACES)
def test_overlap_is_the_maximum_matching(gold, predicted):
    gold = [("A", b, b + n) for b, n in gold]
    predicted = [("A", b, b + n) for b, n in predicted]
    few, many = sorted((gold, predicted), key=len)
    best = max(
        sum(a[1] < b[2] and b[1] < a[2] for a, b in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )

    text = "x" * 20
    assert one(product(*gold, text=text), prediction(*predicted, text=text)).overlap.correct == best


# --- CLS-F1 -----------------------------------------------------------------------------------------------------------


def test_cls_with_and_without_the_no_attribute_class():
    products = [product(("Color", 0, 4), id="a"), product(id="b"), product(id="c"), product(("Type", 5, 10), id="d")]
    predictions = [
        prediction(("Color", 0, 4), id="a"),  # right
        prediction(id="b"),  # right, and only the 27th class can say so
        prediction(("Color", 0, 4), id="c"),  # should have had none
        prediction(id="d"),  # should have had one
    ]

    scores = score(products, predictions, bootstrap=0)

    assert (scores.cls.correct, scores.cls.predicted, scores.cls.gold) == (1, 2, 2)
    assert (scores.cls_with_none.correct, scores.cls_with_none.predicted, scores.cls_with_none.gold) == (2, 4, 4)
    assert scores.cls_values == scores.cls


def test_cls_reads_the_range_above_one_half_where_the_model_has_one():
    products = [product(("Color", 0, 4), ("Type", 5, 10), id="a"), product(id="b")]
    predictions = [
        prediction(("Color", 0, 4), id="a", range={"Color": RANGE_THRESHOLD, "Type": 0.51, "Pattern": 0.9}),
        prediction(("Color", 0, 4), id="b"),  # an empty range: this model, which has ranges, says "none"
    ]

    scores = score(products, predictions, bootstrap=0)

    assert (scores.cls.correct, scores.cls.predicted, scores.cls.gold) == (1, 2, 2)  # Type; Type, Pattern
    assert (scores.cls_with_none.correct, scores.cls_with_none.predicted) == (2, 3)
    assert (scores.cls_values.correct, scores.cls_values.predicted) == (1, 2)
    assert "Pattern" not in scores.per_attribute  # selected, but no span of it anywhere


# --- per attribute, macro, restriction --------------------------------------------------------------------------------


def test_macro_f1_is_the_mean_over_attributes_with_enough_gold_spans():
    gold = product(("Color", 0, 4), ("Color", 17, 21), ("Type", 5, 10), ("Type", 22, 29), ("Verb", 11, 16))
    found = prediction(("Color", 0, 4), ("Color", 17, 21), ("Type", 5, 10), ("Verb", 0, 4))

    scores = one(gold, found, min_support=2)

    assert scores.macro_attributes == 2  # Verb has one gold span
    assert scores.macro_f1 == pytest.approx((1.0 + 2 / 3) / 2)
    assert one(gold, found, min_support=1).macro_f1 == pytest.approx((1.0 + 2 / 3 + 0.0) / 3)
    assert one(gold, found).macro_attributes == 0


def test_per_attribute_counts_come_most_gold_first():
    gold = product(("Type", 5, 10), ("Color", 0, 4), ("Color", 17, 21))
    found = prediction(("Color", 0, 4), ("Brand", 22, 29))

    per = one(gold, found).per_attribute

    assert list(per) == ["Color", "Type", "Brand"]
    assert per["Color"].to_json() == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "gold": 2,
        "predicted": 1,
        "correct": 1,
        "overlap_f1": pytest.approx(2 / 3),
    }
    assert (per["Brand"].tag.predicted, per["Brand"].tag.gold) == (1, 0)


def test_attributes_restrict_gold_and_predictions_alike():
    gold = product(("Color", 0, 4), ("Type", 5, 10))
    found = prediction(("Color", 0, 4), ("Brand", 22, 29), range={"Color": 0.9, "Brand": 0.9})

    scores = one(gold, found, attributes=["Color"])

    assert scores.tag.f1 == scores.cls.f1 == scores.accuracy == 1.0
    assert list(scores.per_attribute) == ["Color"]


# --- rows that fail, rows that do not fit -----------------------------------------------------------------------------


def test_failed_and_missing_rows_predict_nothing_and_are_counted():
    products = [
        product(("Color", 0, 4), id="a"),
        product(("Color", 0, 4), id="b"),
        Product("c", {}, error="row 3: not JSON"),
        product(("Color", 0, 4), id="d"),
    ]
    predictions = [prediction(("Color", 0, 4), id="a"), None, prediction(id="c"), Prediction("d", error="no text")]

    scores = score(products, predictions, bootstrap=0)

    assert (scores.products, scores.errors) == (4, 3)
    assert (scores.tag.correct, scores.tag.predicted, scores.tag.gold) == (1, 1, 3)
    assert scores.cls_with_none.predicted == 1  # a row that failed has not said "no attribute" either


def test_ids_that_differ_are_both_named():
    with pytest.raises(
        DataError, match=r"row 1: product 'a' stands beside the prediction for 'b'; give both in the same"
    ):
        score([product(id="a")], [prediction(id="b")])


def test_a_prediction_too_few_is_told():
    with pytest.raises(DataError, match="2 products but 1 predictions; give one prediction for each product"):
        score([product(id="a"), product(id="b")], [prediction(id="a")])


def test_a_product_nobody_has_labelled_cannot_be_scored():
    words = r"product 'a' has no labels to score against; label it, .* `attrex locate`, .* `\"spans\": \[\]` in a file"
    with pytest.raises(DataError, match=words):
        score([Product("a", {"text": "red"})], [prediction(id="a")])


def test_products_none_of_which_could_be_read_are_an_error_with_the_first_reason():
    broken = [Product(i, {}, error=f"shop.csv line {i}: no text") for i in "12"]
    words = "none of the 2 products could be read, the first because of: shop.csv line 1: no text; correct the file"
    with pytest.raises(DataError, match=words):
        score(broken, [None, None])
    assert score([*broken, product(id="a")], [None, None, prediction(id="a")]).errors == 2


def test_no_products_is_an_error():
    with pytest.raises(DataError, match="no products to score: expected at least one with spans"):
        score([], [])


@pytest.mark.parametrize("asked", [["Colour"], "Colour"])
def test_attributes_that_do_not_occur_are_an_error(asked):
    words = (
        r"none of the attributes to score \(Colour\) has a gold span; the products have Color; did you mean 'Color'\?"
    )
    with pytest.raises(DataError, match=words):
        one(product(("Color", 0, 4)), prediction(), attributes=asked)


@pytest.mark.parametrize("options", [{"bootstrap": -1}, {"confidence": 95}])
def test_an_impossible_bootstrap_is_an_error(options):
    with pytest.raises(
        ConfigError, match=r"0 or more samples and a confidence between 0 and 1 such as 0\.95, got boot"
    ):
        score([product()], [prediction()], **options)


# --- intervals --------------------------------------------------------------------------------------------------------


def noisy(n: int, seed: int = 0) -> tuple[list[Product], list[Prediction]]:
    """Products with two colours, of which a prediction finds each with probability 0.8."""
    rng = random.Random(seed)
    places = [("Color", 0, 4), ("Color", 17, 21)]
    products = [product(*places, id=str(i)) for i in range(n)]
    predictions = [prediction(*[p for p in places if rng.random() < 0.8], id=str(i)) for i in range(n)]
    return products, predictions


def test_the_interval_contains_the_score_and_shrinks_with_more_products():
    widths = []
    for n in (30, 3000):
        scores = score(*noisy(n), bootstrap=300)
        low, high = scores.tag.interval
        assert low < scores.tag.f1 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5  # about 1 / sqrt(100)


def test_the_interval_is_reproducible_and_follows_seed_and_confidence():
    rows = noisy(50)

    assert score(*rows, bootstrap=100) == score(*rows, bootstrap=100)
    assert score(*rows, bootstrap=100, seed=1).tag.interval != score(*rows, bootstrap=100).tag.interval
    narrow, wide = (score(*rows, bootstrap=100, confidence=c).tag.interval for c in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("block", [1, 8, 2**22])
def test_each_resample_draws_as_many_products_as_there_are_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr("attrex.evaluation.metrics._BLOCK", block)

    totals = resample(np.array([[1.0, 1.0], [1.0, 10.0], [1.0, 100.0]]), 500, seed=3)

    assert totals.shape == (500, 2)
    assert (totals[:, 0] == 3).all()
    assert set(totals[:, 1]) == {a + b + c for a, b, c in itertools.product([1, 10, 100], repeat=3)}
    assert totals[:, 1].mean() == pytest.approx(111, rel=0.15)


# --- output -----------------------------------------------------------------------------------------------------------


def test_the_json_has_the_documented_form():
    out = json.loads(json.dumps(score(*noisy(30), bootstrap=50).to_json()))

    assert list(out) == [
        "products",
        "errors",
        "tag",
        "overlap",
        "cls",
        "cls_with_none",
        "cls_values",
        "accuracy",
        "macro_f1",
        "macro_attributes",
        "per_attribute",
    ]
    for name in ("tag", "overlap", "cls", "cls_with_none", "cls_values"):
        assert list(out[name]) == ["precision", "recall", "f1", "ci95"]
        assert len(out[name]["ci95"]) == 2
    keys = ["precision", "recall", "f1", "gold", "predicted", "correct", "overlap_f1"]
    assert list(out["per_attribute"]["Color"]) == keys
    assert (out["products"], out["macro_attributes"]) == (30, 1)


def test_the_json_says_which_interval_it_is_and_leaves_it_out_where_there_is_none():
    assert "ci90" in score(*noisy(5), bootstrap=20, confidence=0.9).to_json()["tag"]
    assert list(score(*noisy(5), bootstrap=0).to_json()["tag"]) == ["precision", "recall", "f1"]
