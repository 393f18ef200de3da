from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrex.errors import DataError
from attrex.io.readers import read_products, write_rows
from attrex.shop.cells import Cells
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.types import CellState, Product, Span

SHIRT = {"id": "1", "text": "Acme Blue Shirt"}


def jsonl(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    return path


def read_one(*rows: dict, **options) -> Product:
    """The last of some rows, read from memory."""
    return list(read_products(rows, **options))[-1]


# --- formats -------------------------------------------------------------------------------------------------------


def test_a_labelled_benchmark_row(tmp_path):
    row = {
        **SHIRT,
        "title": "Acme Blue Shirt",
        "image": "images/1.jpg",
        "category": "Topwear",
        "attributes": {"Color": ["Blue"], "Fit": []},
        "spans": [{"attribute": "Color", "start": 5, "end": 9, "text": "Blue", "value": "blue"}],
        "group": 7,
        "table": {"Color": {"values": ["Blue"], "from": "both"}},
    }
    (product,) = read_products(jsonl(tmp_path / "train.jsonl", row))
    assert product == Product(
        id="1",
        fields={"text": "Acme Blue Shirt"},  # the title is part of a labelled text
        images=(tmp_path / "images/1.jpg",),
        category="Topwear",
        table={"Color": ("Blue",), "Fit": ()},
        spans=(Span("Color", 5, 9, "Blue", "text", "blue"),),
        group="7",
    )
    assert product.cell_state("Fit") is CellState.ABSENT
    assert product.cell_state("Neck") is CellState.BLANK


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.json.gz"])
def test_json_lines_by_any_name(tmp_path, name):
    assert write_rows(tmp_path / name, [SHIRT, SHIRT | {"id": "2"}]) == 2
    assert [p.id for p in read_products(tmp_path / name)] == ["1", "2"]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_json_list(tmp_path, bom):
    path = tmp_path / "a.json"
    path.write_bytes(bom + json.dumps([SHIRT, 5], indent=1).encode())
    good, bad = read_products(path)
    assert good.fields == {"text": "Acme Blue Shirt"}
    assert bad.error == "a.json item 2: expected an object with named columns, got a number 5; correct the row"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_json_over_several_lines_is_read_by_any_name(tmp_path, name, bom):
    pack = gzip.compress if name.endswith(".gz") else bytes
    for content, ids in ([SHIRT, SHIRT | {"id": "2"}], ["1", "2"]), (SHIRT, ["1"]):
        (tmp_path / name).write_bytes(pack(bom + json.dumps(content, indent=1).encode()))
        assert [(p.id, p.error) for p in read_products(tmp_path / name)] == [(i, None) for i in ids]


def test_objects_over_several_lines_one_after_the_other_are_marked_with_the_remedy(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(SHIRT, indent=1) + "\n" + json.dumps(SHIRT) + "\n", encoding="utf-8")
    *bad, good = read_products(tmp_path / "a.jsonl")
    assert len(bad) == 4
    assert all(p.error.endswith("; correct the line, or write each object on one line") for p in bad)
    assert good.fields == {"text": "Acme Blue Shirt"}


def test_csv_below_blank_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n \r\n\nid,title\n1,red boots\n2\n", encoding="utf-8")
    good, bad = read_products(path)
    assert good == Product("1", {"title": "red boots"})
    assert bad.warnings == (
        "a.csv line 6: expected 2 cells as in the header, got 1; the missing ones are read as blank",
    )
    assert bad.error.startswith("a.csv line 6: expected text in")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize(
    ("line", "delimiter"), [("sep=;", ";"), ('\ufeff"SEP=|"', "|"), ("sep=\t", "\t"), ("\nsep=^", "^")]
)
def test_csv_whose_first_line_names_the_delimiter(tmp_path, name, line, delimiter):
    row = f"title, long{delimiter}id\nred, blue, white{delimiter}1\n"
    (tmp_path / name).write_text(f"{line}\n{row}", encoding="utf-8")
    (product,) = read_products(tmp_path / name, shop=Shop(ColumnMapping(texts=("title, long",))))
    assert product == Product("1", {"title, long": "red, blue, white"})


def test_csv_with_quotes_line_breaks_bom_and_semicolons(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_bytes('\ufeffid;title;Color\r\n1;"Say ""hi""\r\nthere; you";Blue\r\n\r\n2;Rot;NA\r\n'.encode())
    first, second = read_products(path, shop=Shop(ColumnMapping(attributes=("Color",))))
    assert first.fields == {"title": 'Say "hi"\r\nthere; you'}  # CRLF stays: offsets count it
    assert (first.table, second.table) == ({"Color": ("Blue",)}, {})


def test_tsv_and_every_other_column_as_an_attribute(tmp_path):
    path = tmp_path / "shop.tsv"
    path.write_text("id\ttitle\timage\tColor\tSize, cm\n1\tA, b\tp.jpg\tRed\t5\n", encoding="utf-8")
    (product,) = read_products(path, shop=Shop(ColumnMapping(attributes=("*",))), images=tmp_path / "photos")
    assert product.table == {"Color": ("Red",), "Size, cm": ("5",)}
    assert product.images == (tmp_path / "photos" / "p.jpg",)


def test_csv_may_hold_json_in_its_table_and_spans(tmp_path):
    path = tmp_path / "a.csv"
    cells = [json.dumps({"Color": "Blue"}), json.dumps([{"attribute": "Color", "start": 5, "end": 9}])]
    quoted = ",".join('"' + c.replace('"', '""') + '"' for c in cells)
    path.write_text(f"id,text,attributes,spans,complete\n1,Acme Blue Shirt,{quoted},true\n2,b,,,0\n", encoding="utf-8")
    first, second = read_products(path)
    assert (first.table, first.complete) == ({"Color": ("Blue",)}, True)
    assert first.spans == (Span("Color", 5, 9, "Blue"),)
    assert (second.table, second.spans, second.complete, second.warnings) == ({}, None, False, ())


def test_parquet_with_photo_bytes_numbers_and_missing_cells(tmp_path):
    path = tmp_path / "a.parquet"
    rows = [
        {
            "id": 1,
            "title": "a",
            "bullets": ["x", "y"],
            "image": {"bytes": b"PNG", "path": None},
            "attributes": {"W": 5},
        },
        {"id": 2, "title": "b", "bullets": None, "image": {"bytes": None, "path": "b.jpg"}, "attributes": {"W": None}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    first, second = read_products(path)
    assert first.id == "1"
    assert first.fields == {"title": "a", "bullets": "x\ny"}
    assert (first.images, first.table) == ((b"PNG",), {"W": ("5",)})
    assert second.fields == {"title": "b"}
    assert (second.images, second.table) == ((tmp_path / "b.jpg",), {})


def dated() -> pa.Table:
    days = pa.array([1, 2**31 - 1, None], pa.date32())
    return pa.table({"id": ["a", "b", "c"], "title": ["x", "y", "z"], "day": days})


@pytest.mark.parametrize("kind", ["parquet", "dataset"])
def test_a_date_that_python_does_not_know_costs_its_cell_only(tmp_path, kind):
    if kind == "parquet":
        source = tmp_path / "a.parquet"
        pq.write_table(dated(), source)
    else:
        source = pytest.importorskip("datasets").Dataset(dated())
    first, second, third = read_products(source, shop=Shop(ColumnMapping(attributes=("day",))))
    assert first == Product("a", {"title": "x"}, table={"day": ("1970-01-02",)})
    assert (second.id, second.fields, second.table, second.error) == ("b", {"title": "y"}, {}, None)
    (warning,) = second.warnings
    assert warning.startswith("column 'day': expected a value that can be read, got: days=2147483647")
    assert warning.endswith("; left out")
    assert third == Product("c", {"title": "z"})


def test_parquet_text_that_is_not_utf8_marks_its_row(tmp_path):
    buffers = [None, pa.py_buffer(b"\0\0\0\0\3\0\0\0\7\0\0\0"), pa.py_buffer(b"redcaf\xe9")]
    pq.write_table(
        pa.table({"id": [1, 2], "title": pa.Array.from_buffers(pa.string(), 2, buffers)}), tmp_path / "a.parquet"
    )
    good, bad = read_products(tmp_path / "a.parquet")
    assert good == Product("1", {"title": "red"})
    assert bad.error == (
        "a.parquet row 2: column 'title': expected UTF-8 text, got the byte 0xe9 at position 3; save the file as UTF-8"
    )


def test_parquet_columns_of_one_name(tmp_path):
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["title", "title"]), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a.parquet: expected column names that differ, got \['title'\] more than once; rename one"
    ):
        read_products(tmp_path / "a.parquet")


def test_a_hugging_face_dataset_saved_or_loaded(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([SHIRT, SHIRT | {"id": "2"}])
    both = datasets.DatasetDict({"train": rows, "validation": rows.select([1])})
    both.save_to_disk(str(tmp_path / "both"))
    rows.save_to_disk(str(tmp_path / "one"))
    assert [p.id for p in read_products(rows)] == ["1", "2"]
    assert [p.id for p in read_products(both, split="val")] == ["2"]
    assert [p.id for p in read_products(tmp_path / "one")] == ["1", "2"]
    assert [p.id for p in read_products(tmp_path / "both", split="validation")] == ["2"]
    with pytest.raises(DataError, match=r"expected one of the splits \['train', 'validation'\], none was named"):
        read_products(tmp_path / "both")


def test_the_hub_is_asked_only_for_the_hf_prefix(monkeypatch):
    found = {"train": [SHIRT], "test": [SHIRT | {"id": "t"}]}
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=lambda name: found))
    assert [p.id for p in read_products("hf:shop/shirts", split="test")] == ["t"]
    with pytest.raises(
        DataError, match=r"hf:shop/shirts: expected one of the splits .* got 'tets'; did you mean 'test'"
    ):
        read_products("hf:shop/shirts", split="tets")


def test_limit_stops_early():
    assert len(list(read_products(({**SHIRT, "id": i} for i in range(10_000)), limit=3))) == 3


# --- texts, cells and photos ---------------------------------------------------------------------------------------


def test_all_known_text_columns_are_read_in_a_fixed_order():
    product = read_one({"id": 1, "text": "t", "bullets": ["a", "b"], "description": "", "title": "T"})
    assert list(product.fields.items()) == [("title", "T"), ("description", ""), ("bullets", "a\nb"), ("text", "t")]


def test_mapped_columns():
    mapping = ColumnMapping(id="sku", texts=("name",), images=("front", "back"), category="kind", group="model")
    product = read_one(
        {"sku": 9, "name": "Acme", "title": "no", "front": "f.jpg", "back": ["b.jpg"], "kind": "Bags", "model": "m"},
        shop=Shop(mapping),
        images="photos",
    )
    assert product == Product(
        "9", {"name": "Acme"}, (Path("photos/f.jpg"), Path("photos/b.jpg")), category="Bags", group="m"
    )


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("Blue", ("Blue",)),
        (" Blue ", ("Blue",)),
        (5, ("5",)),
        (2.5, ("2.5",)),
        (["Blue", "Red", "Blue", None], ("Blue", "Red")),
        ("Blue / Red / NA", ("Blue", "Red")),
        ([], ()),
        ("No", ()),
        (["no"], ()),
        (None, None),
        (float("nan"), None),
        (type("NAType", (), {})(), None),  # pandas: pd.NA, pd.NaT
        (type("NaTType", (), {})(), None),
        ("n/a", None),
        ("", None),
        (["NA"], None),
    ],
)
def test_table_cells(cell, values):
    """A blank cell is unknown (no key); a declared absence is an empty tuple."""
    product = read_one(SHIRT | {"attributes": {"Color": cell}}, shop=Shop(cells=Cells(absent=("no",), separator="/")))
    assert product.table == ({} if values is None else {"Color": values})
    assert not product.warnings


def test_a_table_of_pairs_merges_repeated_names():
    product = read_one(SHIRT | {"attributes": [["Color", "Blue"], ["Fit", "Slim"], ["Color", "Red"]]})
    assert product.table == {"Color": ("Blue", "Red"), "Fit": ("Slim",)}


@pytest.mark.parametrize("columns", [("specs", "Color"), ("*",)])
def test_columns_of_one_attribute_and_such_that_hold_a_table(columns):
    row = {"id": 1, "title": "a", "Color": "Red", "specs": '{"Fit": ["Slim"], "Hood": "n/a"}', "image": None}
    product = read_one(row, shop=Shop(ColumnMapping(attributes=columns)))
    assert product.table == {"Color": ("Red",), "Fit": ("Slim",)}
    assert not product.warnings


def test_a_table_column_that_holds_none_is_a_warning():
    product = read_one(SHIRT | {"attributes": "red"})
    assert product.table == {}
    assert product.warnings == ("column 'attributes': expected an object or pairs, got text 'red'; left out",)


def test_a_category_that_is_a_marker_is_none():
    assert read_one(SHIRT | {"category": "Unknown"}).category is None


def test_photos_of_all_kinds(tmp_path):
    images = ["a.jpg", "/abs/b.jpg", b"raw", {"bytes": "UE5H"}, {"bytes": None, "path": "c.jpg"}, None, ""]
    product = read_one(SHIRT | {"images": images}, images=tmp_path)
    assert product.images == (tmp_path / "a.jpg", Path("/abs/b.jpg"), b"raw", b"PNG", tmp_path / "c.jpg")


def test_odd_characters_keep_their_offsets(tmp_path):
    text = "a\x00b\r\n👗é\u2028 红色"
    row = {"id": 1, "text": text, "spans": [{"attribute": "颜色", "start": 9, "end": 11, "text": "红色"}]}
    (product,) = read_products(jsonl(tmp_path / "a.jsonl", row))
    assert product.fields["text"] == text
    assert product.spans == (Span("颜色", 9, 11, "红色"),)


def test_half_an_emoji_is_replaced_one_for_one(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "text": "a\\ud83d red \\ud83d\\ude00"}\n', encoding="utf-8")
    (product,) = read_products(path)
    assert product.fields["text"] == "a\ufffd red 😀"
    assert product.warnings == ("half of a character (a lone surrogate, as in a cut emoji) was replaced by U+FFFD",)


@pytest.mark.parametrize("form", ["{row}\n", "[{row}]"], ids=["lines", "list"])
def test_a_key_that_comes_twice_is_told(tmp_path, form):
    path = tmp_path / "a.jsonl"
    row = '{"id": 1, "text": "red", "text": "blue", "attributes": {"Color": "Red", "Color": "Blue"}}'
    path.write_text(form.replace("{row}", row), encoding="utf-8")
    (product,) = read_products(path)
    assert product.fields["text"] == "blue"
    assert product.table == {"Color": ("Blue",)}
    assert product.warnings == tuple(
        f"expected keys that differ, got '{key}' more than once; the last is read" for key in ("text", "Color")
    )


def test_numpy_values_from_a_data_frame():
    np = pytest.importorskip("numpy")
    row = {"id": np.int64(4), "title": "a", "bullets": np.array(["x", "y"]), "attributes": {"Size": np.float64("nan")}}
    assert read_one(row) == Product("4", {"title": "a", "bullets": "x\ny"})


def test_a_text_of_a_million_characters(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"id,text\n1,{'x' * 1_000_000}\n", encoding="utf-8")
    assert len(next(read_products(path)).fields["text"]) == 1_000_000


# --- bad rows are marked, the rest goes on -------------------------------------------------------------------------


def test_bad_json_lines_are_marked_and_the_rest_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    good = json.dumps(SHIRT).encode()
    path.write_bytes(good + b'\n{"id": 2, "tex\n\n"text"\n{"id": 5, "text": "\xff"}\n' + good.replace(b"1", b"6"))
    products = list(read_products(path))
    assert [p.id for p in products] == ["1", "row-2", "row-4", "row-5", "6"]
    errors = [p.error for p in products]
    assert errors[0] is errors[4] is None
    assert errors[1].startswith('a.jsonl line 2: expected one JSON object, got b\'{"id": 2, ')
    assert errors[1].endswith("; correct the line, or write each object on one line")
    assert errors[2] == "a.jsonl line 4: expected an object with named columns, got text 'text'; correct the row"
    assert errors[3] == (
        "a.jsonl line 5: expected UTF-8 text, got the byte 0xff at position 19; save the file as UTF-8"
    )


def test_json_nested_too_deep_is_a_marked_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("[" * 100_000 + "\n" + json.dumps(SHIRT) + "\n", encoding="utf-8")
    bad, good = read_products(path)
    assert "expected one JSON object" in bad.error
    assert good.error is None


def test_values_nested_too_deep_to_be_checked_are_a_marked_row(tmp_path):
    """What json can read may still be too deep for the look at half characters that a \\u asks for."""
    deep = '{"id": 1, "text": "\\u00e9", "x": ' + "[" * 600 + "]" * 600 + "}"
    (tmp_path / "a.jsonl").write_text(deep + "\n" + json.dumps(SHIRT) + "\n", encoding="utf-8")
    (tmp_path / "a.json").write_text(f"[{deep}, {json.dumps(SHIRT)}]", encoding="utf-8")
    for source in (tmp_path / "a.jsonl", tmp_path / "a.json", [json.loads(deep), SHIRT]):
        bad, good = read_products(source)
        assert bad.error.endswith(
            " 1: expected lists and objects in a few levels, got ones nested too deep to be read; correct the row"
        )
        assert good == read_one(SHIRT)


def test_a_wrong_value_nested_too_deep_is_named_without_being_shown():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    bad, good = read_products([deep, SHIRT])
    assert "expected an object with named columns, got a list nested too deep to be shown" in bad.error
    assert good == read_one(SHIRT)


def test_a_text_that_is_a_number_or_missing_marks_the_row():
    number, nothing = read_products([{"id": "a", "title": 501, "brand": "x"}, {"id": "b", "brand": "x"}])
    assert number.error == ("dataset row 1: expected text or a list of texts in 'title', got a number 501; correct it")
    assert (number.id, number.fields) == ("a", {})
    assert nothing.error == (
        "dataset row 2: expected text in ['title', 'description', 'bullets', 'text'], got none; "
        "columns with a value: ['id', 'brand']"
    )


def test_a_row_without_id_takes_its_number_and_a_double_id_is_said():
    first, second, third = read_products([{"text": "a"}, SHIRT, SHIRT])
    assert first.id == "row-1"
    assert first.warnings == ("dataset row 1: no id in column 'id'; the row number stands in for it",)
    assert second.warnings == ()
    assert third.warnings == ("the id '1' was there before; results of the two cannot be told apart by id",)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (
            {"attribute": "Color", "start": 5, "end": 10, "text": "Blue"},
            "span 'Color': expected 'Blue' at 5:10 of 'text', got 'Blue ' (offsets are characters, end exclusive)",
        ),
        ({"attribute": "Color", "start": -4, "end": 15}, "expected '"),
        ({"attribute": "Color", "start": 5, "end": 99}, "at 5:99 of 'text'"),
        ({"attribute": "Color", "start": 5.0, "end": 9}, "expected attribute (text), start and end (whole numbers)"),
        (
            {"start": 5, "end": 9},
            "expected attribute (text), start and end (whole numbers), got {'start': 5, 'end': 9}",
        ),
        ({"attribute": "Color", "start": 5, "end": 9, "field": "titel"}, "expected a field of ['text'], got 'titel'"),
        ("Blue", "span: expected an object, got text 'Blue'"),
    ],
)
def test_a_wrong_span_is_left_out_and_the_row_goes_on(span, said):
    fits = {"attribute": "Brand", "start": 0, "end": 4, "text": "Acme"}
    product = read_one(SHIRT | {"spans": [span, fits], "complete": True})
    assert product.spans == (Span("Brand", 0, 4, "Acme"),)
    (warning,) = product.warnings
    assert said in warning
    assert warning.endswith("; this span is left out")
    assert not product.complete  # a label is lost: the rest is no longer known to be absent


def test_spans_in_fields_that_are_not_asked_for_are_no_fault():
    spans = [{"attribute": "Color", "start": 0, "end": 3, "text": "Red", "field": "description"}]
    row = {"id": 1, "fields": {"title": "Acme", "description": "Red"}, "spans": spans, "complete": True}
    product = read_one(row, shop=Shop(ColumnMapping(texts=("title",))))
    assert product == Product("1", {"title": "Acme"}, spans=(), complete=True)


@pytest.mark.parametrize(
    ("extra", "warning"),
    [
        ({"spans": 3}, "spans: expected a list, got a number 3; the labels are left out"),
        ({"attributes": "Blue"}, "column 'attributes': expected an object or pairs, got text 'Blue'; left out"),
        (
            {"attributes": {"Color": {"en": "Blue"}}},
            "attribute 'Color': expected text, a number or a list of these, got an object {'en': 'Blue'}; "
            "the cell is left out",
        ),
        (
            {"image": "https://shop/1.jpg"},
            "image: expected a file, got the address 'https://shop/1.jpg'; download it and give the path; "
            "the product goes on without this photo",
        ),
        ({"category": ["Shoes"]}, "column 'category': expected text or a number, got a list ['Shoes']; left out"),
        (
            {"category": {"en": "x"}},
            "column 'category': expected text or a number, got an object {'en': 'x'}; left out",
        ),
        ({"group": [1]}, "column 'group': expected text or a number, got a list [1]; left out"),
        ({"complete": "yes"}, "column 'complete': expected true or false, got text 'yes'; taken as false"),
        ({"complete": 2}, "column 'complete': expected true or false, got a number 2; taken as false"),
        ({"complete": []}, "column 'complete': expected true or false, got a list []; taken as false"),
        (
            {"id": [1, 2]},
            "dataset row 1: column 'id': expected text or a number, got a list [1, 2]; the row number stands in for it",
        ),
        (
            {"fields": {"text": "a"}, "error": [1]},
            "column 'error': expected text or a number, got a list [1]; left out",
        ),
        ({"image": 5}, "image: expected a path or bytes, got a number; the product goes on without this photo"),
        ({"image": {"bytes": "no!"}}, "image: expected base64 bytes of a photo, got 'no!'"),
        ({"image": {"bytes": "é"}}, "image: expected base64 bytes of a photo, got 'é'"),
    ],
)
def test_other_doubtful_cells_are_warnings(extra, warning):
    (said,) = read_one(SHIRT | extra).warnings
    assert said.startswith(warning)


@pytest.mark.parametrize(
    ("said", "complete"),
    [(True, True), (1, True), (1.0, True), (" TRUE", True), ("0", False), (0.0, False), ("n/a", True), ("", True)],
)
def test_whether_a_row_is_complete(said, complete):
    product = read_one(SHIRT | {"complete": said}, shop=Shop(ColumnMapping(complete=True)))
    assert (product.complete, product.warnings) == (complete, ())


def test_a_word_that_does_not_say_whether_a_row_is_complete_leaves_it_to_the_mapping():
    product = read_one(SHIRT | {"complete": "no"}, shop=Shop(ColumnMapping(complete=True)))
    assert product.complete
    assert product.warnings == ("column 'complete': expected true or false, got text 'no'; taken as true",)


def test_bad_csv_rows_are_marked(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,title\n1,\xc3\xa4\xc3\xb6\n2,b,c\n3,"d"e\n4,\xe9\n5,f\n6,"open\n7,g\n')
    products = list(read_products(path))
    assert [p.id for p in products] == ["1", "row-3", "row-4", "row-5", "5", "row-7", "7"]
    assert [p.error for p in products if p.error] == [
        "a.csv line 3: expected 2 cells as in the header, got 3; quote cells that hold a delimiter or a line break",
        "a.csv line 4: expected cells with closed quotes, got 'e' behind the closing quote of a cell in line 4; "
        'write " as ""',
        "a.csv line 5: expected UTF-8 text, got the byte 0xe9; save the file as UTF-8",
        'a.csv line 7: expected cells with closed quotes, got a quote that is never closed in line 7; write " as ""',
    ]


def test_a_file_cut_in_the_middle_gives_what_is_there_and_a_marked_row(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    rows = "".join(json.dumps({"id": i, "text": f"{i * 7919} {i}"}) + "\n" for i in range(4_000))
    path.write_bytes(gzip.compress(rows.encode())[:-1000])
    *good, last = read_products(path)
    assert len(good) > 100
    assert not any(p.error for p in good[:-1])
    assert "expected more rows, got: Compressed file ended" in last.error
    assert last.error.endswith("the file is damaged here and cannot be read further, make it again")


def test_a_packed_file_that_is_damaged_at_once_is_told_of(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "red"}\n')[:10] + b"\xff" * 30)
    with pytest.raises(DataError, match="while decompressing data"):
        list(read_products(path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["field", "bytes", "a"]), inner),
    max_leaves=4,
)
spans_at_random = st.fixed_dictionaries(dict.fromkeys(("attribute", "start", "end", "field", "text"), json_values))
columns = ["id", "text", "title", "fields", "image", "attributes", "category", "group", "complete", "warnings", "error"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.fixed_dictionaries({}, optional={"spans": st.lists(spans_at_random), **dict.fromkeys(columns, json_values)}))
def test_no_row_crashes_and_none_is_lost(row):
    products = list(read_products([SHIRT, row, SHIRT], shop=Shop(cells=Cells(separator=","))))
    assert len(products) == 3
    assert all(isinstance(p.error, str | None) and isinstance(p.id, str) for p in products)


# --- sources that cannot be read at all ----------------------------------------------------------------------------


def test_a_missing_file_names_a_near_one(tmp_path):
    jsonl(tmp_path / "train.jsonl", SHIRT)
    with pytest.raises(
        DataError, match=r"expected a file or directory, found nothing there; did you mean 'train.jsonl'"
    ):
        read_products(tmp_path / "trian.jsonl")


@pytest.mark.parametrize("name", ["a.xls", "a", "a.parquet.gz"])
def test_an_unknown_kind_of_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=rf"expected a file ending in .jsonl, .* got '{name}'; rename it"):
        read_products(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl", b""), ("a.jsonl", b"\n\n"), ("a.csv", b""), ("a.csv", b"id\n"), ("a.json", b"[]")]
)
def test_an_empty_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: expected at least one product, got an empty file"):
        read_products(tmp_path / name)


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz"])
def test_a_file_that_is_not_what_its_name_says(tmp_path, name):
    (tmp_path / name).write_bytes(b"plainly something else")
    with pytest.raises(DataError, match=rf"{name}: expected a readable .* file, got: .*; make it again"):
        read_products(tmp_path / name)


def test_a_broken_json_list(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"id": 1}, ', encoding="utf-8")
    with pytest.raises(DataError, match=r"a.json: expected a JSON list of products, got broken JSON \(.*line 1"):
        read_products(path)
    path.write_bytes(b'["\xff"]')
    with pytest.raises(DataError, match=r"a.json: expected UTF-8 text, got the byte 0xff at position 2"):
        read_products(path)


def test_csv_headers_that_cannot_be_used(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,title,title\n1,a,b\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"expected column names that differ, got \['title'\] more than once; rename one"
    ):
        read_products(path)
    path.write_bytes("id,größer\n".encode()[:-1] + b"\xe9\n1,a\n")
    with pytest.raises(DataError, match="expected UTF-8 text, got the byte 0xe9; save the file as UTF-8"):
        read_products(path)
    path.write_text('id,"title\n1,a\n', encoding="utf-8")
    with pytest.raises(DataError, match="expected a first line with column names, got a broken one"):
        read_products(path)


@pytest.mark.parametrize(
    "mapping", [ColumnMapping(texts=("titel",)), ColumnMapping(id="titel"), ColumnMapping(attributes=("titel",))]
)
def test_a_mapped_column_that_no_row_has(mapping):
    with pytest.raises(
        DataError,
        match=r"expected the column 'titel', which the shop names, got \['id', 'title'\]; did you mean 'title'\?",
    ):
        read_products([{"id": 1, "title": "a"}], shop=Shop(mapping))


def test_a_mapped_column_may_be_missing_in_some_rows():
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "photo": "b.jpg"}]
    products = list(read_products(rows, shop=Shop(ColumnMapping(texts=("name",), images=("photo",)))))
    assert [len(p.images) for p in products] == [0, 1]


def test_no_text_column_at_all():
    with pytest.raises(
        DataError, match=r"expected a text column \(title, .*\), got \['id', 'Title'\]; did you mean 'Title'"
    ):
        read_products([{"id": 1, "Title": "a"}])


def test_a_split_of_a_single_file(tmp_path):
    with pytest.raises(DataError, match="expected no split for a single file, got split='valid'"):
        read_products(jsonl(tmp_path / "a.jsonl", SHIRT), split="valid")


def test_a_directory_of_no_known_layout(tmp_path):
    jsonl(tmp_path / "a.jsonl", SHIRT)
    with pytest.raises(
        DataError, match=r"expected a directory in MEPAVE layout .* got \['a.jsonl'\]; name one data file"
    ):
        read_products(tmp_path)


def test_datasets_not_installed_or_not_found(tmp_path, monkeypatch):
    def absent(name: str) -> None:
        raise FileNotFoundError(f"no dataset {name}")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=absent, load_from_disk=absent))
    with pytest.raises(DataError, match="hf:x: expected a dataset on the Hugging Face hub, got: no dataset x; check"):
        read_products("hf:x")
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(DataError, match="expected a Hugging Face dataset saved on disk, got: no dataset"):
        read_products(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"hf:x: expected the package 'datasets'.*pip install 'attrex\[datasets\]'"):
        read_products("hf:x")


def test_reading_needs_no_torch():
    code = "import sys, attrex.io.readers, attrex.io.importers; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
