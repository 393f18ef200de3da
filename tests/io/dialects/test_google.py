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
