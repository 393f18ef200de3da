"""Tables of any shop that name attributes in cells, have rows of variants or of codes, or are no text."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.dialects.column_pairs import cell_pairs, pairs_of
from attrex.io.readers import Products, read_products
from attrex.io.sharding import ShardedSource

WIX = """handleId,fieldType,name,description,productImageUrl,price,productOptionName1,productOptionType1,\
productOptionDescription1,additionalInfoTitle1,additionalInfoDescription1
p1,Product,Linen shirt,A cool shirt,a.jpg,30,Color,COLOR,#ff0000:Red;#0000ff:Blue,Material,Linen
p1,Variant,,,,30,,,Red,,
p1,Variant,,,,30,,,Blue,,
p2,Product,Wool hat,A warm hat,b.jpg,20,,,,Material,
"""
SQUARESPACE = """Product ID [Non Editable],Variant ID [Non Editable],Title,Description,SKU,Option Name 1,\
Option Value 1,Hosted Image URLs
a1,v1,Linen shirt,A cool shirt,S1,Size,S,https://x.example/1.jpg https://x.example/2.jpg
,v2,,,S2,,M,
a2,v3,Wool hat,A warm hat,S3,Size,One size,https://x.example/3.jpg
"""
ETSY = """TITLE,DESCRIPTION,PRICE,IMAGE1,VARIATION 1 TYPE,VARIATION 1 NAME,VARIATION 1 VALUES,SKU
Linen shirt,A cool shirt,30,a.jpg,CUSTOM,Primary color,"Red,Blue",S1
"""
CUSTOM_FIELDS = """Product ID,Product Name,Product Description,Product Custom Fields
1,Linen shirt,A cool shirt,"Color=Red;Material=""Linen"";Color=Blue"
2,Wool hat,A warm hat,
"""
CODES = """SKU\tProduct Name\tDescription\tColor\tMaterial
item_sku\titem_name\tproduct_description\tcolor_name\tmaterial_type
S1\tLinen shirt\tA cool shirt\tRed\t
"""


def written(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        (WIX, [{"Color": ("Red", "Blue"), "Material": ("Linen",)}, {}]),
        (SQUARESPACE, [{"Size": ("S", "M")}, {"Size": ("One size",)}]),
        (ETSY, [{"Primary color": ("Red", "Blue")}]),
        (CUSTOM_FIELDS, [{"Color": ("Red", "Blue"), "Material": ("Linen",)}, {}]),
        (CODES, [{"Color": ("Red",)}]),
    ],
)
def test_what_cells_name(tmp_path, text, tables):
    products = list(read_products(written(tmp_path, text, "a.tsv" if "\t" in text else "a.csv")))
    assert [p.table for p in products] == tables
    assert not [p.error for p in products if p.error]
    assert [p.fields["title"] for p in products] == ["Linen shirt", "Wool hat"][: len(tables)]


def test_rows_without_texts_belong_to_the_product_above(tmp_path):
    dialect = open_dialect(written(tmp_path, SQUARESPACE))
    assert [[row.number for row in item.rows] for item in dialect.items()] == [[2, 3], [4]]
    assert [len(item.images) for item in dialect.items()] == [2, 1]
    assert "rows without title and text belong to the product above" in dialect.told()
    assert not dialect.by_row  # a part of the file may begin with a variant


def test_a_row_that_says_nothing_is_told_of(tmp_path):
    text = "id,title,image,Option name,Option value\n1,Linen shirt,a.jpg,Size,S\n2,,,,M\n"
    _, other = read_products(written(tmp_path, text))
    assert other.error.startswith("a.csv line 3: expected text in a title or a description")


def test_values_go_to_the_pair_that_names_them_and_never_to_a_choice(tmp_path):
    shirt, hat = (dialect := open_dialect(written(tmp_path, WIX))).items()
    assert dialect.place(hat, "material", ["Wool"]) == [Edit(5, ("additionalInfoDescription1",), "Wool")]
    assert dialect.place(hat, "Fit", ["Slim"]) == [Edit(5, ("Fit",), "Slim")]
    with pytest.raises(NoPlace, match="would get other variants"):
        dialect.place(shirt, "Color", ["Green"])
    with pytest.raises(NoPlace, match="is filled"):
        dialect.place(shirt, "Material", ["Silk"])


def test_a_row_of_codes_is_passed_over_also_in_parts(tmp_path):
    dialect = open_dialect(path := written(tmp_path, CODES, "a.tsv"))
    assert "the row of codes below the header is passed over" in dialect.told()
    source = ShardedSource.open(Products(path))
    assert [p.id for shard in source.shards(1) for p in source.read(shard)] == ["S1"]


def test_a_product_in_small_letters_is_no_row_of_codes_and_a_cell_without_pairs_is_a_text(tmp_path):
    text = "sku,name,made_by,Custom fields\nhat_1,wool_hat,hat_co,Color=Red;Fit=S\n"
    assert [p.table for p in read_products(written(tmp_path, text))] == [
        {"made_by": ("hat_co",), "Color": ("Red",), "Fit": ("S",)}
    ]
    lines = "".join(f"{n},hat,,Color=Red;Fit=S\n" for n in range(100))
    *_, last = read_products(written(tmp_path, f"sku,name,made_by,Custom fields\n{lines}x,hat,,soft and warm\n"))
    assert (last.table, last.fields["Custom fields"]) == ({}, "soft and warm")


@pytest.mark.parametrize(
    ("columns", "pairs"),
    [
        ("Option1 Name|Option1 Value", [("Option1 Name", "Option1 Value")]),
        ("Attribute Value 2|Attribute Name 2", [("Attribute Name 2", "Attribute Value 2")]),
        ("Merkmal 1 Bezeichnung|Merkmal 1 Wert", [("Merkmal 1 Bezeichnung", "Merkmal 1 Wert")]),
        ("attr1_name|attr1_value|attr2_name", [("attr1_name", "attr1_value")]),
        ("Product Name|Product Description|Color|Value", []),
        ("Feature 1|Feature 2", []),
        ("productOptionName1|productOptionChoices1", [("productOptionName1", "productOptionChoices1")]),
    ],
)
def test_pairs_of_columns(columns, pairs):
    assert [(p.name, p.value) for p in pairs_of(columns.split("|"))[0]] == pairs


@pytest.mark.parametrize(
    ("cell", "pairs"),
    [
        ("Color: Red\nFit: Slim", {"Color": ["Red"], "Fit": ["Slim"]}),
        ("Color:Red|Color:Blue", {"Color": ["Red", "Blue"]}),
        ("Size=10;", {"Size": ["10"]}),
        ("Washable; warm", None),
        ("Color: Red; washable", None),
    ],
)
def test_cells_of_pairs(cell, pairs):
    assert cell_pairs(cell) == pairs


ROWS = [
    {"sku": 1, "Product Name": "Linen shirt", "Bullets": ["Cool", "Light"], "Price": 9.5, "Color": ["Red", "Blue"]},
    {"sku": 2, "Product Name": "Wool hat", "Bullets": ["Warm"], "Price": 5.0, "Color": None, "Fit": "Loose"},
]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_files_that_are_no_text_are_tables_too(tmp_path, name):
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.Table.from_pylist([{"Fit": None, **row} for row in ROWS]), path)
    else:
        lines = [json.dumps(row) for row in ROWS]
        path.write_text("\n".join(lines) if name == "a.jsonl" else f"[{','.join(lines)}]", encoding="utf-8")
    shirt, hat = read_products(path)
    assert (shirt.id, shirt.fields) == ("1", {"title": "Linen shirt", "bullets": "Cool\nLight"})
    assert (shirt.table, hat.table) == ({"Color": ("Red", "Blue")}, {"Fit": ("Loose",)})
    dialect = open_dialect(path)
    first, second = dialect.items()
    assert [e.value for e in dialect.place(second, "Color", ["Green", "Red"])] == [["Green", "Red"]]
    assert [e.value for e in dialect.place(first, "Fit", ["Slim"])] == ["Slim"]


def test_a_key_that_comes_late_in_json_is_an_attribute_too(tmp_path):
    rows = [{"sku": str(n), "name": "Hat", "Color": "Red"} for n in range(101)] + [
        {"sku": "x", "name": "Hat", "Fit": "S"}
    ]
    *_, last = read_products(written(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl"))
    assert last.table == {"Fit": ("S",)}


@pytest.mark.parametrize("name", ["id", "title", "description", "image", "price"])
def test_what_needs_no_guess_is_read_as_before(tmp_path, name):
    path = written(tmp_path, json.dumps({"title": "Hat", name: "x"}), "a.jsonl")
    assert open_dialect(path) is None
