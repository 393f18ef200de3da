"""Prodigy's JSONL: a text with ``spans`` of ``start``, ``end`` and ``label``, and the ``answer`` of a person.

Stands on Prodigy's documentation (prodi.gy/docs/api-interfaces, ``ner_manual`` and ``spans_manual``), for the package
is not public: offsets are Python's, ``end`` is exclusive, ``tokens`` say their text and offsets, and only ``accept``
says that the spans are right. Of several people's answers to one text (``_input_hash``) the last accepted one is read;
where spans are accepted one by one (``ner``, without ``manual``), all that were. Tokens say with ``ws`` whether a space
follows, as spaCy's do, so that they are the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.annotations.json_lines import named, objects, required
from attrex.io.products import write_rows

_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")


def read(path: Path) -> Iterator[Document]:
    for where, row, people in _answers(path):
        text = required(where, row, "text", str)
        meta = row["meta"] if isinstance(row.get("meta"), Mapping) else {}
        answer = row.get("answer", "accept" if "spans" in row else "not asked")
        marks = None
        if answer == "accept":
            tokens = {t["id"]: t for t in row.get("tokens") or () if isinstance(t, Mapping) and "id" in t}
            marks = tuple(_mark(where, span, tokens) for span in row.get("spans") or ())
        warnings = () if answer in ("accept", "not asked") else (f"its answer in Prodigy is {answer!r}",)
        if people > 1:
            warnings = (*warnings, f"{people} people have answered; the last accepted answer is read")
        complete = meta.get("complete") if isinstance(meta.get("complete"), bool) else None
        name, field = named(where, meta, "product", "id"), named("text", meta, "field")
        yield Document(where, name, field, text, marks, complete, warnings)


def _answers(path: Path) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """(where, row, how many have answered), a row for each text, in the order of their first ones."""
    texts: dict[Any, list[tuple[str, Mapping[str, Any]]]] = {}
    for where, row in objects(path):
        told = any(row.get(key) is not None for key in ("_session_id", "_annotator_id", "_view_id"))
        texts.setdefault(row.get("_input_hash", where) if told else where, []).append((where, row))
    for rows in texts.values():
        accepted = [row for row in rows if row[1].get("answer") == "accept"]
        where, row = max(accepted or rows, key=lambda r: r[1].get("_timestamp") or 0)
        if len(accepted) > 1 and not str(row.get("_view_id", "manual")).endswith("manual"):
            one_by_one = [span for _, r in accepted for span in r.get("spans") or ()]
            yield where, {**row, "spans": [s for n, s in enumerate(one_by_one) if s not in one_by_one[:n]]}, 1
        else:
            yield where, row, len(rows)


def _mark(where: str, span: Any, tokens: Mapping[Any, Any]) -> Mark:
    start, end = (required(where, span, key, int) for key in ("start", "end"))
    said = span.get("text") if isinstance(span.get("text"), str) else None
    one = tokens.get(span.get("token_start")) if span.get("token_start") == span.get("token_end") else None
    if said is None and one is not None:
        said = one["text"]
    value = span.get("value")
    return Mark(start, end, required(where, span, "label", str), said, value if isinstance(value, str) else None)


def write(path: Path, documents: Iterable[Document]) -> None:
    write_rows(path, map(_row, documents))


def _row(document: Document) -> dict[str, Any]:
    row: dict[str, Any] = {
        "text": document.text,
        "meta": {"product": document.product, "field": document.field}
        | ({"complete": document.complete} if document.complete is not None else {}),
    }
    if document.marks is None:
        return row
    tokens = _tokens(document)
    starts, ends = {t["start"]: t["id"] for t in tokens}, {t["end"]: t["id"] for t in tokens}
    spans = [
        {"start": m.start, "end": m.end, "label": m.label, "text": m.text}
        | {"token_start": starts[m.start], "token_end": ends[m.end]}
        | ({"value": m.value} if m.value is not None else {})
        for m in document.marks
    ]
    return row | {"tokens": tokens, "spans": spans, "answer": "accept"}


def _tokens(document: Document) -> list[dict[str, Any]]:
    """Words, signs and spaces; one is cut where a span begins or ends within it, for spans are of whole tokens."""
    edges = {at for mark in document.marks or () for at in (mark.start, mark.end)}
    tokens: list[dict[str, Any]] = []
    for word in _TOKEN.finditer(document.text):
        first = word.start()
        if word[0].startswith(" ") and tokens:
            tokens[-1]["ws"], first = True, first + 1
        cuts = [first, *sorted(at for at in edges if first < at < word.end()), word.end()]
        for start, end in pairwise(cuts):
            if start < end:
                text = document.text[start:end]
                tokens.append({"text": text, "start": start, "end": end, "id": len(tokens), "ws": False})
    return tokens


FORMAT = Format(
    "Prodigy", read, write, ("characters",), (".jsonl",), "take spans.manual: ner.manual has no spans that overlap"
)
