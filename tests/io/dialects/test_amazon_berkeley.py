"""Amazon Berkeley Objects: languages and shops, measures, photos by id, and where a value is written."""

from __future__ import annotations

import gzip
import json

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.readers import read_products


def said(*pairs):
    return [{"language_tag": tag, "value": value} for tag, value in pairs]


SOFA = {
    "item_id": "B01",
    "domain_name": "amazon.com",
    "item_name": said(("en_US", "Oak sofa"), ("es_MX", "Sofá de roble")),
    "bullet_point": said(("en_US", "Two seats"), ("en_US", "Grey linen")),
    "product_description": said(("en_US", "<p>A <b>sofa</b>.</p>")),
    "color": [
        {"language_tag": "en_US", "value": "Pebble Grey", "standardized_values": ["Grey"]},
        {"language_tag": "es_MX", "value": "Gris"},
    ],
    "material": said(("en_US", "Oak"), ("en_US", "Linen"), ("es_MX", "Roble")),
    "brand": said(("en_US", "Norda")),
    "item_weight": [{"unit": "pounds", "value": 9.7, "normalized_value": {"unit": "pounds", "value": 9.7}}],
    "item_dimensions": {"height": {"unit": "inches", "value": 35}, "width": {"unit": "inches", "value": 60.5}},
    "product_type": [{"value": "SOFA"}],
    "model_number": [{"value": "X-1"}],
    "main_image_id": "81aa",
    "other_image_id": ["71bb", "81aa"],
}
LAMP = {
    "item_id": "B02",
    "domain_name": "amazon.de",
    "item_name": said(("de_DE", "Lampe aus Messing")),
    "color": [],
    "product_type": [{"value": "LAMP"}],
}
SOFA_IN = {"item_id": "B01", "domain_name": "amazon.in", "item_name": said(("en_IN", "Oak sofa, 2 seats"))}


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "listings_0.json.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in (SOFA, LAMP, SOFA_IN))
    return path


def test_one_language_is_read_and_its_entries_are_the_values(export):
    sofa, lamp, _ = read_products(export)
    assert sofa.table == {
        "color": ("Pebble Grey",),
        "material": ("Oak", "Linen"),
        "brand": ("Norda",),
        "item_weight": ("9.7 pounds",),
        "item_height": ("35 inches",),
        "item_width": ("60.5 inches",),
    }
    assert (sofa.category, lamp.table) == ("SOFA", {})


def test_titles_of_other_languages_are_fields_of_their_own(export):
    sofa, lamp, _ = read_products(export)
    assert sofa.fields["title"] == "Oak sofa"
    assert sofa.fields["title-es_MX"] == "Sofá de roble"
    assert sofa.fields["bullets"] == "Two seats\nGrey linen"
    assert sofa.fields["description"].split() == ["A", "sofa", "."]
    assert lamp.fields == {"title": "Lampe aus Messing"}


def test_listings_of_one_item_in_two_shops_are_told_apart(export):
    sofa, lamp, sofa_in = read_products(export)
    assert [p.id for p in (sofa, lamp, sofa_in)] == ["B01@amazon.com", "B02", "B01@amazon.in"]
    assert sofa.group == sofa_in.group == "B01"


def test_photos_are_the_paths_of_the_data_sets_own_table(export):
    (folder := export.parent / "images" / "metadata").mkdir(parents=True)
    (folder / "images.csv").write_text("image_id,height,width,path\n81aa,9,9,aa/81.jpg\n", encoding="utf-8")
    sofa, *_ = read_products(export, images=export.parent / "small")
    assert sofa.images == (export.parent / "small/aa/81.jpg", export.parent / "small/71bb.jpg")


def test_a_value_is_a_list_in_the_language_of_the_title(export):
    dialect = open_dialect(export)
    sofa, lamp, _ = dialect.items()
    assert dialect.place(lamp, "color", ["Messing"]) == [Edit(2, ("color",), said(("de_DE", "Messing")))]
    assert dialect.place(sofa, "Pattern", ["Solid", "Plain"]) == [
        Edit(1, ("Pattern",), said(("en_US", "Solid"), ("en_US", "Plain")))
    ]
    with pytest.raises(NoPlace, match="'color' is filled"):
        dialect.place(sofa, "color", ["Red"])
    with pytest.raises(NoPlace, match="enter it by hand"):
        dialect.place(lamp, "item_weight", ["1 kg"])
