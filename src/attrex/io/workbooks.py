"""Tables in XLSX files, every cell as the text that a person sees in it."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from attrex.io.delimited import ROWS_SAMPLED, distinct_names, rows_above_header
from attrex.io.rows import RawRecord

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")  # how XLSX writes characters that XML cannot hold (ECMA-376, ST_Xstring)
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_NUMBER = re.compile(r"([#0,?]+)(?:\.([0#?]+))?(%?)")
_DATE_PART = re.compile(r"y+|m+|d+|h+|s+|AM/PM", re.IGNORECASE)
_MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class SheetForm:
    """Where in an XLSX file its table is: the first visible sheet with a header of two names or more."""

    sheet: str
    above: int  #: rows above the header
    header: tuple[str, ...]
    passed: str = ""  #: the first words above the header
    others: tuple[str, ...] = ()  #: other visible sheets
    repeated: tuple[str, ...] = ()  #: names that come more than once


def sheet_form(path: Path) -> SheetForm:
    """Where the table of an XLSX file is. Raises ``OSError`` for a file that is none."""
    with _workbook(path) as book:
        visible = [s for s in book.worksheets if getattr(s, "sheet_state", "visible") == "visible"]
        names = [s.title for s in visible]
        for sheet in visible:
            rows = [(n, cells) for n, cells, _ in islice(_rows(sheet), ROWS_SAMPLED)]
            if not rows:
                continue
            usual = max(len(cells) for _, cells in rows)
            number, header = rows[rows_above_header(rows, usual)]
            while header and not header[-1].strip():
                header = header[:-1]
            if len(header) < 2 and sheet is not visible[-1]:
                continue
            passed = next((c for n, cells in rows if n < number for c in cells if c.strip()), "")
            columns, repeated = distinct_names(header)
            others = tuple(n for n in names if n != sheet.title)
            return SheetForm(sheet.title, number - 1, columns, passed, others, repeated)
    return SheetForm(names[0] if names else "", 0, ())


def sheet_records(path: Path, form: SheetForm | None = None) -> Iterator[RawRecord]:
    """The rows of the table, by column; the row's number is the sheet's."""
    form = form or sheet_form(path)
    width = len(form.header)
    with _workbook(path) as book:
        for number, cells, faults in _rows(book[form.sheet]) if form.header else ():
            if number <= form.above + 1:
                continue
            where = f"{path.name} row {number}"
            told = tuple(f"{where}: a cell shows {fault}; it is read as blank" for fault in faults)
            if any(c.strip() for c in cells[width:]):
                told += (
                    f"{where}: expected {width} cells as in the header, got {len(cells)}; the others are not read",
                )
            filled = [*cells[:width], *[""] * (width - len(cells))]
            yield RawRecord(where, number, dict(zip(form.header, filled, strict=True)), warnings=told)


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    import openpyxl

    try:
        with zipfile.ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > _MOST_BYTES:
                raise OSError("more than 4 GiB unpacked")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that it does not read
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except OSError:
        raise
    except Exception as exc:  # openpyxl raises whatever its parts do
        raise OSError(f"{type(exc).__name__} {exc}") from exc
    try:
        yield book
    finally:
        book.close()


def _rows(sheet: Any) -> Iterator[tuple[int, list[str], list[str]]]:
    """(number, texts, faults) of the rows in which anything stands."""
    sheet.reset_dimensions()  # what an exporter says of the sheet's size is often wrong
    try:
        for number, row in enumerate(sheet.iter_rows(), 1):
            faults = [str(c.value) for c in row if getattr(c, "data_type", "") == "e"]
            cells = [
                "" if getattr(c, "data_type", "") == "e" else shown(c.value, getattr(c, "number_format", "General"))
                for c in row
            ]
            if any(c.strip() for c in cells):
                yield number, cells, faults
    except OSError:
        raise
    except Exception as exc:  # as above
        raise OSError(f"{type(exc).__name__} {exc}") from exc


def shown(value: Any, number_format: str = "General") -> str:
    """A cell as a person sees it in a column that is wide enough.

    :param value: as openpyxl gives it.
    :param number_format: the cell's; one that is not understood is taken as General.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), value) if "_x" in value else value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime | date | time):
        return _date(value, number_format)
    if isinstance(value, timedelta):
        return str(value)
    return _number(value, number_format)


def _number(value: float, number_format: str) -> str:
    exact = Decimal(repr(value))
    sections = number_format.split(";")
    section = sections[1] if len(sections) > 1 and exact < 0 else sections[0]
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        token = match.group()
        kept.append(token[1:-1] if token[0] == '"' else token[1] if token[0] == "\\" else "")
        return f"\x00{len(kept) - 1}\x01"

    bare = _LITERAL.sub(keep, section)
    masked = re.sub("\x00\\d+\x01", "\x02", bare)
    match = _NUMBER.search(masked)
    rest = masked[: match.start()] + masked[match.end() :] if match else ""
    if section == "General" or match is None or re.search(r"[A-Za-z@/0#?]", rest):
        plain = f"{Decimal(f'{value:.15g}'):f}" if isinstance(value, float) else str(value)
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    whole, decimals, percent = match[1], match[2] or "", match[3]
    number = (abs(exact) if len(sections) > 1 and exact < 0 else exact) * (100 if percent else 1)
    number = number.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    least = whole.replace(",", "").count("0")
    text = f"{abs(number):,f}" if "," in whole else f"{abs(number):f}"
    head, _, tail = text.partition(".")
    head = head.zfill(least) if "," not in head else head
    while tail and len(tail) > decimals.count("0") and tail.endswith("0"):
        tail = tail[:-1]
    text = ("-" if number < 0 else "") + head + (f".{tail}" if tail else "") + percent
    literals = iter(kept)
    words = "".join(
        next(literals) if c == "\x02" else c for c in masked[: match.start()] + "\x03" + masked[match.end() :]
    )
    return words.replace("\x03", text).strip()


def _date(value: datetime | date | time, number_format: str) -> str:
    """By the format where it is one of numbers, else as ISO 8601 writes it; without a time of day at midnight."""
    plain = _LITERAL.sub("", number_format.split(";", maxsplit=1)[0])
    parts = _DATE_PART.findall(plain)
    of_numbers = all(p.lower() in ("y", "yy", "yyyy", "m", "mm", "d", "dd") for p in parts)
    if isinstance(value, datetime) and parts and of_numbers:
        return _DATE_PART.sub(lambda m: _part(value, m.group().lower()), plain)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return value.isoformat()


def _part(value: datetime, part: str) -> str:
    number = {"y": value.year % 100, "m": value.month, "d": value.day}[part[0]]
    return f"{value.year:04d}" if part == "yyyy" else f"{number:02d}" if len(part) > 1 else str(number)
