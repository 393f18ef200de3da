"""Label Studio's JSON: a list of tasks, each with its data and the regions that people have drawn.

Stands on Label Studio's documentation (labelstud.io/guide/task_format, /guide/export) and label-studio-sdk 2.1.2, whose
``LabelInterface`` takes what is written here and whose ``Converter`` wrote what is read: ``data``,
``annotations[].result[].value`` with ``start``, ``end`` (exclusive), ``text`` and ``labels``. Offsets are those of the
page's JavaScript: UTF-16 units; its words have a backslash and an n for a line end (captureSelection of its
frontend). An annotation with ``was_cancelled`` was skipped; a task without annotations was not
looked at. JSON-MIN has the regions beside the data, under the name of the control, a row for each answer; which text
a region is of is not said, and the ``annotation_id`` is null where nobody has looked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.annotations.json_lines import objects, required
from attrex.io.annotations.spans import WAYS, boundaries, in_units
from attrex.io.atomic import atomic_write

_ID, _MADE_BY, _VALUE = "product", "labels", "value"
_BESIDE = ("id", "image", "complete", "created_at", "updated_at", "annotator", "agreement", _ID)
"""Keys of data, or of a row of JSON-MIN, that are no texts."""


def read(path: Path) -> Iterator[Document]:
    for where, task, rows in _tasks(path):
        if isinstance(task.get("data"), Mapping):
            data, (results, answers) = task["data"], _answer(where, task)
        else:
            data, results, answers = {k: v for k, v in task.items() if k != _VALUE}, _short_answer(task), rows
        warning = f"{answers} people have annotated this text; the last answer is read" if answers > 1 else ""
        product = str(data.get(_ID, task.get("id", where)))
        marks = None if results is None else _marks(where, data, results)
        texts = data["texts"] if isinstance(data.get("texts"), Mapping) else data
        complete = data.get("complete") if isinstance(data.get("complete"), bool) else None
        for field in _fields(where, texts, results or []):
            own = None if marks is None else tuple(mark for name, mark in marks if name in (field, None))
            yield Document(where, product, field, texts[field], own, complete, (warning,) if warning else ())


def _tasks(path: Path) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """(where, task, answers); of the rows that JSON-MIN has of one task the last answer."""
    last: dict[Any, tuple[str, Mapping[str, Any]]] = {}
    answers: Counter[Any] = Counter()
    for where, task in objects(path):
        if "data" in task or task.get("id") is None:
            yield where, task, 1
            continue
        answers[task["id"]] += 1
        known = last.get(task["id"])
        if known is None or str(task.get("updated_at") or "") >= str(known[1].get("updated_at") or ""):
            last[task["id"]] = where, task
    for task_id, (where, task) in last.items():
        yield where, task, answers[task_id]


def _short_answer(task: Mapping[str, Any]) -> list[Any] | None:
    """The regions beside the data of a task, each of every text that says its words there."""
    kept = [value for value in task.values() if isinstance(value, list) and value and all(map(_is_region, value))]
    if not kept and task.get("annotation_id") is None and task.get("label") != []:
        return None
    texts = {name: text for name, text in task.items() if name not in _BESIDE and isinstance(text, str)}
    ways = {name: [boundaries(text, way) for way in WAYS] for name, text in texts.items()}
    results = []
    for value in (value for values in kept for value in values):
        start, end = value.get("start"), value.get("end")
        saying: list[str | None] = [
            name
            for name, text in texts.items()
            if (said := _said(value, text)) and any(text[w.get(start, 0) : w.get(end, 0)] == said for w in ways[name])
        ]
        results += [{"value": value, "to_name": name} for name in saying or [None]]
    return results


def _is_region(value: Any) -> bool:
    return isinstance(value, Mapping) and ("labels" in value or "hypertextlabels" in value)


def _said(value: Mapping[str, Any], text: str) -> str | None:
    """The words that a region says; the page writes a line end in them as a backslash and an n."""
    said = value.get("text")
    if not isinstance(said, str):
        return None
    return said if "\\n" in text else said.replace("\\n", "\n")


def _answer(where: str, task: Mapping[str, Any]) -> tuple[list[Any] | None, int]:
    """The regions of a task's answer, and how many answers there are; the ground truth counts, else the last one."""
    answers = [a for a in required(where, task, "annotations", list) if not a.get("was_cancelled")]
    if not answers:
        return None, 0
    best = max(answers, key=lambda a: (bool(a.get("ground_truth")), str(a.get("updated_at", "")), a.get("id") or 0))
    return required(where, best, "result", list), len(answers)


def _marks(where: str, data: Mapping[str, Any], results: Iterable[Any]) -> list[tuple[str | None, Mark]]:
    """(field, mark) of the regions; of one with two labels, a mark of each."""
    found = []
    notes = {r.get("id"): r["value"]["text"][0] for r in results if r.get("type") == "textarea" and r.get("id")}
    for result in results:
        value = required(where, result, "value", Mapping)
        labels = next((value[k] for k in ("labels", "hypertextlabels") if isinstance(value.get(k), list)), None)
        if labels is None:
            continue  # a choice or a note about the whole text
        start, end = (required(where, value, key, int) for key in ("start", "end"))
        field = result.get("to_name")
        known = field if isinstance(data.get(field), str) else None
        said = _said(value, data[known] if known else "")
        found += [(known, Mark(start, end, str(label), said, notes.get(result.get("id")))) for label in labels]
    return found


def _fields(where: str, data: Mapping[str, Any], results: Iterable[Any]) -> list[str]:
    """The texts of a task: those that regions name, else the one called text, else the only one."""
    named = list(dict.fromkeys(r.get("to_name") for r in results if isinstance(data.get(r.get("to_name")), str)))
    texts = [k for k, v in data.items() if isinstance(v, str) and k not in _BESIDE]
    if named or _ID in data:
        return [k for k in texts if k in named or _ID in data]
    if "text" in texts or len(texts) == 1:
        return ["text" if "text" in texts else texts[0]]
    raise DataError(f"{where}: expected one text in 'data', or regions that name it (to_name), got {short(dict(data))}")


def write(path: Path, documents: Iterable[Document]) -> None:
    tasks = []
    for product, group in groupby(documents, key=lambda d: d.product):
        fields = list(group)
        data: dict[str, Any] = {_ID: product} | {d.field: d.text for d in fields}
        task: dict[str, Any] = {"data": data}
        if all(d.marks is not None for d in fields):
            results = [
                result
                for d in fields
                for n, mark in enumerate(d.marks or ())
                for result in _results(d, mark, f"{d.field}-{n}")
            ]
            task["annotations"] = [{"result": results}]
        else:
            task["annotations"] = []
        tasks.append(task)
    with atomic_write(path) as file:
        file.write(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")


def _results(document: Document, mark: Mark, name: str) -> Iterator[dict[str, Any]]:
    start, end = (in_units(document.text, at, "utf-16") for at in (mark.start, mark.end))
    place = {"start": start, "end": end, "text": mark.text}
    base = {"id": name, "to_name": document.field}
    yield {**base, "from_name": _MADE_BY, "type": "labels", "value": {**place, "labels": [mark.label]}}
    if mark.value is not None:
        yield {**base, "from_name": _VALUE, "type": "textarea", "value": {**place, "text": [mark.value]}}


FORMAT = Format("Label Studio", read, write, ("utf-16", "characters", "utf-16+lf", "characters+lf"), (".json",))
