"""What a teacher's reading is taken for in the cells that a table leaves unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import PseudoLabels, Teacher
from attrex.shop.schema import Attribute, Schema
from attrex.types import Prediction, Product, Span, Value

SCHEMA = Schema(
    (Attribute("Color", options=("Red", "Blue")), Attribute("Fit", options=("Slim",))), categories={"Bags": ("Color",)}
)
TEXT = "red slim shirt with blue jeans"


def product(*said: tuple[str, str], **more: Any) -> Product:
    spans = tuple(Span(a, TEXT.index(w), TEXT.index(w) + len(w), w) for a, w in said)
    return Product("p", {"text": TEXT}, spans=spans, **more)


def judge(gold: Product, *finds: tuple[str, str, float], range: dict[str, float] | None = None) -> PseudoLabels:
    """The opinion of a teacher with these finds (attribute, words, confidence)."""
    values = tuple(
        Value.from_span(Span(a, TEXT.index(w), TEXT.index(w) + len(w), w), confidence) for a, w, confidence in finds
    )
    scores = {a: 0.95 for a, _, _ in finds} if range is None else range
    teacher = Teacher([Prediction("p", values, scores)], SCHEMA, high=0.9, low=0.1)
    return teacher.pseudo_label(gold, UnlabelledMentions.learn([], SCHEMA).unknown(gold))


def labels(opinion: PseudoLabels) -> list[tuple[str, str, float]]:
    return [(s.attribute, s.text, confidence) for s, confidence in opinion.labels]


def doubtful(opinion: PseudoLabels) -> list[tuple[str, str]]:
    return [(s.attribute, s.text) for s in opinion.uncertain]


def test_a_find_is_a_label_in_doubt_or_nothing_by_its_confidence() -> None:
    found = judge(product(), ("Color", "red", 0.9), ("Color", "blue", 0.5), ("Fit", "slim", 0.1))
    assert labels(found) == [("Color", "red", 0.9)]
    assert doubtful(found) == [("Color", "blue")]
    assert found.scores == {"Color": 0.95, "Fit": 0.95}


def test_a_find_need_not_name_a_known_value() -> None:
    assert labels(judge(product(), ("Fit", "jeans", 0.95))) == [("Fit", "jeans", 0.95)]


def test_a_mention_where_nothing_was_found_stays_in_doubt_as_long_as_the_attribute_does() -> None:
    assert doubtful(judge(product(), range={"Color": 0.3})) == [("Color", "red"), ("Color", "blue")]
    assert doubtful(judge(product(), range={"Color": 0.1})) == []


def test_labels_and_what_is_known_to_be_absent_stand() -> None:
    everything = (("Color", "red", 0.99), ("Color", "blue", 0.99), ("Fit", "slim", 0.99))
    assert labels(judge(product(("Color", "red")), *everything)) == [("Color", "blue", 0.99), ("Fit", "slim", 0.99)]
    assert judge(product(("Color", "red")), *everything).scores == {"Fit": 0.95}  # a located cell needs no score
    assert labels(judge(product(("Fit", "red")), *everything[:1])) == []  # another attribute's words
    assert labels(judge(product(table={"Color": ()}), *everything)) == [("Fit", "slim", 0.99)]
    assert [a for a, _, _ in labels(judge(product(category="Bags"), *everything))] == ["Color", "Color"]
    assert judge(product(complete=True), *everything) == PseudoLabels([], [], {})


def test_a_product_that_was_not_read_keeps_its_mentions() -> None:
    teacher = Teacher([Prediction("p", error="unreadable")], SCHEMA, high=0.9, low=0.1)
    mentions = UnlabelledMentions.learn([], SCHEMA).unknown(product())
    assert teacher.pseudo_label(product(), mentions) == PseudoLabels([], mentions, {})


def test_an_id_that_comes_twice_says_nothing_of_either_product() -> None:
    readings = [Prediction("p", (), {"Color": 0.99}), Prediction("p", (), {})]
    mentions = UnlabelledMentions.learn([], SCHEMA).unknown(product())
    assert mentions
    assert Teacher(readings, SCHEMA, high=0.9, low=0.1).pseudo_label(product(), mentions) == PseudoLabels(
        [], mentions, {}
    )


def test_finds_in_the_text_of_another_product_with_the_same_id_are_not_taken() -> None:
    other = replace(product(), fields={"text": "a longer text, quite another one"})
    assert judge(other, ("Color", "red", 0.99)).labels == []


def test_a_value_without_a_place_labels_no_words() -> None:
    teacher = Teacher([Prediction("p", (Value("Color", "red", 0.99),), {"Color": 0.99})], SCHEMA, high=0.9, low=0.1)
    found = teacher.pseudo_label(product(), [])
    assert (found.labels, found.uncertain, found.scores) == ([], [], {"Color": 0.99})


def test_a_teacher_without_range_scores_says_nothing_of_attributes_without_a_value() -> None:
    found = judge(product(), ("Fit", "slim", 0.95), range={})
    assert labels(found) == [("Fit", "slim", 0.95)]
    assert doubtful(found) == [("Color", "red"), ("Color", "blue")]
    assert found.scores == {"Fit": 0.95}


def test_what_a_teacher_brings_is_counted() -> None:
    def value(attribute: str, word: str, start: int, confidence: float) -> Value:
        return Value.from_span(Span(attribute, start, start + len(word), word), confidence)

    values = (
        value("Color", "red", 0, 0.95),
        value("Fit", "slim", 4, 0.5),
        value("Color", "blue", 0, 0.99),  # the text says something else there
        value("Brand", "jeans", TEXT.index("jeans"), 0.99),  # the schema has no brands
    )
    teacher = Teacher([Prediction("p", values, {"Color": 0.9, "Fit": 0.9})], SCHEMA, high=0.9, low=0.1)
    counts = teacher.count([product(), replace(product(), id="q")])
    assert counts.to_json() == {
        "products": 1,
        "without": 1,
        "labels": 1,
        "options": 0,
        "uncertain": 1,
        "changed": 1,
        "other_attributes": 1,
        "unmatched": 0,
        "muted": 0,
        "unreadable": 0,
    }
    assert counts.render() == (
        "teacher: 1 pseudo-labels and 1 uncertain values in 1 products; 1 products have no prediction; "
        "1 predicted values left out: the product's text does not say them; "
        "1 predicted values left out: the schema does not have their attribute"
    )
