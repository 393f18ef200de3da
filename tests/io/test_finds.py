"""Finds of other systems, in the forms that they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attrex.errors import DataError
from attrex.io.finds import finds_of, read_finds
from attrex.types import Prediction


def said(row: Any) -> list[tuple[str, str, float]]:
    found = finds_of(row)
    assert found.error is None
    return [(v.attribute, v.value, v.confidence) for v in found.values]


def answer(content: Any, **message: Any) -> dict[str, Any]:
    reason = message.pop("finish_reason", "stop")
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": reason}
    body = {"object": "chat.completion", "choices": [choice]}
    return {"id": "batch_req_1", "custom_id": "417", "response": {"status_code": 200, "body": body}, "error": None}


def test_attributes_of_a_language_model() -> None:
    row = {"id": 417, "attributes": {"Color": "navy blue", "Size": [38, "M"], "Fit": None, "Brand": "", "Warm": True}}
    assert finds_of(row).id == "417"
    assert said(row) == [("Color", "navy blue", 1), ("Size", "38", 1), ("Size", "M", 1), ("Warm", "Yes", 1)]


def test_confidences_of_all_of_an_attribute_or_of_a_value() -> None:
    row = {"id": "1", "attributes": {"A": "a", "B": "b"}}
    assert said(row | {"confidence": 0.5}) == [("A", "a", 0.5), ("B", "b", 0.5)]
    assert said(row | {"confidence": {"B": 0.25}}) == [("A", "a", 1), ("B", "b", 0.25)]
    assert said({"id": "1", "attributes": {"A": {"value": "a", "confidence": 0.75}}}) == [("A", "a", 0.75)]
    assert said(row | {"confidence": 95})[0] == ("A", "a", 1)


def test_spans_with_labels() -> None:
    span = {"start": 0, "end": 3, "label": "Color", "text": "red", "score": 0.875}
    found = finds_of({"id": "1", "entities": [span, {"label": "Fit", "word": "slim"}, 7]})
    assert [(v.attribute, v.value, v.confidence) for v in found.values] == [("Color", "red", 0.875), ("Fit", "slim", 1)]
    place = found.values[0].source
    assert place is not None
    assert (place.start, place.end, place.field) == (0, 3, "")
    assert found.values[1].source is None
    assert found.warnings == ("expected a span as an object, got 7",)


@pytest.mark.parametrize(
    "content",
    [
        '{"attributes": {"Color": "red"}}',
        '{"Color": "red"}',
        '```json\n{"Color": "red"}\n```',
        'Here it is:\n```\n{"Color": "red"}\n```\nDone.',
        [{"type": "text", "text": '{"Color": "red"}'}],
    ],
)
def test_an_answer_of_a_batch(content: Any) -> None:
    assert said(answer(content)) == [("Color", "red", 1)]
    assert finds_of(answer(content)).id == "417"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (answer(None, refusal="I cannot help with that."), "the model refused: 'I cannot help with that.'"),
        (answer("", finish_reason="content_filter"), "the model refused: 'content_filter'"),
        (answer('{"Color": "re', finish_reason="length"), "it was cut off at the limit of its tokens"),
        (answer("The colour is red."), "the answer cannot be read, it is no JSON"),
        (answer("[" * 100_000), "the answer cannot be read, it is no JSON"),
        (answer('["red"]'), "expected an object as the answer"),
        (answer(" "), "the model answered nothing ('stop')"),
        ({"custom_id": "417", "response": {"status_code": 429, "body": {}}}, "the service answered with status 429"),
        ({"custom_id": "417", "response": {"status_code": 200, "body": {"choices": []}}}, "expected body.choices"),
        ({"custom_id": "417", "response": None, "error": {"code": "expired"}}, "the service gave an error"),
        ({"id": "417", "color": "red"}, 'expected "values", "attributes", "spans", "entities" or "custom_id", got id'),
        ({"id": "417", "attributes": ["red"]}, "expected attributes as an object"),
        ({"attributes": {}}, "expected the product's id"),
        (["red"], "expected an object with"),
    ],
)
def test_what_cannot_be_read_is_marked_with_its_reason(row: Any, why: str) -> None:
    found = finds_of(row)
    assert found.values == ()
    assert why in str(found.error)
    assert found.id in ("417", "")


def test_values_are_bounded() -> None:
    long = finds_of({"id": "1", "attributes": {"Color": "x" * 1001, "Fit": ["a"] * 1001}})
    assert len(long.values) == 1000 - 1
    assert "has more than 1,000 characters" in long.warnings[0]
    assert "more than 1,000 values" in long.warnings[1]


def test_a_file_may_mix_forms_and_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "finds.jsonl"
    rows = [Prediction("1").to_json(), {"id": "2", "attributes": {"A": "a"}}, answer('{"A": "a"}')]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [(f.id, len(f.values)) for f in read_finds(path)] == [("1", 0), ("2", 1), ("417", 1)]
    path.write_text('{"id": "1"\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 1 is not JSON"):
        list(read_finds(path))
