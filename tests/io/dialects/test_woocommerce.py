"""WooCommerce's product CSV: numbers, escapes, variations, and where a value is written."""

from __future__ import annotations

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.readers import read_products

HEAD = "ID,Type,SKU,Name,Short description,Description,Categories,Images,Parent"
SLOTS = ",".join(f"Attribute {n} {part}" for n in (1, 2) for part in ("name", "value(s)", "visible", "global"))
EXPORT = (
    f"{HEAD},{SLOTS}\n"
    '1,variable,LAMP,Lamp,,"<p>Brass\\, by hand.</p>\\nWarm light.",Home > Lamps,"a.jpg, b.jpg",,'
    'Color,"Brass, Black",1,1,Height,"1\\,2 m, 40 cm",1,0\n'
    "2,variation,LAMP-B,Lamp - Black,,,,,LAMP,Color,Black,,1,,,,\n"
    "3,simple,PEN,Pen,Fine,,,,,,,,,Color,'-Blue,1,1\n"
)


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "products.csv"
    path.write_text(EXPORT, encoding="utf-8")
    return path


def test_attributes_have_their_names_in_whatever_number_and_values_split_at_bare_commas(export):
    lamp, _, pen = read_products(export)
    assert lamp.table == {"Color": ("Brass", "Black"), "Height": ("1,2 m", "40 cm")}
    assert pen.table == {"Color": ("-Blue",)}


def test_a_written_line_break_is_one_and_html_is_read_as_text(export):
    lamp, *_ = read_products(export)
    assert lamp.fields["description"].split() == ["Brass\\,", "by", "hand.", "Warm", "light."]


def test_a_variation_has_its_parents_texts_photos_and_other_attributes(export):
    lamp, black, _ = read_products(export)
    assert black.id == "LAMP-B"
    assert black.fields["title"] == "Lamp - Black"
    assert black.fields["description"] == lamp.fields["description"]
    assert black.images == lamp.images == (export.parent / "a.jpg", export.parent / "b.jpg")
    assert black.table == {"Color": ("Black",), "Height": ("1,2 m", "40 cm")}
    assert black.group == lamp.group == "LAMP"


def test_a_value_goes_to_a_number_that_is_free_in_its_row(export):
    dialect = open_dialect(export)
    lamp, black, pen = dialect.items()
    assert dialect.place(pen, "height", ["1,5 m", "2 m"]) == [
        Edit(4, ("Attribute 1 name",), "Height"),
        Edit(4, ("Attribute 1 value(s)",), r"1\,5 m, 2 m"),
        Edit(4, ("Attribute 1 visible",), "1"),
        Edit(4, ("Attribute 1 global",), "0"),  # as the row of the lamp has it
    ]
    assert dialect.place(lamp, "Shape", ["Round"])[0] == Edit(2, ("Attribute 3 name",), "Shape")
    with pytest.raises(NoPlace, match="fill the parent's row"):
        dialect.place(black, "Shape", ["Round"])
    with pytest.raises(NoPlace, match="is filled"):
        dialect.place(lamp, "Color", ["Red"])


@pytest.mark.parametrize(
    "header",
    [
        "ID,Typ,Artikelnummer,Name,Kurzbeschreibung,Beschreibung,Bilder,Übergeordnetes Produkt,"
        "Attribut 1 Name,Attribut 1 Wert(e),Attribut 1 Sichtbar,Attribut 1 Global,Attribut 1 Standard",
        "ID,Type,UGS,Nom,Description courte,Description,Images,Parent,"
        "Nom de l’attribut 1,Valeur(s) de l’attribut 1 ,Attribut 1 visible,Attribut 1 global,Attribut 1 par défaut",
        "ID,Tipo,SKU,Nombre,Descripción corta,Descripción,Imágenes,Superior,"
        "Nombre del atributo 1,Valor(es) del atributo 1,Atributo visible 1,Atributo global 1,X",
        "ID,Tipo,SKU,Nome,Breve descrizione,Descrizione,Immagine,Genitore,"
        "Nome dell'attributo 1,Valore dell'attributo 1,Attributo 1 visibile,Attributo 1 globale,X",
    ],
)
def test_the_header_is_in_the_language_of_the_shop(tmp_path, header):
    path = tmp_path / "woo.csv"
    path.write_text(
        f'{header}\n1,variable,CAP,Cap,Short,A\\ncap,,,Color,"Blue, Red",1,1,Blue\n'
        "2,variation,CAP-B,Cap - Blue,,,,CAP,Color,Blue,,1,\n3,simple,MUG,Mug,,White,,,,,,,\n",
        encoding="utf-8",
    )
    cap, blue, mug = read_products(path)
    assert (cap.id, cap.fields["short_description"], cap.fields["description"]) == ("CAP", "Short", "A\ncap")
    assert (cap.table, blue.table, mug.table) == ({"Color": ("Blue", "Red")}, {"Color": ("Blue",)}, {})
    assert (blue.group, blue.fields["description"]) == ("CAP", "A\ncap")
    dialect = open_dialect(path)
    names = header.split(",")
    items = list(dialect.items())
    assert [e.key[0] for e in dialect.place(items[2], "Fit", ["Slim"])] == names[8:12]
    new = [e.key[0] for e in dialect.place(items[0], "Fit", ["Slim"])]
    assert new == [name.replace("1", "2") for name in names[8:12]]
