"""Google Merchant's product data."""

from __future__ import annotations

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.dialects.google import parse_details
from attrex.io.readers import read_products

TABLE = (
    "id\ttitle\tdescription\tlink\timage link\tadditional_image_link\tprice\tcolor\tmaterial\tgender\titem_group_id\t"
    "product_type\tproduct_detail\tproduct_detail\tproduct_highlight\n"
    "s1\tShoe\t<b>Blue</b> shoe\thttps://x.example/1\ta.jpg\tb.jpg,c.jpg\t9 EUR\tNavy/White\tLeather/Suede\tmale\tS\t"
    'Shoes > Low\tSole:Type:Flat,Sole:Height:"2,5 cm"\tGeneral:Closure:Laces\t"Light, soft",Warm\n'
    "s2\tShoe\tRed shoe\thttps://x.example/2\t\t\t9 EUR\t\t\t\tS\t\t\tGeneral:Closure:Zip\t\n"
)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "feed.tsv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "feed.tsv"


def test_values_split_as_google_does(table):
    first, second = read_products(table)
    assert first.table == {
        "color": ("Navy", "White"),
        "material": ("Leather", "Suede"),
        "gender": ("male",),
        "Type": ("Flat",),
        "Height": ("2,5 cm",),
        "Closure": ("Laces",),
    }
    assert first.fields["highlights"] == "Light, soft\nWarm"
    assert [p.name for p in first.images] == ["a.jpg", "b.jpg", "c.jpg"]
    assert (first.category, first.group, second.group) == ("Low", "S", "S")


@pytest.mark.parametrize(
    ("text", "order", "details"),
    [
        ("General:Type:Flat", (), [("General", "Type", "Flat")]),
        (":Warranty:1 year", (), [("", "Warranty", "1 year")]),
        ("Warranty:1 year", (), [("", "Warranty", "1 year")]),
        ('Display:Size:"2.5"""', (), [("Display", "Size", '2.5"')]),
        ("Care:Wash:cold, gently", (), [("Care", "Wash", "cold, gently")]),
        ("Care:Time:10:30", (), [("Care", "Time", "10:30")]),
        ("1 year:Warranty", ("attribute_value", "attribute_name"), [("", "Warranty", "1 year")]),
        ("nothing", (), []),
    ],
)
def test_product_details(text, order, details):
    assert parse_details(text, *([order] if order else [])) == details


def test_a_value_goes_to_googles_column_or_a_blank_one_of_details(table):
    dialect = open_dialect(table)
    first, second = dialect.items()
    assert dialect.place(second, "Color", ["Red", "Black"]) == [Edit(3, ("color",), "Red/Black")]
    assert dialect.place(second, "Gender", ["Male"]) == [Edit(3, ("gender",), "male")]
    assert dialect.place(second, "Size", ["42"]) == [Edit(3, ("size",), "42")]  # a new column that Google knows
    assert dialect.place(second, "height", ["2,5 cm"]) == [Edit(3, ("product_detail",), 'Sole:Height:"2,5 cm"')]
    for item, attribute, value, why in (
        (first, "color", "Red", "is filled"),
        (second, "gender", "Ladies", "takes male, female, unisex only"),
        (second, "material", "Wool/Silk", "a slash separates"),
        (first, "Height", "3 cm", "its cell of details is filled"),
        (second, "Mood", "Calm", "Google has no such attribute"),
    ):
        with pytest.raises(NoPlace, match=why):
            dialect.place(item, attribute, [value])


FEED = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>s1</g:id><title>Shoe</title><description>&lt;b&gt;Blue&lt;/b&gt; shoe</description>
<g:image_link>a.jpg</g:image_link><g:additional_image_link>b.jpg</g:additional_image_link><g:color>Navy/White</g:color>
<g:product_highlight>Light</g:product_highlight><g:product_highlight>Warm</g:product_highlight>
<g:product_detail><g:section_name>Sole</g:section_name><g:attribute_name>Type</g:attribute_name>
<g:attribute_value>Flat</g:attribute_value></g:product_detail><g:item_group_id>S</g:item_group_id></item>
<item><g:id>s2</g:id><g:title>Hat</g:title><title>Other</title><g:color/></item>
</channel></rss>
"""


def test_the_same_as_xml(tmp_path):
    (tmp_path / "feed.xml").write_text(FEED, encoding="utf-8")
    shoe, hat = read_products(tmp_path / "feed.xml")
    assert (shoe.id, shoe.group, [p.name for p in shoe.images]) == ("s1", "S", ["a.jpg", "b.jpg"])
    assert shoe.fields == {"title": "Shoe", "description": "   Blue     shoe", "highlights": "Light\nWarm"}
    assert shoe.table == {"color": ("Navy", "White"), "Type": ("Flat",)}
    assert (hat.fields["title"], hat.table) == ("Hat", {})


def test_a_value_goes_into_an_empty_element_or_a_new_one(tmp_path):
    (tmp_path / "feed.xml").write_text(FEED, encoding="utf-8")
    dialect = open_dialect(tmp_path / "feed.xml")
    shoe, hat = dialect.items()
    assert dialect.place(hat, "Color", ["Red", "Black"]) == [Edit(2, ("g:color",), "Red/Black")]
    assert dialect.place(hat, "material", ["Wool"]) == [Edit(2, ("g:material",), "Wool")]
    with pytest.raises(NoPlace, match="is filled"):
        dialect.place(shoe, "color", ["Red"])


def test_a_supplemental_feed_is_known_by_its_details(tmp_path):
    path = tmp_path / "more.tsv"
    path.write_text("id\ttitle\tcolor\tproduct_detail(attribute_name:attribute_value)\n1\tHat\t\tFit:Slim\n")
    dialect = open_dialect(path)
    [hat] = dialect.items()
    assert (dialect.name, hat.attributes["Fit"]) == ("google", ["Slim"])
