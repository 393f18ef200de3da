"""The report page made from a model and products."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import set_seed

from attrex.config import Config
from attrex.demo.catalogue import shop_view
from attrex.inference.extractor import Extractor
from attrex.reports import compose
from attrex.reports.compose import report_page
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Value
from attrex.vocabulary.normalizer import ValueNormalizer


@pytest.fixture(scope="module")
def extractor(tiny: Config, schema: Schema) -> Extractor:
    set_seed(0)
    return Extractor(new_model(tiny, Shop(schema=schema)))


class Seen:
    """What :func:`report_page` hands to the page."""

    predictions: list[Prediction]
    other: tuple[str, list[Prediction]] | None
    options: dict[str, Any]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    seen = Seen()
    write = compose.write_report

    def look(path: Path, products: list[Product], predictions: list[Prediction], **options: Any) -> Path:
        seen.predictions, seen.other, seen.options = predictions, options["other"], options
        return write(path, products, predictions, **options)

    monkeypatch.setattr(compose, "write_report", look)
    return seen


def heat_maps(predictions: list[Prediction]) -> set[int]:
    return {i for i, p in enumerate(predictions) if any(v.regions for v in p.values)}


def test_region_weights_are_made_for_the_products_that_are_shown(
    extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen
) -> None:
    page = report_page(tmp_path / "r.html", products[:12], [("runs/shop", extractor)], most=4).read_text()
    shown = [products.index(p) for p in products[:12] if p.id in page]
    assert len(shown) == 4
    assert heat_maps(seen.predictions) == set(shown)
    assert seen.options["scores"]["products"] == 12
    assert seen.options["model_name"] == "ULS-DRAM (shop)"
    assert seen.options["notes"]["photos"] == "read"


def test_values_and_confidences_are_those_of_the_scores(
    extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen
) -> None:
    plain = list(extractor.extract(products[:6], evidence=False))
    report_page(tmp_path / "r.html", products[:6], [("m", extractor)])
    bare = [replace(p, values=tuple(replace(v, regions=(), words=()) for v in p.values)) for p in seen.predictions]
    assert bare == plain


def test_products_without_labels_give_a_page_without_scores(
    extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen
) -> None:
    page = report_page(tmp_path / "r.html", [shop_view(p) for p in products[:3]], [("m", extractor)]).read_text()
    assert seen.options["scores"] is None
    assert "TAG-F1" not in page
    assert heat_maps(seen.predictions) == {0, 1, 2}


def test_partly_labelled_products_are_not_scored(
    extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen
) -> None:
    mixed = [products[0], shop_view(products[1]), Product("broken", {}, error="line 3 is broken")]
    page = report_page(tmp_path / "r.html", mixed, [("m", extractor)]).read_text()
    assert seen.options["scores"] is None
    assert "line 3 is broken" in page
    report_page(tmp_path / "r.html", [mixed[0], mixed[2]], [("m", extractor)])
    assert seen.options["scores"]["errors"] == 1  # a marked row is scored as predicting nothing


def test_two_models_side_by_side(extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen) -> None:
    models = [("runs/a/model", extractor), ("runs/b/model", extractor)]
    page = report_page(tmp_path / "r.html", products[:3], models, photos=False).read_text()
    assert seen.other is not None
    assert (seen.options["model_name"], seen.other[0]) == ("ULS-DRAM (runs/a/model)", "ULS-DRAM (runs/b/model)")
    assert seen.other[1] == seen.predictions
    assert seen.options["notes"]["photos"] == "not read"
    assert seen.options["scores"] == seen.options["other_scores"]
    assert re.search("runs/a/model.*runs/b/model", page, re.DOTALL)
    assert not heat_maps(seen.predictions)


def test_a_page_of_no_products(extractor: Extractor, tmp_path: Path) -> None:
    assert report_page(tmp_path / "r.html", [], [("m", extractor)]).exists()


def test_cells_that_are_probably_wrong_go_by_their_row_for_an_id_may_come_twice() -> None:
    shelf = [Product("twice", {"text": "x"}, table={"Color": (c,)}) for c in ("Red", "Blue", "Green")]
    found = [Prediction("twice", (Value("Color", "blue", sure),)) for sure in (0.7, 0.8, 0.9)]
    listed = compose._conflicts(shelf, compose._filled_rows(shelf, found, ValueNormalizer.fit(shelf), {}))
    assert [(i, c.product, c.cell, c.value) for i, c in listed] == [
        (2, "twice", ("Green",), "Blue"),
        (0, "twice", ("Red",), "Blue"),
    ]


def test_the_page_lists_the_cells_and_shows_their_products(
    extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = [shop_view(replace(p, table={"Color": ("none of these",)})) for p in products[:6]]
    sure = [replace(p, values=tuple(replace(v, confidence=0.9) for v in p.values)) for p in extractor.extract(shelf)]
    monkeypatch.setattr(compose, "_run", lambda *_: (sure, None))
    page = report_page(tmp_path / "r.html", shelf, [("m", extractor)], most=1).read_text()
    index, first = seen.options["conflicts"][0]
    assert first.product == shelf[index].id
    assert f'href="#product-{index + 1}"' in page
    assert f'id="product-{index + 1}"' in page


def test_words_and_regions_are_made_for_the_values_that_are_shown(
    extractor: Extractor, products: list[Product], tmp_path: Path, seen: Seen
) -> None:
    report_page(tmp_path / "r.html", products[:3], [("m", extractor)])
    told = [v for p in seen.predictions for v in p.values]
    again = [v for p in extractor.extract(products[:3]) for v in p.values]
    assert [v.words for v in told] == [v.words for v in again]
