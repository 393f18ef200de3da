"""`fill` on platforms' exports: only blank cells change, and the platform reads what was written."""

from __future__ import annotations

import pytest

from attrex.io.readers import read_products
from attrex.pipeline import fill, undo_fill
from attrex.types import Prediction, Span, Value

WOO = (
    "ID,Type,SKU,Name,Description,Parent,"
    "Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 1 global\r\n"
    '1,variable,CAP,Cap,"A blue cap\\nof wool",,Color,"Blue, Red",1,1\r\n'
    "2,variation,CAP-B,Cap,,CAP,Color,Blue,,1\r\n"
    "3,simple,MUG,Mug,A white mug,,,,,\r\n"
)
SHOPIFY = (
    "Handle,Title,Body (HTML),Option1 Name,Option1 Value,Image Src,Color (product.metafields.custom.color)\n"
    'cap,Cap,"<p>A blue, cap</p>",Size,S,a.jpg,\n'
    "cap,,,,M,b.jpg,\n"
    "mug,Mug,White mug,Title,Default Title,,white\n"
)
MAGENTO = (
    "sku,store_view_code,product_type,name,description,additional_attributes\n"
    'A,,simple,Cap,Blue cap,"color=Blue,fit=Slim"\n'
    "A,de,,Mütze,Blaue Mütze,\n"
    "B,,simple,Mug,White mug,\n"
)
GOOGLE = (
    "id\ttitle\tdescription\tlink\tprice\tcolor\n"
    "1\tCap\tBlue cap\thttps://x.example/1\t9 EUR\tBlue/Red\n"
    "2\tMug\tWhite mug\thttps://x.example/2\t9 EUR\t\n"
)
TABLE = "sku;name;description;Farbe;Material;Preis\n1;Cap;Blue cap;Navy;;1,50\n2;Mug;White mug;;n/a;2,50\n"


def found(path, **values):
    """Predictions for the products of a file: product -> attribute -> value."""
    return [
        Prediction(
            p.id,
            tuple(
                Value(a, v, 0.9, Span(a, 0, 1, p.fields["title"][:1], "title"))
                for a, v in values.get(p.id.replace("-", "_"), {}).items()
            ),
        )
        for p in read_products(path)
    ]


@pytest.mark.parametrize(
    ("name", "text", "values", "before", "after"),
    [
        (
            "woo.csv",
            WOO,
            {"MUG": {"Color": "White"}, "CAP_B": {"Fit": "Slim"}, "CAP": {"Color": "Green"}},
            "mug,,,,,\r\n",
            "mug,,Color,White,1,1\r\n",
        ),
        (
            "shopify.csv",
            SHOPIFY,
            {"cap": {"Color": "Blue", "Size": "L"}, "mug": {"Color": "Red"}},
            "a.jpg,\n",
            "a.jpg,Blue\n",
        ),
        (
            "magento.csv",
            MAGENTO,
            {"B": {"Color": "White"}, "A": {"Color": "Red"}},
            "White mug,\n",
            "White mug,color=White\n",
        ),
        ("google.tsv", GOOGLE, {"2": {"Color": "White"}, "1": {"Color": "Red"}}, "9 EUR\t\n", "9 EUR\tWhite\n"),
        (
            "table.csv",
            TABLE,
            {"2": {"Farbe": "Weiß", "Material": "Clay"}, "1": {"Farbe": "Blue"}},
            "mug;;n/a",
            "mug;Weiß;n/a",
        ),
    ],
)
def test_one_blank_cell_is_filled_and_every_other_byte_stays(tmp_path, name, text, values, before, after):
    (tmp_path / name).write_bytes(text.encode())
    predictions = found(tmp_path / name, **values)
    fill(tmp_path / name, predictions, tmp_path / f"out-{name}", changes=tmp_path / "changes.csv")
    assert (tmp_path / f"out-{name}").read_bytes().decode() == text.replace(before, after, 1)
    undo_fill(tmp_path / "changes.csv")
    assert (tmp_path / f"out-{name}").read_bytes().decode() == text


def test_new_columns_stand_at_the_end_and_are_taken_back(tmp_path):
    (tmp_path / "woo.csv").write_bytes(WOO.encode())
    predictions = found(tmp_path / "woo.csv", CAP={"Fit": "Slim"}, MUG={"Color": "White", "Fit": "Wide"})
    fill(tmp_path / "woo.csv", predictions, tmp_path / "out.csv", changes=tmp_path / "changes.csv", new_columns=True)
    cap, _, mug = read_products(tmp_path / "out.csv")
    assert (cap.table["Fit"], mug.table) == (("Slim",), {"Color": ("White",), "Fit": ("Wide",)})
    header, *lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert header.endswith("Attribute 2 name,Attribute 2 value(s),Attribute 2 visible,Attribute 2 global")
    assert lines[0].endswith(",Fit,Slim,1,0")
    undo_fill(tmp_path / "changes.csv")
    assert (tmp_path / "out.csv").read_bytes().decode() == WOO
