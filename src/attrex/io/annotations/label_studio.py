"""Label Studio's JSON: a list of tasks, each with its data and the regions that people have drawn.

Stands on Label Studio's documentation (labelstud.io/guide/task_format, /guide/export): ``data``,
``annotations[].result[].value`` with ``start``, ``end`` (exclusive), ``text`` and ``labels``. Offsets are those of the
page's JavaScript: UTF-16 units. An annotation with ``was_cancelled`` was skipped; a task without annotations was not
looked at. JSON-MIN (``label`` beside the data) is read, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short
from attrex.io.annotations.documents import Document, Format, Mark
from attrex.io.annotations.json_lines import objects, required
from attrex.io.annotations.spans import in_units
from attrex.io.atomic import atomic_write

_ID, _MADE_BY = "product", "labels"


def read(path: Path) -> Iterator[Document]:
    for where, task in objects(path):
        if isinstance(task.get("data"), Mapping):
            data, (results, warning) = task["data"], _answer(where, task)
        else:  # JSON-MIN
            data, warning = task, ""
            results = [{"value": value} for value in task["label"]] if "label" in task else None
        product = str(data.get(_ID, task.get("id", where)))
        marks = None if results is None else _marks(where, data, results)
        texts = data["texts"] if isinstance(data.get("texts"), Mapping) else data
        complete = data.get("complete") if isinstance(data.get("complete"), bool) else None
        for field in _fields(where, texts, results or []):
            own = None if marks is None else tuple(mark for name, mark in marks if name in (field, None))
            yield Document(where, product, field, texts[field], own, complete, (warning,) if warning else ())


def _answer(where: str, task: Mapping[str, Any]) -> tuple[list[Any] | None, str]:
    """The regions of a task's answer; of several answers the ground truth, else the last one."""
    answers = [a for a in required(where, task, "annotations", list) if not a.get("was_cancelled")]
    if not answers:
        return None, ""
    best = max(answers, key=lambda a: (bool(a.get("ground_truth")), str(a.get("updated_at", "")), a.get("id") or 0))
    warning = f"{len(answers)} people have annotated this text; the last answer is read" if len(answers) > 1 else ""
    return required(where, best, "result", list), warning


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
        text = value.get("text") if isinstance(value.get("text"), str) else None
        field = result.get("to_name")
        known = field if isinstance(data.get(field), str) else None
        found += [(known, Mark(start, end, str(label), text, notes.get(result.get("id")))) for label in labels]
    return found


def _fields(where: str, data: Mapping[str, Any], results: Iterable[Any]) -> list[str]:
    """The texts of a task: those that regions name, else the one called text, else the only one."""
    named = list(dict.fromkeys(r.get("to_name") for r in results if isinstance(data.get(r.get("to_name")), str)))
    texts = [k for k, v in data.items() if isinstance(v, str) and k not in (_ID, "id", "image")]
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
        yield {**base, "from_name": "value", "type": "textarea", "value": {**place, "text": [mark.value]}}


FORMAT = Format("Label Studio", read, write, ("utf-16", "characters", "utf-16+lf", "characters+lf"), (".json",))
