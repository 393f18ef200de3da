"""Magento 2's product CSV."""

from __future__ import annotations

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.dialects.magento import attribute_pairs
from attrex.io.readers import read_products

EXPORT = (
    "sku,store_view_code,attribute_set_code,product_type,name,description,price,base_image,additional_images,"
    "additional_attributes,pattern,configurable_variations\n"
    "B-S,,Bag,simple,Bag S,,9,/b/s.jpg,,color=Red,,\n"
    'B,,Bag,configurable,Bag,"<p>Canvas &amp; leather.</p>",9,/b/a.jpg,"/b/a.jpg,/b/b.jpg","has_options=1,'
    'material=Canvas|Leather,care=Wash, cold,Color=Red",,"sku=B-S,size=S|sku=B-M,size=M,display=0"\n'
    "B,de,,,Tasche,Aus Leder.,,,,color=Rot,,\n"
    "C,,Bag,simple,Case,Striped.,9,no_selection,,,,\n"
)


@pytest.fixture
def export(tmp_path):
    (tmp_path / "catalog_product.csv").write_text(EXPORT, encoding="utf-8")
    return tmp_path / "catalog_product.csv"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1,b=x|y", {"a": ["1"], "b": ["x", "y"]}),
        ("care=Wash, cold,color=Gray", {"care": ["Wash, cold"], "color": ["Gray"]}),
        ('care="Wash, a=b ""cold""",color="Gray"', {"care": ['Wash, a=b "cold"'], "color": ["Gray"]}),
        ('m="a"|"b, c",n=', {"m": ["a", "b, c"], "n": []}),
        ("Note=a=b", {"note": ["a=b"]}),
        ("", {}),
    ],
)
def test_additional_attributes(text, pairs):
    assert attribute_pairs(text) == pairs


def test_store_views_are_one_product_and_variations_are_known(export):
    small, bag, case = read_products(export)
    assert [p.id for p in (small, bag, case)] == ["B-S", "B", "C"]
    assert bag.fields["title (de)"] == "Tasche"
    assert bag.fields["description"].split() == ["Canvas", "&", "leather."]
    assert bag.table == {
        "material": ("Canvas", "Leather"),
        "care": ("Wash, cold",),
        "color": ("Red",),
        "size": ("S", "M"),
    }
    assert (small.table, small.group, bag.group) == ({"color": ("Red",), "size": ("S",)}, "B", "B")
    assert [str(p.relative_to(export.parent)) for p in bag.images] == ["b/a.jpg", "b/b.jpg"]
    assert case.images == ()


def test_a_value_goes_to_a_blank_cell(export):
    dialect = open_dialect(export)
    small, bag, case = dialect.items()
    assert dialect.place(case, "Pattern", ["Striped"]) == [Edit(5, ("pattern",), "Striped")]
    assert dialect.place(case, "Material", ["Canvas", "Leather"]) == [
        Edit(5, ("additional_attributes",), "material=Canvas|Leather")
    ]
    assert dialect.place(small, "material", ["Canvas"]) == [Edit(2, ("material",), "Canvas")]  # a new column
    with pytest.raises(NoPlace, match="is in additional_attributes"):
        dialect.place(bag, "color", ["Blue"])
    with pytest.raises(NoPlace, match="the shop may have none"):
        dialect.place(bag, "Fit", ["Slim"])
