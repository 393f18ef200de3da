"""PrestaShop's product CSV."""

from __future__ import annotations

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.dialects.prestashop import feature_values
from attrex.io.readers import read_products

EXPORT = (
    "Product ID;Active (0/1);Name *;Categories (x,y,z...);Reference #;Summary;Description;Image URLs (x,y,z...);"
    "Feature (Name:Value:Position:Customized)\n"
    '1;1;Shirt;Home/Clothes,Home/Sale;REF1;Cotton shirt;"<p>Slim &amp; <b>red</b>.</p>";a.jpg,b.jpg;'
    "Composition:Cotton:1:0,Fit:Slim:2\n"
    "2;1;Mug;Home/Kitchen;REF2;;White mug;;\n"
)


@pytest.fixture
def export(tmp_path):
    (tmp_path / "products.csv").write_text(EXPORT, encoding="utf-8")
    return tmp_path / "products.csv"


def test_features_are_attributes(export):
    shirt, mug = read_products(export)
    assert (shirt.id, shirt.category) == ("1", "Clothes")
    assert shirt.table == {"Composition": ("Cotton",), "Fit": ("Slim",)}
    assert shirt.fields["description"].split() == ["Slim", "&", "red", "."]
    assert [p.name for p in shirt.images] == ["a.jpg", "b.jpg"]
    assert mug.table == {}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Color:Red,Color:Blue:2", {"Color": ["Red", "Blue"]}),
        ("Care:Wash, cold|Size:M", {"Care": ["Wash, cold"], "Size": ["M"]}),
        ("Nothing:,:Red,Size:M:1:1", {"Size": ["M"]}),
    ],
)
def test_feature_values(text, values):
    assert feature_values(text) == values


def test_a_value_goes_to_a_blank_cell_of_features(export):
    dialect = open_dialect(export)
    shirt, mug = dialect.items()
    assert dialect.place(mug, "composition", ["Stoneware"]) == [
        Edit(3, ("Feature (Name:Value:Position:Customized)",), "Composition:Stoneware")
    ]
    for item, values, why in (
        (shirt, ["Red"], "holds other features"),
        (mug, ["a:b"], "a colon or a comma"),
        (mug, ["a", "b"], "one value"),
    ):
        with pytest.raises(NoPlace, match=why):
            dialect.place(item, "Color", values)


@pytest.mark.parametrize(
    "header",
    [
        "ID;Nom *;Catégories (x,y,z...);Récapitulatif;Description;URL des images (x,y,z, etc.);"
        "Caractéristique (Nom:Valeur:Position:Personnalisé)",
        "ID;Nombre;Categorías (x,y,z...);Resumen;Descripción;URL's de las imágenes (x,y,z...);"
        "Característica (Nombre:Valor:Posición:Personalizado)",
    ],
)
def test_sample_files_in_other_languages(tmp_path, header):
    path = tmp_path / "produits.csv"
    path.write_text(f"{header}\n1;Bol;Cuisine,Tasses;Court;Grès;a.jpg,b.jpg;Couleur:Blanc:1\n", encoding="utf-8")
    dialect = open_dialect(path)
    [bol] = dialect.items()
    assert (dialect.name, bol.id, bol.category) == ("prestashop", "1", "Cuisine")
    assert dict(bol.texts) == {"title": "Bol", "short_description": "Court", "description": "Grès"}
    assert (bol.attributes, bol.images) == ({"Couleur": ["Blanc"]}, ["a.jpg", "b.jpg"])
