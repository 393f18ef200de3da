"""XLSX files as rows of cells whose places in the sheet's XML are known, so that a cell is replaced and all else kept.

Only the sheet's part of the zip is written anew; every other part is copied. Nothing that writes XLSX from a model of
it keeps the rest: openpyxl 3.1.5 drops text boxes, pictures in cells and x14 lists, and the results of formulas.
Office Open XML: ECMA-376 part 1, 18.3 (worksheets), 18.4.8 (shared strings), 22.9.2.19 (``_x000D_``).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from math import isfinite
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import escape

from attrex.errors import DataError
from attrex.io.atomic import atomic_path
from attrex.io.bounded import MAX_ROW, MAX_TAG, MAX_WHOLE
from attrex.io.cell_edits import Change, Column, Edits, Source
from attrex.io.csv_cells import rows_above_header
from attrex.io.number_formats import BUILT_IN, number_shown, plain_number, text_shown
from attrex.shop.cells import Occupied

LONGEST_TEXT = 32_767
"""Characters that a cell can hold (Excel's specifications and limits)."""
MOST_COLUMNS = 16_384
"""Of a sheet (as above)."""
MOST_MERGED = 1_000_000
MOST_TEXTS = 100_000_000
"""Shared strings; they take at most 8 times :data:`MAX_WHOLE` bytes."""
_CHUNK = 2**16
_HEAD = 30  # rows by which the header is known
_ESCAPE = re.compile(r"((?:_x[0-9A-Fa-f]{4}_)+)")
_NO_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
_ADDRESS = re.compile(r"([A-Z]{1,3})(\d+)")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*["\']([A-Z]+\d+):([A-Z]+\d+)["\']')
_DIMENSION = re.compile(rb'(<(?:\w+:)?dimension\s[^>]*?ref\s*=\s*["\'])([A-Z]+\d+)(?::([A-Z]+)(\d+))?(["\'])')
_SPANS = re.compile(rb'\sspans\s*=\s*["\'](\d+):(\d+)["\']')
_NO_CELL = re.compile(r"<no cell(?: spans=(\d+:\d+))?>")


class _Unreadable(Exception):
    """Why a part of the file is no Office Open XML."""


_DAMAGED = (_Unreadable, zipfile.BadZipFile, zlib.error, EOFError, expat.ExpatError, ElementTree.ParseError)


class SheetCell(NamedTuple):
    """A cell's element: its bytes are ``raw[start:end]`` of the row's."""

    start: int
    end: int
    text: str | None


@dataclass(slots=True)
class SheetRow:
    """A row's element as it is in the sheet, and its cells by column."""

    raw: bytes
    number: int
    cells: dict[int, SheetCell]
    index: int = -1  #: among the rows below the header that are not blank, from 0
    error: str = ""

    @property
    def texts(self) -> list[str]:
        return [self.cells[c].text or "" if c in self.cells else "" for c in range(max(self.cells, default=-1) + 1)]

    @property
    def is_blank(self) -> bool:
        return not any(cell.text and cell.text.strip() for cell in self.cells.values())

    def content(self, column: Column) -> str | None:
        cell = self.cells.get(column) if isinstance(column, int) else None
        return cell.text if cell else None

    def source(self, column: Column) -> str:
        """The cell's element; for one that is not there ``<no cell>``, with the row's ``spans`` where it has them."""
        if isinstance(column, int) and (cell := self.cells.get(column)) and cell.end:
            return self.raw[cell.start : cell.end].decode()
        spans = _SPANS.search(self.raw, 0, self.raw.index(b">") + 1)
        return f"<no cell spans={spans[1].decode()}:{spans[2].decode()}>" if spans else "<no cell>"


@dataclass
class SheetFile:
    """The first sheet of an XLSX file that is shown and holds anything
    (:class:`~attrex.io.cell_edits.EditableFile`)."""

    path: Path

    @contextmanager
    def _zip(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as file:
                yield file
        except _DAMAGED as exc:
            raise DataError(
                f"{self.path}: expected an XLSX file, got one that cannot be read ({exc}); open it in a spreadsheet "
                "program, and save it as .xlsx (without a password)"
            ) from exc

    @cached_property
    def sheet(self) -> str:
        """The sheet's part in the zip."""
        with self._zip() as file:
            shown = list(_sheets(file))
            for part in shown:
                with _open(file, part) as xml:
                    if any(row for kind, row in _pieces(xml, _Texts()) if kind == "row" and not row.is_blank):
                        return part
        if not shown:
            raise DataError(f"{self.path}: expected a sheet that is shown, got none; show the one with the products")
        return shown[0]

    @cached_property
    def _texts(self) -> _Texts:
        with self._zip() as file:
            return _Texts.of(file)

    @cached_property
    def _merged(self) -> list[tuple[int, int, int, int]]:
        """(first row, last row, first column, last column) of merged cells, in the rows' order."""
        found, tail = set(), b""
        with self._zip() as file, _open(file, self.sheet) as xml:
            while chunk := xml.read(_CHUNK):
                for match in _MERGED.finditer(tail + chunk):
                    (left, top), (right, bottom) = (_place(ref.decode()) for ref in match.groups())
                    found.add((top, bottom, left, right))
                if len(found) > MOST_MERGED:
                    raise _Unreadable(f"it has more than {MOST_MERGED:,} merged cells")
                tail = (tail + chunk)[-200:]
        return sorted(found)

    @cached_property
    def _header(self) -> tuple[int, list[str]]:
        """Number of the header's row, and the names in it."""
        head = [row for _, row in islice(self._rows_and_rest(), 4 * _HEAD) if isinstance(row, SheetRow)]
        above = rows_above_header([row.texts for row in head])
        if above >= len(head):
            return 0, []
        names = head[above].texts
        while names and not names[-1].strip():
            names.pop()
        return head[above].number, names

    @cached_property
    def _width(self) -> int:
        """Columns up to the last one that holds anything in any row."""
        width = len(self._header[1])
        for _, row in self._rows_and_rest():
            if isinstance(row, SheetRow):
                width = max(width, *(c + 1 for c, cell in row.cells.items() if _holds_anything(cell)), 0)
        return width

    @property
    def columns(self) -> Mapping[Column, str]:
        return dict(enumerate(self._header[1]))

    def _rows_and_rest(self) -> Iterator[tuple[str, SheetRow | bytes]]:
        """The sheet's XML in pieces: rows, and what is between them as bytes."""
        with self._zip() as file, _open(file, self.sheet) as xml:
            yield from _covered(_pieces(xml, self._texts), self._merged)

    def _pieces(self) -> Iterator[tuple[str, SheetRow | bytes]]:
        """As :meth:`_rows_and_rest`; a row is the ``header``, ``above`` it, ``blank`` or a ``row``."""
        header, index = self._header[0], 0
        for kind, row in self._rows_and_rest():
            if not isinstance(row, SheetRow):
                yield kind, row
            elif row.number <= header:
                yield "header" if row.number == header else "above", row
            elif row.is_blank:
                yield "blank", row
            else:
                row.index, index = index, index + 1
                yield "row", row

    def rows(self) -> Iterator[SheetRow]:
        return (row for kind, row in self._pieces() if kind == "row" and isinstance(row, SheetRow))

    def can_hold(self, column: Column, value: str) -> bool:
        return len(value) <= LONGEST_TEXT

    def holds_lists(self, column: Column) -> bool:
        return False

    def new_column(self, name: str, place: int) -> int:
        return self._width + place

    def write(self, out: Path, change: Change, new: Sequence[str] = (), drop: Sequence[Column] = ()) -> None:
        """As :meth:`EditableFile.write`; a new column's name looks as the one before it."""
        columns: dict[Column, str] = {self.new_column(name, place): name for place, name in enumerate(new)}
        look = self._look_of_header() if new else ""
        gone = sorted(c for c in drop if isinstance(c, int))

        def sheet() -> Iterator[bytes]:
            for kind, row in self._pieces():
                if not isinstance(row, SheetRow):
                    yield _resized(row, self._width - 1 + len(new) if new else -1, gone) if kind == "before" else row
                    continue
                edits: dict[Column, Any] = {}
                edits |= {c: Source("<no cell>") for c in gone if c in row.cells}
                if kind == "row":
                    edits |= dict(change(row))
                elif kind == "header":
                    edits |= dict(columns)
                if edits:
                    yield _changed(row, edits, self._texts, look if kind == "header" else "", gone)
                else:
                    yield row.raw

        self._copy(out, sheet())

    def _look_of_header(self) -> str:
        for kind, row in self._pieces():
            if kind == "header" and isinstance(row, SheetRow) and row.cells:
                cell = row.cells[max(row.cells)]
                style = re.match(rb'<[^>]*?\ss="(\d+)"', row.raw[cell.start : cell.end])
                return style[1].decode() if style else ""
        return ""

    def _copy(self, out: Path, sheet: Iterator[bytes]) -> None:
        """The zip with the sheet in place of its own, and all other parts as they are."""
        own = self.sheet
        with self._zip() as file, atomic_path(out) as part, zipfile.ZipFile(part, "w") as target:
            target.comment = file.comment
            for info in file.infolist():
                copy = zipfile.ZipInfo(info.filename, info.date_time)
                copy.compress_type, copy.external_attr = info.compress_type, info.external_attr
                copy.create_system, copy.comment, copy.extra = info.create_system, info.comment, b""
                large = info.file_size > 2**30
                with _open(file, info.filename) as source, target.open(copy, "w", force_zip64=large) as to:
                    if info.filename == own:
                        for piece in sheet:
                            to.write(piece)
                    else:
                        while chunk := source.read(2**20):
                            to.write(chunk)


def _holds_anything(cell: SheetCell) -> bool:
    return bool(cell.text) or isinstance(cell.text, Occupied)


class _Texts:
    """Shared strings, in a temporary file: there may be as many as rows. And what is shown of a cell in a style."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._ends = array("Q", [0])
        self.formats: Sequence[str] = ()  #: of the styles; "" for one that shows what is there
        self.since = datetime(1899, 12, 30, tzinfo=UTC)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            return ""
        assert self._file is not None
        self._file.seek(self._ends[index])
        return self._file.read(self._ends[index + 1] - self._ends[index]).decode("utf-8", "surrogatepass")

    def _add(self, text: str) -> None:
        if self._file is None:
            self._file = TemporaryFile()  # noqa: SIM115
        self._ends.append(self._ends[-1] + self._file.write(text.encode("utf-8", "surrogatepass")))
        if len(self._ends) > MOST_TEXTS or self._ends[-1] > 8 * MAX_WHOLE:
            raise _Unreadable("its shared strings are more than a workbook can show")

    @classmethod
    def of(cls, file: zipfile.ZipFile) -> _Texts:
        texts = cls()
        book = _xml(file, _workbook(file))
        if any(_local(e.tag) == "workbookPr" and e.get("date1904") in ("1", "true") for e in book):
            texts.since = datetime(1904, 1, 1, tzinfo=UTC)
        parts = _related(file, _workbook(file))
        if styles := next((p for kind, _, p in parts if kind == "styles" and p in file.namelist()), ""):
            texts.formats = list(_formats(_xml(file, styles)))
        if strings := next((p for kind, _, p in parts if kind == "sharedStrings" and p in file.namelist()), ""):
            with _open(file, strings) as xml:
                _shared_strings(xml, texts._add)
        return texts

    def number(self, text: str, style: int) -> str:
        """What is shown of a number."""
        try:
            value = float(text)
        except ValueError:
            return text
        if not isfinite(value):
            return text
        code = self.format(style)
        return self._hidden(number_shown(value, code, self.since)) if code else plain_number(value)

    def text(self, text: str, style: int) -> str:
        """What is shown of a text."""
        code = self.format(style)
        return self._hidden(text_shown(text, code)) if code and text else text

    def format(self, style: int) -> str:
        return self.formats[style] if 0 <= style < len(self.formats) else ""

    @staticmethod
    def _hidden(shown: str) -> str:
        return shown or Occupied("")  # a format such as `;;;` shows nothing of what is there


def _sheets(file: zipfile.ZipFile) -> Iterator[str]:
    """The parts of the worksheets that are shown, in the workbook's order."""
    book = _workbook(file)
    parts = {name: (kind, part) for kind, name, part in _related(file, book)}
    for element in _xml(file, book).iter():
        if _local(element.tag) == "sheet" and element.get("state", "visible") == "visible":
            name = next((v for k, v in element.attrib.items() if k.endswith("}id")), "")
            kind, part = parts.get(name, ("", ""))
            if kind == "worksheet":
                yield part


def _workbook(file: zipfile.ZipFile) -> str:
    return next((part for kind, _, part in _related(file, "") if kind == "officeDocument"), "xl/workbook.xml")


def _related(file: zipfile.ZipFile, part: str) -> list[tuple[str, str, str]]:
    """(kind, name, part) of what a part refers to."""
    path = PurePosixPath(part)
    listed = str(path.parent / "_rels" / f"{path.name}.rels") if part else "_rels/.rels"
    found = []
    for element in _xml(file, listed):
        target = element.get("Target", "")
        whole = PurePosixPath(target.lstrip("/")) if target.startswith("/") else path.parent / target
        steps: list[str] = []
        for step in whole.parts:
            steps = steps[:-1] if step == ".." else [*steps, step]
        found.append((element.get("Type", "").rsplit("/", 1)[-1], element.get("Id", ""), "/".join(steps)))
    return found


def _open(file: zipfile.ZipFile, part: str) -> IO[bytes]:
    try:
        return file.open(part)
    except (KeyError, RuntimeError, NotImplementedError) as exc:  # lacking, encrypted, packed in an unknown way
        raise _Unreadable(str(exc)) from exc


def _xml(file: zipfile.ZipFile, part: str) -> ElementTree.Element:
    with _open(file, part) as source:
        content = source.read(MAX_ROW + 1)
    if len(content) > MAX_ROW:
        raise _Unreadable(f"{part} is longer than {MAX_ROW:,} bytes")
    if b"<!DOCTYPE" in content:
        raise _Unreadable(f"{part} declares entities")
    return ElementTree.fromstring(content)


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _formats(styles: ElementTree.Element) -> Iterator[str]:
    """The number formats of the cell formats, in their order."""
    own = {e.get("numFmtId"): e.get("formatCode", "") for e in styles.iter() if _local(e.tag) == "numFmt"}
    built_in = {str(number): code for number, code in BUILT_IN.items()}
    for formats in (e for e in styles if _local(e.tag) == "cellXfs"):
        for element in formats:
            number = element.get("numFmtId", "0")
            code = own.get(number, built_in.get(number, ""))
            yield "" if code.lower() == "general" else code


def _parser() -> Any:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*declared: Any) -> None:
        raise _Unreadable("its XML declares entities")

    def encoded(version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "us-ascii", "ascii"):
            raise _Unreadable(f"its XML is written in {encoding}")

    parser.StartDoctypeDeclHandler, parser.XmlDeclHandler = refuse, encoded
    return parser


def _shared_strings(xml: IO[bytes], add: Callable[[str], None]) -> None:
    parser, parts, state = _parser(), list[str](), {"t": False, "phonetic": 0, "length": 0}

    def start(name: str, attributes: Mapping[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "si":
                parts.clear()
                state["length"] = 0
            case "rPh":
                state["phonetic"] += 1
            case "t":
                state["t"] = not state["phonetic"]

    def end(name: str) -> None:
        match name.rpartition(":")[2]:
            case "si":
                add(unescaped("".join(parts)))
            case "rPh":
                state["phonetic"] -= 1
            case "t":
                state["t"] = False

    def data(text: str) -> None:
        if state["t"]:
            state["length"] += len(text)
            if state["length"] > MAX_ROW:
                raise _Unreadable(f"a text in it is longer than {MAX_ROW:,} characters")
            parts.append(text)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    read = 0
    while chunk := xml.read(_CHUNK):
        parser.Parse(chunk)
        read += len(chunk)
        _check_tag(read, parser)
    parser.Parse(b"", True)


def _check_tag(read: int, parser: Any) -> None:
    """Raise where the parser is still at the beginning of a tag, after so many bytes of the file."""
    if 0 <= parser.CurrentByteIndex < read - MAX_TAG - _CHUNK:
        raise _Unreadable(f"a tag in it is longer than {MAX_TAG:,} bytes")


class _SheetParser:
    """A sheet's rows while its bytes are fed: expat tells where each element is, in bytes."""

    def __init__(self, texts: _Texts) -> None:
        self._parser, self._texts = _parser(), texts
        self._read = 0
        self._bytes, self._base = bytearray(), 0  # what is not handed out yet, and where it begins
        self._found: list[tuple[str, SheetRow | bytes]] = []
        self._row: tuple[int, int, dict[int, SheetCell]] | None = None  # start, number, cells
        self._cell: tuple[int, int, Mapping[str, str]] | None = None  # start, column, attributes
        self._inside, self._said = "", dict[str, list[str]]()
        self._phonetic, self._last, self._column, self._empty = 0, 0, -1, False
        self._kind = "before"
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data

    def feed(self, chunk: bytes) -> list[tuple[str, SheetRow | bytes]]:
        self._bytes += chunk
        if len(self._bytes) > MAX_ROW + _CHUNK:
            raise _Unreadable(f"a row of it, or what is between rows, is longer than {MAX_ROW:,} bytes")
        try:
            self._parser.Parse(chunk, not chunk)
        except ValueError as exc:  # a number that is none, in r or s
            raise _Unreadable(str(exc)) from exc
        self._read += len(chunk)
        _check_tag(self._read, self._parser)
        if not chunk:
            self._found.append((self._kind, bytes(self._bytes)))
        found, self._found = self._found, []
        return found

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        at, self._empty = self._parser.CurrentByteIndex, True
        match name.rpartition(":")[2]:
            case "row" if self._row is None:
                self._last = int(attributes.get("r") or self._last + 1)
                self._row, self._column = (at, self._last, {}), -1
            case "c" if self._row is not None and self._cell is None:
                place = attributes.get("r", "")
                self._column = column = _place(place)[0] if place else self._column + 1
                if column >= MOST_COLUMNS:
                    raise _Unreadable(f"a row of it has more than {MOST_COLUMNS:,} columns")
                self._cell, self._said = (at, column, attributes), {}
            case "rPh":
                self._phonetic += 1
            case "v" | "t" | "f" as inside if self._cell is not None and not self._phonetic:
                self._inside = inside
                self._said.setdefault(inside, [])

    def _data(self, text: str) -> None:
        self._empty = False
        if self._inside:
            self._said[self._inside].append(text)

    def _end(self, name: str) -> None:
        at, empty, self._empty = self._parser.CurrentByteIndex, self._empty, False
        match name.rpartition(":")[2]:
            case "c" if self._cell is not None and self._row is not None:
                start, column, attributes = self._cell
                row_start, _, cells = self._row
                end = self._element_end(start, at, empty)
                cells[column] = SheetCell(start - row_start, end - row_start, self._text(attributes))
                self._cell = None
            case "row" if self._row is not None and self._cell is None:
                start, number, cells = self._row
                end = self._element_end(start, at, empty)
                if before := bytes(self._bytes[: start - self._base]):
                    self._found.append((self._kind, before))
                raw = bytes(self._bytes[start - self._base : end - self._base])
                self._found.append(("row", SheetRow(raw, number, cells)))
                del self._bytes[: end - self._base]
                self._base, self._row, self._kind = end, None, "rest"
            case "rPh":
                self._phonetic -= 1
            case "v" | "t" | "f":
                self._inside = ""

    def _element_end(self, start: int, at: int, empty: bool) -> int:
        """Where an element ends: expat is at its end tag, or behind a tag that is empty by itself."""
        start, at = start - self._base, at - self._base
        if empty and self._bytes[at - 2 : at] == b"/>" and self._bytes.find(b">", start) <= at - 1:
            return at + self._base
        return self._bytes.index(b">", at) + 1 + self._base

    def _text(self, attributes: Mapping[str, str]) -> str | None:
        said = {inside: "".join(parts) for inside, parts in self._said.items()}
        value, kind, style = said.get("v"), attributes.get("t", "n"), int(attributes.get("s") or 0)
        match kind:
            case "s":
                text = self._texts.text(self._texts[int(value)] if value and value.isdigit() else "", style)
            case "inlineStr":
                text = self._texts.text(unescaped(said.get("t", "")), style)
            case "str":
                text = self._texts.text(unescaped(value or ""), style)
            case "b":
                text = {"1": "TRUE", "0": "FALSE"}.get(value or "", value or "")
            case "n" if value:
                text = self._texts.number(value, style)
            case _:
                text = value or ""
        return Occupied("") if not text and ("f" in said or isinstance(text, Occupied)) else text


def _pieces(xml: IO[bytes], texts: _Texts) -> Iterator[tuple[str, Any]]:
    """A sheet's XML: ``row`` and the row, ``before`` the first and the ``rest`` as bytes."""
    parser = _SheetParser(texts)
    while chunk := xml.read(_CHUNK):
        yield from parser.feed(chunk)
    yield from parser.feed(b"")


def _covered(
    pieces: Iterator[tuple[str, Any]], merged: Sequence[tuple[int, int, int, int]]
) -> Iterator[tuple[str, SheetRow | bytes]]:
    """The same; cells that a merged one covers are occupied, for nobody would see what is written there."""
    to_come, active = list(reversed(merged)), list[tuple[int, int, int, int]]()
    for kind, row in pieces:
        if isinstance(row, SheetRow) and merged:
            while to_come and to_come[-1][0] <= row.number:
                active.append(to_come.pop())
            active = [area for area in active if area[1] >= row.number]
            for top, _, left, right in active:
                for column in range(left + (row.number == top), min(right, 16_383) + 1):
                    cell = row.cells.get(column, SheetCell(0, 0, None))
                    if not cell.text:
                        row.cells[column] = cell._replace(text=Occupied(""))
        yield kind, row


def _place(address: str) -> tuple[int, int]:
    """Column from 0 and row from 1 of ``B2``."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise _Unreadable(f"a cell is at {address!r}")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1, int(found[2])


def letters(column: int) -> str:
    """The name of a column, which counts from 0."""
    column, name = column + 1, ""
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def unescaped(text: str) -> str:
    """A text whose characters may be written as ``_x000D_``."""
    if "_x" not in text:
        return text

    def decoded(match: re.Match[str]) -> str:
        units = b"".join(int(unit[2:6], 16).to_bytes(2, "little") for unit in re.findall("_x[^_]{4}_", match[0]))
        return units.decode("utf-16-le", "surrogatepass")

    return _ESCAPE.sub(decoded, text)


def escaped(text: str) -> str:
    """The inverse: what XML or a reader would take for something else is written as ``_x000D_``."""
    text = _ESCAPE.sub(lambda m: m[0].replace("_x", "_x005F_x"), text)
    return escape(_NO_XML.sub(lambda m: f"_x{ord(m[0]):04X}_", text))


def _changed(row: SheetRow, edits: Edits, texts: _Texts, look: str, gone: Sequence[int]) -> bytes:
    """The row's element with its edits.

    ``look``: the style of cells that are new. ``gone``: columns at the end that the sheet no longer has.
    """
    head = row.raw[: row.raw.index(b">") + 1]
    prefix = re.match(rb"<([\w.-]+:)?", head)
    tag = ((prefix and prefix[1]) or b"").decode()
    there = {c: row.raw[cell.start : cell.end] for c, cell in row.cells.items() if cell.end}
    after: dict[int, bytes] = {}
    spans = ""
    for column, value in edits.items():
        assert isinstance(column, int)
        if not isinstance(value, Source):
            text = value if isinstance(value, str) else "\n".join(value)
            after[column] = _element(tag, column, row.number, text, there.get(column), look, texts)
        elif absent := _NO_CELL.fullmatch(value.text):
            after[column], spans = b"", absent[1] or spans
        else:
            after[column] = value.text.encode()
    added = sorted(c for c, element in after.items() if c not in there and element)
    if head.endswith(b"/>"):
        inner = b"".join(after[c] for c in added)
        return head[:-2] + b">" + inner + f"</{tag}row>".encode() if inner else row.raw
    parts, done = [_spanning(head, {*there, *added}, spans, gone)], len(head)
    for column, cell in sorted(row.cells.items(), key=lambda item: item[1].start):
        if not cell.end:
            continue
        parts.append(row.raw[done : cell.start])
        parts += [after[c] for c in added if c < column]
        added = [c for c in added if c > column]
        parts.append(after.get(column, there[column]))
        done = cell.end
    return b"".join((*parts, *(after[c] for c in added), row.raw[done:]))


def _element(tag: str, column: int, row: int, text: str, old: bytes | None, look: str, texts: _Texts) -> bytes:
    """A cell of text, in the style of the one in its place; in none where that would show another text."""
    style = re.match(rb"<[^>]*?\ss\s*=\s*[\"'](\d+)[\"']", old or b"")
    number = style[1].decode() if style else "" if old else look
    if number and texts.text(text, int(number)) != text:
        number = ""
    shown = f' s="{number}"' if number else ""
    keep = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
    inner = f"<{tag}is><{tag}t{keep}>{escaped(text)}</{tag}t></{tag}is>"
    return f'<{tag}c r="{letters(column)}{row}"{shown} t="inlineStr">{inner}</{tag}c>'.encode()


def _spanning(head: bytes, columns: Collection[int], spans: str, gone: Sequence[int]) -> bytes:
    """The row's tag; where it says which columns it spans, all its cells are among them. ``spans``: what it says."""

    def wide(match: re.Match[bytes]) -> bytes:
        left, right = int(match[1]), int(match[2])
        if gone and right == gone[-1] + 1:
            right = gone[0]
        elif not gone:
            left, right = min(left, min(columns) + 1), max(right, max(columns) + 1)
        said = spans.encode() or f"{left}:{right}".encode()
        return match[0].replace(b":".join(match.groups()), said)

    return _SPANS.sub(wide, head, count=1) if columns else head


def _resized(before: bytes, last: int, gone: Sequence[int]) -> bytes:
    """What stands before the rows; the area that it says the sheet has reaches to the last column."""

    def sized(match: re.Match[bytes]) -> bytes:
        if match[3] is None:
            return match[0]
        right = _place(f"{match[3].decode()}1")[0]
        right = gone[0] - 1 if gone and right == gone[-1] else max(right, last)
        return match[1] + match[2] + b":" + letters(right).encode() + match[4] + match[5]

    return _DIMENSION.sub(sized, before, count=1)
