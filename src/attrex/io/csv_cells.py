"""CSV, TSV and TXT as rows of cells with their places, so that a cell is replaced and every other byte is kept.

Own reading in place of Python's ``csv``: that forgets where a cell was, whether it was quoted and how lines end, its
Sniffer takes letters for delimiters, and no reader tells an empty cell from one that a short row does not have.
A file's bytes come back because they are decoded without loss: bytes that are no UTF-8 pass as half characters
(PEP 383), halves of UTF-16 as themselves.

The format is RFC 4180 as spreadsheets write it: a quote opens a quoted cell only at a cell's beginning.
"""

from __future__ import annotations

import codecs
import io
import re
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from attrex.errors import DataError
from attrex.io.bounded import too_long
from attrex.io.cell_edits import Change, Column, Edits, Source
from attrex.io.packed import kind_of_file, open_binary, rewritten
from attrex.io.stray_quotes import swallowed_rows

DELIMITERS = ",;\t|"
LONGEST_ROW = 2**24
"""Characters that quotes may hold together; what is longer was opened by a stray quote."""
_HEAD = 30  # rows by which delimiter and header are known
_CLOSING = re.compile(r'[^"]*(?:""[^"]*)*"(?!")')
_SEP_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)  # Excel names the delimiter there
_NUMBER = re.compile(r"\s*[-+]?[\d.,]+\s*")
_SHORT_ROW = re.compile(r"<(\d+) cells>")  # how `Record.source` names a cell that a row does not have
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(slots=True)
class Record:
    """A row as it is in the file: ``raw`` has its line end, ``places`` are those of its cells, quotes included."""

    raw: str
    number: int  #: its first line, from 1
    places: list[tuple[int, int]]
    error: str = ""
    index: int = -1  #: among the rows below the header, from 0
    lines: int = 1
    literal: bool = False  #: quotes are characters like others

    def __len__(self) -> int:
        return len(self.places)

    @property
    def is_blank(self) -> bool:
        """Whether it is an empty line, or one of nothing but space: no row."""
        return not self.error and len(self.places) == 1 and not self.raw.strip("\ufeff \t\r\n")

    @property
    def texts(self) -> list[str]:
        return [self._text(start, end) for start, end in self.places]

    def _text(self, start: int, end: int) -> str:
        token = self.raw[start:end]
        return token[1:-1].replace('""', '"') if token[:1] == '"' and not self.literal else token

    def swallowed(self, layout: CsvLayout) -> int:
        """How many rows a stray quote has made one of; 0: none."""
        if self.lines == 1 or self.error:
            return 0
        return swallowed_rows(list(io.StringIO(self.raw, newline="")), layout.delimiter, len(layout.header))

    def content(self, column: Column) -> str | None:
        return self._text(*self.places[column]) if isinstance(column, int) and column < len(self.places) else None

    def source(self, column: Column) -> str:
        """The cell with its quotes, or ``<3 cells>`` for one that a row of three cells does not have."""
        if isinstance(column, int) and column < len(self.places):
            start, end = self.places[column]
            return self.raw[start:end]
        return f"<{len(self.places)} cells>"


@dataclass(frozen=True)
class Encoding:
    """How bytes become text and come back."""

    name: str
    errors: str

    @classmethod
    def of(cls, path: Path) -> Encoding:
        """By its first bytes; without a mark UTF-8, unless more of its bytes are none than are, then Windows-1252."""
        good = bad = 0
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        with open_binary(path) as file, suppress(OSError, EOFError, zlib.error):  # reading tells of the damage
            chunk = file.read(2**16)
            for mark, name in _BOMS:
                if chunk.startswith(mark):
                    return cls(name, "surrogateescape" if name == "utf-8" else "surrogatepass")
            zeros = [chunk[start:4096:2].count(0) for start in (0, 1)]
            if max(zeros) > len(chunk[:4096]) // 5 > 0:
                return cls("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be", "surrogatepass")
            while chunk:
                text = decoder.decode(chunk)
                if not text.isascii():
                    broken = len(_ESCAPED_BYTE.findall(text))
                    bad += broken
                    good += sum(not c.isascii() for c in text) - broken
                chunk = file.read(2**16)
        return cls("cp1252" if bad > good else "utf-8", "surrogateescape")

    def size(self, text: str) -> int:
        """How many bytes a text takes in the file."""
        one_each = text.isascii() and not self.name.startswith("utf-16")
        return len(text) if one_each else len(text.encode(self.name, self.errors))


class _Cut(str):
    """The beginning of a line that is longer than a row may be; the rest of it was passed over."""

    bytes_of_line: int  #: in the file


def _bounded(file: io.TextIOWrapper, encoding: Encoding) -> Iterator[str]:
    """The lines of a file, none of which is longer than a row may be."""
    while line := file.readline(LONGEST_ROW):
        if len(line) == LONGEST_ROW and line[-1] not in "\r\n":
            size = encoding.size(line)
            while rest := file.readline(2**20):
                size += encoding.size(rest)
                if rest[-1] in "\r\n":
                    break
            line = _Cut(line[:1000])
            line.bytes_of_line = size
        yield line


class _Lines:
    """Physical lines, some of which may be taken back."""

    def __init__(self, lines: Iterable[str], before: int = 0) -> None:
        self._lines, self._again = iter(lines), deque[str]()
        self.number = before  # of the last one that was taken

    def take(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, "")
        self.number += bool(line)
        return line

    def back(self, lines: Sequence[str]) -> None:
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)


class CsvReader:
    """Records of lines with one delimiter.

    :param width: cells of the table's rows; a row that is broken by a quote ends where a line has so many again.
    :param before: how many lines of the file stand before these.
    """

    def __init__(self, lines: Iterable[str], delimiter: str, width: int | None = None, before: int = 0) -> None:
        self._lines, self.delimiter, self.width = _Lines(lines, before), delimiter, width
        self._plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")

    def __iter__(self) -> Iterator[Record]:
        while line := self._lines.take():
            yield self._record(line)

    def _record(self, first: str) -> Record:
        number, taken = self._lines.number, [first]
        if isinstance(first, _Cut):
            return Record(first, number, [], too_long("more"))
        raw, places, pos = first, [], 1 if number == 1 and first[0] == "\ufeff" else 0
        if '"' not in first:
            return Record(first, number, self._unquoted(first, pos))
        while True:
            start = pos
            if raw[pos : pos + 1] == '"':
                closing = _CLOSING.match(raw, pos + 1)
                while closing is None:
                    line = self._lines.take()
                    if not line or isinstance(line, _Cut) or len(raw) > LONGEST_ROW:
                        self._lines.back([line] if line else [])
                        return self._damaged(taken, number, "a quote that is never closed")
                    taken.append(line)
                    before, raw = len(raw), raw + line
                    closing = _CLOSING.match(raw, before)
                pos = closing.end()
                if (after := raw[pos : pos + 1]) not in ("", self.delimiter, "\r", "\n"):
                    return self._damaged(taken, number, f"{after!r} behind the closing quote of a cell")
            else:
                pos = self._plain.match(raw, pos).end()  # type: ignore[union-attr]
            places.append((start, pos))
            if raw[pos : pos + 1] != self.delimiter:
                return Record(raw, number, places, lines=len(taken))
            pos += 1

    def _unquoted(self, line: str, start: int) -> list[tuple[int, int]]:
        end, places = len(line.rstrip("\r\n")), []
        while (stop := line.find(self.delimiter, start, end)) >= 0:
            places.append((start, stop))
            start = stop + 1
        return [*places, (start, end)]

    def _damaged(self, taken: list[str], number: int, what: str) -> Record:
        """A row whose quotes are broken. It ends before the next line that is a whole row by itself.

        Where tabs delimit, few programs quote: a line that has all cells without any quoting is read so.
        """
        if self.delimiter == "\t" and len(plain := self._unquoted(taken[0], 0)) == self.width:
            self._lines.back(taken[1:])
            return Record(taken[0], number, plain, literal=True)
        own = len(taken)
        for place, line in enumerate(taken[1:], 1):
            alone = next(iter(CsvReader([line], self.delimiter)))
            if not alone.error and len(alone) == self.width:
                own = place
                break
        self._lines.back(taken[own:])
        lines = f"line {number}" if own == 1 else f"lines {number} to {number + own - 1}"
        error = f'expected cells with closed quotes, got {what} in {lines}; write " as ""'
        return Record("".join(taken[:own]), number, [], error, lines=own)


@dataclass(frozen=True)
class CsvLayout:
    """How a file is written, from its first rows."""

    encoding: Encoding
    delimiter: str
    above: int  #: records above the header: blank ones, a title, Excel's ``sep=;``
    header: tuple[str, ...]


@dataclass
class CsvFile:
    """A CSV, TSV or TXT file, also packed with gzip (:class:`~attrex.io.cell_edits.EditableFile`)."""

    path: Path

    @cached_property
    def layout(self) -> CsvLayout:
        """Raises :class:`DataError` for a file without a header."""
        encoding = Encoding.of(self.path)
        with self._open(encoding) as lines, suppress(EOFError, zlib.error):  # reading on tells of the damage
            head = _first_lines(lines)
        sep = next((m[1] for line in head if (m := _SEP_LINE.fullmatch(line.lstrip("\ufeff")))), "")
        delimiter = sep or _delimiter(head, self.path)
        records = list(CsvReader(head, delimiter))
        known = next((i for i, r in enumerate(records) if r.error), len(records))
        above = rows_above_header([[] if _is_sep(r) else r.texts for r in records[:known]])
        if above == len(records):
            return CsvLayout(encoding, delimiter, above, ())
        if records[above].error:
            broken = records[above].error
            raise DataError(f"{self.path}: expected a first line with column names, got a broken one ({broken})")
        return CsvLayout(encoding, delimiter, above, tuple(records[above].texts))

    @property
    def columns(self) -> Mapping[Column, str]:
        return dict(enumerate(self.layout.header))

    @contextmanager
    def _open(self, encoding: Encoding) -> Iterator[Iterator[str]]:
        with io.TextIOWrapper(open_binary(self.path), encoding.name, errors=encoding.errors, newline="") as file:
            yield _bounded(file, encoding)

    def size(self, record: Record) -> int:
        """How many bytes of the (unpacked) file a record takes, with its line end."""
        raw = record.raw
        return raw.bytes_of_line if isinstance(raw, _Cut) else self.layout.encoding.size(raw)

    def records(self, part: BinaryIO | None = None, before: int = 0) -> Iterator[tuple[str, Record]]:
        """All that the file consists of, in order: ``above``, ``header``, ``blank`` or ``row``, and the record.

        :param part: only these bytes of it, which begin and end with a row below the header.
        :param before: how many lines stand before the part.
        """
        layout, index = self.layout, 0
        encoding, skipped = layout.encoding, 0 if part is None else layout.above + 1
        if part is None:
            opened: AbstractContextManager[Iterator[str]] = self._open(encoding)
        else:
            text = io.TextIOWrapper(part, encoding.name, errors=encoding.errors, newline="")
            opened = nullcontext(_bounded(text, encoding))
        with opened as lines:
            reader = CsvReader(lines, layout.delimiter, len(layout.header), before)
            for place, record in enumerate(reader, skipped):
                if place < layout.above:
                    yield "above", record
                elif place == layout.above:
                    yield "header", record
                elif not record.raw.strip("\r\n") or (record.is_blank and len(layout.header) > 1):
                    yield "blank", record
                else:
                    width = len(layout.header)
                    if swallowed := record.swallowed(layout):
                        record.error = (
                            f"expected one row, got {swallowed} lines that each look like one, in which a quote was "
                            'left open; write " as "" or take it out'
                        )
                    elif len(record) > width and any(text.strip() for text in record.texts[width:]):
                        record.lines = 1
                        record.error = (
                            f"expected {width} cells as in the header, got {len(record)}; "
                            "quote cells that hold a delimiter or a line break"
                        )
                    record.index, index = index, index + 1
                    yield "row", record

    def rows(self, part: BinaryIO | None = None, before: int = 0) -> Iterator[Record]:
        """The rows below the header; of a part as for :meth:`records`."""
        return (record for kind, record in self.records(part, before) if kind == "row")

    def can_hold(self, column: Column, value: str) -> bool:
        try:
            value.encode(self.layout.encoding.name)
        except UnicodeEncodeError:
            return False
        return True

    def holds_lists(self, column: Column) -> bool:
        return False

    def new_column(self, name: str, place: int) -> int:
        return len(self.layout.header) + place

    def write(self, out: Path, change: Change, new: Sequence[str] = (), drop: Sequence[Column] = ()) -> None:
        """As :meth:`EditableFile.write`. Raises :class:`DataError` where new columns would meet cells of long rows."""
        width = len(self.layout.header)
        with self._written(out) as write:
            for kind, record in self.records():
                edits: Edits = {}
                if kind == "header":
                    edits = {width + place: name for place, name in enumerate(new)}
                elif kind == "row" and not record.error:
                    edits = change(record)
                elif isinstance(record.raw, _Cut):
                    raise DataError(f"{self.path.name} line {record.number}: {record.error}")
                elif kind == "row" and new and len(record) > width:
                    raise DataError(
                        f"{self.path.name} line {record.number}: expected {width} cells as in the header, got "
                        f"{len(record)}, so that new columns would meet them; correct the row"
                    )
                resize = width + len(new) - len(drop) if kind in ("header", "row") and len(record) == width else 0
                changed = edits or (resize and resize != width)
                write(self._changed(record, edits, resize) if changed else record.raw)

    @contextmanager
    def _written(self, out: Path) -> Iterator[Callable[[str], int]]:
        encoding = self.layout.encoding
        try:
            with rewritten(out) as raw:
                file = io.TextIOWrapper(raw, encoding.name, errors=encoding.errors, newline="")
                try:
                    yield file.write
                finally:
                    file.detach()
        except (EOFError, zlib.error) as exc:
            raise DataError(f"{self.path}: expected a whole file, got a damaged one ({exc}); make it again") from exc

    def _changed(self, record: Record, edits: Edits, resize: int) -> str:
        """The row with its edits. ``resize``: so many cells it has to have; 0: as many as it takes."""
        tokens = [record.raw[start:end] for start, end in record.places]
        all_quoted = all(token[0] == '"' for token in tokens if token)
        shorten = 0
        for column, value in edits.items():
            assert isinstance(column, int)
            tokens += [""] * (column + 1 - len(tokens))
            if isinstance(value, Source):
                short = _SHORT_ROW.fullmatch(value.text)
                shorten = int(short[1]) if short else shorten
                tokens[column] = "" if short else value.text
            else:
                text = value if isinstance(value, str) else self.layout.delimiter.join(value)
                tokens[column] = self._token(text, quoted=all_quoted or tokens[column][:1] == '"')
        if resize:
            tokens = [*tokens, *[""] * (resize - len(tokens))][:resize]
        if shorten and not any(tokens[shorten:]):
            del tokens[shorten:]
        line_end = record.raw[record.places[-1][1] :]
        return record.raw[: record.places[0][0]] + self.layout.delimiter.join(tokens) + line_end

    def _token(self, text: str, quoted: bool) -> str:
        special = f'{self.layout.delimiter}"\r\n'
        if quoted or text != text.strip() or any(c in text for c in special):
            return '"' + text.replace('"', '""') + '"'
        return text


def _first_lines(lines: Iterable[str]) -> list[str]:
    """Those that delimiter and header are known by."""
    first: list[str] = []
    for line in islice(lines, 4 * _HEAD):
        first.append(line)
        if sum(map(len, first)) > LONGEST_ROW:
            break
    return first


def _delimiter(lines: Sequence[str], path: Path) -> str:
    """The delimiter by which most of the first rows have the same number of cells, and that many."""
    kind = kind_of_file(path)
    if kind == ".tsv" and any("\t" in line for line in lines):
        return "\t"

    def fit(delimiter: str) -> tuple[float, int, int]:
        widths = Counter(len(r) for r in CsvReader(lines, delimiter) if not r.error and not r.is_blank)
        width, times = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(1, 0))
        header = next((line for line in lines if delimiter in line), "")
        return (times / widths.total() if width > 1 else 0.0, width, re.sub(r'"[^"]*"', "", header).count(delimiter))

    return max("\t,;|" if kind == ".txt" else DELIMITERS, key=fit)


def _is_sep(record: Record) -> bool:
    return len(record.raw) < 12 and _SEP_LINE.fullmatch(record.raw.lstrip("\ufeff")) is not None


def rows_above_header(rows: Sequence[Sequence[str]]) -> int:
    """How many rows stand above the header, of a table's first rows: blank ones and titles.

    A title has one cell, or half as many as the row below it at most, and that row is one of names.
    """
    filled = [[text for text in row if text.strip("\ufeff \t\r\n")] for row in rows]
    place = 0
    for place, texts in enumerate(filled):
        below = next((row for row in filled[place + 1 :] if row), [])
        if texts and not (len(texts) * 2 <= len(below) and _are_names(below)):
            return place
    return len(filled)


def _are_names(texts: Sequence[str]) -> bool:
    distinct = len(set(texts)) == len(texts) > 1
    return distinct and all(len(text) < 80 and not _NUMBER.fullmatch(text) and "\n" not in text for text in texts)
