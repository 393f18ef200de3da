"""Finds of other systems, one object a line: values files, a language model's JSON or batch answers, spans with labels.

What such a file holds is data: its texts are bounded, and nothing that it says is followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.predictions import read_predictions, read_rows
from attrex.types import Prediction, Span, Value

MAX_VALUES = 1000
"""Values that one product's finds may have."""
MAX_CHARACTERS = 1000
"""Characters of a value, or of an attribute's name; longer ones are left out, with a warning."""
ANY_FIELD = ""
"""The field of a place whose file does not say in which text it is."""
_FORMS = '"values", "attributes", "spans", "entities" or "custom_id"'


def read_finds(path: str | Path) -> Iterator[Prediction]:
    """The finds of a file, a row per product; one that cannot be read is marked with the reason.

    Raises :class:`DataError` for a line that is no JSON, and for a broken row of `attrex extract`.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        yield from read_predictions(path)
        return
    for number, row in enumerate(read_rows(path), 1):
        try:
            yield finds_of(row)
        except DataError as exc:
            raise DataError(f"{path} line {number} is {exc}") from exc


def finds_of(row: Any) -> Prediction:
    """One product's finds, in whichever form; what has none of them is marked. Raises for a broken row of our own."""
    if not isinstance(row, Mapping):
        return Prediction("", error=f"expected an object with {_FORMS}, got {short(row)}")
    if "custom_id" in row:
        return answer_of(row)
    if "values" in row:
        return Prediction.from_json(row)
    name = row.get("id")
    if not isinstance(name, str | int) or isinstance(name, bool):
        return Prediction("", error=f"expected the product's id, got {short(name)}")
    spans = row.get("spans", row.get("entities"))
    if isinstance(spans, list):
        return _prediction(str(name), map(_of_span, spans))
    if "attributes" in row:
        return attributes_of(str(name), row["attributes"], row.get("confidence"))
    return Prediction(str(name), error=f"expected {_FORMS}, got {', '.join(map(str, [*row][:5]))}")


def attributes_of(name: str, attributes: Any, confidence: Any = None) -> Prediction:
    """Finds of ``{attribute: value, or values}``; null and empty ones say nothing.

    :param confidence: 0..1 of all, or by attribute; anything else counts as 1.
    """
    if not isinstance(attributes, Mapping):
        return Prediction(name, error=f"expected attributes as an object, got {short(attributes)}")
    by_attribute = confidence if isinstance(confidence, Mapping) else {}
    found = (
        _value(attribute, value, by_attribute.get(attribute, confidence))
        for attribute, values in attributes.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None and value != ""
    )
    return _prediction(name, found)


def answer_of(row: Mapping[str, Any]) -> Prediction:
    """The finds of one line of a batch's answers (OpenAI's batch output form); a line without any is marked."""
    name = str(row.get("custom_id"))
    if row.get("error"):
        return Prediction(name, error=f"the service gave an error: {short(row['error'])}")
    response = row.get("response")
    if not isinstance(response, Mapping):
        return Prediction(name, error=f"expected a response, got {short(response)}")
    if response.get("status_code", 200) != 200:
        return Prediction(name, error=f"the service answered with status {short(response.get('status_code'))}")
    try:
        choice = response["body"]["choices"][0]
        message = choice["message"]
        content, refusal, reason = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Prediction(name, error="expected body.choices with a message, got another form of response")
    if isinstance(content, list):  # parts
        texts = (p.get("text") for p in content if isinstance(p, Mapping))
        content = "".join(text for text in texts if isinstance(text, str))
    if refusal or reason == "content_filter":
        return Prediction(name, error=f"the model refused: {short(refusal or reason)}")
    if not isinstance(content, str) or not content.strip():
        return Prediction(name, error=f"the model answered nothing ({short(reason)})")
    try:
        answer = json.loads(_without_fence(content))
    except (ValueError, RecursionError):
        why = "it was cut off at the limit of its tokens" if reason == "length" else "it is no JSON"
        return Prediction(name, error=f"the answer cannot be read, {why}: {short(content)}")
    if not isinstance(answer, Mapping):
        return Prediction(name, error=f"expected an object as the answer, got {short(answer)}")
    inner = answer.get("attributes")
    return attributes_of(name, inner if isinstance(inner, Mapping) else answer)


def _without_fence(content: str) -> str:
    """What stands between the code fences of an answer, if it has any."""
    before, fence, rest = content.partition("```")
    if not fence or before.strip().startswith("{"):
        return content
    inside = rest.partition("```")[0]
    first, line, more = inside.partition("\n")
    return more if line and first.strip().isalpha() else inside.removeprefix("json")


def _of_span(row: Any) -> Value | str:
    """A find of ``{"start": ..., "end": ..., "label": ..., "text": ..., "score": ...}``, or why it is none."""
    if not isinstance(row, Mapping):
        return f"expected a span as an object, got {short(row)}"
    attribute, text = row.get("label", row.get("attribute")), row.get("text", row.get("word"))
    value = _value(attribute, text, row.get("score", row.get("confidence")))
    start, end, field = row.get("start"), row.get("end"), row.get("field", ANY_FIELD)
    placed = type(start) is int and type(end) is int and 0 <= start < end and isinstance(field, str)
    if isinstance(value, str) or not placed:
        return value
    span = Span(value.attribute, start, end, value.value, field)  # type: ignore[arg-type]
    return Value(value.attribute, value.value, value.confidence, span)


def _value(attribute: Any, value: Any, confidence: Any) -> Value | str:
    """A find without a place, or why it is none."""
    if isinstance(value, Mapping):
        value, confidence = value.get("value"), value.get("confidence", confidence)
    if isinstance(value, bool):
        value = "Yes" if value else "No"
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(attribute, str) or not isinstance(value, str) or not value.strip():
        return f"expected an attribute and its value as texts, got {short(attribute)}: {short(value)}"
    if max(len(attribute), len(value)) > MAX_CHARACTERS:
        return f"a value of {short(attribute)} has more than {MAX_CHARACTERS:,} characters and was left out"
    number = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    return Value(attribute, value, float(confidence) if number else 1.0)


def _prediction(name: str, found: Iterable[Value | str]) -> Prediction:
    """The first :data:`MAX_VALUES` finds, and a warning for each that is none."""
    values, warnings = [], []
    for number, one in enumerate(found):
        if number == MAX_VALUES:
            warnings.append(f"more than {MAX_VALUES:,} values: the others were left out")
            break
        if isinstance(one, str):
            warnings.append(one)
        else:
            values.append(one)
    return Prediction(name, tuple(values), warnings=tuple(warnings))
