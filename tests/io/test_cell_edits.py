"""Files edited cell by cell, compared by readers that know nothing of the editors: csv, openpyxl, json, pyarrow."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attrex.errors import DataError
from attrex.io.cell_edits import Column, EditableFile, EditableRow, Source
from attrex.io.csv_cells import CsvFile
from attrex.io.json_cells import JsonFile
from attrex.io.parquet_cells import ParquetFile
from attrex.io.sheet_xml import SheetFile
from attrex.shop.cells import is_empty

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
cell = st.text(st.sampled_from("aé \"'=\n-;,\t€"), max_size=4)


def fill_empty(file: EditableFile, out: Path, columns: list[Column], value: str) -> dict[tuple[int, Column], str]:
    """Write the value into every empty cell of these columns; what was there, as the file spells it."""
    before = {}

    def change(row: EditableRow) -> dict[Column, str]:
        empty = [c for c in columns if is_empty(row.content(c))]
        before.update({(row.index, c): row.source(c) for c in empty})
        return dict.fromkeys(empty, value)

    file.write(out, change)
    return before


def put_back(file: EditableFile, out: Path, before: dict[tuple[int, Column], str], **how: Any) -> None:
    file.write(out, lambda row: {c: Source(text) for (i, c), text in before.items() if i == row.index}, **how)


@few
@given(
    rows=st.lists(st.lists(cell, min_size=3, max_size=3), min_size=1, max_size=4),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    above=st.sampled_from(["", "sep={}\n", "Products of 2026\n\n"]),
    value=st.sampled_from(["Wool", 'x "y", z; \t|', "Größe"]),
)
def test_a_text_table_differs_in_its_empty_cells_only(
    tmp_path: Path,
    rows: list[list[str]],
    delimiter: str,
    quoting: Any,
    encoding: str,
    line_end: str,
    above: str,
    value: str,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    table = [["id", "título", "Color", "Fit"], *([str(i), *row] for i, row in enumerate(rows))]
    writer.writerows(table)
    content = above.format(delimiter) + text.getvalue()
    path, out, again = tmp_path / "t.csv", tmp_path / "o.csv", tmp_path / "a.csv"
    path.write_bytes(content.encode(encoding))
    before = fill_empty(CsvFile(path), out, [2, 3], value)
    filled = out.read_bytes().decode(encoding).removeprefix(above.format(delimiter))
    expected = [table[0], *([r[0], r[1], r[2] or value, r[3] or value] for r in table[1:])]
    assert list(csv.reader(io.StringIO(filled, newline=""), delimiter=delimiter)) == expected
    put_back(CsvFile(out), again, before)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "filled"),
    [
        ("id,a,b\n1,,\n", "id,a,b\n1,,X\n"),
        ('id,a,b\n1,"",""\n', 'id,a,b\n1,"","X"\n'),
        ('"id","a","b"\r\n"1","y",\r\n', '"id","a","b"\r\n"1","y","X"\r\n'),
        ("id,a,b\n1\n", "id,a,b\n1,,X\n"),  # a short row
        ("id,a,b\n\n1,, \n2,y,", "id,a,b\n\n1,, \n2,y,X"),  # space is something; no line end
        ('id,a,b\n1,5" nail,\n', 'id,a,b\n1,5" nail,X\n'),
        ('id,a,b\n1,"open,\n2,,\n', 'id,a,b\n1,"open,\n2,,X\n'),  # a stray quote damages its row only
        ("id,a,b\n1,,,z\n2,,\n", "id,a,b\n1,,,z\n2,,X\n"),  # a long row cannot be read
        ("id,a,b\n1,,,\n2,,\n", "id,a,b\n1,,X,\n2,,X\n"),  # but what is blank over the header is no cell
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_what_cannot_be_read_or_holds_anything_keeps_its_bytes(
    tmp_path: Path, name: str, content: str, filled: str
) -> None:
    packed = name.endswith("gz")
    path, out = tmp_path / name, tmp_path / f"o{name}"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    before = fill_empty(CsvFile(path), out, [2], "X")
    written = gzip.decompress(out.read_bytes()) if packed else out.read_bytes()
    assert written.decode() == filled
    put_back(CsvFile(out), out, before)
    assert (gzip.decompress(out.read_bytes()) if packed else out.read_bytes()).decode() == content


def test_new_columns_of_text_tables_come_last_and_go_again(tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "o.csv"
    path.write_bytes(b"\xef\xbb\xbfTitle\n\nid;a\n1;x\n2\n")
    file = CsvFile(path)
    file.write(out, lambda row: {2: "n"} if row.number == 4 else {}, new=["new"])
    assert out.read_bytes() == b"\xef\xbb\xbfTitle\n\nid;a;new\n1;x;n\n2\n"
    CsvFile(out).write(out, lambda row: {}, drop=[2])
    assert out.read_bytes() == path.read_bytes()
    path.write_bytes(b"id;a\n1;x;y\n")
    with pytest.raises(DataError, match=r"line 2: expected 2 cells .* new columns would meet them"):
        CsvFile(path).write(out, lambda row: {}, new=["new"])


def test_a_byte_that_is_no_text_comes_back(tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "o.csv"
    for content in (b"id,a,b\n1,\xc3\xa4\xc3\xb6\xff,\n", b"id,a,b\n1,\xe9\x81,\n"):
        path.write_bytes(content)
        CsvFile(path).write(out, lambda row: {2: "X"})
        assert out.read_bytes() == content[:-1] + b"X\n"
    assert not CsvFile(path).can_hold(2, "北")


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def grid(path: Path) -> list[list[Any]]:
    return [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)]


@few
@given(
    rows=st.lists(
        st.lists(st.sampled_from([None, "a & <b>", 1.5, True, "=A1", "_x000D_", " x "]), min_size=2, max_size=2),
        min_size=1,
        max_size=4,
    ),
    value=st.sampled_from(["Wool", "<a> & _x000D_ ", "=1+1"]),
)
def test_a_sheet_differs_in_its_empty_cells_only(tmp_path: Path, rows: list[list[Any]], value: str) -> None:
    book = openpyxl.Workbook()
    for row in [["id", "title", "Color", "Fit"], *([i, "t", *row] for i, row in enumerate(rows))]:
        book.active.append(row)
    book.create_sheet("other").append(["kept"])
    path, out, again = tmp_path / "t.xlsx", tmp_path / "o.xlsx", tmp_path / "a.xlsx"
    book.save(path)
    file = SheetFile(path)
    before = fill_empty(file, out, [2, 3], value)
    spelt = value.replace("_x000D_", "_x005F_x000D_")  # openpyxl decodes no escapes of inline texts
    assert grid(out) == [[spelt if c is None else c for c in row] for row in grid(path)]
    assert [row.content(2) for row in SheetFile(out).rows()] == [
        value if c is None else row.content(2) for c, row in zip([r[0] for r in rows], file.rows(), strict=True)
    ]
    assert {n: p for n, p in parts(out).items() if n != file.sheet} == {
        n: p for n, p in parts(path).items() if n != file.sheet
    }
    put_back(SheetFile(out), again, before)
    assert parts(again) == parts(path)


SHEET = (
    '<?xml version="1.0"?><x:worksheet xmlns:x="m"><x:dimension ref="A1:B3"/><x:sheetData>\n'
    ' <x:row r="1" spans="1:2"><x:c r="A1" t="str"><x:v>id</x:v></x:c>'
    '<x:c r="B1" s="7" t="str"><x:v>a</x:v></x:c></x:row>\n'
    ' <x:row r="2" spans="1:2"><x:c r="A2"><x:v>1</x:v></x:c><x:c r="B2"><x:f>A1</x:f><x:v></x:v></x:c></x:row>\n'
    ' <x:row r="3"><x:c r="A3"><x:v>2</x:v></x:c> </x:row>\n'
    "</x:sheetData></x:worksheet>"
)


def test_a_sheet_of_another_program_keeps_its_space_prefixes_and_formulas(tmp_path: Path) -> None:
    path, out = tmp_path / "t.xlsx", tmp_path / "o.xlsx"
    openpyxl.Workbook().save(path)
    inner = SheetFile(path).sheet
    with zipfile.ZipFile(out, "w") as file:
        for name, content in parts(path).items():
            file.writestr(name, SHEET if name == inner else content)
    path.write_bytes(out.read_bytes())
    fill_empty(SheetFile(path), out, [1], "X")
    filled = '<x:v>2</x:v></x:c><x:c r="B3" t="inlineStr"><x:is><x:t>X</x:t></x:is></x:c> </x:row>'
    assert parts(out)[inner].decode() == SHEET.replace("<x:v>2</x:v></x:c> </x:row>", filled)
    SheetFile(path).write(out, lambda row: {2: "n"}, new=["new"])
    said = parts(out)[inner].decode()
    assert 'ref="A1:C3"' in said
    assert '<x:row r="2" spans="1:3">' in said
    assert '<x:c r="C1" s="7" t="inlineStr"><x:is><x:t>new</x:t>' in said
    SheetFile(out).write(out, lambda row: {2: Source("<no cell>")}, drop=[2])
    assert parts(out)[inner].decode() == SHEET


def test_cells_under_a_merged_one_are_not_empty(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [["id", "title", "Color"], ["1", "t", "Red"], ["2", "t", None], ["3", "t", None]]:
        book.active.append(row)
    book.active.merge_cells("C2:C3")
    book.save(tmp_path / "t.xlsx")
    fill_empty(SheetFile(tmp_path / "t.xlsx"), tmp_path / "o.xlsx", [2], "X")
    assert [row[2] for row in grid(tmp_path / "o.xlsx")] == ["Color", "Red", None, "X"]


json_value = st.sampled_from(["null", '""', '"a\\u00e9"', "1e2", "1.0", "[null]", "{}", '{"de": "x"}', "NaN", "[]"])


@few
@given(
    rows=st.lists(st.lists(st.tuples(st.sampled_from(["Color", "Fit", "z"]), json_value), max_size=3), max_size=4),
    space=st.sampled_from(["", " ", "\n  "]),
    as_list=st.booleans(),
)
def test_json_differs_in_its_empty_cells_only(
    tmp_path: Path, rows: list[list[tuple[str, str]]], space: str, as_list: bool
) -> None:
    space = space if as_list else space.replace("\n", "")
    objects = ["{" + ",".join(f'{space}"{k}":{space}{v}' for k, v in [("id", "1.50"), *row]) + "}" for row in rows]
    text = "[" + ", ".join(objects) + "]" if as_list else "".join(o + "\r\n" for o in objects)
    path, out = tmp_path / "t.jsonl", tmp_path / "o.jsonl"
    path.write_text(text, encoding="utf-8", newline="")
    before = fill_empty(JsonFile(path), out, [("Color",), ("t", "Fit")], "Größe")

    def filled(source: str) -> dict[str, Any]:
        found = json.loads(source)
        twice = source.count('"Color"') > 1
        if found.get("Color") in (None, "") and not twice:
            found["Color"] = "Größe"
        return {**found, "t": {"Fit": "Größe"}}

    written = out.read_bytes().decode()
    read = json.loads(written) if as_list else [json.loads(line) for line in written.splitlines()]
    assert json.dumps(read, sort_keys=True) == json.dumps(list(map(filled, objects)), sort_keys=True)
    put_back(JsonFile(out), out, before)
    assert out.read_bytes() == path.read_bytes()


def test_json_is_spelt_as_its_neighbours(tmp_path: Path) -> None:
    path, out = tmp_path / "t.json", tmp_path / "o.json"
    path.write_text('[\n {\n  "id": 1.0,\n  "t": {"A": ["x"]}\n }\n]\n')
    JsonFile(path).write(out, lambda row: {("t", "B"): ["y"], ("C",): "z"})
    assert out.read_text() == '[\n {\n  "id": 1.0,\n  "t": {"A": ["x"], "B": ["y"]},\n  "C": "z"\n }\n]\n'
    assert JsonFile(path).holds_lists(("t", "B"))


def test_parquet_keeps_its_schema_and_its_other_cells(tmp_path: Path) -> None:
    path, out = tmp_path / "t.parquet", tmp_path / "o.parquet"
    struct = pa.struct([("A", pa.string()), ("B", pa.int8())])
    table = pa.table(
        {
            "id": ["1", "2", "3"],
            "text": pa.array([None, "x", ""]),
            "list": pa.array([None, ["a"], []], pa.large_list(pa.string())),
            "few": pa.array(["q", None, None]).dictionary_encode(),
            "number": pa.array([1, None, 3]),
            "attributes": pa.array([{"A": None, "B": 1}, {"A": "z", "B": None}, {"A": "", "B": 2}], struct),
        },
    ).replace_schema_metadata({"who": "shop"})
    pq.write_table(table, path, compression="zstd")
    file = ParquetFile(path)
    columns: list[Column] = [("text",), ("list",), ("few",), ("attributes", "A")]
    assert not file.can_hold(("number",), "x")
    before = fill_empty(file, out, columns, "X")
    assert pq.read_table(out).to_pylist() == [
        {"id": "1", "text": "X", "list": ["X"], "few": "q", "number": 1, "attributes": {"A": "X", "B": 1}},
        {"id": "2", "text": "x", "list": ["a"], "few": "X", "number": None, "attributes": {"A": "z", "B": None}},
        {"id": "3", "text": "X", "list": [], "few": "X", "number": 3, "attributes": {"A": "X", "B": 2}},
    ]
    assert pq.read_schema(out).equals(pq.read_schema(path), check_metadata=True)
    assert pq.read_metadata(out).row_group(0).column(0).compression == "ZSTD"
    put_back(ParquetFile(out), out, before)
    assert pq.read_table(out).to_pylist() == table.to_pylist()


def test_cells_of_a_sheet_are_read_as_they_are_shown_and_written_so(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["sku", "size", "hidden", "blank"])
    sheet.append([42, 1.25, "secret", None])
    for cell, code in zip(sheet[2], ["00000", "# ?/?", ";;;", '@" cm"'], strict=True):
        cell.number_format = code
    book.save(tmp_path / "in.xlsx")
    file = SheetFile(tmp_path / "in.xlsx")
    [row] = file.rows()
    assert [row.content(c) for c in range(4)] == ["00042", "1 1/4", "", ""]
    assert not is_empty(row.content(2))
    file.write(tmp_path / "out.xlsx", lambda row: {3: "5 cm"})
    assert [r.content(3) for r in SheetFile(tmp_path / "out.xlsx").rows()] == ["5 cm"]  # and not "5 cm cm"
