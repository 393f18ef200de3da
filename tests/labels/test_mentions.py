"""What a text says of an attribute without being labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from attrex.labels.mentions import UnlabelledMentions
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import Product, Span
from attrex.vocabulary.word_lists import WordLists

EXAMPLE = Shop.load(Path(__file__).parents[2] / "examples" / "fashion" / "shop.yaml")
FASHION = Shop(word_forms=EXAMPLE.word_forms, aliases=EXAMPLE.aliases)
SCHEMA = Schema(
    (
        Attribute("Brand", options=("Only", "Levi's", "Red Tape")),
        Attribute("Color", options=("Red", "Blue", "Navy Blue")),
        Attribute("Fit", options=("Regular Fit",), aliases={"Regular Fit": ("regular",)}),
        Attribute("Neckline", options=("Round Neck", "V")),
    ),
    categories={"Bags": ("Brand", "Color")},
)


def product(text: str, *said: tuple[str, str], **more: object) -> Product:
    """A labelled product; ``said``: (attribute, words of the text)."""
    spans = tuple(Span(a, text.index(w), text.index(w) + len(w), w) for a, w in said)
    return Product("p", {"text": text}, spans=spans, **more)  # type: ignore[arg-type]


def named(found: list[Span]) -> list[tuple[str, str]]:
    return [(s.attribute, s.text) for s in found]


def find(text: str, *said: tuple[str, str], **more: object) -> list[tuple[str, str]]:
    return named(UnlabelledMentions.learn([], SCHEMA, words=WordLists.of(FASHION)).find(product(text, *said, **more)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A blue shirt", [("Color", "blue")]),
        ("reds and Blues", [("Color", "reds"), ("Color", "Blues")]),  # folded as labels are
        ("a navy-blue shirt", [("Color", "navy-blue")]),  # the longest of one attribute
        ("regular cut", [("Fit", "regular")]),  # an alias of the schema
        ("with a crew neck", [("Neckline", "crew neck")]),  # an alias of an option in the word lists
        ("V for victory", []),  # single letters mean too much
        ("credit, blueish", []),  # whole words only
        ("by Levi's, Only's", [("Brand", "Levi's"), ("Brand", "Only")]),
        ("by Red Tape", [("Brand", "Red Tape"), ("Color", "Red")]),  # nobody has said yet which it is
        ("", []),
    ],
)
def test_options_and_aliases_are_found_where_nobody_labelled_them(text: str, expected: list[tuple[str, str]]) -> None:
    assert find(text) == expected


def test_a_mention_tells_the_value_it_stands_for_and_its_field() -> None:
    both = Product("p", {"title": "shirt", "body": "crew neck, navy"}, spans=())
    (neck, navy) = UnlabelledMentions.learn([], SCHEMA, words=WordLists.of(FASHION)).find(both)
    assert neck == Span("Neckline", 0, 9, "crew neck", "body", "Round Neck")
    assert (navy.text, navy.value, navy.field) == ("navy", "Navy Blue", "body")


def test_words_of_a_label_are_no_mention() -> None:
    assert find("blue and red", ("Color", "blue")) == [("Color", "red")]
    assert find("navy blue", ("Color", "blue")) == []  # overlaps the label of the same attribute
    assert find("by Red Tape", ("Brand", "Red Tape")) == []  # claimed by another attribute


def test_the_same_characters_of_another_field_are_not_claimed() -> None:
    twice = Product("p", {"a": "red", "b": "red"}, spans=(Span("Color", 0, 3, "red", "a"),))
    assert [s.field for s in UnlabelledMentions.learn([], SCHEMA).find(twice)] == ["b"]


def test_words_that_are_labelled_often_enough_become_forms() -> None:
    labelled = [product("a teal bag", ("Color", "teal")), product("Teal shoe", ("Color", "Teal"))]
    once = [product("a mauve bag", ("Color", "mauve"))]
    mentions = UnlabelledMentions.learn([*labelled, *once], SCHEMA)
    assert named(mentions.find(product("teal and mauve"))) == [("Color", "teal")]


def test_attributes_outside_the_schema_are_not_searched() -> None:
    labelled = [product("a heavy bag", ("Weight", "heavy"))] * 3
    assert UnlabelledMentions.learn(labelled, SCHEMA).find(product("a heavy bag")) == []


def test_a_form_that_is_seldom_a_value_where_the_cell_is_known_is_left_out() -> None:
    labelled = product("by Only", ("Brand", "Only"))
    wash = product("by Levi's, hand wash only", ("Brand", "Levi's"))
    blank = product("hand wash only")
    asked = product("only blue")
    rarely = UnlabelledMentions.learn([labelled, *[wash] * 9], SCHEMA)
    assert named(rarely.find(asked)) == [("Color", "blue")]
    often = UnlabelledMentions.learn([*[labelled] * 3, *[wash] * 9], SCHEMA)
    assert named(often.find(asked)) == [("Brand", "only"), ("Color", "blue")]
    # A blank cell says nothing of whether a form is a value.
    assert named(UnlabelledMentions.learn([labelled, *[blank] * 50], SCHEMA).find(asked))[0] == ("Brand", "only")
    assert named(UnlabelledMentions.learn([labelled, *[wash] * 9], SCHEMA, min_share=0).find(asked))[0] == (
        "Brand",
        "only",
    )


def test_which_mentions_may_be_a_value_depends_on_the_cell() -> None:
    mentions = UnlabelledMentions.learn([], SCHEMA, words=WordLists.of(FASHION))

    def unknown(text: str, *said: tuple[str, str], **more: object) -> list[tuple[str, str]]:
        return named(mentions.unknown(product(text, *said, **more)))

    assert unknown("a red shirt") == [("Color", "red")]  # blank
    assert unknown("red, blue", ("Color", "red")) == [("Color", "blue")]  # beside a located value
    assert unknown("a red shirt", table={"Color": ("Scarlet",)}) == [("Color", "red")]  # the table in other words
    assert unknown("a red shirt", table={"Color": ()}) == []  # known to have none
    assert unknown("a red shirt", complete=True) == []
    assert unknown("crew neck, red", category="Bags") == [("Color", "red")]  # bags have no neckline
    assert unknown("crew neck", category="Shirts") == [("Neckline", "crew neck")]  # a category nobody listed
    assert unknown("crew neck", category="Bags", table={"Neckline": ("Boat",)}) == [("Neckline", "crew neck")]
    assert mentions.unknown(replace(product("red"), error="unreadable")) == []


def test_many_forms_cost_no_more_than_few() -> None:
    many = Schema((Attribute("Code", options=tuple(f"code {i}" for i in range(5000))),))
    mentions = UnlabelledMentions.learn([], many)
    assert named(mentions.find(product("code 17 beside code 4999"))) == [("Code", "code 17"), ("Code", "code 4999")]


def test_thousands_of_labels_in_one_text_cost_no_more_each(growth) -> None:
    def labelled(times: int) -> Product:
        text = "red blue " * times
        return Product("p", {"text": text}, spans=tuple(Span("Color", 9 * n, 9 * n + 3, "red") for n in range(times)))

    mentions = UnlabelledMentions.learn([], SCHEMA)
    assert len(mentions.unknown(labelled(1_000))) == 1_000
    assert growth(lambda times: UnlabelledMentions.learn([labelled(times)], SCHEMA), 500) < 9
    assert growth(lambda times: mentions.unknown(labelled(times)), 500) < 9


def test_nothing_behind_a_not_is_a_mention() -> None:
    assert find("a red bag, not blue or red, blue inside") == [("Color", "red"), ("Color", "blue")]


def test_beside_a_word_where_it_is_seldom_labelled_a_form_is_no_mention() -> None:
    """In filled cells "red" is the color but before "tape"; "blue with" is the color now and then."""
    bags = [product("a red bag", ("Color", "red"), table={"Color": ("Red",)}) for _ in range(20)]
    tapes = [product(f"shoes\nred tape {n}", table={"Color": ("Blue",)}) for n in range(12)]
    mixed = [product("blue with red", ("Color", "red"), ("Color", "blue"), table={"Color": ("Red",)})] * 4
    mixed += [product("blue with red", ("Color", "red"), table={"Color": ("Red",)})] * 8
    mentions = UnlabelledMentions.learn([*bags, *tapes, *mixed], SCHEMA)
    assert named(mentions.find(product("a blue bag by red tape"))) == [("Color", "blue"), ("Brand", "red tape")]
    assert named(mentions.find(product("tape\nred"))) == [("Color", "red")]  # the end of a line tells nothing
    assert named(mentions.find(product("in red"))) == [("Color", "red")]
    assert named(mentions.find(product("blue with red"))) == [("Color", "blue"), ("Color", "red")]
    few = UnlabelledMentions.learn([*bags, *tapes[:5]], SCHEMA)
    assert ("Color", "red") in named(few.find(product("by red tape")))  # too few to tell
