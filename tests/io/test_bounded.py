"""A small file that unpacks to a row of any size: a marked row, and the others are read."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.errors import DataError
from attrex.io import bounded, csv_cells, files, json_cells, parquet_cells, sheet_xml, xml_stream
from attrex.io.bounded import BoundedLines, TooLongError, row_bytes
from attrex.io.editable import editable_file
from attrex.io.readers import read_products
from attrex.types import Product

ROW = {"id": "1", "title": "A shirt"}
SMALL = 4 * 2**20


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four MB in place of 64: the same with less to pack."""
    for module in (bounded, files, json_cells, parquet_cells, sheet_xml, xml_stream):
        monkeypatch.setattr(module, "MAX_ROW", SMALL)
    monkeypatch.setattr(csv_cells, "LONGEST_ROW", SMALL)
    monkeypatch.setattr(BoundedLines.__init__, "__defaults__", (None, SMALL))
    monkeypatch.setattr(bounded, "MAX_PAGE", SMALL)


def zeros(n: int) -> Iterator[bytes]:
    for _ in range(n // 2**20):
        yield b"0" * 2**20


def packed(path: Path, *parts: bytes, middle: int) -> Path:
    with gzip.open(path, "wb") as file:
        file.write(parts[0])
        for chunk in zeros(middle):
            file.write(chunk)
        file.write(parts[1])
    return path


def peak_of(path: Path) -> tuple[list[Product], int]:
    tracemalloc.start()
    try:
        return list(read_products(path)), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_line_of_any_length_is_one_marked_row_and_not_in_memory(tmp_path: Path) -> None:
    row = json.dumps(ROW).encode() + b"\n"
    path = packed(tmp_path / "a.jsonl.gz", row + b'{"id": "2", "title": "', b'"}\n' + row, middle=64 * 2**20)
    found, peak = peak_of(path)
    assert [p.error is None for p in found] == [True, False, True]
    assert "a.jsonl.gz line 2: expected a row of at most 4,194,304 bytes, got more" in str(found[1].error)
    assert peak < 5 * SMALL


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_cell_of_any_length_in_csv(tmp_path: Path, quote: bytes) -> None:
    path = packed(
        tmp_path / "a.csv.gz", b"id,title\n1,A shirt\n2," + quote, quote + b"\n3,A shirt\n", middle=64 * 2**20
    )
    found, peak = peak_of(path)
    assert [p.id for p in found if p.error is None] == ["1", "3"]
    assert "expected a row of at most" in next(p.error for p in found if p.error)
    assert peak < 20 * SMALL


def test_a_quoted_cell_of_many_lines_is_bounded_too(tmp_path: Path) -> None:
    line = "x" * 1000 + "\n"
    (tmp_path / "a.csv").write_text('id,title\n1,A shirt\n2,"' + line * 8000 + '"\n3,A shirt\n')
    found = list(read_products(tmp_path / "a.csv"))
    assert found[0].error is None
    assert "a quote that is never closed" in str(found[1].error)
    assert found[-1].id == "3"


def test_a_list_of_json_streams(tmp_path: Path) -> None:
    rows = [ROW | {"id": str(n), "title": "a shirt " * 200} for n in range(6000)]
    (tmp_path / "a.json").write_text("\ufeff\n" + json.dumps(rows))
    (tmp_path / "b.jsonl").write_text(json.dumps(rows))
    for name in ("a.json", "b.jsonl"):
        found = list(read_products(tmp_path / name))
        assert [p.id for p in found] == [r["id"] for r in rows]
        assert all(p.error is None for p in found)


def test_a_long_list_of_json_that_is_broken_or_too_long_ends_with_a_mark(tmp_path: Path) -> None:
    rows = [ROW | {"id": str(n), "title": "a shirt " * 200} for n in range(3000)]
    text = json.dumps(rows)
    (tmp_path / "cut.json").write_text(text[:-20])
    (tmp_path / "broken.json").write_text(text.replace('"2000"', '"2000'))
    (tmp_path / "long.json").write_text(text[:-1] + ', {"title": "' + "x" * (5 * SMALL) + '"}]')
    for name, good in (("cut.json", 2999), ("broken.json", 2000), ("long.json", 3000)):
        *before, last = read_products(tmp_path / name)
        assert (len(before), last.error is None) == (good, False), name


def test_many_tiny_values_are_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_PARTS", 1000)
    (tmp_path / "a.jsonl").write_text(json.dumps(ROW) + "\n" + "[" + "[]," * 2000 + "[]]\n" + json.dumps(ROW) + "\n")
    found = list(read_products(tmp_path / "a.jsonl"))
    assert [p.error is None for p in found] == [True, False, True]
    assert "at most 1,000 values" in str(found[1].error)


def test_a_cell_of_parquet_that_refers_to_a_long_value_again_and_again(tmp_path: Path) -> None:
    words = pa.array([["a shirt"], ["x" * 2**20] * 200, ["a dress"]])
    table = pa.table({"id": ["1", "2", "3"], "title": words})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", dictionary_pagesize_limit=2**22)
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    del words, table
    before = pa.total_allocated_bytes()
    found, peak = peak_of(tmp_path / "a.parquet")
    assert [p.error is None for p in found] == [True, False, True]
    assert "a.parquet row 2: expected a row of at most 4,194,304 bytes, got 209," in str(found[1].error)
    assert peak < 2 * SMALL
    assert pa.total_allocated_bytes() - before < 2 * SMALL


def test_rows_that_fit_alone_and_not_together_are_made_in_portions(tmp_path: Path) -> None:
    texts = [f"{n}" + "x" * (SMALL // 2) for n in range(20)]
    pq.write_table(pa.table({"id": [str(n) for n in range(20)], "title": texts}), tmp_path / "a.parquet")
    found = [(p.id, p.fields["title"][:3], p.error) for p in read_products(tmp_path / "a.parquet")]
    assert found == [(str(n), f"{n}xx"[:3], None) for n in range(20)]


def test_a_page_that_unpacks_to_anything_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(
        path, pa.schema([("id", pa.string()), ("title", pa.string())]), compression="zstd", use_dictionary=False
    ) as writer:
        for number, text in enumerate(("a shirt", "x" * (10 * SMALL), "a dress")):
            writer.write_table(pa.table({"id": [str(number)], "title": [text]}))
    before = pa.total_allocated_bytes()
    found, peak = peak_of(path)
    assert [p.error is None for p in found] == [True, False, True]
    assert "rows 2 to 2: expected pages that unpack to at most" in str(found[1].error)
    assert peak < SMALL
    assert pa.total_allocated_bytes() - before < SMALL


def test_a_list_of_nothing_a_billion_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"id": ["1"], "title": ["A"], "bullets": pa.array([[None] * 11_000_000], pa.list_(pa.string()))})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    (found,) = read_products(tmp_path / "a.parquet")
    assert "expected lists of a few values" in str(found.error)


@pytest.mark.parametrize(
    ("values", "kind", "sizes"),
    [
        (["ab", None, ""], pa.string(), [52, 50, 50]),
        ([b"abc"], pa.large_binary(), [53]),
        (["ab", "ab", None], pa.dictionary(pa.int8(), pa.string()), [52, 52, 52]),
        ([["a", "bc"], [], None], pa.list_(pa.string()), [51 + 52 + 16 + 50, 50, 50]),
        ([{"k": "abc"}], pa.struct([("k", pa.string())]), [253]),
        ([1, 2], pa.int64(), [32, 32]),
        ([[("k", "abc")], []], pa.map_(pa.string(), pa.string()), [51 + 53 + 8 + 50, 50]),
    ],
)
def test_bytes_of_cells(values: list, kind: pa.DataType, sizes: list[int]) -> None:
    assert row_bytes(pa.array(values, kind)).tolist() == sizes
    assert row_bytes(pa.array([*values, *values], kind).slice(len(values))).tolist() == sizes


def test_lines_go_on_after_one_that_is_too_long() -> None:
    lines = BoundedLines(io.StringIO("abc\n" + "x" * 50 + "\nde\nf"), most=10)
    assert next(lines) == "abc\n"
    lines.begin_row()
    with pytest.raises(TooLongError):
        next(lines)
    assert next(lines) == "de\n"
    assert next(lines) == "f"
    assert list(lines) == []


WORKBOOK = {
    "_rels/.rels": '<Relationships><Relationship Id="a" Type="/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="a" r:id="a"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="a" Type="/worksheet" Target="a.xml"/>'
    '<Relationship Id="b" Type="/sharedStrings" Target="b.xml"/><Relationship Id="c" Type="/styles" Target="c.xml"/>'
    "</Relationships>",
    "xl/a.xml": '<worksheet><sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
    '<row><c><v>1</v></c><c t="s"><v>2</v></c></row></sheetData></worksheet>',
    "xl/b.xml": "<sst><si><t>id</t></si><si><t>title</t></si><si><t>A shirt</t></si></sst>",
    "xl/c.xml": "<styleSheet/>",
}


SHEET = WORKBOOK["xl/a.xml"].removesuffix("</sheetData></worksheet>")


@pytest.mark.parametrize(
    ("part", "begins", "goes_on", "words"),
    [
        ("xl/a.xml", f"{SHEET}<row><c t='inlineStr'><is><t>", "x", "a row of it, or what is between rows, is longer"),
        ("xl/a.xml", f"{SHEET}<row a='", "x", "a tag in it is longer than 1,048,576 bytes"),
        ("xl/a.xml", f"{SHEET}<row>", "<c/>", "a row of it has more than 1,000 columns"),
        ("xl/b.xml", "<sst><si><t>", "x", "a text in it is longer than 4,194,304 characters"),
        ("xl/b.xml", "<sst a='", "x", "a tag in it is longer than 1,048,576 bytes"),
        ("xl/c.xml", "<styleSheet>", "<a/>", "xl/c.xml is longer than 4,194,304 bytes"),
    ],
)
def test_a_workbook_that_unpacks_to_anything_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, begins: str, goes_on: str, words: str
) -> None:
    monkeypatch.setattr(sheet_xml, "MOST_COLUMNS", 1000)
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in WORKBOOK.items():
            file.writestr(name, content)
    assert [dict(p.fields) for p in read_products(path)] == [{"title": "A shirt"}]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in WORKBOOK.items():
            if name != part:
                file.writestr(name, content)
        with file.open(part, "w") as out:
            out.write(begins.encode())
            for _ in range(16):
                out.write((goes_on * (2**20 // len(goes_on))).encode())
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=words):
            list(read_products(path))
        assert tracemalloc.get_traced_memory()[1] < 6 * SMALL
    finally:
        tracemalloc.stop()


FEED = b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>1</g:id><title>A shirt</title></item>'


@pytest.mark.parametrize(
    ("before", "chunk"), [(b"<item><title>", b"x" * 2**16), (b"<item a='", b"x" * 2**16), (b"<!--", b"x" * 2**16)]
)
def test_an_element_of_any_length_ends_the_products_with_a_marked_row(
    tmp_path: Path, before: bytes, chunk: bytes
) -> None:
    with gzip.open(tmp_path / "a.xml.gz", "wb") as file:
        file.write(FEED + before)
        for _ in range(256):
            file.write(chunk)
    found, peak = peak_of(tmp_path / "a.xml.gz")
    assert [(p.id, dict(p.fields), p.error is None) for p in found] == [
        ("1", {"title": "A shirt"}, True),
        ("row-2", {}, False),
    ]
    assert "expected a row of at most 4,194,304 bytes, got more" in str(found[1].error)
    assert peak < 5 * SMALL


def test_an_element_of_too_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_stream, "MAX_PARTS", 1000)
    (tmp_path / "a.xml").write_bytes(FEED + b"<item>" + b"<a/>" * 1001 + b"</item></channel></rss>")
    assert [p.error is None for p in read_products(tmp_path / "a.xml")] == [True, False]
    (tmp_path / "a.xml").write_bytes(FEED + b"<item><title>A dress</title></item>" * 1001 + b"</channel></rss>")
    assert [p.error for p in read_products(tmp_path / "a.xml")] == [None] * 1002


def test_a_line_of_any_length_is_copied_and_not_changed(tmp_path: Path) -> None:
    row = json.dumps(ROW | {"Color": ""}).encode() + b"\n"
    path = packed(tmp_path / "a.jsonl.gz", row + b'{"id": "\xff2", "title": "', b'"}\n' + row, middle=16 * 2**20)
    file, out = editable_file(path), tmp_path / "out.jsonl.gz"
    assert file is not None
    assert [(r.number, r.index, r.error[:14]) for r in file.rows()] == [
        (1, 0, ""),
        (2, 1, "expected a row"),
        (3, 2, ""),
    ]
    file.write(out, lambda row: {("Color",): "Blue"})
    written, before = gzip.decompress(out.read_bytes()), gzip.decompress(path.read_bytes())
    assert written == before.replace(b'"Color": ""', b'"Color": "Blue"')


def test_a_list_that_is_longer_than_memory_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_cells, "MAX_WHOLE", 100)
    (tmp_path / "a.json").write_text(json.dumps([ROW] * 10))
    file = editable_file(tmp_path / "a.json")
    assert file is not None
    with pytest.raises(
        DataError, match=r"a\.json: expected a list of at most 100 bytes, got more; write an object a line"
    ):
        list(file.rows())


def test_cells_that_unpack_to_anything_are_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = pa.DictionaryArray.from_arrays([0, 0, 1], ["a shirt", "x" * (SMALL + 1)])
    pq.write_table(pa.table({"id": ["1", "2", "3"], "title": texts.cast(pa.string())}), path)
    file = editable_file(path)
    assert file is not None
    before = pa.total_allocated_bytes()
    with pytest.raises(DataError, match=r"a\.parquet: expected a row of at most 4,194,304 bytes, got 4,194,4"):
        list(file.rows())
    assert pa.total_allocated_bytes() - before < 3 * SMALL
