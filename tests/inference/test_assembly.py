"""Predictions from what an engine gave: tagged and chosen values, their words, confidences and evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from attrex.encoding.batching import BatchItem
from attrex.encoding.encoder import EncodedProduct, Window
from attrex.encoding.units import Unit
from attrex.inference.assembly import Draft, Naming, collect
from attrex.inference.calibration import Calibration
from attrex.inference.candidates import FEATURES
from attrex.inference.engine import EngineChoices, EngineOutput
from attrex.types import Prediction, Product, Span, Value

NAMES = ("Color", "Material", "Size")
OPTIONS = (("Red", "Navy Blue", "Green"), ("Cotton", "Linen"), ())
COLOR, MATERIAL, SIZE = range(3)
RED, NAVY, GREEN = range(3)
LINEN = 1
WORDS = {"red": "Red", "navy": "Navy Blue", "navy blue": "Navy Blue", "cotton": "Cotton", "xl": "XL"}
SHIRT = Product(
    "7", {"title": "Navy shirt, navy blue", "text": "A shirt. Of lilac, A SHIRT t t 't"}, images=(b"photo",)
)
# Units:  0 Navy 1 shirt 2 , 3 navy 4 blue   5 A 6 shirt 7 . 8 Of 9 lilac 10 , 11 A 12 SHIRT 13 t 14 t 15 ' 16 t


@dataclass(frozen=True)
class Choosing:
    """What a value head says of an attribute, in one window."""

    attribute: int
    options: Mapping[int, float]  #: surest first
    by_text: float = 0.0
    by_photo: float = 0.0
    applies: float = 0.9
    looked: Mapping[int, float] | None = None  #: unit -> share of the attention; None: everywhere alike


def naming(calibration: Calibration | None = None) -> Naming:
    return Naming(NAMES, OPTIONS, lambda attribute, text: WORDS.get(text.casefold()), str, calibration)


def calibration(applies: Mapping[str, float] | None = None, **weights: float) -> Calibration:
    """A calibration of a few weights; ``constant`` is one of them."""
    columns = [*FEATURES, "constant"]
    return Calibration(np.array([weights.get(name.replace(" ", "_"), 0.0) for name in columns]), {}, applies or {})


def units_of(product: Product) -> list[Unit]:
    """Words and marks."""
    return [
        Unit((0,), number, match.start(), match.end())
        for number, text in enumerate(product.fields.values())
        for match in re.finditer(r"\w+|[^\w\s]", text)
    ]


def windows_of(product: Product, *cuts: tuple[int, int, int, int]) -> list[Window]:
    """Windows of units first..last that own the units own..end of them; by default one of all."""
    units = units_of(product)
    cuts = cuts or ((0, len(units), 0, len(units)),)
    return [
        Window([0], units[first:last], [*range(1, last - first + 1)], (own - first, end - first), first)
        for first, last, own, end in cuts
    ]


def output(
    window: Window,
    tagged: Sequence[tuple[int, int, int, float]] = (),
    chosen: Sequence[Choosing] | None = None,
    range_: Mapping[int, float] | None = None,
    regions: Sequence[float] | None = None,
) -> EngineOutput:
    """Of one row. ``tagged``: attribute, first unit, last (exclusive), probability; ``range_``: score by attribute."""
    scores, selected = np.zeros((1, 3)), np.zeros((1, 3), bool)
    for attribute, score in (range_ or {}).items():
        scores[0, attribute], selected[0, attribute] = score, True
    columns = [np.array(c) for c in zip(*tagged, strict=True)] or [np.zeros(0, int)] * 4
    rows = np.zeros(len(tagged), int)
    choices = value_scores = None
    if chosen is not None:
        units, value_scores = len(window.units), np.zeros((1, 3))
        options, probability = np.full((len(chosen), 8), -1), np.zeros((len(chosen), 8))
        looked = np.full((len(chosen), units), 1 / units)
        for n, one in enumerate(chosen):
            options[n, : len(one.options)], probability[n, : len(one.options)] = [*one.options], [*one.options.values()]
            value_scores[0, one.attribute] = one.applies
            if one.looked is not None:
                looked[n] = [one.looked.get(u, 0.0) for u in range(units)]
        choices = EngineChoices(
            np.zeros(len(chosen), int),
            np.array([one.attribute for one in chosen], int),
            options,
            probability,
            np.array([[one.by_text, *[0.0] * 7] for one in chosen]).reshape(-1, 8),
            np.array([[one.by_photo, *[0.0] * 7] for one in chosen]).reshape(-1, 8),
            looked,
            None if regions is None else np.tile(np.array(regions), (len(chosen), 1)),
        )
    return EngineOutput(rows, *columns, scores, selected, 3, None, choices=choices, value_scores=value_scores)


def predict(
    product: Product = SHIRT,
    *outputs: EngineOutput,
    windows: Sequence[Window] | None = None,
    calibrated: Calibration | None = None,
    min_confidence: float = 0.0,
    photos: tuple[int, ...] = (0,),
    evidence: bool = True,
) -> Prediction:
    """A product's prediction from the outputs of its windows."""
    windows = windows or windows_of(product)
    draft = Draft(product, EncodedProduct(list(windows), 1.0, list(product.fields)))
    for window, found in zip(windows, outputs, strict=True):
        collect(found, [BatchItem(0, window, photos)], [draft], (1, 2), evidence=evidence)
    return draft.prediction(naming(calibrated), min_confidence)


def of_shirt(*arguments: Any, **options: Any) -> EngineOutput:
    return output(windows_of(SHIRT)[0], *arguments, **options)


def told(prediction: Prediction) -> list[tuple[str, str, str | None, float]]:
    """Attribute, value, the text's own words, confidence."""
    return [(v.attribute, v.value, v.source and v.source.text, round(v.confidence, 4)) for v in prediction.values]


TAGGED = [(COLOR, 0, 1, 0.8), (COLOR, 3, 5, 0.5), (MATERIAL, 9, 10, 0.5)]
RANGE = {COLOR: 0.9, MATERIAL: 0.6}
SAID = [("Color", "Navy", "Navy", 0.72), ("Color", "navy blue", "navy blue", 0.45), ("Material", "lilac", "lilac", 0.3)]


# --- without a head ---------------------------------------------------------------------------------------------------


def test_without_a_head_values_are_the_texts_own_words() -> None:
    prediction = predict(SHIRT, of_shirt(TAGGED, range_=RANGE))
    assert told(prediction) == SAID
    assert prediction.values[0] == Value("Color", "Navy", pytest.approx(0.72), Span("Color", 0, 4, "Navy", "title"))
    assert prediction.range == {"Color": 0.9, "Material": 0.6}


# --- a head without a calibration -------------------------------------------------------------------------------------


def test_without_a_calibration_a_head_adds_what_the_text_does_not_say() -> None:
    linen = Choosing(MATERIAL, {LINEN: 0.7, 0: 0.3})
    prediction = predict(SHIRT, of_shirt(TAGGED, [Choosing(COLOR, {NAVY: 0.6}), linen], RANGE))
    assert told(prediction) == [*SAID, ("Material", "Linen", None, 0.7)]
    assert [v.decided_by for v in prediction.values] == [None, None, None, "text"]


def test_what_is_tagged_surer_needs_no_choice() -> None:
    unsure = Choosing(COLOR, {GREEN: 0.6, NAVY: 0.4})  # 0.8 * 0.9 for navy
    assert told(predict(SHIRT, of_shirt(TAGGED, [unsure], RANGE))) == SAID
    surer = replace(unsure, options={GREEN: 0.75, NAVY: 0.25})
    assert told(predict(SHIRT, of_shirt(TAGGED, [surer], RANGE))) == [*SAID, ("Color", "Green", None, 0.75)]


# --- a calibrated head ------------------------------------------------------------------------------------------------

BY_TAGS = calibration(is_tagged=1.0, unknown=-2.0)
"""Confidences of 0.73 for what is tagged, 0.27 where the shop has no word for it, 0.5 for what is chosen alone."""


def test_all_mentions_of_a_value_have_the_shops_word_and_one_confidence() -> None:
    chosen = [Choosing(COLOR, {NAVY: 0.6, RED: 0.4})]
    prediction = predict(SHIRT, of_shirt(TAGGED, chosen, RANGE), calibrated=BY_TAGS)
    assert told(prediction) == [
        ("Color", "Navy Blue", "Navy", 0.7311),
        ("Color", "Navy Blue", "navy blue", 0.7311),
        ("Material", "lilac", "lilac", 0.2689),  # the shop has no word for it
    ]
    for value in prediction.values:
        assert SHIRT.fields[value.source.field][value.source.start : value.source.end] == value.source.text


def test_one_value_stands_for_what_no_text_says_behind_those_that_one_says() -> None:
    chosen = [Choosing(COLOR, {GREEN: 0.9}), Choosing(MATERIAL, {LINEN: 0.2, 0: 0.1})]
    prediction = predict(SHIRT, of_shirt(TAGGED, chosen, RANGE), calibrated=calibration(option=1.0, unknown=-20.0))
    assert [(v.attribute, v.value, v.source is None) for v in prediction.values] == [
        ("Color", "Navy Blue", False),
        ("Color", "Navy Blue", False),
        ("Material", "lilac", False),
        ("Color", "Green", True),
        ("Material", "Linen", True),
    ]
    assert prediction.values[3].confidence == pytest.approx(0.9)  # a weight of 1 on the log-odds alone
    assert prediction.values[4].confidence == pytest.approx(0.2)
    mentioned = replace(chosen[0], options={NAVY: 0.9, GREEN: 0.1})
    again = predict(SHIRT, of_shirt(TAGGED, [mentioned], RANGE), calibrated=calibration(option=1.0))
    assert all(v.source is not None for v in again.values)  # the surest is said


@pytest.mark.parametrize("chosen", [None, []])
def test_confidences_are_calibrated_where_the_head_was_asked_nothing(chosen: list[Choosing] | None) -> None:
    """As of an attribute without options."""
    found = predict(SHIRT, of_shirt([(SIZE, 12, 13, 0.5)], chosen, {SIZE: 0.6}), calibrated=BY_TAGS)
    assert told(found) == [("Size", "SHIRT", "SHIRT", 0.2689)]
    assert [v.decided_by for v in found.values] == ["text"]


def test_a_product_to_which_an_attribute_does_not_apply_gets_no_choice_of_it() -> None:
    chosen = [Choosing(COLOR, {GREEN: 0.9}, applies=0.3), Choosing(MATERIAL, {LINEN: 0.9}, applies=0.3)]
    strict = calibration({"Color": 0.3, "Material": 0.31}, option=1.0)
    found = predict(SHIRT, of_shirt([(MATERIAL, 9, 10, 0.5)], chosen, RANGE), calibrated=strict)
    assert [(v.attribute, v.value) for v in found.values] == [("Material", "lilac"), ("Color", "Green")]
    assert [v.value for v in predict(SHIRT, of_shirt([], chosen, {})).values] == ["Green", "Linen"]


def test_unsure_values_are_left_out_by_their_calibrated_confidence() -> None:
    chosen = [Choosing(COLOR, {NAVY: 0.6}), Choosing(MATERIAL, {LINEN: 0.9})]
    found = predict(SHIRT, of_shirt(TAGGED, chosen, RANGE), calibrated=BY_TAGS, min_confidence=0.5)
    assert [(v.attribute, v.value) for v in found.values] == [
        ("Color", "Navy Blue"),
        ("Color", "Navy Blue"),
        ("Material", "Linen"),
    ]


def test_a_find_that_runs_across_two_fields_is_two_values_with_a_word_each() -> None:
    two = Product("8", {"title": "A shirt in navy", "text": "red or not"})
    found = predict(two, output(windows_of(two)[0], [(COLOR, 3, 5, 0.5), (COLOR, 6, 7, 0.5)]), calibrated=BY_TAGS)
    assert [(v.value, v.source.text) for v in found.values] == [("Navy Blue", "navy"), ("Red", "red"), ("not", "not")]


def test_what_is_known_of_each_cell_comes_surest_first() -> None:
    window = windows_of(SHIRT)[0]
    draft = Draft(SHIRT, EncodedProduct([window], 1.0, list(SHIRT.fields)))
    collect(of_shirt(TAGGED, [Choosing(COLOR, {GREEN: 0.6, NAVY: 0.4})], RANGE), [BatchItem(0, window)], [draft], None)
    cells = draft.cells(naming(BY_TAGS))
    assert {a: [(c.value, c.mentions) for c in found] for a, found in cells.items()} == {
        COLOR: [("Navy Blue", [0, 1]), ("Green", [])],
        MATERIAL: [("lilac", [2])],
    }


# --- what it hangs on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_text", "by_photo", "chosen", "said"),
    [
        (0.9, 0.1, "text", "text"),
        (0.1, 0.9, "photo", "both"),
        (0.9, 0.9, "both", "both"),
        (0.2, 0.2, "both", "both"),
        (0.2, 0.0, "text", "text"),  # no photo
    ],
)
def test_a_chosen_value_says_what_decided_it_and_a_tagged_one_whether_the_photo_did_too(
    by_text: float, by_photo: float, chosen: str, said: str
) -> None:
    head = [Choosing(COLOR, {NAVY: 0.9}, by_text, by_photo), Choosing(MATERIAL, {LINEN: 0.9}, by_text, by_photo)]
    prediction = predict(SHIRT, of_shirt([TAGGED[0]], head, RANGE), calibrated=BY_TAGS)
    assert [(v.value, v.decided_by) for v in prediction.values] == [("Navy Blue", said), ("Linen", chosen)]


def test_a_tagged_value_that_the_head_does_not_choose_hangs_on_the_text() -> None:
    head = [Choosing(COLOR, {GREEN: 0.6, NAVY: 0.3}, 0.1, 0.9)]
    prediction = predict(SHIRT, of_shirt([TAGGED[0], TAGGED[2]], head, RANGE), calibrated=BY_TAGS)
    assert [(v.value, v.decided_by) for v in prediction.values] == [("Navy Blue", "text"), ("lilac", "text")]


# --- evidence ---------------------------------------------------------------------------------------------------------


def words_of(looked: Mapping[int, float], product: Product = SHIRT, **options: Any) -> list[tuple[str, str, float]]:
    """Field, text and weight of the words told for a choice; they are where the text has them."""
    found = output(windows_of(product)[0], chosen=[Choosing(COLOR, {GREEN: 0.9}, looked=looked)])
    (value,) = predict(product, found, **options).values
    for word in value.words:
        assert product.fields[word.field][word.start : word.end] == word.text
    return [(word.field, word.text, pytest.approx(word.weight)) for word in value.words]


def test_words_that_were_looked_at_most_are_told_with_their_field() -> None:
    found = words_of({9: 0.4, 0: 0.3, 4: 0.2, 8: 0.1})
    assert found == [("text", "lilac", 0.4), ("title", "Navy", 0.3), ("title", "blue", 0.2)]  # no more than three


def test_a_word_that_comes_several_times_is_told_once_at_its_most_looked_at_place() -> None:
    found = words_of({1: 0.2, 6: 0.1, 12: 0.3, 9: 0.4})
    assert found == [("text", "SHIRT", 0.6), ("text", "lilac", 0.4)]


def test_single_letters_and_marks_are_no_words() -> None:
    assert words_of({13: 0.3, 14: 0.2, 16: 0.2, 2: 0.2, 9: 0.1}) == [("text", "lilac", 0.1)]
    chinese = Product("8", {"text": "红 , 7 x"})
    assert words_of({0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}, chinese) == [("text", "红", 0.4)]


def test_words_that_were_looked_at_as_any_other_are_not_told() -> None:
    assert words_of(dict.fromkeys(range(17), 1 / 17)) == []
    # Three places of which each has a little more than its share: not more than its share three times over.
    assert words_of({u: 0.08 if u in (1, 6, 12) else 0.76 / 14 for u in range(17)}) == []


def test_regions_are_told_where_there_is_a_photo() -> None:
    found = of_shirt(chosen=[Choosing(COLOR, {GREEN: 0.9})], regions=[0.1, 0.5])
    (value,) = predict(SHIRT, found).values
    assert [(r.image, r.weights) for r in value.regions] == [(0, ((0.0, 1.0),))]
    (value,) = predict(SHIRT, found, photos=()).values
    assert value.regions == ()


def test_without_evidence_values_come_without_words_and_regions() -> None:
    found = of_shirt(chosen=[Choosing(COLOR, {GREEN: 0.9}, looked={9: 1.0})], regions=[0.1, 0.5])
    (value,) = predict(SHIRT, found, evidence=False).values
    assert (value.words, value.regions, value.decided_by) == ((), (), "text")
    assert words_of({9: 1.0}, photos=()) == [("text", "lilac", 1.0)]  # words need no photo


# --- several windows --------------------------------------------------------------------------------------------------


def test_windows_of_a_long_text_choose_together() -> None:
    windows = windows_of(SHIRT, (0, 10, 0, 8), (6, 17, 8, 17))
    first = output(windows[0], [], [Choosing(COLOR, {RED: 0.9, GREEN: 0.1}, 0.8, 0.2, applies=0.2, looked={0: 1.0})])
    second = output(windows[1], [], [Choosing(COLOR, {GREEN: 0.6, RED: 0.3}, 0.3, 0.3, applies=0.6, looked={3: 1.0})])
    strict = calibration({"Color": 0.5}, option=1.0)
    (value,) = predict(SHIRT, first, second, windows=windows, calibrated=strict).values
    assert (value.value, value.confidence, value.decided_by) == ("Red", pytest.approx(0.6), "both")
    assert [(w.text, w.field) for w in value.words] == [("Navy", "title")]


def test_a_mention_counts_in_the_window_that_owns_it() -> None:
    windows = windows_of(SHIRT, (0, 10, 0, 8), (6, 17, 8, 17))
    first, second = output(windows[0], [(COLOR, 9, 10, 0.9)]), output(windows[1], [(COLOR, 3, 4, 0.5)])
    found = predict(SHIRT, first, second, windows=windows, calibrated=calibration(tagged=1.0))
    assert told(found) == [("Color", "lilac", "lilac", 0.5)]


def test_a_row_that_could_not_be_read_comes_out_marked() -> None:
    broken = Product("9", {}, error="line 3 is no JSON")
    draft = Draft(broken, EncodedProduct([], 0.0, []))
    assert draft.prediction(naming(BY_TAGS), 0.0) == Prediction("9", coverage=0.0, error="line 3 is no JSON")
    assert draft.cells(naming(BY_TAGS)) == {}
