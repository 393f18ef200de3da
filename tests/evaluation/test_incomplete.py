"""Bounds on the precision where labels are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attrex.evaluation.incomplete import Incomplete, incomplete, without_unknown
from attrex.evaluation.metrics import score
from attrex.labels.mentions import UnlabelledMentions
from attrex.shop.schema import Attribute, Schema
from attrex.types import Prediction, Product, Span, Value

SCHEMA = Schema(
    (Attribute("Color", options=("Red", "Blue")), Attribute("Fit", options=("Slim",)), Attribute("Neckline")),
    categories={"Shirts": ("Color", "Fit")},
)
TEXT = "red shirt, slim, with blue jeans"


def place(attribute: str, words: str) -> tuple[str, int, int]:
    return attribute, TEXT.index(words), TEXT.index(words) + len(words)


def product(*said: tuple[str, str], **more: object) -> Product:
    spans = tuple(Span(a, b, e, TEXT[b:e]) for a, b, e in (place(*s) for s in said))
    return Product("p", {"text": TEXT}, spans=spans, **more)  # type: ignore[arg-type]


def bounds(gold: Product, *found: tuple[str, str], attributes: list[str] | None = None) -> Incomplete:
    values = tuple(Value.from_span(Span(a, b, e, TEXT[b:e]), 0.9) for a, b, e in (place(*f) for f in found))
    prediction = Prediction("p", values)
    tag = score([gold], [prediction], bootstrap=0, attributes=attributes).tag
    result = incomplete([gold], [prediction], tag, UnlabelledMentions.learn([], SCHEMA), attributes=attributes)
    assert (result.recall, result.precision_lower) == (tag.recall, tag.precision)
    return result


def test_a_find_in_a_blank_cell_may_be_right() -> None:
    found = bounds(product(("Color", "red")), ("Color", "red"), ("Fit", "slim"))
    assert (found.precision_lower, found.precision_upper, found.precision_known) == (0.5, 1.0, 1.0)
    assert (found.finds_in_blank_cells, found.finds_on_mentions) == (1, 0)


def test_beside_a_label_only_words_that_name_a_known_value_may_be_right() -> None:
    found = bounds(product(("Color", "red")), ("Color", "red"), ("Color", "blue"), ("Color", "jeans"))
    assert (found.finds_in_blank_cells, found.finds_on_mentions) == (0, 1)
    assert found.precision_upper == pytest.approx(2 / 3)
    assert found.precision_known == pytest.approx(1 / 2)


def test_so_they_may_where_the_table_has_a_value_that_was_not_found() -> None:
    found = bounds(product(("Fit", "slim"), table={"Color": ("Scarlet",)}), ("Color", "red"), ("Color", "jeans"))
    assert (found.finds_on_mentions, found.precision_upper) == (1, 0.5)


def test_a_label_with_other_borders_is_wrong() -> None:
    found = bounds(product(("Color", "red")), ("Color", "red shirt, slim, with blue"))
    assert (found.finds_on_mentions, found.precision_upper) == (0, 0.0)


def test_what_is_absent_or_ruled_out_is_wrong() -> None:
    absent = product(("Fit", "slim"), table={"Color": ()}, category="Shirts")
    found = bounds(absent, ("Color", "red"), ("Neckline", "jeans"))
    assert (found.finds_in_blank_cells, found.finds_on_mentions, found.precision_upper) == (0, 0, 0.0)


def test_attributes_restrict_what_is_bounded() -> None:
    found = bounds(product(("Color", "red")), ("Color", "red"), ("Fit", "slim"), attributes=["Color"])
    assert (found.finds_in_blank_cells, found.precision_lower) == (0, 1.0)


def test_what_a_complete_product_does_not_label_is_wrong() -> None:
    found = bounds(product(("Color", "red"), complete=True), ("Color", "red"), ("Fit", "slim"))
    assert found.precision_lower == found.precision_upper == 0.5


def test_rows_that_could_not_be_read_have_no_finds() -> None:
    gold = product(("Color", "red"))
    rows = [gold, replace(gold, error="unreadable"), gold]
    predictions = [Prediction("p"), Prediction("p", error="unreadable"), None]
    tag = score(rows, predictions, bootstrap=0).tag
    found = incomplete(rows, predictions, tag, UnlabelledMentions.learn([], SCHEMA))
    assert found == Incomplete(0.0, 0.0, 0.0, 0.0, 0, 0)


def test_what_nobody_can_call_right_or_wrong_is_left_out() -> None:
    said = (("Color", "red"), ("Color", "blue"), ("Color", "jeans"), ("Fit", "slim"))
    values = tuple(Value.from_span(Span(a, b, e, TEXT[b:e]), 0.9) for a, b, e in (place(*s) for s in said))
    prediction = Prediction("p", values, range={"Color": 0.9, "Fit": 0.8})
    gold, mentions = product(("Color", "red")), UnlabelledMentions.learn([], SCHEMA)
    (known,) = without_unknown([gold], [prediction], mentions)
    assert [v.value for v in known.values] == ["red", "jeans"]  # a mention of Color, and a blank cell, are unknown
    assert dict(known.range) == {"Color": 0.9}
    found = bounds(gold, *said)
    assert found.precision_known == score([gold], [known], bootstrap=0).tag.precision == 0.5
    complete = replace(gold, complete=True)
    assert without_unknown([complete], [prediction], mentions) == [prediction]
