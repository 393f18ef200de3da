from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attrex.filling.changes import changes_file
from attrex.filling.fill import CHANGE_COLUMNS, Entry, Outcome
from attrex.io.readers import read_products
from attrex.io.tables import TableCells, write_sheet
from attrex.shop.cells import Cells
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.types import Span, Value

ROWS: list[tuple[str, TableCells]] = [
    ("1", {"Color": ("Red", "Blue"), "Fit": ()}),
    ("2", {"Brand": ('Say "hi", Ltd.\nParis',)}),
]


def entry(value: str) -> Entry:
    found = Value.from_span(Span("Color", 0, 3, "sky", "title"), 0.9)
    return Entry("1", "Color", Outcome.DIFFERS, ("Red", "Green"), value, False, found)


def test_a_table_has_a_column_per_attribute(tmp_path: Path) -> None:
    out = tmp_path / "new" / "t.csv"
    assert write_sheet(out, ROWS, id_column="sku", order=("Fit", "Size", "Color"), separator="/") == 2
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["sku", "Fit", "Color", "Brand"],
            ["1", "[]", "Red/Blue", ""],
            ["2", "", "", 'Say "hi", Ltd.\nParis'],
        ]
    assert [p.name for p in out.parent.iterdir()] == ["t.csv"]


def test_parquet_has_lists_and_json_lines_have_cells(tmp_path: Path) -> None:
    write_sheet(tmp_path / "t.parquet", ROWS)
    write_sheet(tmp_path / "t.jsonl", ROWS)
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == [
        {"id": "1", "Brand": None, "Color": ["Red", "Blue"], "Fit": []},
        {"id": "2", "Brand": ['Say "hi", Ltd.\nParis'], "Color": None, "Fit": None},
    ]
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert rows[0] == {"id": "1", "attributes": {"Color": ["Red", "Blue"], "Fit": []}}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_read_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    write_sheet(tmp_path / f"t.{suffix}", ROWS, separator="/")
    mapping = ColumnMapping(texts=("id",), attributes=("Color", "Fit", "Brand"))
    shop = Shop(mapping, Cells(separator="/"))
    read = [(p.id, p.table) for p in read_products(tmp_path / f"t.{suffix}", shop=shop)]
    assert read == [(name, dict(cells)) for name, cells in ROWS]


@pytest.mark.parametrize("suffix", ["csv", "PARQUET"])
def test_an_attribute_may_be_called_as_the_ids_are(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t.{suffix}"
    write_sheet(out, [("1", {"id": ("x",)})])
    if suffix == "csv":
        assert out.read_text() == "id,id (attribute)\n1,x\n"
    else:
        assert pq.read_table(out).to_pylist() == [{"id": "1", "id (attribute)": ["x"]}]


def test_line_breaks_of_all_kinds_are_read_back_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, there = tmp_path / "t.csv", tmp_path / "real" / "t.csv"
    link.symlink_to(there)
    write_sheet(link, [("1", {"A": ("x\ry\nz",)})])
    assert link.is_symlink()
    with there.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["id", "A"], ["1", "x\ry\nz"]]


def test_no_rows_are_a_table_without_rows(tmp_path: Path) -> None:
    assert write_sheet(tmp_path / "t.csv", []) == 0
    assert write_sheet(tmp_path / "t.parquet", []) == 0
    assert (tmp_path / "t.csv").read_text() == "id\n"
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_an_error_among_the_rows_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t.{suffix}"
    out.write_text("before")

    def breaking() -> Iterator[tuple[str, TableCells]]:
        yield ROWS[0]
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write_sheet(out, breaking())
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {out.name: "before"}


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_changes_are_rows_of_entries(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "new" / f"c.{suffix}"
    with changes_file(out) as write:
        write([entry("Sky; Blue"), entry("=1+1")])
        write([])
    if suffix == "jsonl":
        assert [json.loads(line)["value"] for line in out.read_text().splitlines()] == ["Sky; Blue", "=1+1"]
        return
    with out.open(encoding="utf-8", newline="") as file:
        header, first, _ = csv.reader(file)
    assert tuple(header) == CHANGE_COLUMNS
    assert first == ["1", "Color", "differs", "Red; Green", "Sky; Blue", "False", "0.9", "sky", "title", "0", "3", ""]


def test_changes_that_nobody_asked_for_go_nowhere() -> None:
    with changes_file(None) as write:
        write([entry("Blue")])
