"""Scoring a model on labelled products, and what extraction cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from attrex.config import Config
from attrex.errors import DataError
from attrex.evaluation.evaluate import evaluate_extractor, evaluation_remarks
from attrex.evaluation.metrics import score
from attrex.inference.extractor import Extractor
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Product, Span


def build(config: Config, schema: Schema, **changes: dict[str, Any]) -> Extractor:
    raw = config.model_dump()
    for section, values in changes.items():
        raw[section] |= values
    torch.manual_seed(0)
    return Extractor(new_model(Config.parse(raw), Shop(schema=schema)), device="cpu")


@pytest.fixture(scope="module")
def extractor(tiny: Config, schema: Schema) -> Extractor:
    return build(tiny, schema)


def test_scores_are_those_of_the_predictions(extractor: Extractor, products: list[Product]) -> None:
    found = evaluate_extractor(extractor, iter(products[:12]), threshold=0.4, bootstrap=20)
    assert found.products == products[:12]
    assert found.predictions == list(extractor.extract(products[:12], evidence=False, threshold=0.4))
    assert found.scores == score(found.products, found.predictions, bootstrap=20)
    assert found.to_json()["tag"] == found.scores.to_json()["tag"]


def test_bounds_come_with_labels_that_are_not_complete(extractor: Extractor, products: list[Product]) -> None:
    partly = [replace(p, complete=False, spans=p.spans[:1] if p.spans else p.spans, table={}) for p in products[:12]]
    found = evaluate_extractor(extractor, partly, threshold=0.4, bootstrap=0)
    assert found.incomplete is not None
    assert found.incomplete.finds_in_blank_cells > 0
    assert found.to_json()["incomplete"]["recall"] == found.scores.tag.recall
    complete = evaluate_extractor(extractor, products[:12], threshold=0.4, bootstrap=0)
    assert complete.incomplete is None
    assert "incomplete" not in complete.to_json()


def test_decoded_sequences_are_the_size_of_the_range(extractor: Extractor, products: list[Product]) -> None:
    found = evaluate_extractor(extractor, products[:12], threshold=0.5, bootstrap=0)
    sizes = [len(p.range) for p in found.predictions]
    assert 0 < sum(sizes) < 12 * len(extractor.names)
    assert found.sequences_per_product == pytest.approx(sum(sizes) / 12)
    assert found.rows_per_product == 1  # the encoder is called once
    assert found.to_json()["sequences_per_product"] == round(sum(sizes) / 12, 4)


def test_a_flat_tagger_decodes_one_sequence(tiny: Config, schema: Schema, products: list[Product]) -> None:
    found = evaluate_extractor(build(tiny, schema, range={"kind": "none"}), products[:6], bootstrap=0)
    assert (found.sequences_per_product, found.rows_per_product) == (1, 1)


def test_long_texts_cost_several_rows(tiny: Config, schema: Schema, products: list[Product]) -> None:
    extractor = build(tiny, schema, text={"max_tokens": 32, "overlap": 8})
    windows = [len(extractor.encoder.encode(p).windows) for p in products[:6]]
    found = evaluate_extractor(extractor, products[:6], bootstrap=0)
    assert found.rows_per_product == sum(windows) / 6 > 1


def test_counts_are_of_this_evaluation_alone(extractor: Extractor, products: list[Product]) -> None:
    first = evaluate_extractor(extractor, products[:6], bootstrap=0)
    assert evaluate_extractor(extractor, products[:6], bootstrap=0).to_json() == first.to_json()


def test_attributes_restrict_what_is_scored(extractor: Extractor, products: list[Product]) -> None:
    found = evaluate_extractor(extractor, products[:12], attributes=["Color"], bootstrap=0)
    assert set(found.scores.per_attribute) == {"Color"}


def test_photos_can_be_taken_away(extractor: Extractor, products: list[Product]) -> None:
    blind = evaluate_extractor(extractor, products[:6], photos=False, evidence=True, bootstrap=0)
    bare = evaluate_extractor(extractor, [p.without_images() for p in products[:6]], bootstrap=0)
    assert blind.predictions == bare.predictions
    seeing = evaluate_extractor(extractor, products[:6], evidence=True, threshold=0.0, bootstrap=0)
    assert any(v.regions for p in seeing.predictions for v in p.values)


def test_rows_that_could_not_be_read_are_counted(extractor: Extractor, products: list[Product]) -> None:
    rows = [products[0], replace(products[1], error="unreadable")]
    found = evaluate_extractor(extractor, rows, bootstrap=0)
    assert (found.scores.products, found.scores.errors, found.rows_per_product) == (2, 1, 0.5)


def test_no_products(extractor: Extractor) -> None:
    with pytest.raises(DataError, match="no products to score: expected at least one with spans"):
        evaluate_extractor(extractor, [])


@pytest.mark.parametrize("change", [{}, {"range": {"kind": "none"}}], ids=["range", "flat"])
def test_a_product_can_be_asked_for_the_attributes_that_it_has(
    tiny: Config, schema: Schema, products: list[Product], change: dict[str, Any]
) -> None:
    extractor = build(tiny, schema, **change)
    found = evaluate_extractor(extractor, products[:6], gold_attributes=True, bootstrap=0)
    has = [{s.attribute for s in p.spans or ()} for p in products[:6]]
    assert any(p.values for p in found.predictions)
    assert all({v.attribute for v in p.values} <= names for p, names in zip(found.predictions, has, strict=True))
    if not change:
        assert [set(p.range) for p in found.predictions] == has
        assert found.sequences_per_product == sum(map(len, has)) / 6


def test_what_to_know_before_one_reads_the_scores() -> None:
    spans = (Span("Color", 0, 3, "red"), Span("Size", 4, 5, "L"))
    shop = [Product("1", {"text": "red L"}, spans=spans), Product("2", {}, error="line 2: no text")]
    assert evaluation_remarks(shop[:1], ["Color", "Fit", "Size"]) == []
    assert evaluation_remarks(shop[:1], ["Color"], ["Color"]) == []
    assert evaluation_remarks(shop, ["Color", "Size"]) == [
        "1 of 2 rows could not be read, the first because of: line 2: no text"
    ]
    assert evaluation_remarks(shop[:1], ["Color", "Size"], ["Color", "Sise"]) == [
        "no product has a labelled span of ['Sise']: what is found of it counts as wrong; did you mean 'Size'?"
    ]
    assert evaluation_remarks(shop[:1], ["Color", "Fit"]) == [
        "the model does not know 1 of the 2 labelled attributes, ['Size']: their values count as not found"
    ]
    assert evaluation_remarks(shop[:1], ["Colour", "Fit"]) == [
        "the model knows none of the labelled attributes, ['Color', 'Size'], and finds none of their values; it knows "
        "['Colour', 'Fit']"
    ]
