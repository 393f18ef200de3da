"""Argilla's records as JSON, with the status of every answer.

Stands on argilla 2.8.0 (records/_io/_generic.py, _json.py and _resource.py; run on what is written here and read its
own): ``to_list(flatten=True)`` has ``QUESTION.responses``, a value per person, and ``QUESTION.responses.status``;
``to_json`` leaves the status out, so that an answer which was discarded, or is a draft, reads like one that was
submitted: such a file is refused. Spans are ``start``, ``end`` (exclusive) and ``label``, without their words; the page
counts UTF-16 units, the server code points. A record may have answers to several questions, and not all are of spans.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.annotations.json_lines import objects, required
from attrex.io.annotations.spans import in_units
from attrex.io.atomic import atomic_write

QUESTION = "spans"
"""The question that labels are written for."""
_OWN = ("id", "status", "_server_id", "external_id", "product", "field", "inserted_at", "updated_at")
_ADVICE = (
    "write the records with json.dump(dataset.records.to_list(flatten=True), file), which says which answers were "
    "submitted"
)


def read(path: Path) -> Iterator[Document]:
    for where, row in objects(path):
        metadata = row["metadata"] if isinstance(row.get("metadata"), Mapping) else row
        fields = row["fields"] if isinstance(row.get("fields"), Mapping) else row
        answers = list(_answers(where, row))
        asked: dict[str, list[Any]] = {}
        for question, status, value in answers:
            if status == "submitted" and _is_spans(value):
                asked.setdefault(question, []).append(value)
        field = _field(where, fields, row)
        marks = None if not asked else tuple(_mark(where, item) for own in asked.values() for item in own[-1])
        people = max(map(len, asked.values()), default=0)
        warnings = (f"{people} people have answered; the last answer is read",) if people > 1 else ()
        if not asked and answers:
            warnings = (f"its answers in Argilla are {', '.join(sorted({str(s) for _, s, _ in answers}))}",)
        product = str(metadata.get("product") or row.get("id") or where)
        yield Document(where, product, str(metadata.get("field") or field), fields[field], marks, None, warnings)


def _answers(where: str, row: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(question, status, value) of every answer; raises :class:`DataError` where a status is missing."""
    nested = row["responses"] if isinstance(row.get("responses"), Mapping) else {}
    for question, answers in nested.items():
        for answer in answers or ():
            if not isinstance(answer, Mapping) or answer.get("status") is None:
                raise DataError(f"{where}: expected the status of each answer to {question!r}, got none; {_ADVICE}")
            yield question, answer["status"], answer.get("value")
    for key, values in row.items():
        if key.endswith(".responses") and values:
            statuses = row.get(f"{key}.status")
            if not isinstance(statuses, list) or len(statuses) != len(values) or None in statuses:
                raise DataError(
                    f"{where}: expected the status of each answer in {key + '.status'!r}, got {short(statuses)}; "
                    + _ADVICE
                )
            yield from ((key, status, value) for status, value in zip(statuses, values, strict=True))


def _is_spans(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, Mapping) and "start" in v and "end" in v for v in value)


def _mark(where: str, item: Any) -> Mark:
    start, end = (required(where, item, key, int) for key in ("start", "end"))
    return Mark(start, end, required(where, item, "label", str))


def _field(where: str, fields: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    texts = [k for k, v in fields.items() if isinstance(v, str) and (fields is not row or k not in _OWN)]
    texts = [k for k in texts if "." not in k or fields is not row]
    if "text" in texts or len(texts) == 1:
        return "text" if "text" in texts else texts[0]
    raise DataError(
        f"{where}: expected one field that is annotated, got {', '.join(texts) or 'none'}; rename the one that was "
        "annotated to 'text' in each record"
    )


def write(path: Path, documents: Iterable[Document]) -> None:
    """Records that ``dataset.records.from_json`` reads: labels as suggestions, for a person to confirm."""
    with atomic_write(path) as file:
        file.write(json.dumps([_record(d) for d in documents], ensure_ascii=False, indent=1) + "\n")


def _record(document: Document) -> dict[str, Any]:
    spans = [
        {"label": m.label}
        | {key: in_units(document.text, at, "utf-16") for key, at in (("start", m.start), ("end", m.end))}
        for m in document.marks or ()
    ]
    suggestion = {QUESTION: {"value": spans, "score": None, "agent": "attrex"}}
    return {
        "id": f"{document.product}/{document.field}",
        "fields": {"text": document.text},
        "metadata": {"product": document.product, "field": document.field},
        "suggestions": {} if document.marks is None else suggestion,
        "responses": {},
        "vectors": {},
    }


FORMAT = Format(
    "Argilla",
    read,
    write,
    ("utf-16", "characters", "utf-16+lf", "characters+lf"),
    (".json", ".jsonl"),
    "make the question with allow_overlapping=True",
)
