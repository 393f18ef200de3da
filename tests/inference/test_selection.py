from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from attrex.errors import CheckpointError, ConfigError, DataError
from attrex.inference.selection import (
    HeldOut,
    allowed_errors,
    choose_cutoff,
    finds_needed,
    least_finds,
    load_held_out,
    lower_bound,
)

DRAWS = 400


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    """`benchmarks/cutoffs.py`: populations of which the precision above every cut-off is known."""
    path = Path(__file__).parents[2] / "benchmarks" / "cutoffs.py"
    spec = spec_from_file_location("benchmarks_cutoffs", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def descending(number: int) -> np.ndarray:
    return np.linspace(1, 0.5, number)


# --- the bound -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "finds", "level", "bound"),
    [  # R's binom.test; the two-sided 95 % interval is the one-sided one at 0.975
        (5, 10, 0.975, 0.1870860),
        (1, 10, 0.975, 0.002528579),
        (95, 100, 0.975, 0.8871651),
        (149, 149, 0.95, 0.05 ** (1 / 149)),
        (0, 7, 0.95, 0.0),
    ],
)
def test_the_clopper_pearson_bound_has_the_known_values(right: int, finds: int, level: float, bound: float) -> None:
    assert lower_bound(right, finds, level) == pytest.approx(bound, rel=1e-6)


def test_the_bound_of_very_many_finds_is_the_normal_approximation() -> None:
    assert lower_bound(980_000, 1_000_000) == pytest.approx(0.98 - 1.6449 * (0.98 * 0.02 / 1e6) ** 0.5, abs=5e-6)


def test_the_fewest_finds_that_can_prove_a_precision() -> None:
    assert [least_finds(p) for p in (0.9, 0.95, 0.98, 0.99)] == [29, 59, 149, 299]
    assert [finds_needed(errors, 0.98) for errors in range(4)] == [149, 236, 313, 386]
    for errors in (0, 3, 40):
        needed = finds_needed(errors, 0.95)
        assert lower_bound(needed - errors, needed) >= 0.95 > lower_bound(needed - 1 - errors, needed - 1)


def test_the_errors_that_are_allowed_hold_the_level_exactly() -> None:
    """All sequences of right and wrong, each as probable as a find that is right with the wanted chance makes it."""
    number, precision, level = 12, 0.6, 0.8
    ranks, allowed = allowed_errors(number, precision, level)

    def chance_to_pass(limits: np.ndarray) -> float:
        total = 0.0
        for wrong in product((0, 1), repeat=number):
            if (np.cumsum(wrong)[ranks - 1] <= limits).any():
                total += precision ** (number - sum(wrong)) * (1 - precision) ** sum(wrong)
        return total

    assert 0.1 < chance_to_pass(allowed) <= 1 - level
    assert chance_to_pass(allowed + (ranks == number)) > 1 - level  # one error more is one too many


# --- the choice ----------------------------------------------------------------------------------------------------


def test_149_right_finds_are_enough_and_148_are_not() -> None:
    enough = choose_cutoff(descending(149), [True] * 149, 0.98)
    assert (enough.threshold, enough.kept, enough.missing) == (0.5, 149, 0)
    assert enough.lower >= 0.98
    short = choose_cutoff(descending(148), [True] * 148, 0.98)
    assert (short.threshold, short.missing, short.observed) == (None, 1, 1.0)
    assert not short.keeps(1.0)
    assert choose_cutoff([], [], 0.98).missing == 149


def test_wrong_finds_further_down_do_not_count_against_those_above() -> None:
    cutoff = choose_cutoff(descending(250), [True] * 149 + [False] * 101, 0.98)
    assert (cutoff.kept, cutoff.finds, cutoff.share) == (149, 250, 149 / 250)


def test_an_error_at_the_top_does_not_lose_the_attribute() -> None:
    right = np.ones(1000, bool)
    right[0] = False
    assert choose_cutoff(descending(1000), right, 0.98).kept == 1000


def test_how_many_right_finds_are_missing() -> None:
    right = [True] * 300 + [False] * 20
    cutoff = choose_cutoff([0.9] * 320, right, 0.98)
    assert (cutoff.threshold, cutoff.kept, cutoff.right) == (None, 320, 300)
    assert cutoff.missing == finds_needed(20, 0.98) - 320


def test_equal_confidences_are_all_kept_or_none() -> None:
    sure, unsure = [0.99] * 400, [0.7] * 400
    cutoff = choose_cutoff(sure + unsure, [True] * 400 + [True, False] * 200, 0.95)
    assert (cutoff.threshold, cutoff.kept) == (0.99, 400)
    mixed = choose_cutoff([0.9] * 200, [True] * 150 + [False] * 50, 0.95)
    assert mixed.threshold is None  # however they are sorted, no part of them can be chosen


def test_confidences_count_as_files_of_predictions_have_them() -> None:
    cutoff = choose_cutoff([0.98004] * 200, [True] * 200, 0.98)
    assert cutoff.threshold == 0.98
    assert cutoff.keeps(0.98004)
    assert cutoff.keeps(0.97996)
    assert not cutoff.keeps(0.9799)


@pytest.mark.parametrize(("precision", "level"), [(0, 0.95), (1, 0.95), (1.2, 0.95), (0.9, 1), (0.9, 0.1)])
def test_what_cannot_be_promised_is_refused(precision: float, level: float) -> None:
    with pytest.raises(ConfigError, match=r"(precision|level) should be .* less than 1, got"):
        choose_cutoff([0.9], [True], precision, level)


# --- the promise ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [0.90, 0.95, 0.98])
def test_the_promise_is_kept_and_the_observed_share_does_not_keep_it(simulation: ModuleType, wanted: float) -> None:
    drawn = simulation.populations(wanted)
    slack = 2.5 * (0.05 * 0.95 / DRAWS) ** 0.5
    names = ("calibrated, mean 0.91", "overconfident", "surest tenth worse")
    hard = f"confidence says nothing, {wanted - 1e-4}"  # every cut-off is one that should not be chosen
    for name in (*names, hard):
        broken, _ = simulation.trial(simulation.attrex, drawn[name], 400, wanted, DRAWS)
        assert broken <= 0.05 + slack, name
    broken, _ = simulation.trial(simulation.observed_share, drawn[hard], 400, wanted, DRAWS)
    assert broken > 0.3


def test_nearly_all_is_let_through_that_could_be(simulation: ModuleType) -> None:
    drawn = simulation.populations(0.95)
    for name, least in [("calibrated, mean 0.98", 0.98), ("calibrated, mean 0.91", 0.75), ("0.99, then 0.8", 0.85)]:
        _, through = simulation.trial(simulation.attrex, drawn[name], 2000, 0.95, 40)
        _, in_sequence = simulation.trial(simulation.fixed_sequence(1.25), drawn[name], 2000, 0.95, 40)
        assert through > least, name
        assert through >= in_sequence, name


# --- attributes ----------------------------------------------------------------------------------------------------


def few_each(right: bool = True) -> HeldOut:
    finds = [(a, 0.9, True) for a in ("Strap", "Display") for _ in range(90)]
    return HeldOut.of([*finds, *[("Fit", 0.9, right)] * 300, *[("Dial", 0.9, True)] * 9])


def test_every_attribute_has_a_cut_off_of_its_own() -> None:
    cutoffs = few_each().cutoffs(0.98)
    assert {a: c.threshold for a, c in cutoffs.items()} == {"Dial": None, "Display": None, "Fit": 0.9, "Strap": None}
    assert cutoffs["Strap"].missing == 59


def test_attributes_with_few_finds_may_have_one_together_which_says_so() -> None:
    cutoffs = few_each(right=False).cutoffs(0.98, pool=True)
    assert cutoffs["Strap"] is cutoffs["Display"]
    assert (cutoffs["Strap"].threshold, cutoffs["Strap"].finds) == (0.9, 180)
    assert cutoffs["Strap"].pool == ("Display", "Strap")
    assert cutoffs["Fit"].threshold is None  # enough of its own, and wrong: it is not hidden among others
    assert (cutoffs["Dial"].threshold, cutoffs["Dial"].pool) == (None, ())  # too few to be spoken for
    assert cutoffs["Strap"].to_json() == {
        "threshold": 0.9,
        "precision": 0.98,
        "level": 0.95,
        "held_out": 180,
        "kept": 180,
        "right": 180,
        "lower": 0.9835,
        "missing": 0,
        "pool": ["Display", "Strap"],
    }


def test_held_out_finds_go_into_json_and_come_back() -> None:
    held = HeldOut.of([("Color", 0.98765432, True), ("Color", 0.5, False), ("Fit", 1.0, True), ("Color", 0.999, True)])
    content = held.to_json()
    assert content == {
        "Color": {"confidence": [0.999, 0.9877, 0.5], "right": [1, 1, 0]},
        "Fit": {"confidence": [1.0], "right": [1]},
    }
    again = HeldOut.from_json(json.loads(json.dumps(content)))
    assert again.to_json() == content
    assert again.cutoffs(0.6) == held.cutoffs(0.6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "held_out should be an object, attribute -> finds, got a list"),
        ({"Fit": 3}, "held_out, 'Fit': expected an object with 'confidence' and 'right', got a number"),
        ({"Fit": {"confidence": []}}, "'Fit': 'right' is missing, found \\['confidence'\\]"),
        ({"Fit": {"confidences": [], "right": []}}, "'confidence' is missing.* did you mean 'confidences'"),
        ({"Fit": {"confidence": 0.9, "right": []}}, "'confidence' should be a list of numbers, got a number"),
        ({"Fit": {"confidence": [1.2], "right": [1]}}, "'confidence' should be numbers between 0 and 1, got 1.2"),
        ({"Fit": {"confidence": ["a"], "right": [1]}}, "'confidence' should be numbers between 0 and 1, got 'a'"),
        ({"Fit": {"confidence": [float("nan")], "right": [1]}}, "numbers between 0 and 1, got nan"),
        ({"Fit": {"confidence": [0.9], "right": [2]}}, "'right' should be 0 or 1 for each find, got 2"),
        ({"Fit": {"confidence": [0.9], "right": [1, 1]}}, "as many of 'right' as of 'confidence', got 2 and 1"),
    ],
)
def test_json_that_is_none_is_refused_by_name(content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        HeldOut.from_json(content)


def test_unequal_columns_and_impossible_confidences_are_refused() -> None:
    with pytest.raises(DataError, match="as many of right as of confidence, got 1 and 2"):
        choose_cutoff([0.9, 0.8], [True], 0.9)
    with pytest.raises(DataError, match=r"between 0 and 1, got 1\.5"):
        HeldOut.of([("Fit", 1.5, True)])


def test_a_models_held_out_finds_are_read_or_it_is_said_how_to_get_them(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    with pytest.raises(CheckpointError, match=r"no held-out cells .*there is no calibration.json.*attrex calibrate"):
        load_held_out(tmp_path)
    file.write_text('{"temperature": 1.2}')
    with pytest.raises(CheckpointError, match=r"calibration.json has no 'held_out'.*: train again"):
        load_held_out(tmp_path)
    file.write_text('{"held_out": {"Fit": 3}}')
    with pytest.raises(CheckpointError, match=r"calibration.json: held_out, 'Fit': expected an object.*make it again"):
        load_held_out(tmp_path)
    file.write_text(json.dumps({"held_out": few_each().to_json()}))
    assert set(load_held_out(tmp_path).attributes) == {"Dial", "Display", "Fit", "Strap"}
