"""What a cell may hold: mentions and options become candidates, and what speaks for each becomes its features."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from attrex.inference.calibration import Calibration
from attrex.inference.candidates import (
    FEATURES,
    NOT_SURE,
    Candidate,
    Choice,
    Mention,
    Sureness,
    candidates_of,
    features,
    log_odds,
    rank,
)

COLORS = ("Red", "Navy Blue", "Green")
WORDS = {"red": "Red", "navy": "Navy Blue", "navy blue": "Navy Blue", "olive": "Olive"}


def normalize(attribute: str, text: str) -> str | None:
    assert attribute == "Color"
    return WORDS.get(" ".join(text.split()).casefold())


def cell(options: dict[int, float], *mentions: tuple[str, float], by_photo: float = 0.0) -> dict[str, Candidate]:
    """The candidates of a cell by their value; ``mentions`` are texts with their probability.

    The text alone halves the probability of each option, the photo alone gives it that times ``by_photo``.
    """
    options = {k: Sureness(p, p / 2, p * by_photo) for k, p in options.items()}
    told = [Mention(number, text, p) for number, (text, p) in enumerate(mentions)]
    return {c.value: c for c in candidates_of("Color", options, COLORS, told, normalize)}


# --- candidates -------------------------------------------------------------------------------------------------------


def test_options_and_mentions_of_one_value_are_one_candidate() -> None:
    found = cell({1: 0.6, 0: 0.3}, ("Navy", 0.5), ("navy  blue", 0.8), ("red", 0.4), ("navy", 0.7))
    assert set(found) == {"Navy Blue", "Red"}
    navy, red = found["Navy Blue"], found["Red"]
    assert (navy.number, navy.option.both, navy.tagged, navy.mentions) == (1, 0.6, 0.8, [0, 1, 3])
    assert (red.number, red.option.both, red.tagged, red.mentions) == (0, 0.3, 0.4, [2])
    assert navy.known
    assert navy.attribute == "Color"


def test_a_value_is_known_by_the_shops_words_and_by_its_own_text_otherwise() -> None:
    found = cell({0: 0.9}, ("olive", 0.5), ("light \n lilac", 0.6), ("Lilac", 0.2))
    assert set(found) == {"Red", "Olive", "light lilac", "Lilac"}
    assert (found["Olive"].known, found["Olive"].option, found["Olive"].number) == (
        True,
        NOT_SURE,
        None,
    )  # not told by it
    assert (found["light lilac"].known, found["light lilac"].tagged) == (False, 0.6)
    assert (found["Red"].tagged, found["Red"].mentions) == (0.0, [])


def test_a_cell_may_hold_what_only_one_of_the_two_says() -> None:
    assert cell({}) == {}
    assert list(cell({2: 0.2})) == ["Green"]
    assert list(cell({}, ("navy", 0.9))) == ["Navy Blue"]


# --- features ---------------------------------------------------------------------------------------------------------


def odds(p: float) -> float:
    return log(p / (1 - p))


def test_features_by_hand() -> None:
    found = cell({1: 0.6, 0: 0.3, 2: 0.1}, ("navy", 0.7), ("lilac", 0.2), ("Lilac", 0.4), ("navy blue", 0.9))
    table = features(list(found.values()), 0.75, 0.4)
    assert list(found) == ["Navy Blue", "Red", "Green", "lilac", "Lilac"]
    least, range_, applies = log(1e-4 / (1 - 1e-4)), odds(0.75), odds(0.4)
    expected = [
        # option, other, by text, other, by photo, other, has photo,
        # tagged, is tagged, other tagged, is other tagged, agreement, unknown, in range, applies
        [odds(0.6), odds(0.3), odds(0.3), odds(0.15), 0, 0, 0, odds(0.9), 1, odds(0.4), 1, 1, 0, range_, applies],
        [odds(0.3), odds(0.6), odds(0.15), odds(0.3), 0, 0, 0, 0, 0, odds(0.9), 1, 0, 0, range_, applies],
        [odds(0.1), odds(0.6), odds(0.05), odds(0.3), 0, 0, 0, 0, 0, odds(0.9), 1, 0, 0, range_, applies],
        [least, odds(0.6), least, odds(0.3), 0, 0, 0, odds(0.2), 1, odds(0.9), 1, 0, 1, range_, applies],
        [least, odds(0.6), least, odds(0.3), 0, 0, 0, odds(0.4), 1, odds(0.9), 1, 0, 1, range_, applies],
    ]
    assert table.shape == (5, len(FEATURES))
    np.testing.assert_allclose(table, expected)


def test_a_photo_speaks_for_each_option_where_there_is_one() -> None:
    columns = [FEATURES.index(name) for name in ("by photo", "other by photo", "has photo")]
    found = cell({1: 0.6, 0: 0.3}, ("lilac", 0.2), by_photo=0.5)
    table = features(list(found.values()), 0.75, 0.4)[:, columns]
    np.testing.assert_allclose(
        table, [[odds(0.3), odds(0.15), 1], [odds(0.15), odds(0.3), 1], [odds(1e-4), odds(0.3), 1]]
    )


def test_a_candidate_by_itself_has_no_other() -> None:
    row = dict(zip(FEATURES, features(list(cell({}, ("lilac", 0.5)).values()), 0.5, 0.0)[0].tolist(), strict=True))
    assert row["other option"] == row["option"] == row["applies"] == pytest.approx(odds(1e-4))
    assert (row["other tagged"], row["is other tagged"], row["agreement"], row["tagged"]) == (0, 0, 0, 0)


def test_the_head_agrees_only_where_its_first_choice_is_tagged() -> None:
    column = FEATURES.index("agreement")
    agree = features(list(cell({1: 0.6, 0: 0.3}, ("navy", 0.7)).values()), 0.5, 0.5)
    differ = features(list(cell({1: 0.6, 0: 0.3}, ("red", 0.7)).values()), 0.5, 0.5)
    assert agree[:, column].tolist() == [1, 0]
    assert differ[:, column].tolist() == [0, 0]


def test_what_lies_beyond_one_in_ten_thousand_is_no_better_known() -> None:
    assert log_odds(np.array([0.0, 1e-9, 1e-4, 0.5, 1.0])).tolist() == pytest.approx(
        [odds(1e-4), odds(1e-4), odds(1e-4), 0, odds(1 - 1e-4)]
    )


# --- ranking ----------------------------------------------------------------------------------------------------------


def ranked(
    options: dict[int, float], *mentions: tuple[str, float], in_range: float = 0.5, applies: float = 0.9
) -> list[tuple[str, float]]:
    candidates = list(cell(options, *mentions).values())
    return [(c.value, pytest.approx(c.confidence)) for c in rank(candidates, in_range, applies, None)]


def test_without_a_calibration_what_one_of_the_two_is_surest_of_comes_first() -> None:
    assert ranked({1: 0.6, 0: 0.3}, ("red", 0.9), ("lilac", 0.2)) == [("Navy Blue", 0.6), ("Red", 0.45), ("lilac", 0.1)]
    assert ranked({1: 0.2}, ("lilac", 0.9), in_range=0.0) == [("lilac", 0.9), ("Navy Blue", 0.2)]  # no range was asked


def test_equally_sure_candidates_stay_in_their_order() -> None:
    assert [value for value, _ in ranked({0: 0.4, 2: 0.4, 1: 0.4})] == ["Red", "Green", "Navy Blue"]


def test_a_calibration_has_the_last_word() -> None:
    weights = np.zeros(len(FEATURES) + 1)
    weights[FEATURES.index("is tagged")], weights[-1] = 2.0, -1.0
    calibration = Calibration(weights, {"Color": np.where(np.arange(len(weights)) == len(weights) - 1, 0.5, 0.0)})
    candidates = list(cell({1: 0.99, 0: 0.01}, ("red", 0.2)).values())
    found = rank(candidates, 0.5, 0.9, calibration)
    assert [c.value for c in found] == ["Red", "Navy Blue"]
    assert [c.confidence for c in found] == pytest.approx([1 / (1 + np.exp(-1.5)), 1 / (1 + np.exp(0.5))])
    np.testing.assert_array_equal(found[0].features, features(candidates, 0.5, 0.9)[1])


# --- what the head chose ----------------------------------------------------------------------------------------------


def test_probabilities_are_means_over_the_windows() -> None:
    choice = Choice()
    assert choice.surest() is None
    assert choice.add([2, 0, -1], [(0.7, 0.6, 0.1), (0.2, 0.1, 0.0), (0.0, 0.0, 0.0)])
    assert not choice.add([0, 1, -1], [(0.6, 0.2, 0.2), (0.3, 0.5, 0.4), (0.0, 0.0, 0.0)])
    assert {option: pytest.approx(mean) for option, mean in choice.mean().items()} == {
        2: (0.35, 0.3, 0.05),
        0: (0.4, 0.15, 0.1),
        1: (0.15, 0.25, 0.2),
    }
    assert choice.surest() == 0


@pytest.mark.parametrize(
    ("by_text", "by_photo", "expected"),
    [(0.9, 0.1, "text"), (0.2, 0.8, "photo"), (0.9, 0.8, "both"), (0.4, 0.3, "both"), (0.5, 0.6, "photo")],
)
def test_a_choice_is_decided_by_what_alone_would_make_it(by_text: float, by_photo: float, expected: str) -> None:
    choice = Choice()
    choice.add([1, 0], [(0.9, by_text, by_photo), (0.1, 1 - by_text, 1 - by_photo)])
    assert choice.decided_by(1) == expected


def test_several_windows_decide_together() -> None:
    choice = Choice()
    choice.add([1, 0], [(0.9, 0.9, 0.2), (0.1, 0.1, 0.8)])
    choice.add([1, 0], [(0.6, 0.2, 0.6), (0.4, 0.8, 0.4)])
    assert choice.decided_by(1) == "text"  # 0.55 and 0.4 in the mean


@pytest.mark.parametrize("by_text", [0.3, 0.9])
def test_without_a_photo_the_text_decides_however_unsure_it_is(by_text: float) -> None:
    choice = Choice()
    choice.add([1, 0], [(by_text, by_text, 0.0), (1 - by_text, 1 - by_text, 0.0)])
    assert [choice.decided_by(option) for option in (1, 0)] == ["text", "text"]


def test_asking_changes_nothing() -> None:
    choice = Choice()
    choice.add([1, 0], [(0.9, 0.9, 0.2), (0.1, 0.1, 0.8)])
    assert choice.decided_by(0) == "photo"  # which alone would choose it
    assert choice.decided_by(5) == "both"  # told by no window
    assert choice.mean() == {1: (0.9, 0.9, 0.2), 0: (0.1, 0.1, 0.8)}
