"""JSON and JSON lines as objects whose members have places, so that a member is replaced and all else kept.

Numbers keep their spelling, texts their escapes, objects their order, space and keys that come twice. A column is the
keys and places in lists that lead to a cell: ``("Color",)``, ``("attributes", "Color")``, ``("options", 2, "value")``.
What is written to the place behind a list's last one becomes one more of its items.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import IO, Any, NamedTuple

from attrex.errors import DataError, kind_of, short
from attrex.io.bounded import MAX_PARTS, MAX_ROW, MAX_WHOLE, check_parts, too_long
from attrex.io.cell_edits import Change, Column, Edits, Source
from attrex.io.packed import open_binary, rewritten
from attrex.io.rows import HALF_CHARACTER, parse_json
from attrex.shop.cells import Occupied

OVER_LINES = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[|\{(?:[^\n]*[^}\s])?[ \t\r]*\n)")
"""How a list begins, and an object over several lines: its first line ends in none of its own."""
ABSENT, IN_NULL, IN_NOTHING = "<absent>", "<in null>", "<in nothing>"
"""What :meth:`JsonRow.source` says of a cell that is not there: its object is, it is null, it is not there, too."""
_CHUNK = 2**20
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder()


class Member(NamedTuple):
    """Where a member of an object is: its key begins at ``key``, its value is ``start`` to ``end``.

    Of an item of a list, which has no key, ``key`` is where its value begins.
    """

    key: int
    start: int
    end: int


class Style(NamedTuple):
    """What stands between members, and between key and value."""

    comma: str = ", "
    colon: str = ": "


@dataclass(slots=True)
class JsonRow:
    """An object in a text."""

    text: str
    start: int
    end: int
    number: int  #: its line, or its place in the list, from 1
    index: int
    values: Mapping[str, Any]
    error: str = ""

    def content(self, column: Column) -> Any:
        found: Any = self.values
        for key in column if isinstance(column, tuple) else ():
            if isinstance(key, int):
                found = found[key] if isinstance(found, list) and 0 <= key < len(found) else None
            else:
                found = found.get(key) if isinstance(found, Mapping) else None
        return Occupied() if isinstance(found, float) and math.isnan(found) else found  # it is spelt out

    def source(self, column: Column) -> str:
        """The value as it is spelt, or :data:`ABSENT`, :data:`IN_NULL`, :data:`IN_NOTHING`."""
        assert isinstance(column, tuple)
        start = self.start
        for place, key in enumerate(column):
            if self.text.startswith("null", start):
                return IN_NULL
            member = _members(self.text, start).get(key)
            if member is None:
                return ABSENT if place == len(column) - 1 else IN_NOTHING
            start = member.start
        return self.text[start : member.end]  # type: ignore[union-attr]


@dataclass
class JsonFile:
    """A file of objects, one a line or in one list (:class:`~attrex.io.cell_edits.EditableFile`)."""

    path: Path

    @cached_property
    def _survey(self) -> tuple[dict[Column, str], set[Column]]:
        """All columns and their names, and those of them that hold lists."""
        columns: dict[Column, str] = {}
        lists: set[Column] = set()
        for row in self.rows():
            for path, value in _paths(row.values):
                columns.setdefault(path, path[-1])
                if isinstance(value, list):
                    lists.add(path)
        return columns, lists

    @property
    def columns(self) -> Mapping[Column, str]:
        return self._survey[0]

    def holds_lists(self, column: Column) -> bool:
        """Whether any cell of the column is a list; of a column without cells, any beside it."""
        columns, lists = self._survey
        if column in lists or column in columns:
            return column in lists
        return any(isinstance(other, tuple) and other[:-1] == column[:-1] for other in lists)  # type: ignore[index]

    def can_hold(self, column: Column, value: str) -> bool:
        return True

    def new_column(self, name: str, place: int) -> Column:
        return (name,)

    def rows(self) -> Iterator[JsonRow]:
        return (piece for piece in self._pieces() if isinstance(piece, JsonRow))

    def _pieces(self) -> Iterator[JsonRow | str]:
        """The whole text in pieces, those that are rows as such; a row that is no object has an error."""
        with open_binary(self.path) as file:
            lines: IO[bytes] = file
            if OVER_LINES.match(file.peek(1)):
                content = file.read(MAX_WHOLE + 1)
                if len(content) > MAX_WHOLE:
                    raise DataError(
                        f"{self.path}: expected a list of at most {MAX_WHOLE:,} bytes, got more; write an object a "
                        "line (JSONL)"
                    )
                text = content.decode("utf-8", "surrogateescape")
                if (places := _item_places(text)) is not None:
                    yield from _in_list(text, places)
                    return
                lines = io.BytesIO(content)
            index = 0
            for number in count(1):
                line = lines.readline(MAX_ROW + 1)
                if not line:
                    return
                if len(line) > MAX_ROW:  # a marked row; it is copied
                    yield JsonRow("", 0, 0, number, index, {}, too_long("more"))
                    index += 1
                    while line:
                        yield line.decode("utf-8", "surrogateescape")
                        line = b"" if line.endswith(b"\n") else lines.readline(_CHUNK)
                    continue
                text = line.decode("utf-8", "surrogateescape")
                inner = text.strip(" \t\r\n\ufeff")
                if not line.strip():
                    yield text
                    continue
                start = text.index(inner)
                yield text[:start]
                yield _row(text, start, start + len(inner), number, index)
                yield text[start + len(inner) :]
                index += 1

    def write(self, out: Path, change: Change, new: Sequence[str] = (), drop: Sequence[Column] = ()) -> None:
        """As :meth:`EditableFile.write`."""
        with rewritten(out) as file:
            for piece in self._pieces():
                if isinstance(piece, str):
                    file.write(piece.encode("utf-8", "surrogateescape"))
                    continue
                edits = {} if piece.error else change(piece)
                text = piece.text[piece.start : piece.end]
                file.write((_changed(text, edits, Style()) if edits else text).encode("utf-8", "surrogateescape"))


def _row(text: str, start: int, end: int, number: int, index: int) -> JsonRow:
    try:
        if end - start > MAX_PARTS:
            check_parts(text[start:end].encode("utf-8", "surrogateescape"))
        values = parse_json(text[start:end])
    except (ValueError, RecursionError, DataError) as exc:
        return JsonRow(text, start, end, number, index, {}, f"expected one JSON object ({exc})")
    if not isinstance(values, Mapping):
        return JsonRow(text, start, end, number, index, {}, f"expected an object, got {kind_of(values)}")
    if HALF_CHARACTER.search(text, start, end):
        return JsonRow(text, start, end, number, index, {}, "expected UTF-8 text, got other bytes")
    return JsonRow(text, start, end, number, index, values)


def _in_list(text: str, places: Sequence[tuple[int, int]]) -> Iterator[JsonRow | str]:
    done = 0
    for index, (start, end) in enumerate(places):
        yield text[done:start]
        yield _row(text, start, end, index + 1, index)
        done = end
    yield text[done:]


def _item_places(text: str) -> list[tuple[int, int]] | None:
    """Where the items of a list are, or the one object that the text is; None: it is neither."""
    start = _past_space(text, 1 if text[:1] == "\ufeff" else 0)
    try:
        value, end = _DECODER.raw_decode(text, start)
        if _past_space(text, end) != len(text):
            return None
        if not isinstance(value, list):
            return [(start, end)]
        del value
        places, at = [], _past_space(text, start + 1)
        while text[at] != "]":
            _, end = _DECODER.raw_decode(text, at)
            places.append((at, end))
            at = _past_space(text, end)
            at = _past_space(text, at + 1) if text[at] == "," else at
    except (ValueError, RecursionError):
        return None
    return places


def _past_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def _paths(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        yield (key,), value
        if isinstance(value, Mapping):
            yield from (((key, inner), content) for inner, content in value.items())


def _members(text: str, start: int) -> dict[str | int, Member]:
    """Where the members of the object, or the items of the list, at ``start`` are; of a key that comes twice, the last.

    They are in the text's order.
    """
    members: dict[str | int, Member] = {}
    at = _past_space(text, start + 1)
    if text[start] == "[":
        while text[at] != "]":
            _, stop = _DECODER.raw_decode(text, at)
            members[len(members)] = Member(at, at, stop)
            at = _past_space(text, stop)
            at = _past_space(text, at + 1) if text[at] == "," else at
        return members
    while text[start] == "{" and text[at] == '"':
        key, end = scanstring(text, at + 1, False)
        value = _past_space(text, _past_space(text, end) + 1)
        _, stop = _DECODER.raw_decode(text, value)
        members.pop(key, None)
        members[key] = Member(at, value, stop)
        at = _past_space(text, stop)
        if text[at] == ",":
            at = _past_space(text, at + 1)
    return members


def _changed(text: str, edits: Edits, style: Style) -> str:
    """The object or list with its edits. ``style``: how members are set apart where there are none that say it."""
    members = _members(text, 0)
    style = _style(text, members, style)
    ascii_only = text.isascii() and "\\u" in text
    inner: dict[str | int, dict[Column, Any]] = {}
    put: dict[str | int, str] = {}  # key -> the value's new text
    gone: list[str | int] = []
    for column, value in edits.items():
        assert isinstance(column, tuple)
        key, *rest = column
        if rest:
            inner.setdefault(key, {})[tuple(rest)] = value
        elif not isinstance(value, Source):
            plain = value if isinstance(value, str | Mapping) else list(value)
            put[key] = json.dumps(plain, ensure_ascii=ascii_only, separators=(_one_line(style.comma), style.colon))
        elif value.text in (ABSENT, IN_NULL, IN_NOTHING):
            gone.append(key)
        else:
            put[key] = value.text
    for key, changes in inner.items():
        old = text[members[key].start : members[key].end] if key in members else ""
        whole = "[]" if all(isinstance(c, tuple) and isinstance(c[0], int) for c in changes) else "{}"
        if old not in ("", "null") and old[0] != whole[0]:
            raise DataError(f"{key!r}: expected {'a list' if whole == '[]' else 'an object'}, got {short(old)}")
        changed = _changed(old if old[:1] == whole[0] else whole, changes, style._replace(comma=_one_line(style.comma)))
        sources = {change.text for change in changes.values() if isinstance(change, Source)}
        if IN_NOTHING in sources and not _members(changed, 0):
            gone.append(key)
        else:
            put[key] = "null" if IN_NULL in sources and not _members(changed, 0) else changed
    added = [key for key in put if key not in members]
    pieces, done = list[str](), 0
    for key, member in members.items():
        if key in put:
            pieces += [text[done : member.start], put[key]]
            done = member.end
    text = "".join((*pieces, text[done:]))
    for key in sorted(added, key=lambda k: k if isinstance(k, int) else -1):
        end = max((m.end for m in _members(text, 0).values()), default=1)
        comma = style.comma if end > 1 else ""
        name = "" if isinstance(key, int) else json.dumps(key, ensure_ascii=ascii_only) + style.colon
        text = text[:end] + comma + name + put[key] + text[end:]
    for key in sorted(gone, key=lambda k: -k if isinstance(k, int) else 1):  # from a list's end: places stay
        text = _without(text, key)
    return text


def _one_line(comma: str) -> str:
    return ", " if "\n" in comma else comma


def _style(text: str, members: Mapping[str | int, Member], default: Style) -> Style:
    """How the object, or the list, sets its members apart."""
    places = sorted(members.values())
    if not places:
        return default
    last = places[-1]
    in_list = last.key == last.start
    colon = default.colon if in_list else text[scanstring(text, last.key + 1, False)[1] : last.start]
    before = text[: last.key].rstrip(" \t\r\n")
    space = text[len(before) : last.key]
    if before.endswith(","):
        return Style(f",{space}", colon)
    return Style("," + (space if "\n" in space else " " * (colon[-1:] == " ")), colon)


def _without(text: str, key: str | int) -> str:
    """The object or list without a member, and without the comma and space that went with it."""
    members = _members(text, 0)
    member = members.get(key)
    if member is None:
        return text
    before = text[: member.key].rstrip(" \t\r\n")
    if before.endswith(","):
        return before[:-1] + text[member.end :]
    after = _past_space(text, member.end)
    if text[after] == ",":
        return text[: member.key] + text[_past_space(text, after + 1) :]
    return text[:1] + text[member.end :]
