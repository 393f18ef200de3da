"""JSON objects of annotation files, with their places; what is none, or lacks a key, is an error that says where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrex.errors import DataError, kind_of, short
from attrex.io.files import file_rows


def objects(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, object) of a JSON list or of JSON lines; raises :class:`DataError` for a row that cannot be read."""
    for row in file_rows(path):
        if row.values is None:
            raise DataError(f"{row.where}: {row.error}")
        yield row.where, row.values


def required(where: str, row: Any, key: str, kind: type | tuple[type, ...]) -> Any:
    """What an object has under a key; raises :class:`DataError` where it is missing or of another kind."""
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = kind.__name__ if isinstance(kind, type) else " or ".join(k.__name__ for k in kind)
        got = f"{kind_of(value)} {short(value)}" if value is not None else f"none in {short(row)}"
        raise DataError(f"{where}: expected {key!r} ({wanted}), got {got}; export the file again")
    return value


def named(where: str, row: Mapping[str, Any], *keys: str) -> str:
    """What an object has under the first of some keys that says anything, as text; else its place in the file."""
    return str(next((row[key] for key in keys if row.get(key) is not None), where))


def texts_of(where: str, row: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, str]:
    """(field, text) of the first of some keys that holds text."""
    for key in keys:
        if isinstance(row.get(key), str):
            return key, row[key]
    raise DataError(f"{where}: expected the text in {' or '.join(map(repr, keys))}, got {short(dict(row))}")
