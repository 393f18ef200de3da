"""Shopify's product CSV, old and current template, and its JSON."""

from __future__ import annotations

import json

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.readers import read_products

OLD = (
    "Handle,Title,Body (HTML),Type,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Image Src,Image Position,"
    "Variant Image,Material (product.metafields.custom.material),Color (product.metafields.shopify.color-pattern)\n"
    'mug,Mug,"<p>White mug &amp; saucer.</p>",Mugs,Glaze,Matte,,,b.jpg,2,,,navy; tortoise-shell\n'
    "mug,,,,,Shiny,,,a.jpg,1,c.jpg,,\n"
    "mug,,,,,,,,d.jpg,3,,,\n"
    "pen,Pen,Blue ink,Pens,Title,Default Title,,,,,,Steel,\n"
)
NEW = (
    "Title,URL handle,Description,Product category,Option1 name,Option1 value,Option1 Linked To,SKU,Price,"
    "Product image URL,Image position,Variant image URL\n"
    'Hat,hat,"<ul><li>Wool</li></ul>",Apparel > Hats,Size,S,,H-S,9.00,h.jpg,1,\n'
    "Hat,hat,,,Size,M,,H-M,9.00,,,m.jpg\n"
)


@pytest.fixture
def old(tmp_path):
    (tmp_path / "old.csv").write_text(OLD, encoding="utf-8")
    return tmp_path / "old.csv"


def test_rows_of_one_handle_are_one_product(old):
    mug, pen = read_products(old)
    assert (mug.id, mug.category) == ("mug", "Mugs")
    assert mug.fields["description"].split() == ["White", "mug", "&", "saucer."]
    assert mug.table == {"Glaze": ("Matte", "Shiny"), "Color": ("navy", "tortoise-shell")}
    assert [p.name for p in mug.images] == ["a.jpg", "b.jpg", "d.jpg", "c.jpg"]
    assert pen.table == {"Material": ("Steel",)}  # and no option "Title"


def test_the_current_template_has_other_names(tmp_path):
    (tmp_path / "new.csv").write_text(NEW, encoding="utf-8")
    (hat,) = read_products(tmp_path / "new.csv")
    assert (hat.id, hat.category, hat.table) == ("hat", "Hats", {"Size": ("S", "M")})
    assert [p.name for p in hat.images] == ["h.jpg", "m.jpg"]
    assert hat.fields["description"].strip() == "Wool"


def test_a_value_goes_to_a_metafield_and_never_to_an_option(old):
    dialect = open_dialect(old)
    mug, pen = dialect.items()
    assert dialect.place(mug, "material", ["Stoneware"]) == [
        Edit(2, ("Material (product.metafields.custom.material)",), "Stoneware")
    ]
    assert dialect.place(pen, "Color", ["blue", "black"]) == [
        Edit(5, ("Color (product.metafields.shopify.color-pattern)",), "blue; black")
    ]
    assert dialect.place(pen, "Ink type", ["Gel"]) == [
        Edit(5, ("Ink type (product.metafields.custom.ink_type)",), "Gel")
    ]
    with pytest.raises(NoPlace, match="a new option would replace the variants"):
        dialect.place(pen, "Glaze", ["Matte"])
    with pytest.raises(NoPlace, match="is filled"):
        dialect.place(pen, "Material", ["Wood"])


@pytest.mark.parametrize("name", ["products.json", "products.jsonl"])
@pytest.mark.parametrize("indent", [None, 1])
def test_products_as_json(tmp_path, name, indent):
    product = {
        "id": 7,
        "title": "Mug",
        "handle": "mug",
        "body_html": "<b>White</b>",
        "product_type": "Mugs",
        "options": [
            {"name": "Glaze", "position": 1, "values": ["Matte"]},
            {"name": "Title", "values": ["Default Title"]},
        ],
        "variants": [{"title": "Matte", "option1": "Matte"}],
        "images": [{"src": "a.jpg"}, {"src": "b.jpg"}],
    }
    (tmp_path / name).write_text(json.dumps({"products": [product, product | {"handle": "two"}]}, indent=indent))
    mug, two = read_products(tmp_path / name)
    assert (mug.id, two.id, mug.category, mug.table) == ("mug", "two", "Mugs", {"Glaze": ("Matte",)})
    assert mug.fields == {"title": "Mug", "description": "   White    "}
    assert [p.name for p in mug.images] == ["a.jpg", "b.jpg"]


def test_one_product_as_its_interface_answers(tmp_path):
    path = tmp_path / "product.json"
    path.write_text('{"product": {"title": "Cap", "handle": "cap", "body_html": "<p>Blue</p>", "variants": []}}')
    [cap] = read_products(path)
    assert (cap.id, cap.fields["title"]) == ("cap", "Cap")
