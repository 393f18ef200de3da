"""Tables in text files (CSV, TSV, TXT): how they are written is found out from their rows, never from the name alone.

Encoding: a byte order mark says it; else UTF-8; else Windows-1252, where no character of the file is written in UTF-8.
Delimiter and header: the ones that most rows fit. What stands above the header, such as a report's title, is passed
over. A row that does not fit is marked; a quote that is never closed damages its own row and none that follows.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from attrex.errors import DataError
from attrex.io.packed import kind_of_file, open_binary
from attrex.io.rows import HALF_CHARACTER, RawRecord, not_utf8

TEXT_TABLES = (".csv", ".tsv", ".txt", ".tab")
DELIMITERS = ",;\t|"
_SAMPLE = 262_144  # characters looked at to know the delimiter
ROWS_SAMPLED = 100  # rows of them
_ABOVE = 20  # rows that may stand above the header
_LONGEST = 2_000  # lines of one row: a quote that is open for longer was never meant to be one
_NAMED = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)  # Excel names the delimiter in the first line
_CHUNK = 1 << 20


@dataclass(frozen=True)
class TableForm:
    """How a table in a text file is written."""

    encoding: str
    delimiter: str
    above: int  #: lines above the header
    header: tuple[str, ...]  #: column names; of equal ones the second is ``name (2)``
    passed: str = ""  #: the first words above the header, where there are any
    repeated: tuple[str, ...] = ()  #: names that come more than once


def table_form(path: Path) -> TableForm:
    """How a table is written. Raises :class:`DataError` where its header cannot be read, ``OSError`` and the like."""
    encoding = encoding_of(path)
    with _open(path, encoding) as file:
        sample = file.read(_SAMPLE)
    cut = len(sample) == _SAMPLE
    named, skipped, at = "", 0, 0
    lines = sample.splitlines(keepends=True)
    while skipped < len(lines) and (not lines[skipped].strip() or _NAMED.fullmatch(lines[skipped])):
        if match := _NAMED.fullmatch(lines[skipped]):
            named = match[1]
        at += len(lines[skipped])
        skipped += 1
    content = sample[at:]
    if not content:
        return TableForm(encoding, named or ",", skipped, ())
    candidates = [named] if named else ["\t", *",;|"] if kind_of_file(path) in (".tsv", ".tab") else list(DELIMITERS)
    found = [_fit(content, delimiter, cut) for delimiter in candidates]
    best = max(found, key=lambda fit: (fit.rows, fit.width))
    broken = next((fit.error for fit in found if fit.error), "")
    if best.width == 1 and broken:
        raise DataError(f"{path}: expected a first line with column names, got a broken one ({broken}); correct it")
    if bad := HALF_CHARACTER.search("".join(best.header)):
        raise DataError(f"{path}: {not_utf8(ord(bad[0]) & 0xFF)}")
    header, repeated = distinct_names(best.header)
    return TableForm(encoding, best.delimiter, skipped + best.above, header, best.passed, repeated)


def encoding_of(path: Path) -> str:
    """The encoding of a text file, from all its bytes."""
    with open_binary(path) as file:
        start = file.peek(4)[:4]
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if len(start) == 4 and start.count(0) == 2:  # ASCII in two bytes each, without a mark
            return "utf-16-le" if start[1] == 0 else "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        wrong, right = bytearray(), 0
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if not text.isascii():
                bad = HALF_CHARACTER.findall(text)
                wrong += bytes(ord(c) & 0xFF for c in bad[:100])
                right += len(text) - len(bad) - sum(c < "\x80" for c in text)
    in_windows = wrong and not right and not wrong.translate(None, _WINDOWS_1252)
    return "cp1252" if in_windows else "utf-8"


_WINDOWS_1252 = bytes(set(range(256)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D})


def _open(path: Path, encoding: str) -> io.TextIOWrapper:
    # A byte that is not UTF-8 comes through as half a surrogate pair, so that only its own row is marked.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return io.TextIOWrapper(open_binary(path), encoding, errors=errors, newline="")


@dataclass(frozen=True)
class _Fit:
    """How a delimiter suits the first rows: how many have as many cells as the header."""

    delimiter: str
    rows: float = 0  #: share of them
    width: int = 1
    above: int = 0
    header: tuple[str, ...] = ()
    passed: str = ""
    error: str = ""


def _fit(content: str, delimiter: str, cut: bool) -> _Fit:
    try:
        found = list(islice(_read(io.StringIO(content, newline=""), delimiter), ROWS_SAMPLED + 1))
    except (csv.Error, TypeError, ValueError) as exc:  # a delimiter that Python's reader refuses, such as a quote
        return _Fit(delimiter, error=str(exc))
    if found and found[0][2]:
        return _Fit(delimiter, error=found[0][2])
    if cut and 1 < len(found) <= ROWS_SAMPLED:
        found.pop()  # the last one may be half
    rows = [(number, cells) for number, cells, error, _ in found if not error]
    if not rows:
        return _Fit(delimiter)
    widths = Counter(len(cells) for _, cells in rows[1:]) or Counter([len(rows[0][1])])
    usual = max(widths, key=lambda w: (widths[w], w))
    above = rows_above_header(rows, usual)
    number, header = rows[above]
    below = [cells for _, cells in rows[above + 1 :]]
    fitting = sum(len(cells) == len(header) for cells in below) / len(below) if below else 1.0
    passed = next((c for _, cells in rows[:above] for c in cells if c.strip()), "")
    if len(header) == 1:
        fitting = 0.0  # no delimiter at all explains every file
    elif above:
        fitting /= 2  # the header of a table with another delimiter is one word, too
    return _Fit(delimiter, fitting, len(header), number - 1, tuple(header), passed.strip())


def rows_above_header(rows: list[tuple[int, list[str]]], usual: int) -> int:
    """How many rows stand above the header: those with one word, or a few, where the others have many."""
    if usual < 2:
        return 0
    for place, (_, cells) in enumerate(rows[:_ABOVE]):
        named = sum(bool(c.strip()) for c in cells)
        if named >= 2 and named >= 0.6 * min(usual, len(cells)) and len(cells) >= 0.6 * usual:
            return place
    return 0


def distinct_names(header: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of columns, each once (the second of a name is ``name (2)``), and those that come more than once."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for name in header:
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return tuple(names), tuple(sorted(name for name, times in seen.items() if name and times > 1))


def delimited_records(path: Path, form: TableForm | None = None) -> Iterator[RawRecord]:
    """The rows of a table in a text file, by column; the row's number is that of the line in which it begins."""
    form = form or table_form(path)
    if not form.header:
        return
    with _open(path, form.encoding) as file:
        for _ in islice(file, form.above):
            pass
        rows = _read(file, form.delimiter)
        next(rows, None)  # the header
        for number, cells, error, last in rows:
            yield _record(path.name, form, form.above + number, cells, error, form.above + last)


def _record(name: str, form: TableForm, number: int, cells: list[str], error: str, last: int) -> RawRecord:
    where, width = f"{name} line {number}", len(form.header)
    if error:
        return RawRecord(
            where, number, error=f'expected cells with closed quotes, got a row to line {last} ({error}); write " as ""'
        )
    if bad := HALF_CHARACTER.search("".join(cells)):
        return RawRecord(where, number, error=not_utf8(ord(bad[0]) & 0xFF))
    if len(cells) > width and any(c.strip() for c in cells[width:]):
        advice = "quote cells that hold a delimiter or a line break"
        if last > number:
            advice += f"; the row runs to line {last}, so that a quote in it may be one too many"
        return RawRecord(where, number, error=f"expected {width} cells as in the header, got {len(cells)}; {advice}")
    record = RawRecord(where, number, dict(zip(form.header, cells, strict=False)))
    if len(cells) < width:
        blank = dict.fromkeys(form.header[len(cells) :], "")
        what = f"{where}: expected {width} cells as in the header, got {len(cells)}; the others are read as blank"
        record = replace(record, values={**(record.values or {}), **blank}, warnings=(what,))
    return record


def _read(file: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str], str, int]]:
    """(first line, cells, what is wrong, last line) of each row in which anything stands.

    Where a quote is not closed, only the line in which it opens is given up, and reading goes on with the next one.
    """
    csv.field_size_limit(2**31 - 1)  # the default refuses texts over 131,072 characters
    source, waiting = iter(file), deque[str]()
    done = 0

    def lines(taken: list[str]) -> Iterator[str]:
        while len(taken) < _LONGEST:
            line = waiting.popleft() if waiting else next(source, None)
            if line is None:
                return
            taken.append(line)
            yield line

    while True:
        taken: list[str] = []
        error, cells = "", []
        try:
            cells = next(csv.reader(lines(taken), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as exc:
            error = str(exc)
        first, last = done + 1, done + len(taken)
        if error:
            waiting.extendleft(reversed(taken[1:]))
            last = first
        done = last
        if error or any(c.strip() for c in cells):
            yield first, cells, error, last
