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
