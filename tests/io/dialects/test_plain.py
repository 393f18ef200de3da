"""A table of any shop, without a mapping."""

from __future__ import annotations

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.dialects.dialect import split_photos
from attrex.io.readers import read_products
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop

TABLE = (
    "Artikelnummer;Bezeichnung;Beschreibung;Preis;EAN;Farbe;Material;Notiz;Bild\n"
    'A1;Mütze;"<p>Aus Wolle&nbsp;gestrickt.</p>";9,90;4006381333931;Blau;;'
    + "Ein langer Text, der kein Wert ist, weil er mehr als einen Satz enthält. Noch einer;a.jpg|b.jpg\n"
    "A2;Schal;Roter Schal;19,90;4006381333948;;Seide; ;\n"
)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "artikel.txt").write_bytes(TABLE.encode("cp1252"))
    return tmp_path / "artikel.txt"


def test_columns_are_what_their_names_and_cells_say(table):
    cap, scarf = read_products(table)
    assert (cap.id, cap.fields["title"]) == ("A1", "Mütze")
    assert cap.fields["Beschreibung"].split() == ["Aus", "Wolle", "gestrickt."]
    assert cap.fields["Notiz"].startswith("Ein langer Text")
    assert (cap.table, scarf.table) == ({"Farbe": ("Blau",)}, {"Material": ("Seide",)})
    assert [p.name for p in cap.images] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("columns", "cells", "told"),
    [
        (  # English, with remarks in brackets
            "Custom label (SKU);Product Name (English);*C:Color;Item photo URL;Start price;Category name",
            "A1;Linen shirt;Blue;https://x.example/a.jpg;9;Shirts",
            "id Custom label (SKU); texts Product Name (English); photos Item photo URL; category Category name; "
            "attributes *C:Color",
        ),
        (
            "Artikelnr.;Bezeichnung;Langtext;VK-Preis;Lagerbestand;Bilddatei;Bildschirm;Farbe",
            "A1;Laptop;Ein Laptop;900;3;a.jpg;15 Zoll;Blau",
            "id Artikelnr.; texts Bezeichnung, Langtext; photos Bilddatei; attributes Bildschirm, Farbe",
        ),
        (
            "productName;productImageUrl;description;brand;inventory",
            "Hat;a.jpg;Of wool;Velmora;3",
            "texts productName, description; photos productImageUrl; attributes brand",
        ),
        (
            "Référence;Désignation;Descriptif;Prix TTC;Matière;Image principale",
            "A1;Chapeau;En laine;9;Laine;a.jpg",
            "id Référence; texts Désignation, Descriptif; photos Image principale; attributes Matière",
        ),
        (
            "Ürün Kodu;Ürün Adı;Açıklama;Fiyat;Renk;Resim",
            "A1;Şapka;Yün;9;Mavi;a.jpg",
            "id Ürün Kodu; texts Ürün Adı, Açıklama; photos Resim; attributes Renk",
        ),
        (
            "货号;商品名称;描述;价格;颜色;主图",
            "A1;帽子;羊毛;9;蓝色;a.jpg",
            "id 货号; texts 商品名称, 描述; photos 主图; attributes 颜色",
        ),
        (  # what the names leave open, the cells say
            "SKU;Title;Image;Image Sensor;Image Alt Text;Features;Bullet Point 1;Bullet Point 2",
            "A1;Camera;a.jpg;12 MP;A camera;Waterproof;Small;Light",
            "id SKU; texts Title, Bullet Point 1, Bullet Point 2; photos Image; attributes Image Sensor, Features",
        ),
    ],
)
def test_columns_by_the_names_that_shops_use(tmp_path, columns, cells, told):
    (tmp_path / "a.csv").write_text(f"{columns}\n{cells}\n", encoding="utf-8")
    assert open_dialect(tmp_path / "a.csv").told() == f"a.csv is read as a table: {told} (--shop says it otherwise)"


def test_how_it_is_read_is_told_in_one_line(table):
    assert open_dialect(table).told() == (
        "artikel.txt is read as a table: id Artikelnummer; texts Bezeichnung, Beschreibung, Notiz; photos Bild; "
        "attributes Farbe, Material (--shop says it otherwise)"
    )


def test_of_very_many_columns_the_first_are_told(tmp_path):
    (tmp_path / "wide.csv").write_text(f"id,title,{','.join(f'Part {n}' for n in range(40))}\n1,hat{',x' * 40}\n")
    told = open_dialect(tmp_path / "wide.csv").told()
    assert told.endswith("Part 13, Part 14 and 25 more (--shop says it otherwise)")


@pytest.mark.parametrize(
    ("cell", "photos"),
    [
        ("a.jpg, b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg|b.png", ["a.jpg", "b.png"]),
        ('["a, b.jpg", "c.jpg"]', ["a, b.jpg", "c.jpg"]),
        ("red, blue.jpg", ["red, blue.jpg"]),
        ("https://x.example/w_4,h_4/a.jpg", ["https://x.example/w_4,h_4/a.jpg"]),
        ("https://x.example/1 https://x.example/2", ["https://x.example/1", "https://x.example/2"]),
        ("my photo.jpg", ["my photo.jpg"]),
        ("https://x.example/1, https://x.example/2?a=1", ["https://x.example/1", "https://x.example/2?a=1"]),
        ("", []),
    ],
)
def test_photos_of_a_cell(cell, photos):
    assert split_photos(cell) == photos


def test_a_value_goes_to_its_column_if_that_is_blank(table):
    dialect = open_dialect(table)
    cap, scarf = dialect.items()
    assert dialect.place(scarf, "farbe", ["Rot", "Weiß"]) == [Edit(3, ("Farbe",), "Rot; Weiß")]
    assert dialect.place(scarf, "Muster", ["Uni"]) == [Edit(3, ("Muster",), "Uni")]
    with pytest.raises(NoPlace, match="is filled"):
        dialect.place(cap, "Farbe", ["Rot"])
    with pytest.raises(NoPlace, match="is not read as an attribute"):
        dialect.place(cap, "Preis", ["Rot"])


def test_attributes_go_by_the_shops_spelling(tmp_path):
    (tmp_path / "a.csv").write_text("id,title,shoe_size,colour\n1,Boot,42,Red\n", encoding="utf-8")
    shop = Shop(schema=Schema((Attribute("Shoe size"), Attribute("Color", columns=("Colour",)))))
    (boot,) = read_products(tmp_path / "a.csv", shop=shop)
    assert boot.table == {"Shoe size": ("42",), "Color": ("Red",)}


def test_a_file_that_attrex_wrote_or_a_shop_names_is_read_by_its_own_columns(tmp_path):
    (tmp_path / "a.csv").write_text('id,title,attributes\n1,Boot,"{""Size"": ""42""}"\n', encoding="utf-8")
    assert open_dialect(tmp_path / "a.csv") is None
    (boot,) = read_products(tmp_path / "a.csv")
    assert boot.table == {"Size": ("42",)}
