"""Rows of OA-Mine and WDC-PAVE as Attrex's own: what a person found, as spans of the texts.

A row has `id`, texts `title` and perhaps `description`, `category`, perhaps `group`, and `attributes`: name -> the
values as the text says them, none where a person looked and found none. Rows as the authors release them are read, too:
`input` (a title), `category` and `target_scores`: name -> {value: 1}, in which "n/a" is none.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrex.errors import DataError

FIELDS = ("title", "description")
Row = Mapping[str, Any]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file in the first form. Raises :class:`DataError` for a row that is in neither."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        if "target_scores" in row:
            found = {name: [v for v in values if v != "n/a"] for name, values in row["target_scores"].items()}
            row = {"id": f"{path.stem}{number - 1}", "title": row["input"], **row, "attributes": found}
        if not isinstance(row.get("attributes"), dict) or "title" not in row or "id" not in row:
            raise DataError(
                f"{path}, line {number}: expected a row with id, title and attributes, or with input and "
                f"target_scores, got the keys {sorted(row)}; see docs/results/outside.md for the files"
            )
        rows.append(row)
    return rows


def labelled(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The rows with a span wherever a text says one of their values.

    Where a set names only attributes that have a value, a person has read the whole text, and what is not named is not
    there: its rows are `complete`.
    """
    complete = all(values for row in rows for values in row["attributes"].values())
    for row in rows:
        kept = {key: row[key] for key in ("id", *FIELDS, "category", "group", "attributes") if row.get(key)}
        texts = {field: row[field] for field in FIELDS if row.get(field)}
        spans = [
            {"attribute": name, "field": field, "start": start, "end": end, "text": texts[field][start:end]}
            for name, values in row["attributes"].items()
            for field, start, end in places(texts, values)
        ]
        yield {**kept, "spans": sorted(spans, key=lambda s: (s["field"] != "title", s["start"])), "complete": complete}


def places(texts: Mapping[str, str], values: Iterable[str]) -> list[tuple[str, int, int]]:
    """Where texts say any of the values: field, start and end. Of those that overlap the longest.

    Inside a longer word only where none of the texts has the value by itself: "Hard DriveIn stock".
    """
    found: list[tuple[str, int, int]] = []
    for value in sorted({v.strip() for v in values if v.strip()}, key=len, reverse=True):
        pattern = re.compile(f"(?={re.escape(value)})")
        every = [(f, m.start(), m.start() + len(value)) for f, text in texts.items() for m in pattern.finditer(text)]
        whole = [(field, start, end) for field, start, end in every if not _cuts(texts[field], start, end)]
        for field, start, end in whole or every:
            if all(field != other or start >= last or end <= first for other, first, last in found):
                found.append((field, start, end))
    return found


def _cuts(text: str, start: int, end: int) -> bool:
    """Whether a value ends inside a word."""
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    return before or (end < len(text) and text[end].isalnum() and text[end - 1].isalnum())


def asked(rows: Iterable[Row]) -> dict[str, set[str]]:
    """Category -> the attributes that products of it are asked for: those that training rows name."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        names[row["category"]] |= set(row["attributes"])
    return dict(names)
