"""The choice of S_thr from one extraction."""

from __future__ import annotations

import pytest
from transformers import set_seed

from attrex.config import Config
from attrex.evaluation.metrics import score
from attrex.evaluation.threshold import CANDIDATES, best_threshold, threshold_curve
from attrex.inference.extractor import Extractor
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Span, Value


def test_a_higher_threshold_takes_the_values_of_an_attribute_away() -> None:
    product = Product("1", {"text": "red suede"}, spans=(Span("Color", 0, 3, "red"),), complete=True)
    red = Value.from_span(Span("Color", 0, 3, "red"), 0.9)
    suede = Value.from_span(Span("Brand", 4, 9, "suede"), 0.9)
    prediction = Prediction("1", (red, suede), {"Color": 0.6, "Brand": 0.2})
    curve = threshold_curve([product], [prediction], [0.7, 0.2, 0.1])
    assert list(curve) == [0.1, 0.2, 0.7]
    assert curve[0.1] == pytest.approx(2 / 3)  # both values
    assert curve[0.2] == 1.0  # a score must be above the threshold: Color alone
    assert curve[0.7] == 0.0


def test_on_a_tie_the_highest_threshold_wins() -> None:
    assert best_threshold({0.1: 0.8, 0.3: 0.9, 0.4: 0.9, 0.5: 0.7}) == 0.4
    assert best_threshold({0.2: 0.0, 0.1: 0.0}) == 0.2


def test_no_threshold_hides_what_cls_f1_counts() -> None:
    assert best_threshold({0.4: 0.8, 0.5: 0.7, 0.55: 0.9}) == 0.4
    assert best_threshold({0.55: 0.8, 0.6: 0.9}) == 0.6  # no others were asked about


def test_the_curve_equals_extracting_again_at_each_threshold(
    tiny: Config, schema: Schema, products: list[Product]
) -> None:
    set_seed(0)
    tagging = tiny.model_copy(update={"values": tiny.values.model_copy(update={"head": False})})
    model = new_model(tagging, Shop(schema=schema))
    extractor = Extractor(model)
    # texts of one window; with random weights the scores lie anywhere between 0 and 1
    short = [p for p in products if sum(map(len, p.fields.values())) < 200][:8]
    assert model.network.classifier is not None
    for parameter in model.network.classifier.parameters():
        parameter.data.normal_(std=0.5)
    once = list(extractor.extract(short, threshold=min(CANDIDATES), evidence=False))
    some = CANDIDATES[::3]
    curve = threshold_curve(short, once, some)
    again = {
        at: score(short, list(extractor.extract(short, threshold=at, evidence=False)), bootstrap=0).tag.f1
        for at in some
    }
    assert curve == again
    assert len({round(f1, 6) for f1 in curve.values()}) > 2  # the thresholds do make a difference
