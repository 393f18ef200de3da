"""Calibrating on filled cells: what is asked, what is right, and figures of products that nothing was fitted on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from attrex.errors import DataError
from attrex.evaluation.calibrating import (
    FOLDS,
    Calibrated,
    CellAnswers,
    calibrate_extractor,
    confidence_of,
    fit_calibration,
    held_out_confidence,
)
from attrex.inference.calibration import Calibration
from attrex.inference.candidates import FEATURES, Candidate
from attrex.inference.selection import HeldOut
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

F = len(FEATURES)


class Saying:
    """Stands in for an extractor: what it says of each product's cells, by the product's id."""

    def __init__(self, cells: Mapping[str, Mapping[str, Sequence[Candidate]]]) -> None:
        self.said = cells
        self.model = SimpleNamespace(normalizer=ValueNormalizer.fit())
        self.asked: list[tuple[str, bool]] = []
        self.calibration: Calibration | None = None

    def cells(self, products: Iterable[Product], *, photos: bool = True) -> Iterator[Mapping[str, Sequence[Candidate]]]:
        for product in products:
            self.asked.append((product.id, photos))
            yield self.said.get(product.id, {})

    def use_calibration(self, calibration: Calibration) -> None:
        self.calibration = calibration


def candidate(value: str, first: float = 0.0, attribute: str = "Color") -> Candidate:
    """``first``: its first feature; all others are 0."""
    return Candidate(attribute, value, True, features=np.eye(1, F)[0] * first)


def product(id: str, **table: str | tuple[str, ...]) -> Product:
    return Product(id, {"text": "x"}, table={a: (v,) if isinstance(v, str) else v for a, v in table.items()})


# --- filled cells -----------------------------------------------------------------------------------------------------


def test_candidates_of_filled_cells_are_right_where_the_cell_has_them() -> None:
    extractor = Saying(
        {
            "1": {"Color": [candidate("Navy", 1.0), candidate("Red", 2.0)], "Fit": [candidate("Slim", 3.0, "Fit")]},
            "3": {"Color": [candidate("navy-blue", 4.0), candidate("Green", 5.0)]},
        }
    )
    rows = [
        product("1", Color=("Red", "Pink"), Fit=()),  # of Fit it is known that there is none: nothing to find again
        product("2", Color="Red"),  # nothing was said
        replace(product("bad", Color="Red"), error="line 3"),
        product("3", Color="Navy Blue", Size="XL"),
    ]
    found = CellAnswers.collect(extractor, iter(rows), photos=False)
    assert found.attributes.tolist() == ["Color"] * 4
    assert found.products.tolist() == [0, 0, 2, 2]
    assert found.features[:, 0].tolist() == [1.0, 2.0, 4.0, 5.0]
    assert found.right.tolist() == [False, True, True, False]  # two spellings are one value
    assert extractor.asked == [("1", False), ("2", False), ("3", False)]


def test_without_filled_cells_there_is_nothing_to_calibrate_on() -> None:
    extractor = Saying({"1": {"Color": [candidate("Red")]}})
    with pytest.raises(DataError, match="needs filled cells of the model's attributes, got none in 2 products; give p"):
        CellAnswers.collect(extractor, [product("1"), product("2", Size="XL")])


def test_a_cell_that_a_person_said_has_no_value_makes_every_candidate_wrong() -> None:
    extractor = Saying({"1": {"Color": [candidate("Red")], "Fit": [candidate("Slim", attribute="Fit")]}})
    decided = replace(product("1", Color="Red", Fit=()), reviewed=frozenset({"Fit", "Size"}))
    found = CellAnswers.collect(extractor, [decided])
    assert list(zip(found.attributes, found.right, found.filled, strict=True)) == [
        ("Color", True, True),
        ("Fit", False, False),
    ]


def test_the_surest_candidate_answers_for_its_cell() -> None:
    answers = CellAnswers(
        np.array(["Color", "Color", "Fit", "Color", "Color"], dtype=object),
        np.array([0, 0, 0, 1, 1]),
        np.zeros((5, F)),
        np.zeros(5, dtype=bool),
        np.ones(5, dtype=bool),
    )
    assert answers.surest(np.array([0.2, 0.9, 0.1, 0.5, 0.5])).tolist() == [1, 2, 3]  # the first of equally sure ones


# --- what is not fitted on --------------------------------------------------------------------------------------------


def draw(cells: int, *, seed: int = 0, slope: float = 0.5) -> CellAnswers:
    """Two candidates a cell, of which at most one is right: by ``slope`` times how much surer the first score is."""
    random = np.random.default_rng(seed)
    features = np.zeros((2 * cells, F))
    score = random.normal(0, 3, cells)
    features[0::2, 0], features[1::2, 0] = score, -score
    first = random.random(cells) < 1 / (1 + np.exp(-slope * score))
    right = np.stack([first, ~first], 1).flatten()
    attributes = np.array(["Color", "Fit"], dtype=object)[np.arange(cells) % 2].repeat(2)
    return CellAnswers(attributes, np.arange(cells).repeat(2), features, right, np.ones(2 * cells, dtype=bool))


@pytest.mark.parametrize("part", range(FOLDS))
def test_a_confidence_never_knows_the_cells_of_its_own_product(part: int) -> None:
    answers = draw(100)
    own = answers.products % FOLDS == part
    other = replace(answers, right=np.where(own, ~answers.right, answers.right))
    one, changed = held_out_confidence(answers), held_out_confidence(other)
    assert np.array_equal(one[own], changed[own])
    assert not np.isclose(one[~own], changed[~own]).any()


def test_held_out_confidences_are_those_of_a_fit_on_the_other_products() -> None:
    answers = draw(60)
    found = held_out_confidence(answers)
    for part in range(FOLDS):
        own = answers.products % FOLDS == part
        fitted = Calibration.fit(answers.attributes[~own], answers.features[~own], answers.right[~own])
        expected = [
            fitted.confidence(a, f[None])[0]
            for a, f in zip(answers.attributes[own], answers.features[own], strict=True)
        ]
        np.testing.assert_allclose(found[own], expected)


def test_confidences_go_by_the_candidates_attribute() -> None:
    answers = draw(6)
    own = np.eye(1, F + 1)[0]
    found = confidence_of(Calibration(np.zeros(F + 1), {"Color": own, "Fit": -own}), answers)
    sign = np.where(answers.attributes == "Color", 1, -1)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-sign * answers.features[:, 0])))


# --- calibrating ------------------------------------------------------------------------------------------------------


def saying(answers: CellAnswers) -> tuple[Saying, list[Product]]:
    """An extractor that gives such answers, and the products that they are of."""
    cells: dict[str, dict[str, list[Candidate]]] = {}
    rows = {}
    columns = (answers.attributes, answers.products, answers.features, answers.right)
    for n, (attribute, number, features, right) in enumerate(zip(*columns, strict=True)):
        value = "right" if right else f"wrong {n}"
        cells.setdefault(str(number), {}).setdefault(attribute, []).append(
            Candidate(attribute, value, True, features=features)
        )
        rows[number] = product(str(number), **{attribute: "Right"})
    return Saying(cells), list(rows.values())


def test_an_extractor_takes_the_calibration_of_all_cells_and_is_told_how_well_it_holds() -> None:
    answers = draw(150)
    extractor, rows = saying(answers)
    found = calibrate_extractor(extractor, rows)
    confidence = held_out_confidence(answers)
    first = confidence[0::2] >= confidence[1::2]
    sure = np.maximum(confidence[0::2], confidence[1::2])
    right = np.where(first, answers.right[0::2], answers.right[1::2])
    held_out = HeldOut.of(zip(answers.attributes[0::2], sure.tolist(), right.tolist(), strict=True))
    assert extractor.calibration.to_json() == replace(fit_calibration(answers), held_out=held_out).to_json()

    order = np.argsort(sure)
    off = sum(abs(right[bin_].mean() - sure[bin_].mean()) * len(bin_) for bin_ in np.array_split(order, 15)) / 150
    assert (found.cells, found.right) == (150, pytest.approx(right.mean()))
    assert found.error == pytest.approx(off)
    assert found.per_attribute["Color"][:2] == (75, pytest.approx(right[0::2].mean()))
    assert list(found.per_attribute) == ["Color", "Fit"]


def test_the_figures_hold_for_fresh_products_and_the_raw_scores_do_not() -> None:
    """Scores that are twice as sure as they are right."""
    extractor, rows = saying(draw(1500))
    told = calibrate_extractor(extractor, rows)
    fresh = draw(1500, seed=1)
    sure, raw = confidence_of(extractor.calibration, fresh), 1 / (1 + np.exp(-fresh.features[:, 0]))

    def off(confidence: np.ndarray) -> float:
        surest = fresh.surest(confidence)
        bins = np.array_split(surest[np.argsort(confidence[surest])], 15)
        return sum(abs((fresh.right - confidence)[bin_].sum()) for bin_ in bins) / len(surest)

    assert told.error < 0.05
    assert off(sure) < 0.05
    assert off(raw) > 0.09


def all_alike(right: bool) -> CellAnswers:
    answers = draw(20)
    return replace(answers, right=np.full(len(answers.right), right))


def one_wrong() -> CellAnswers:
    """Without the product that has it there is nothing to fit."""
    answers = all_alike(True)
    return replace(answers, right=np.arange(len(answers.right)) > 0)


@pytest.mark.parametrize("answers", [all_alike(False), one_wrong(), draw(1)], ids=["all wrong", "one", "one product"])
def test_too_few_cells_leave_the_extractor_as_it_was(answers: CellAnswers) -> None:
    extractor, rows = saying(answers)
    with pytest.raises(
        DataError, match=r"right and ones that are wrong, got \d+ right ones of \d+; give more products"
    ):
        calibrate_extractor(extractor, rows)
    assert extractor.calibration is None


def test_what_is_told_of_a_calibration() -> None:
    found = Calibrated(1234, 0.876, 0.0214, {"Color": (1000, 0.9, 0.02), "Fit": (234, 0.7, 0.03)})
    assert found.render() == (
        "confidences calibrated on 1,234 filled cells: 87.6% of the surest values are right, and a confidence is 0.021 "
        "off in the mean"
    )
    body: dict[str, Any] = found.to_json()
    assert (body["cells"], body["right"], body["ece"]) == (1234, 0.876, 0.0214)
    assert body["per_attribute"]["Fit"] == {"cells": 234, "right": 0.7, "ece": 0.03}
