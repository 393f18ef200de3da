"""Open Food Facts: a CSV without quotes, what people entered and what the server made of it, languages, photos."""

from __future__ import annotations

import json

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.readers import read_products

COLUMNS = [
    *("code", "url", "product_name", "generic_name", "quantity", "brands", "brands_tags", "categories"),
    *("categories_tags", "categories_en", "labels", "labels_tags", "labels_en", "ingredients_text", "main_category"),
    *("main_category_en", "image_url", "image_small_url", "energy_100g"),
]
ROWS = (
    {
        "code": "0000111",
        "product_name": '"Le Bon" camembert',
        "quantity": "250 g",
        "brands": "Norda, Le Bon",
        "brands_tags": "norda,le-bon",
        "categories_tags": "en:cheeses,en:camemberts",
        "labels": "Bio, Sans gluten,en:eu-organic",
        "labels_tags": "en:organic,en:no-gluten,en:eu-organic",
        "labels_en": "Organic,No gluten,EU Organic",
        "ingredients_text": 'Lait "cru", sel',
        "main_category_en": "Camemberts",
        "image_url": "https://images.example/front.400.jpg",
        "image_small_url": "https://images.example/front.200.jpg",
        "energy_100g": "1200",
    },
    {"code": "222", "product_name": '"Open quote', "labels_tags": "en:fair-trade", "labels_en": "Fair trade"},
    {"code": "333", "product_name": "Eau"},
)
PRODUCT = {
    "code": "3017620425035",
    "lc": "fr",
    "product_name": "Pâte à tartiner",
    "product_name_fr": "Pâte à tartiner",
    "product_name_en": "Spread",
    "ingredients_text_fr": "Sucre",
    "labels_tags": ["en:gluten-free", "fr:point-vert"],
    "categories_tags": ["en:spreads", "en:sweet-spreads"],
    "nutriments": {"sugars_100g": 56},
    "images": {"front_fr": {"rev": 533}, "1": {"uploader": "x"}, "nutrition_fr": {"rev": "9"}},
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "en.openfoodfacts.org.products.csv"
    lines = ["\t".join(COLUMNS), *("\t".join(row.get(c, "") for c in COLUMNS) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "products.jsonl"
    path.write_text(json.dumps(PRODUCT) + "\n", encoding="utf-8")
    return path


def test_a_quote_in_its_csv_is_a_character(table):
    products = list(read_products(table))
    assert [p.fields["title"] for p in products] == ['"Le Bon" camembert', '"Open quote', "Eau"]
    assert products[0].fields["ingredients"] == 'Lait "cru", sel'


def test_what_people_entered_is_read_else_the_names_of_its_tags(table):
    camembert, fair, water = read_products(table)
    assert camembert.table == {
        "brands": ("Norda", "Le Bon"),
        "labels": ("Bio", "Sans gluten", "eu organic"),
        "categories": ("cheeses", "camemberts"),
        "quantity": ("250 g",),
    }
    assert fair.table == {"labels": ("Fair trade",)}
    assert water.table == {}
    assert (camembert.id, camembert.category) == ("0000111", "Camemberts")


def test_json_lines_have_languages_tags_and_addresses_of_photos(lines):
    dialect = open_dialect(lines)
    (item,) = dialect.items()
    assert item.texts == {"title": "Pâte à tartiner", "ingredients": "Sucre", "title-en": "Spread"}
    assert item.attributes == {"labels": ["gluten free", "point vert"], "categories": ["spreads", "sweet spreads"]}
    assert item.category == "sweet spreads"
    folder = "https://images.openfoodfacts.org/images/products/301/762/042/5035"
    assert item.images == [f"{folder}/front_fr.533.400.jpg", f"{folder}/nutrition_fr.9.400.jpg"]


def test_answers_of_the_interface_hold_products(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"count": 1, "products": [PRODUCT]}), encoding="utf-8")
    dialect = open_dialect(path)
    (item,) = dialect.items()
    assert item.id == "3017620425035"
    assert dialect.place(item, "origins", ["France"]) == [Edit(1, ("products", 0, "origins"), "France")]


def test_a_value_goes_to_the_field_that_people_write(table):
    dialect = open_dialect(table)
    camembert, fair, water = dialect.items()
    assert dialect.place(water, "Labels", ["Organic", "Vegan"]) == [Edit(4, ("labels",), "Organic, Vegan")]
    assert dialect.place(fair, "quantity", ["1 l"]) == [Edit(3, ("quantity",), "1 l")]
    for item, attribute, values, why in (
        (camembert, "labels", ["Vegan"], "'labels' is filled"),
        (fair, "labels", ["Vegan"], "'labels' is filled"),  # its tags say something
        (water, "brands", ["Norda, Inc."], "a comma inside"),
        (water, "nova_group", ["4"], "no field 'nova_group'"),
    ):
        with pytest.raises(NoPlace, match=why):
            dialect.place(item, attribute, values)


def test_a_line_that_is_cut_is_told(table):
    with table.open("a", encoding="utf-8") as file:
        file.write("444\thttp://example\tEau\n")
    *_, cut = read_products(table)
    assert "expected 19 cells as in the header, got 3" in cut.error


def test_texts_that_are_not_there_are_none(tmp_path):
    path = tmp_path / "off.tsv"
    path.write_text("code\tproduct_name\tlabels\tlabels_tags\n12\tTea\t\t\n", encoding="utf-8")
    [tea] = read_products(path)
    assert dict(tea.fields) == {"title": "Tea"}
