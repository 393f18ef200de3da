"""Akeneo's exports: what a column's name says, options, metrics, languages, models, and where a value is written."""

from __future__ import annotations

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.dialects.akeneo import parse_column
from attrex.io.readers import read_products

EXPORT = (
    "sku;categories;enabled;family;parent;groups;color;care;description-de_DE-print;description-en_US-print;"
    "description-en_US-web;handmade;material;name-de_DE;name-en_US;photo;price-EUR;price-USD;weight;weight-unit;"
    "X_SELL-products\n"
    "CAP;men,caps;1;hats;m-cap;;navy_blue;Wash cold, dry flat.;Mütze, 120 g;Cap of wool, 120 g;<b>Warm</b>\\nCap;1;"
    "wool,faux_fur;Mütze;Cap;files/CAP/photo/cap.jpg;10.00;11.00;120.0000;GRAM;BAG\n"
    "BAG;bags;1;bags;;;;Wipe it.;;Blue bag of 0.5 kg;;0;;;Bag;;20.00;;;KILOGRAM;\n"
)


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "products.csv"
    path.write_text(EXPORT, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("color", ("color", "", "", "")),
        ("name-en_US", ("name", "en_US", "", "")),
        ("description-zh_Hans_CN-mobile", ("description", "zh_Hans_CN", "mobile", "")),
        ("release_date-ecommerce", ("release_date", "", "ecommerce", "")),
        ("weight-unit", ("weight", "", "", "unit")),
        ("size-de_DE-print-unit", ("size", "de_DE", "print", "unit")),
        ("customs_tax-de_DE-EUR", ("customs_tax", "de_DE", "", "EUR")),
    ],
)
def test_a_columns_name_says_attribute_locale_channel_and_part(name, parts):
    column = parse_column(name)
    assert (column.attribute, column.locale, column.channel, column.part) == parts


@pytest.mark.parametrize("name", ["X_SELL-products", "PACK-product_models-quantity", "quality_score-en_US-ecommerce"])
def test_associations_and_scores_are_no_attributes(name):
    assert parse_column(name) is None


def test_options_metrics_and_texts_are_read_and_what_no_text_says_is_not(export):
    cap, bag = read_products(export)
    assert cap.table == {
        "color": ("navy blue",),
        "material": ("wool", "faux fur"),
        "care": ("Wash cold, dry flat.",),  # words between commas are no codes
        "weight": ("120 g",),
    }
    assert bag.table == {"care": ("Wipe it.",)}  # a unit alone is no value; 0 and 1 and prices are not read
    assert (cap.category, cap.group, bag.group) == ("hats", "m-cap", None)
    assert cap.images == (export.parent / "files/CAP/photo/cap.jpg",)


def test_every_language_and_channel_is_a_field_the_main_one_first(export):
    cap, _ = read_products(export)
    assert list(cap.fields) == [
        "title",
        "description",
        "title-de_DE",
        "description-de_DE",
        "description-en_US-web",
    ]
    assert cap.fields["title"] == "Cap"
    assert cap.fields["description"] == "Cap of wool, 120 g"
    assert cap.fields["description-en_US-web"].split() == ["Warm", "Cap"]  # \n is a line break


def test_a_value_in_several_languages_is_one_value(tmp_path):
    path = tmp_path / "products.csv"
    path.write_text(
        "sku;family;name-en_US;focus-de_DE;focus-en_US\n"
        "A;x;Lens;Automatik;Auto\nB;x;Lens;;Manual\nC;x;Lens;Von Hand;\n",
        encoding="utf-8",
    )
    a, b, c = read_products(path)  # most cells are in en_US
    assert [p.table["focus"] for p in (a, b, c)] == [("Auto",), ("Manual",), ("Von Hand",)]


def test_products_have_what_their_model_in_the_same_file_has(tmp_path):
    path = tmp_path / "models.csv"
    path.write_text(
        "code;family_variant;parent;color;material;name\n"
        "coat;coats_by_color;;;wool;Coat\ncoat-red;coats_by_color;coat;red;;\n",
        encoding="utf-8",
    )
    root, red = read_products(path)
    assert root.table == {"material": ("wool",)}
    assert red.table == {"material": ("wool",), "color": ("red",)}
    assert red.fields == {"title": "Coat"}
    assert root.group == red.group == "coat"


def test_a_value_is_written_as_its_code_and_a_measure_in_the_rows_unit(export):
    dialect = open_dialect(export)
    _, bag = dialect.items()
    assert dialect.place(bag, "Color", ["navy blue"]) == [Edit(3, ("color",), "navy_blue")]
    assert dialect.place(bag, "color", ["light blue"]) == [Edit(3, ("color",), "light_blue")]
    assert dialect.place(bag, "material", ["wool", "faux fur"]) == [Edit(3, ("material",), "wool,faux_fur")]
    assert dialect.place(bag, "weight", ["500 g"]) == [Edit(3, ("weight",), "0.5")]  # the row says KILOGRAM


def test_a_measure_without_a_unit_in_its_row_gets_one(tmp_path):
    path = tmp_path / "products.csv"
    path.write_text("sku;name;weight;weight-unit\nA;Jacket;500;GRAM\nB;Jacket;;\n", encoding="utf-8")
    dialect = open_dialect(path)
    _, jacket = dialect.items()
    assert dialect.place(jacket, "weight", ["1,5 kg"]) == [
        Edit(3, ("weight",), "1.5"),
        Edit(3, ("weight-unit",), "KILOGRAM"),
    ]
    with pytest.raises(NoPlace, match="no measure with a unit that Akeneo has"):
        dialect.place(jacket, "weight", ["light"])


@pytest.mark.parametrize(
    ("attribute", "values", "why"),
    [
        ("color", ["red", "blue"], "one option in each row, got 2"),
        ("color", ["60% wool"], "no code of an option"),
        ("fabric", ["wool"], "no column 'fabric'"),
        ("weight", ["2 m"], "cannot be written in KILOGRAM"),
        ("care", ["Dry clean"], "'care' is filled"),
    ],
)
def test_what_the_importer_would_refuse_is_not_written(export, attribute, values, why):
    dialect = open_dialect(export)
    _, bag = dialect.items()
    with pytest.raises(NoPlace, match=why):
        dialect.place(bag, attribute, values)
