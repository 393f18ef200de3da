"""Icecat's sheets: what a page shows and not the bare values, several values, and answers without a product."""

from __future__ import annotations

import json

import pytest

from attrex.io.dialects import NoPlace, open_dialect
from attrex.io.readers import read_products

SHEETS = """<?xml version="1.0" encoding="UTF-8"?>
<ICECAT-interface>
<Product Code="1" ID="77" Prod_id="X1" Name="X1" Title="Norda X1 monitor" HighPic="http://images.example/77.jpg">
<Category ID="222"><Name ID="1" langid="1" Value="monitors"/></Category>
<ProductDescription ID="5" ShortDesc="27 inch" LongDesc="&lt;b&gt;Bright&lt;/b&gt;\\nFlat" langid="1"/>
<ProductFeature Value="27" Presentation_Value="68.6 cm (27&quot;)">
 <LocalValue Value="68.6"><Measure><Signs><Sign langid="1"><![CDATA[ cm ]]></Sign></Signs></Measure></LocalValue>
 <Feature ID="1"><Measure Sign="&quot;"/><Name langid="1" Value="Display diagonal"/></Feature></ProductFeature>
<ProductFeature Value="Black,Silver" Presentation_Value="Black, Silver">
 <Feature ID="2"><Name langid="1" Value="Product colour"/></Feature></ProductFeature>
<ProductFeature Value="Quiet, cool" Presentation_Value="Quiet, cool">
 <Feature ID="3"><Name langid="1" Value="Fan"/></Feature></ProductFeature>
<ProductFeature Value="4" Presentation_Value="">
 <LocalValue Value="8.8"><Measure><Signs><Sign langid="1"><![CDATA[ lbs ]]></Sign></Signs></Measure></LocalValue>
 <Feature ID="4"><Measure><Signs><Sign>kg</Sign></Signs></Measure><Name Value="Weight"/></Feature></ProductFeature>
<ProductGallery><ProductPicture Pic="http://images.example/77.jpg"/><ProductPicture Pic="http://images.example/b.jpg"/>
</ProductGallery>
<ProductRelated><Product ID="78" Prod_id="X2" Name="X2"/></ProductRelated>
<SummaryDescription><ShortSummaryDescription langid="1">Norda X1, 68.6 cm</ShortSummaryDescription></SummaryDescription>
<Supplier ID="5" Name="Norda"/>
</Product>
<Product Code="-1" ID="79" ErrorMessage="The requested XML data-sheet is not present in the Icecat database."/>
</ICECAT-interface>
"""


def feature(name, presented, **more):
    return {"Feature": {"Name": {"Value": name, "Language": "EN"}}, "PresentationValue": presented, **more}


ANSWER = {
    "msg": "OK",
    "data": {
        "GeneralInfo": {
            "IcecatId": 77,
            "Title": "Norda X1 monitor",
            "Brand": "Norda",
            "Category": {"Name": {"Value": "monitors", "Language": "EN"}},
            "Description": {"LongDesc": "Bright", "MiddleDesc": "27 inch"},
            "BulletPoints": {"Values": ["Flat", "Quiet"]},
        },
        "Image": {"HighPic": "77.jpg"},
        "Gallery": [{"Pic": "77.jpg"}, {"Pic": "b.jpg"}],
        "FeaturesGroups": [
            {
                "Features": [
                    feature("Display diagonal", '68.6 cm (27")', RawValue="27", LocalValue="68.6"),
                    feature("Product colour", "Black, Silver", Type="multi_dropdown"),
                    feature("Fan", "Quiet, cool", Type="text"),
                    feature("Weight", "", Value="4", LocalValue={"Value": "8.8", "Measure": {"Signs": {"_": "lbs"}}}),
                ]
            }
        ],
    },
}
TABLE = {
    "Display diagonal": ('68.6 cm (27")',),
    "Product colour": ("Black", "Silver"),
    "Fan": ("Quiet, cool",),
    "Weight": ("8.8 lbs",),
    "Brand": ("Norda",),
}


@pytest.fixture
def sheets(tmp_path):
    path = tmp_path / "sheets.xml"
    path.write_text(SHEETS, encoding="utf-8")
    return path


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(ANSWER) + "\n" + json.dumps({"msg": "Error", "Message": "Not found"}) + "\n")
    return path


def test_a_value_is_what_a_page_shows(sheets, answers):
    for path in (sheets, answers):
        monitor, _ = read_products(path)
        assert monitor.table == TABLE
        assert (monitor.id, monitor.category) == ("77", "monitors")


def test_texts_are_the_makers_and_not_the_summary_of_the_features(sheets, answers):
    monitor, _ = read_products(sheets)
    assert list(monitor.fields) == ["title", "short_description", "description"]
    assert monitor.fields["description"].split() == ["Bright", "Flat"]
    monitor, _ = read_products(answers)
    assert monitor.fields["bullets"] == "Flat\nQuiet"


def test_each_photo_is_there_once(answers):
    monitor, _ = read_products(answers)
    assert monitor.images == (answers.parent / "77.jpg", answers.parent / "b.jpg")


def test_an_answer_without_a_product_is_told(sheets, answers):
    assert "not present in the Icecat database" in list(read_products(sheets))[1].error
    assert "Not found" in list(read_products(answers))[1].error


def test_it_is_read_and_not_written(sheets):
    dialect = open_dialect(sheets)
    with pytest.raises(NoPlace, match="reads Icecat's product XML and does not write it"):
        dialect.place(next(dialect.items()), "Fan", ["Loud"])
