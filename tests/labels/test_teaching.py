"""What a teacher's finds are worth: matched with the texts and the options, weighed by filled cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from attrex.encoding.batching import collate_labels
from attrex.encoding.targets import Labels
from attrex.labels.pseudo_labels import Teacher, Teachers
from attrex.labels.teaching import Agreement, FindMatcher
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import NOTHING_MINED

SCHEMA = Schema(
    (
        Attribute("Color", ("colour",), ("Red", "Blue", "Navy"), labels={"Blue": {"de": ("Blau",)}}),
        Attribute("Fit", options=("Slim Fit",), aliases={"Slim Fit": ("slim",)}),
        Attribute("Sleeve", options=("Long",)),
    )
)
SHOP = Shop(schema=SCHEMA)


def product(text: str, number: str = "p", **cells: tuple[str, ...]) -> Product:
    return Product(number, {"title": text, "description": "A shirt."}, table=cells, spans=())


def finds(*values: tuple[str, str] | Value, number: str = "p") -> Prediction:
    return Prediction(number, tuple(v if isinstance(v, Value) else Value(*v, 1.0) for v in values))


def matched(of: Product, *values: tuple[str, str] | Value) -> list[tuple[Any, ...]]:
    found = FindMatcher(SHOP, [of], NOTHING_MINED).match(of, finds(*values))
    return [(v.attribute, v.value, v.source and (v.source.field, v.source.start, v.source.end)) for v in found.values]


def test_a_find_has_its_place_where_the_text_says_it_and_the_shops_word_for_it() -> None:
    shirt = product("Blau shirt, slim, blue")
    assert matched(shirt, ("Color", "blue")) == [("Color", "Blue", ("title", 18, 22))]
    assert matched(shirt, ("Color", "BLAU")) == [
        ("Color", "Blue", ("title", 0, 4)),
        ("Color", "Blue", ("title", 18, 22)),
    ]
    assert matched(shirt, ("Fit", "slim fit")) == [("Fit", "Slim Fit", ("title", 12, 16))]


def test_what_no_text_says_is_an_option_or_matched_with_nothing() -> None:
    assert matched(product("A shirt"), ("Sleeve", "long"), ("Sleeve", "puffed")) == [
        ("Sleeve", "Long", None),
        ("Sleeve", "puffed", None),
    ]


def test_an_attribute_goes_by_its_name_or_column_in_any_spelling() -> None:
    assert matched(product("x"), ("COLOR", "red"), ("Colour", "red"), ("Brand", "red")) == [
        ("Brand", "red", None),
        ("Color", "Red", None),
    ]


def test_a_place_without_a_field_is_looked_for_and_one_of_another_text_stays_wrong() -> None:
    shirt = product("red shirt")
    anywhere = Value("Color", "red", 1.0, Span("Color", 0, 3, "red", ""))
    assert matched(shirt, anywhere) == [("Color", "Red", ("title", 0, 3))]
    shifted = Value("Color", "red", 1.0, Span("Color", 5, 8, "red", ""))
    assert matched(shirt, shifted) == [("Color", "Red", ("title", 0, 3))]
    stale = Value("Color", "red", 1.0, Span("Color", 5, 8, "red", "title"))
    assert matched(shirt, stale) == [("Color", "red", ("title", 5, 8))]
    teacher = Teacher([finds(stale)], SCHEMA, high=0.9, low=0.1)
    assert teacher.pseudo_label(shirt, []) == ([], [], {}, {})
    assert teacher.count([shirt]).changed == 1


def test_an_option_is_a_label_of_a_blank_cell_alone() -> None:
    teacher = Teacher([finds(("Sleeve", "Long"), ("Color", "Blue"))], SCHEMA, high=0.9, low=0.1, weights={"Color": 0.6})
    blank = product("A shirt")
    assert teacher.pseudo_label(blank, []).options == {"Sleeve": {"Long": 1.0}, "Color": {"Blue": 0.6}}
    assert teacher.pseudo_label(replace(blank, table={"Color": ("Red",)}), []).options == {"Sleeve": {"Long": 1.0}}
    assert teacher.pseudo_label(replace(blank, table={"Sleeve": (), "Color": ()}), []).options == {}
    assert teacher.pseudo_label(replace(blank, reviewed=frozenset({"Sleeve", "Color"})), []).options == {}


def test_a_filled_cell_stands_against_another_of_its_options() -> None:
    said = Value("Color", "Blue", 1.0, Span("Color", 0, 4, "blue", "title"))
    teacher = Teacher([finds(said)], SCHEMA, high=0.9, low=0.1)
    assert [s.text for s, _ in teacher.pseudo_label(product("blue", Color=("Blue",)), []).labels] == ["blue"]
    assert teacher.pseudo_label(product("blue", Color=("Red",)), []).labels == []


def test_agreement_counts_a_value_once_per_cell_and_leaves_out_what_nobody_knows() -> None:
    rows = [
        product("blue, blue", "1", Color=("Blau",)),  # right, in another language
        product("red", "2", Color=("Blue",)),  # wrong
        product("red", "3", Color=()),  # wrong: known to be absent
        product("red", "4"),  # not known
        replace(product("red", "5"), complete=True),  # wrong: its labels are all there are
    ]
    found = {
        "1": finds(("Color", "blue"), ("Color", "Blue"), number="1"),
        **{n: finds(("Color", "red"), number=n) for n in "2345"},
    }
    matcher = FindMatcher(SHOP, rows, NOTHING_MINED)
    agreement = matcher.agreement(rows, {n: matcher.match(rows[int(n) - 1], f) for n, f in found.items()}, 0.9)
    assert agreement["Color"] == Agreement(compared=4, right=1)
    assert agreement["Color"].weight == pytest.approx(2 / 6)
    assert agreement["Fit"].weight == 0.5  # nothing compared


def test_a_products_own_labels_do_not_name_its_own_find() -> None:
    """Else every find would agree with the cell that its label came from."""
    spans = (Span("Color", 0, 6, "indigo", "title", "Blue"), Span("Color", 8, 14, "indigo", "title", "Blue"))
    own = Product("1", {"title": "indigo, indigo"}, table={"Color": ("Blue",)}, spans=spans)
    found = FindMatcher(SHOP, [own], NOTHING_MINED).match(own, finds(("Color", "indigo"), number="1"))
    assert {v.value for v in found.values} == {"indigo"}
    other = replace(own, id="2")
    matcher = FindMatcher(SHOP, [own, other], NOTHING_MINED)
    assert {v.value for v in matcher.match(own, finds(("Color", "indigo"), number="1")).values} == {"Blue"}


def test_a_muted_teacher_says_nothing_of_the_attribute() -> None:
    said = Value("Color", "Blue", 1.0, Span("Color", 0, 4, "blue", "title"))
    prediction = replace(finds(said, ("Sleeve", "Long")), range={"Color": 0.9, "Sleeve": 0.05})
    teacher = Teacher([prediction], SCHEMA, high=0.9, low=0.1, muted=["Color"])
    mention = Span("Color", 0, 4, "blue", "title")
    found = teacher.pseudo_label(product("blue shirt"), [mention])
    assert (found.labels, found.uncertain, found.scores) == ([], [mention], {})
    assert found.options == {"Sleeve": {"Long": 1.0}}
    assert teacher.count([product("blue shirt")]).muted == 1


def test_of_several_teachers_the_surest_counts() -> None:
    def teacher(option: str, weight: float) -> Teacher:
        return Teacher(
            [finds(("Sleeve", "Long"), ("Color", option))], SCHEMA, high=0.9, low=0.1, weights={"Color": weight}
        )

    both = Teachers([teacher("Red", 0.6), teacher("Blue", 0.8)]).pseudo_label(product("x"), [])
    assert both.options == {"Sleeve": {"Long": 1.0}, "Color": {"Blue": 0.8}}


def test_a_teachers_option_weighs_less_in_a_batch() -> None:
    labels = Labels({}, 0, {}, [0, 0], options={0: [2], 1: [0]}, option_weights={1: 0.6})
    arrays = collate_labels([labels], 2)
    assert arrays["choice_weights"].tolist() == pytest.approx([1.0, 0.6])
