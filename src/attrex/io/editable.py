"""Which editor a file has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrex.io.cell_edits import EditableFile
from attrex.io.csv_cells import CsvFile
from attrex.io.feed_cells import FeedFile, is_feed
from attrex.io.json_cells import JsonFile
from attrex.io.packed import kind_of_file
from attrex.io.parquet_cells import ParquetFile
from attrex.io.sheet_xml import SheetFile
from attrex.io.xml_cells import XmlFile

TEXT_TABLES = (".csv", ".tsv", ".txt")
"""Kinds of files that a spreadsheet program opens and takes a leading ``=`` in for a formula."""
JSON_LINES = (".jsonl", ".ndjson")
_EDITORS: dict[str, Callable[[Path], EditableFile]] = {
    **dict.fromkeys(TEXT_TABLES, CsvFile),
    **dict.fromkeys((".json", *JSON_LINES), JsonFile),
    ".xlsx": SheetFile,
    ".parquet": ParquetFile,
    ".xml": lambda path: FeedFile(path) if is_feed(path) else XmlFile(path),
}


def editable_file(path: Path) -> EditableFile | None:
    """The file with its editor; None for a kind that has none."""
    kind = kind_of_file(path)
    packed = path.suffix.lower() == ".gz" and kind in (".xlsx", ".parquet")
    return None if packed or kind not in _EDITORS else _EDITORS[kind](path)


def same_kind(one: Path, other: Path) -> bool:
    """Whether two names are of one kind of file, packed or not."""
    kinds = {kind_of_file(one), kind_of_file(other)}
    return len(kinds) == 1 or kinds == {*JSON_LINES}
