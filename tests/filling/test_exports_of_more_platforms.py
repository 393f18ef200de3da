"""`fill` on exports of Akeneo, Amazon Berkeley Objects, JSON-LD, BMEcat and Icecat: written, read again, taken back."""

from __future__ import annotations

import pytest

from attrex.io.readers import read_products
from attrex.pipeline import fill, undo_fill
from attrex.types import Prediction, Value

AKENEO = (
    "sku;family;color;name-en_US;weight;weight-unit\n"
    "A;hats;navy_blue;Cap;120.0000;GRAM\n"
    "B;hats;;Cap in navy blue, 0.1 kg;;GRAM\n"
)
LISTINGS = (
    '{"item_id": "A", "item_name": [{"language_tag": "en_US", "value": "Cap"}], '
    '"color": [{"language_tag": "en_US", "value": "Blue"}]}\n'
    '{"item_id": "B", "item_name": [{"language_tag": "en_US", "value": "Red cap"}]}\n'
)
JSON_LD = (
    '[{"@type": "Product", "sku": "A", "name": "Cap", "color": "Blue"},\n'
    ' {"@type": "Product", "sku": "B", "name": "Red cap", "color": ""}]\n'
)
BMECAT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<BMECAT version="2005"><T_NEW_CATALOG>\n'
    "<PRODUCT><SUPPLIER_PID>A</SUPPLIER_PID><PRODUCT_DETAILS><DESCRIPTION_SHORT>Cap</DESCRIPTION_SHORT></PRODUCT_DETAILS>"
    "<PRODUCT_FEATURES><FEATURE><FNAME>Color</FNAME><FVALUE>Blue</FVALUE></FEATURE></PRODUCT_FEATURES></PRODUCT>\n"
    "<PRODUCT><SUPPLIER_PID>B</SUPPLIER_PID><PRODUCT_DETAILS><DESCRIPTION_SHORT>Red cap</DESCRIPTION_SHORT>"
    "</PRODUCT_DETAILS><PRODUCT_FEATURES><FEATURE><FNAME>Color</FNAME><FVALUE/></FEATURE></PRODUCT_FEATURES></PRODUCT>\n"
    "</T_NEW_CATALOG></BMECAT>\n"
)


def found(path, values):
    """Predictions that product B, whose cells are blank, has these values."""
    return [
        Prediction(p.id, tuple(Value(a, v, 0.9) for a, v in values.items()) if p.id == "B" else ())
        for p in read_products(path)
    ]


@pytest.mark.parametrize(
    ("name", "text", "values", "before", "after"),
    [
        (
            "akeneo.csv",
            AKENEO,
            {"color": "navy blue", "weight": "0.1 kg"},
            "B;hats;;Cap in navy blue, 0.1 kg;;GRAM",
            "B;hats;navy_blue;Cap in navy blue, 0.1 kg;100;GRAM",
        ),
        (
            "listings.jsonl",
            LISTINGS,
            {"color": "Red"},
            '"Red cap"}]}',
            '"Red cap"}], "color": [{"language_tag": "en_US", "value": "Red"}]}',
        ),
        ("products.json", JSON_LD, {"color": "Red"}, '"color": ""', '"color": "Red"'),
        ("catalogue.xml", BMECAT, {"Color": "Red"}, "<FVALUE/>", "<FVALUE>Red</FVALUE>"),
    ],
)
def test_only_blank_cells_change_and_can_be_taken_back(tmp_path, name, text, values, before, after):
    path, out, changes = tmp_path / name, tmp_path / f"filled-{name}", tmp_path / "changes.csv"
    path.write_bytes(text.encode())
    fill(path, found(path, values), out, changes=changes)
    assert out.read_bytes() == text.replace(before, after).encode()
    undo_fill(changes)
    assert out.read_bytes() == text.encode()


def test_a_platform_that_is_only_read_gets_its_file_back_and_is_told_why(tmp_path):
    path, out = tmp_path / "sheets.xml", tmp_path / "filled.xml"
    path.write_text(
        '<ICECAT-interface><Product Code="1" ID="B" Title="Red cap"/></ICECAT-interface>\n', encoding="utf-8"
    )
    notes = []
    report = fill(path, found(path, {"Color": "Red"}), out, progress=notes.append)
    assert out.read_bytes() == path.read_bytes()
    assert report is not None
    assert any("does not write it" in str(note) for note in notes)


GRAPH = """{"@context": "https://schema.org", "@graph": [
  {"@type": "Product", "sku": "A", "name": "Cap", "additionalProperty": [
    {"@type": "PropertyValue", "name": "Fit", "value": "Slim"}]},
  {"@type": "Product", "sku": "B", "name": "Red cap of wool", "additionalProperty": [
    {"@type": "PropertyValue", "name": "Fit", "value": ""}
  ]}
]}
"""
WOO = """[{"id": 1, "sku": "A", "name": "Cap", "attributes": [{"id": 6, "name": "Color", "options": ["Red"]}]},
 {"id": 2, "sku": "B", "name": "Red cap", "attributes": [{"id": 6, "name": "Color", "options": []}]},
 {"id": 3, "sku": "C", "name": "Bag", "attributes": []}]
"""
FOOD = """{"count": 2, "products": [{"code": "A", "product_name": "Tea", "labels": "Bio", "labels_tags": ["en:bio"]},
 {"code": "B", "product_name": "Organic tea", "labels": "", "labels_tags": []}]}
"""


@pytest.mark.parametrize(
    ("text", "values", "before", "after"),
    [
        (GRAPH, {"Fit": "Wide"}, '"value": ""}', '"value": "Wide"}'),
        (
            GRAPH,
            {"Fit": "Wide", "Yarn": "Wool"},
            '"value": ""}\n  ]',
            '"value": "Wide"},\n    {"@type": "PropertyValue", "name": "Yarn", "value": "Wool"}\n  ]',
        ),
        (GRAPH, {"material": "Wool"}, '"value": ""}\n  ]}', '"value": ""}\n  ], "material": "Wool"}'),
        (
            GRAPH.replace(": ", ":").replace(", ", ","),
            {"color": "Red"},
            '"value":""}\n  ]}',
            '"value":""}\n  ],"color":"Red"}',
        ),
        (WOO, {"Color": "Red"}, '"options": []', '"options": ["Red"]'),
        (
            WOO.replace(": ", ":").replace(", ", ","),
            {"Fit": "Wide"},
            '"options":[]}]',
            '"options":[]},{"name":"Fit","visible":true,"variation":false,"options":["Wide"]}]',
        ),
        (
            WOO,
            {"Yarn": "Wool", "Fit": "Wide"},
            '"options": []}]',
            '"options": []}, {"name": "Yarn", "visible": true, "variation": false, "options": ["Wool"]}, '
            '{"name": "Fit", "visible": true, "variation": false, "options": ["Wide"]}]',
        ),
        (FOOD, {"labels": "Bio"}, '"labels": ""', '"labels": "Bio"'),
    ],
)
def test_places_in_lists_of_json_are_filled_and_taken_back(tmp_path, text, values, before, after):
    path, out, changes = tmp_path / "shop.json", tmp_path / "filled.json", tmp_path / "changes.csv"
    path.write_bytes(text.encode())
    filling = fill(path, found(path, values), out, changes=changes)
    assert out.read_bytes().decode() == text.replace(before, after)
    assert [dict(filling.report.outcomes[attribute]) for attribute in values] == [{"filled": 1}] * len(values)
    undo_fill(changes)
    assert out.read_bytes() == text.encode()


def test_what_somebody_changed_in_a_list_meanwhile_is_left(tmp_path):
    path, out, changes = tmp_path / "shop.json", tmp_path / "filled.json", tmp_path / "changes.csv"
    path.write_text(WOO)
    fill(path, found(path, {"Color": "Red", "Fit": "Wide"}), out, changes=changes)
    edited = out.read_text().replace('["Red"]}, {', '["Blue"]}, {')
    out.write_text(edited)
    undone = undo_fill(changes)
    assert (undone.cells, undone.changed) == (1, 1)
    assert out.read_text() == WOO.replace('"options": []}]', '"options": ["Blue"]}]')


def test_shopifys_products_as_json_have_no_place_and_this_is_told(tmp_path):
    path, out = tmp_path / "shop.json", tmp_path / "filled.json"
    path.write_text(
        '{"products": [{"handle": "A", "title": "Cap", "body_html": "", "variants": [], "options": []},'
        ' {"handle": "B", "title": "Red cap", "body_html": "", "variants": [], "options": []}]}'
    )
    filling = fill(path, found(path, {"Color": "Red"}), out)
    assert out.read_bytes() == path.read_bytes()
    assert filling.report.outcomes["Color"] == {"no_column": 1}


FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop &amp; co</title>
  <item>
    <g:id>A</g:id><g:title>Cap</g:title>
    <g:color>Blue</g:color>
  </item>
  <item>
    <g:id>B</g:id><g:title>Red cap</g:title>
    <g:color/>
    <g:price>1 EUR</g:price>
  </item>
</channel></rss>
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_googles_elements_are_filled_and_added_and_taken_back(tmp_path, encoding):
    path, out, changes = tmp_path / "feed.xml", tmp_path / "filled.xml", tmp_path / "changes.csv"
    text = FEED.replace("UTF-8", encoding.upper())
    path.write_bytes(text.encode(encoding))
    fill(path, found(path, {"Color": "Red", "Material": "Wool & silk", "Fit": "Wide"}), out, changes=changes)
    assert out.read_bytes().decode(encoding) == text.replace("<g:color/>", "<g:color>Red</g:color>").replace(
        "<g:price>1 EUR</g:price>", "<g:price>1 EUR</g:price>\n    <g:material>Wool &amp; silk</g:material>"
    )
    assert dict(next(p for p in read_products(out) if p.id == "B").table)["material"] == ("Wool & silk",)
    undo_fill(changes)
    assert out.read_bytes() == path.read_bytes()
