"""From features to one confidence: the most probable weights, shared by attributes, and kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attrex.errors import CheckpointError, DataError
from attrex.inference.calibration import (
    CALIBRATION_FILE,
    COMMON_PRIOR,
    OWN_PRIOR,
    Calibration,
    read_calibration,
)
from attrex.inference.candidates import FEATURES, log_odds

F = len(FEATURES)
APPLIES = FEATURES.index("applies")
FLAGS = [FEATURES.index(name) for name in ("has photo", "is tagged", "is other tagged", "agreement", "unknown")]
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def draw(sizes: dict[str, int], shifts: dict[str, float] | None = None, *, seed: int = 0, slope: float = 1.0) -> Sample:
    """Candidates whose chance to be right is ``slope`` times their first feature, shifted by attribute."""
    random = np.random.default_rng(seed)
    attributes = np.repeat(np.array(list(sizes), dtype=object), list(sizes.values()))
    features = random.normal(0, 1.5, (len(attributes), F))
    shift = np.array([(shifts or {}).get(a, 0.0) for a in attributes])
    right = random.random(len(attributes)) < sigmoid(slope * features[:, 0] + shift)
    return attributes, features, right


# --- the fit ----------------------------------------------------------------------------------------------------------


def brute_force(attributes: np.ndarray, features: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """The same penalised likelihood, maximised by LBFGS: name -> weights, the common ones as ''."""
    names = sorted(set(attributes))
    x = torch.from_numpy(np.concatenate([features, np.ones((len(features), 1))], 1))
    y, number = torch.from_numpy(right).double(), torch.tensor([names.index(a) for a in attributes])
    common = torch.zeros(F + 1, dtype=torch.float64, requires_grad=True)
    own = torch.zeros(len(names), F + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [common, own], max_iter=600, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = (x * (common + own[number])).sum(1)
        nll = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="sum")
        penalised = nll + COMMON_PRIOR / 2 * common.square().sum() + OWN_PRIOR / 2 * own.square().sum()
        penalised.backward()
        return penalised

    optimiser.step(loss)
    return {"": common.detach().numpy(), **dict(zip(names, own.detach().numpy(), strict=True))}


@pytest.mark.parametrize(
    ("sizes", "shifts"),
    [({"a": 60}, {}), ({"a": 40, "b": 200, "c": 7}, {"a": 2.0, "b": -1.0}), ({"a": 30, "b": 1, "c": 1}, {"a": -3.0})],
    ids=["one attribute", "several", "attributes with one candidate"],
)
def test_the_fit_is_the_most_probable_one(sizes: dict[str, int], shifts: dict[str, float]) -> None:
    sample = draw(sizes, shifts)
    fitted, expected = Calibration.fit(*sample), brute_force(*sample)
    np.testing.assert_allclose(fitted.common, expected.pop(""), atol=1e-4)
    assert fitted.own.keys() == expected.keys()
    for name, weights in fitted.own.items():
        np.testing.assert_allclose(weights, expected[name], atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_separable_candidates_have_a_finite_fit_that_still_is_the_most_probable_one(seed: int) -> None:
    attributes, features, _ = draw({"a": 30, "b": 40}, seed=seed)
    right = features[:, 0] + 2 * features[:, 3] > 0
    fitted, expected = Calibration.fit(attributes, features, right), brute_force(attributes, features, right)
    found = np.concatenate([fitted.confidence(a, features[attributes == a]) for a in ("a", "b")])
    assert np.isfinite(fitted.common).all()
    assert ((found > 0.5) == right).all()
    np.testing.assert_allclose(fitted.common, expected[""], atol=1e-3)


@pytest.mark.parametrize("size", [3, 8, 50])
def test_extreme_features_do_not_throw_the_fit_off(size: int) -> None:
    """As they come: log-odds of up to 9.2, of few cells, most of them right, and many columns that are one another."""
    random = np.random.default_rng(size)
    features = log_odds(random.choice([0.0, 1e-4, 0.02, 0.9, 1.0], (size, F)))
    features[:, FLAGS] = features[:, FLAGS] > 0
    right = np.arange(size) > 0
    names = np.array([f"a{n % 3}" for n in range(size)], dtype=object)
    fitted, expected = Calibration.fit(names, features, right), brute_force(names, features, right)
    np.testing.assert_allclose(fitted.common, expected[""], atol=3e-3)  # the reference takes small steps here


def shared_out(cells: dict[str, tuple[int, int]]) -> Sample:
    """Candidates that only their attribute tells apart: attribute -> how many are right, and how many wrong."""
    attributes = [a for a, counts in cells.items() for _ in range(sum(counts))]
    right = [n < counts[0] for counts in cells.values() for n in range(sum(counts))]
    return np.array(attributes, dtype=object), np.zeros((len(right), F)), np.array(right)


def test_an_attribute_with_few_cells_is_drawn_to_the_common_weights() -> None:
    fitted = Calibration.fit(*shared_out({"one": (500, 500), "other": (900, 100), "few": (1, 0), "worse": (0, 3)}))
    sure = {a: fitted.confidence(a, np.zeros((1, F)))[0] for a in ("one", "other", "few", "worse", "new")}
    assert sure["one"] == pytest.approx(0.5, abs=0.02)
    assert sure["other"] == pytest.approx(0.9, abs=0.02)
    assert sure["new"] < sure["few"] < sure["new"] + 0.05  # not 1, for a single cell tells little
    assert sure["new"] - 0.1 < sure["worse"] < sure["new"] - 0.02


def test_few_cells_do_not_spoil_the_confidences_of_an_attribute() -> None:
    """Two attributes alike, of which one has a dozen candidates, fewer than there are weights to fit."""
    fitted = Calibration.fit(*draw({"many": 2000, "few": 12}, seed=3))
    features = draw({"few": 2000}, seed=4)[1]
    apart = np.abs(fitted.confidence("few", features) - fitted.confidence("many", features))
    assert apart.mean() < 0.15
    attributes, own, right = (part[2000:] for part in draw({"many": 2000, "few": 12}, seed=3))
    by_itself = Calibration.fit(attributes, own, right).confidence("few", features)
    assert np.abs(by_itself - fitted.confidence("many", features)).mean() > 0.25


def test_an_attribute_that_no_cell_was_held_out_of_has_the_common_weights() -> None:
    fitted = Calibration.fit(*draw({"a": 100, "b": 100}))
    features = draw({"new": 5})[1]
    expected = sigmoid(features @ fitted.common[:-1] + fitted.common[-1])
    np.testing.assert_allclose(fitted.confidence("new", features), expected)


def test_confidences_are_of_the_common_and_the_attributes_own_weights() -> None:
    common, own = np.arange(F + 1) / 10, -np.arange(F + 1) / 20
    features = draw({"a": 4})[1]
    found = Calibration(common, {"a": own}).confidence("a", features)
    np.testing.assert_allclose(found, sigmoid(features @ (common + own)[:-1] + (common + own)[-1]))
    extreme = Calibration(np.full(F + 1, 1e6)).confidence("a", np.array([[1.0] * F, [-1.0] * F]))
    assert extreme.tolist() == pytest.approx([1.0, 0.0], abs=1e-9)


def test_nearly_no_filled_cell_lies_below_where_an_attribute_applies() -> None:
    attributes, features, right = draw({"a": 1000, "b": 100, "c": 100})
    score = np.concatenate([np.linspace(0.2, 0.9, 1000), np.full(100, 0.05), np.full(100, 0.9)])
    features[:, APPLIES] = log_odds(score)
    applies = Calibration.fit(attributes, features, right).applies
    assert (score[:1000] < applies["a"]).mean() == pytest.approx(0.002, abs=0.001)
    assert applies["b"] == pytest.approx(0.05)
    assert applies["c"] == pytest.approx(0.05)  # a hundred cells do not prove that none lies lower
    without_b = Calibration.fit(attributes, features, right, attributes != "b").applies
    assert without_b == {"a": applies["a"], "c": pytest.approx(0.2, abs=0.01)}  # b's cells have no value


@pytest.mark.parametrize("right", [[], [True, True], [False, False]])
def test_a_calibration_needs_candidates_of_both_kinds(right: list[bool]) -> None:
    got = f"got {sum(right)} right ones of {len(right)}; give more products with filled cells"
    with pytest.raises(DataError, match=f"needs candidates that are right and ones that are wrong, {got}"):
        Calibration.fit(["a"] * len(right), np.zeros((len(right), F)), np.array(right, dtype=bool))


# --- in use -----------------------------------------------------------------------------------------------------------


def off(confidence: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error over ten bins of equal width."""
    bins = np.minimum((confidence * 10).astype(int), 9)
    return sum(abs((confidence - right)[bins == b].sum()) for b in range(10)) / len(right)


def test_an_overconfident_score_becomes_a_confidence_that_holds_on_fresh_products() -> None:
    """The first feature is the log-odds of a score that is three times as sure as it is right."""
    sizes, shifts = {"a": 3000, "b": 3000, "c": 300}, {"a": 0.5, "b": -0.5}
    fitted = Calibration.fit(*draw(sizes, shifts, slope=1 / 3))
    attributes, features, right = draw(sizes, shifts, slope=1 / 3, seed=1)
    confidence = np.concatenate([fitted.confidence(a, features[attributes == a]) for a in sizes])
    assert off(sigmoid(features[:, 0]), right) > 0.1
    assert off(confidence, right) < 0.025


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fitted() -> Calibration:
    return Calibration.fit(*draw({"Color": 50, "Größe": 30}))


def test_a_calibration_comes_back_from_its_file(fitted: Calibration, tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(fitted.to_json()), encoding="utf-8")
    found = read_calibration(tmp_path)
    assert list(found.own) == list(fitted.own)
    assert found.applies == fitted.applies
    features = draw({"Color": 20}, seed=2)[1]
    for name in ("Color", "Größe", "new"):  # in every bit, so that a model says the same once it is saved
        np.testing.assert_array_equal(found.confidence(name, features), fitted.confidence(name, features))
    assert found.to_json() == fitted.to_json()


def test_a_directory_without_one_has_none(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda body: body.pop(key)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without("format"), r"is damaged \(KeyError: 'format'\); calibrate the model again"),
        (without("common"), r"is damaged \(KeyError: 'common'\)"),
        (lambda b: b.update(format=99), "is of another version of Attrex; calibrate the model again: attrex calibrate"),
        (lambda b: b["features"].pop(), "is of another version of Attrex"),
        (lambda b: b.update(common=["a", "b"]), r"is damaged \(ValueError"),
        (lambda b: b.update(common=[[1.0], [1.0, 2.0]]), r"is damaged \(ValueError"),
        (lambda b: b.update(own=[1]), r"is damaged \(AttributeError"),
        (lambda b: b["common"].pop(), rf"expected {F + 1} numbers for 'common', got \({F},\); calibrate the model"),
        (lambda b: b["own"]["Color"].append(1.0), rf"expected {F + 1} numbers for 'Color', got \({F + 2},\)"),
        (lambda b: b["common"].__setitem__(0, float("nan")), rf"expected {F + 1} numbers for 'common'"),
        (lambda b: b["applies"].update(Color="high"), r"is damaged \(ValueError"),
        (lambda b: b["applies"].update(Color=float("nan")), "expected a score between 0 and 1 for 'Color', got nan"),
        (lambda b: b["applies"].update(Color=7), "expected a score between 0 and 1 for 'Color', got 7"),
    ],
)
def test_a_damaged_file_says_so(
    fitted: Calibration, tmp_path: Path, damage: Callable[[dict[str, Any]], Any], words: str
) -> None:
    body = fitted.to_json()
    damage(body)
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"calibration\.json:? .*{words}"):
        read_calibration(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "5"])
def test_a_file_that_is_none_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(content)
    with pytest.raises(CheckpointError, match=r"calibration\.json is damaged: .*; copy the model again"):
        read_calibration(tmp_path)
