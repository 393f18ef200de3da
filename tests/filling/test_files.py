"""A user's file, filled: nothing but empty cells changes, and it can be taken back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import attrex
from attrex.errors import DataError
from attrex.filling.fill import cell_text
from attrex.io.readers import read_products
from attrex.shop.cells import Cells
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.types import Prediction, Span, Value

WORDS = {"Color": ("blue", "red"), "Material": ("wool", "silk")}


def found(table: Path, shop: Shop) -> list[Prediction]:
    """What the texts say of colours and materials."""
    predictions = []
    for product in read_products(table, shop=shop):
        places = [
            Span(a, text.index(w), text.index(w) + len(w), w, field)
            for field, text in product.fields.items()
            for a, words in WORDS.items()
            for w in words
            if w in text
        ]
        values = tuple(Value.from_span(place, 0.9) for place in places)
        predictions.append(Prediction(product.id, () if product.error else values, error=product.error))
    return predictions


def fill(table: Path, *attributes: str, **how: Any) -> tuple[Path, attrex.Filling]:
    shop = Shop(ColumnMapping(attributes=attributes)) if attributes else Shop()
    out = table.with_name(f"filled{''.join(table.suffixes)}")
    changes = table.with_name("changes.csv")
    return out, attrex.fill(table, found(table, shop), out, shop=shop, changes=changes, **how)


def text_table(folder: Path, text: str) -> Path:
    path = folder / "shop.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


README = "id,title,description,Color,Material\n1,Cap,A blue cap of wool,Navy,\n2,Scarf,A red scarf of silk,,Silk\n"


def test_columns_that_nobody_mapped_are_attributes_and_what_they_hold_stays(tmp_path: Path) -> None:
    for how in ({}, {"new_columns": True}):
        out, _ = fill(text_table(tmp_path, README), **how)
        assert out.read_text() == README.replace("Navy,", "Navy,wool").replace("silk,,", "silk,red,")
    weighed = "id,title,Weight\n1,A blue cap,5\n"
    assert fill(text_table(tmp_path, weighed))[0].read_text() == weighed
    out, _ = fill(text_table(tmp_path, weighed), new_columns=True)
    assert out.read_text() == "id,title,Weight,Color\n1,A blue cap,5,blue\n"


def test_cells_that_a_mapping_leaves_out_are_not_taken_for_blank(tmp_path: Path) -> None:
    for how in ({}, {"new_columns": True}):
        with pytest.raises(DataError, match=r"does not read, Material: .* \{attributes: \[Material\]\}"):
            fill(text_table(tmp_path, README), "Color", **how)
    assert not (tmp_path / "filled.csv").exists()


def test_the_file_comes_back_with_its_blank_cells_filled_and_can_be_taken_back(tmp_path: Path) -> None:
    table = text_table(tmp_path, README)
    out, filling = fill(table, "Color", "Material")
    assert out.read_text() == README.replace("Navy,", "Navy,wool").replace("silk,,", "silk,red,")
    assert filling.report.filled == 2
    undone = attrex.undo_fill(tmp_path / "changes.csv")
    assert (undone.cells, undone.changed, undone.missing) == (2, 0, 0)
    assert out.read_bytes() == table.read_bytes()


@pytest.mark.parametrize(
    "cell", ["None", "n/a", " ", "-", "No", '"{""de"": ""Leinen""}"', "[null]", '"[[""a""]]"', "[]", "{}", "[1]", "[1"]
)
def test_a_cell_that_holds_anything_is_not_blank(tmp_path: Path, cell: str) -> None:
    text = f"id,title,Material\n1,A cap of wool,{cell}\n2,x,Wool\n"
    out, filling = fill(text_table(tmp_path, text), "Material")
    assert out.read_bytes() == text.encode()
    assert filling.report.filled == 0


@pytest.mark.parametrize("cell", ["[null]", '{"de": "Leinen"}', '["N/A"]', "[[1]]", "{}", '" "', '"none"', "[]"])
@pytest.mark.parametrize("form", ['"Material": {}', '"attributes": {{"Material": {}}}'])
def test_a_json_cell_that_holds_anything_is_not_blank(tmp_path: Path, cell: str, form: str) -> None:
    table = tmp_path / "t.jsonl"
    held = '{"id": 1, "title": "A cap of wool", ' + form.format(cell) + "}\n"
    table.write_text(held + '{"id": 2, "title": "silk", ' + form.format("null") + "}\n")
    whole = "attributes" in form
    out, filling = fill(table, *([] if whole else ["Material"]))
    assert out.read_text().startswith(held)
    is_table = cell == '{"de": "Leinen"}' and not whole  # the column holds tables, so that no text goes there
    assert filling.report.filled == (0 if is_table else 1)


def test_the_file_decides_how_a_column_is_spelt_and_nothing_is_added_unasked(tmp_path: Path) -> None:
    text = "id,title,color,Gift Box,empty\n1,A blue cap of wool,,yes,\n2,A red cap,Red,no,\n"
    table = text_table(tmp_path, text)
    out, filling = fill(table, "color", "Gift Box", "empty")
    assert out.read_text() == text.replace("wool,,", "wool,blue,")
    assert filling.report.blank_cells("Material") == {
        **dict.fromkeys(["filled", "unknown", "left", "does_not_apply"], 0),
        **{"no_column": 1, "no_evidence": 1},
    }
    out, _ = fill(table, "color", "Gift Box", "empty", new_columns=True)
    first, one, two = out.read_text().splitlines()
    assert (first, one, two) == (
        "id,title,color,Gift Box,empty,Material",
        "1,A blue cap of wool,blue,yes,,wool",
        "2,A red cap,Red,no,,",
    )
    assert attrex.undo_fill(tmp_path / "changes.csv").columns == ["Material"]
    assert out.read_text() == text


def test_what_somebody_changed_since_is_not_taken_back(tmp_path: Path) -> None:
    text = "id,title,Color,Material\n1,A blue cap of wool,,\n2,A red cap of silk,,\n3,A red hat of wool,,\n"
    out, _ = fill(text_table(tmp_path, text), "Color", "Material")
    header, first, second, _ = out.read_text().splitlines(keepends=True)
    out.write_text(header + second.replace("red,silk", "Dark red,silk") + first)  # edited, sorted, one row gone
    undone = attrex.undo_fill(tmp_path / "changes.csv", out=tmp_path / "again.csv")
    assert (undone.cells, undone.changed, undone.missing) == (3, 1, 2)
    assert (tmp_path / "again.csv").read_text() == (
        "id,title,Color,Material\n2,A red cap of silk,Dark red,\n1,A blue cap of wool,,\n"
    )
    (tmp_path / "other.csv").write_text("id,outcome\n1,filled\n")
    with pytest.raises(DataError, match="without them nothing can be taken back"):
        attrex.undo_fill(tmp_path / "other.csv")


@pytest.mark.parametrize(
    "damage", [{"row": "two"}, {"row": []}, {"file": ["table.csv"]}, {"written": None}, {"id": {}}, {"column": 5}]
)
def test_changes_that_are_none_are_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    table = text_table(tmp_path, "id,title,Color\n1,A blue cap of wool,\n")
    fill(table, "Color")
    (change,) = [
        row for row in csv.DictReader((tmp_path / "changes.csv").read_text().splitlines()) if row["outcome"] == "filled"
    ]
    for content in (json.dumps(change | damage), "[" * 100_000, '{"id": ' + "9" * 5000 + "}"):
        changes = tmp_path / "changes.jsonl"
        changes.write_text(content + "\n")
        with pytest.raises(DataError, match=r"changes\.jsonl: expected what `attrex fill --changes` wrote"):
            attrex.undo_fill(changes)


def test_a_long_cell_does_not_stand_in_the_way_of_taking_back(tmp_path: Path) -> None:
    text = f"id,title,Color,Material\n1,A blue cap of wool,,{'wool ' * 50_000}\n"
    out, _ = fill(text_table(tmp_path, text), "Color", "Material")
    assert out.read_text() == text.replace("wool,,", "wool,blue,")
    attrex.undo_fill(tmp_path / "changes.csv")
    assert out.read_text() == text


@pytest.mark.parametrize("whole", [True, False])
def test_sheets_json_and_parquet_come_back_filled_and_go_back(tmp_path: Path, whole: bool) -> None:
    cells: dict[str, Any] = {"Color": None, "Material": "Silk"}
    row = {"id": "1", "title": "A blue cap of wool", **({"attributes": cells} if whole else cells)}
    (tmp_path / "t.json").write_text(json.dumps([row]))
    pq.write_table(pa.Table.from_pylist([row], _schema(whole)), tmp_path / "t.parquet")
    names = ["t.json", "t.parquet"]
    if not whole:
        book = openpyxl.Workbook()
        book.active.append(list(row))
        book.active.append(list(row.values()))
        book.save(tmp_path / "t.xlsx")
        names.append("t.xlsx")
    mapping = ColumnMapping(attributes="attributes" if whole else ("Color", "Material"))
    for name in names:
        out, _ = fill(tmp_path / name, *([] if whole else ["Color", "Material"]))
        (product,) = read_products(out, shop=Shop(mapping))
        assert product.table == {"Color": ("blue",), "Material": ("Silk",)}
        attrex.undo_fill(tmp_path / "changes.csv")
        (product,) = read_products(out, shop=Shop(mapping))
        assert product.table == {"Material": ("Silk",)}


def _schema(whole: bool) -> pa.Schema:
    cells = [("Color", pa.string()), ("Material", pa.string())]
    table = [("attributes", pa.struct(cells))] if whole else cells
    return pa.schema([("id", pa.string()), ("title", pa.string()), *table])


def test_what_the_file_cannot_hold_is_told_and_not_written(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("title", pa.string()), ("Color", pa.int8())])
    rows = [{"id": "1", "title": "A blue cap", "Color": None}]
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "t.parquet")
    out, filling = fill(tmp_path / "t.parquet", "Color")
    assert pq.read_table(out).to_pylist() == rows
    assert filling.report.to_json()["attributes"]["Color"]["unwritable"] == 1


@pytest.mark.parametrize(("safe", "written"), [(True, "'=1+1"), (False, "=1+1")])
def test_formulas_are_defused_where_that_is_asked_for(tmp_path: Path, safe: bool, written: str) -> None:
    table = text_table(tmp_path, "id,title,Color\n-1,=1+1,\n")
    predictions = [Prediction("-1", (Value.from_span(Span("Color", 0, 4, "=1+1", "title"), 0.9),))]
    out, changes = tmp_path / "o.csv", tmp_path / "c.csv"
    shop = Shop(ColumnMapping(attributes=("Color",)))
    attrex.fill(table, predictions, out, shop=shop, changes=changes, spreadsheet_safe=safe)
    assert out.read_text() == f"id,title,Color\n-1,=1+1,{written}\n"
    assert (",=1+1" in changes.read_text()) != safe
    attrex.undo_fill(changes)
    assert out.read_bytes() == table.read_bytes()


def test_formulas_are_defused_in_headers_and_ids_and_in_a_table_of_another_kind(tmp_path: Path) -> None:
    attribute = "=1+1"
    find = Value(attribute, "\uff20SUM", 0.9, Span(attribute, 0, 4, "\uff20SUM", "title"))
    predictions = [Prediction("-1", (find,))]
    table = text_table(tmp_path, "id,title,Color\n-1,\uff20SUM shoe,\n")
    out, changes = tmp_path / "o.csv", tmp_path / "c.csv"
    attrex.fill(table, predictions, out, changes=changes, new_columns=True, spreadsheet_safe=True)
    assert out.read_text() == "id,title,Color,'=1+1\n-1,\uff20SUM shoe,,'\uff20SUM\n"
    assert attrex.undo_fill(changes).columns == ["'=1+1"]
    assert out.read_bytes() == table.read_bytes()
    rows = tmp_path / "t.jsonl"
    rows.write_text(json.dumps({"id": "-1", "title": "\uff20SUM shoe", "attributes": {attribute: None}}) + "\n")
    attrex.fill(rows, predictions, out, changes=changes, spreadsheet_safe=True)
    assert out.read_text() == "id,'=1+1\n'-1,'\uff20SUM\n"
    assert [line.split(",")[:5] for line in changes.read_text().splitlines()[1:]] == [
        ["'-1", "'=1+1", "filled", "", "'\uff20SUM"]
    ]
    attrex.fill(rows, predictions, out, changes=changes)
    assert out.read_text() == "id,=1+1\n-1,\uff20SUM\n"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Wo\u200bol\u00ad", "Wool"),
        ("\u202eRed\u202c\ufeff", "Red"),
        ("Dark\r\n\x07red\x00", "Dark  red"),
        ("\U000e0041Tag\ufe0f", "Tag"),
        ("10\u00a0cm", "10\u00a0cm"),
        ("a\ud83d", "a\ufffd"),
        ("\u200b", ""),
    ],
)
def test_no_cell_gets_what_nobody_sees(said: str, written: str) -> None:
    assert cell_text(said) == written


def test_a_marker_that_the_shop_itself_calls_blank_may_go(tmp_path: Path) -> None:
    table = text_table(tmp_path, "id,title,Material\n1,A cap of wool,NA\n2,A cap of silk,n/a\n")
    out, changes = tmp_path / "filled.csv", tmp_path / "changes.csv"
    for blank, filled in ((("NA",), "1,A cap of wool,wool\n2,A cap of silk,n/a\n"), (None, "1,A cap of wool,NA\n")):
        cells = Cells(blank=blank) if blank else Cells()
        shop = Shop(ColumnMapping(attributes=("Material",)), cells)
        attrex.fill(table, found(table, shop), out, shop=shop, changes=changes)
        assert out.read_text().startswith("id,title,Material\n" + filled)
    assert attrex.undo_fill(changes).cells == 0
