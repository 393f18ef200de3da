"""BMEcat 1.2 and 2005: values and languages, units, variants, photos, and where a value is written."""

from __future__ import annotations

import pytest

from attrex.errors import DataError
from attrex.io.cell_edits import Source
from attrex.io.dialects import NoPlace, open_dialect
from attrex.io.editable import editable_file
from attrex.io.readers import read_products

V12 = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE BMECAT SYSTEM "bmecat_new_catalog.dtd">
<BMECAT version="1.2">
  <HEADER><CATALOG><LANGUAGE>deu</LANGUAGE><MIME_ROOT>bilder</MIME_ROOT></CATALOG></HEADER>
  <T_NEW_CATALOG>
    <ARTICLE mode="new">
      <SUPPLIER_AID>1000</SUPPLIER_AID>
      <ARTICLE_DETAILS>
        <DESCRIPTION_SHORT>Türgriff</DESCRIPTION_SHORT>
        <DESCRIPTION_LONG>&lt;b&gt;Griff&lt;/b&gt; aus Messing &amp; Stahl</DESCRIPTION_LONG>
        <MANUFACTURER_NAME>Norda</MANUFACTURER_NAME>
      </ARTICLE_DETAILS>
      <ARTICLE_FEATURES>
        <REFERENCE_FEATURE_GROUP_ID>19010203</REFERENCE_FEATURE_GROUP_ID>
        <FEATURE><FNAME>Netzspannung</FNAME><FVALUE>110</FVALUE><FVALUE>220</FVALUE><FUNIT>VLT</FUNIT></FEATURE>
        <FEATURE><FNAME>Breite</FNAME><FVALUE/><FUNIT>MMT</FUNIT></FEATURE>
        <FEATURE><FNAME>Farbe</FNAME><FVALUE></FVALUE></FEATURE>
        <FEATURE><FNAME>Material</FNAME><FORDER>4</FORDER></FEATURE>
        <FEATURE><FNAME>Form</FNAME><FVALUE>-</FVALUE></FEATURE>
        <FEATURE><FNAME>Größe</FNAME><VARIANTS>
          <VARIANT><FVALUE>S</FVALUE><SUPPLIER_AID_SUPPLEMENT>-1</SUPPLIER_AID_SUPPLEMENT></VARIANT>
          <VARIANT><FVALUE>L</FVALUE><SUPPLIER_AID_SUPPLEMENT>-2</SUPPLIER_AID_SUPPLEMENT></VARIANT>
          <VORDER>1</VORDER></VARIANTS></FEATURE>
      </ARTICLE_FEATURES>
      <MIME_INFO>
        <MIME><MIME_TYPE>image/jpeg</MIME_TYPE><MIME_SOURCE>a.jpg</MIME_SOURCE></MIME>
        <MIME><MIME_TYPE>image/png</MIME_TYPE><MIME_SOURCE>logo.png</MIME_SOURCE><MIME_PURPOSE>logo</MIME_PURPOSE></MIME>
        <MIME><MIME_TYPE>application/pdf</MIME_TYPE><MIME_SOURCE>a.pdf</MIME_SOURCE></MIME>
      </MIME_INFO>
    </ARTICLE>
    <ARTICLE mode="delete"><SUPPLIER_AID>1001</SUPPLIER_AID></ARTICLE>
  </T_NEW_CATALOG>
</BMECAT>
"""
V2005 = """<?xml version="1.0" encoding="UTF-8"?>
<b:BMECAT xmlns:b="http://www.bmecat.org/bmecat/2005" version="2005">
  <b:HEADER><b:CATALOG><b:LANGUAGE>deu</b:LANGUAGE><b:LANGUAGE default="true">eng</b:LANGUAGE></b:CATALOG></b:HEADER>
  <b:T_NEW_CATALOG>
    <b:CLASSIFICATION_SYSTEM><b:CLASSIFICATION_SYSTEM_FEATURE_TEMPLATES>
      <b:CLASSIFICATION_SYSTEM_FEATURE_TEMPLATE><b:FT_ID>F1</b:FT_ID>
        <b:FT_NAME lang="deu">Werkstoff</b:FT_NAME><b:FT_NAME lang="eng">Material</b:FT_NAME>
      </b:CLASSIFICATION_SYSTEM_FEATURE_TEMPLATE></b:CLASSIFICATION_SYSTEM_FEATURE_TEMPLATES>
    </b:CLASSIFICATION_SYSTEM>
    <b:PRODUCT>
      <b:SUPPLIER_PID>A</b:SUPPLIER_PID>
      <b:PRODUCT_DETAILS>
        <b:DESCRIPTION_SHORT lang="deu">Schraube</b:DESCRIPTION_SHORT>
        <b:DESCRIPTION_SHORT lang="eng">Screw</b:DESCRIPTION_SHORT>
      </b:PRODUCT_DETAILS>
      <b:PRODUCT_FEATURES>
        <b:FEATURE><b:FNAME lang="deu">Farbe</b:FNAME><b:FNAME lang="eng">Color</b:FNAME>
          <b:FVALUE lang="deu">rot</b:FVALUE><b:FVALUE lang="deu">blau</b:FVALUE>
          <b:FVALUE lang="eng">red</b:FVALUE><b:FVALUE lang="eng">blue</b:FVALUE></b:FEATURE>
        <b:FEATURE><b:FT_IDREF>F1</b:FT_IDREF><b:FVALUE>steel</b:FVALUE></b:FEATURE>
        <b:FEATURE><b:FNAME lang="deu">Kopf</b:FNAME><b:FNAME lang="eng">Head</b:FNAME>
          <b:FVALUE lang="deu"/><b:FVALUE lang="eng" /></b:FEATURE>
        <b:FEATURE><b:FNAME lang="eng">Finish</b:FNAME></b:FEATURE>
      </b:PRODUCT_FEATURES>
    </b:PRODUCT>
  </b:T_NEW_CATALOG>
</b:BMECAT>
"""


@pytest.fixture(params=["utf-8", "iso-8859-1", "utf-16"])
def catalogue(request, tmp_path):
    path = tmp_path / "catalogue.xml"
    path.write_bytes(V12.format(encoding=request.param).encode(request.param))
    return path


@pytest.fixture
def languages(tmp_path):
    path = tmp_path / "catalogue.xml"
    path.write_text(V2005, encoding="utf-8")
    return path


def test_several_values_are_values_with_their_unit(catalogue):
    base, *_ = read_products(catalogue)
    assert base.table == {
        "Netzspannung": ("110 V", "220 V"),
        "Größe": ("S", "L"),
        "Manufacturer": ("Norda",),
    }
    assert base.fields["title"] == "Türgriff"
    assert base.fields["description"].split() == ["Griff", "aus", "Messing", "&", "Stahl"]
    assert (base.category, base.images) == ("19010203", (catalogue.parent / "bilder/a.jpg",))


def test_variants_are_products_with_their_own_number(catalogue):
    base, small, large = read_products(catalogue)
    assert [p.id for p in (base, small, large)] == ["1000", "1000-1", "1000-2"]
    assert (small.table["Größe"], large.table["Größe"]) == (("S",), ("L",))
    assert small.fields == base.fields
    assert small.group == base.group == "1000"


def test_values_in_several_languages_are_those_of_the_catalogues_own(languages):
    (screw,) = read_products(languages)
    assert screw.table == {"Color": ("red", "blue"), "Material": ("steel",)}
    assert screw.fields == {"title": "Screw", "title-deu": "Schraube"}


def filled(path, values):
    """The catalogue's text with values of its first product written, and the lines that changed."""
    dialect = open_dialect(path)
    item = next(dialect.items())
    edits = {e.key: e.value for attribute, words in values.items() for e in dialect.place(item, attribute, words)}
    out = path.with_name("filled.xml")
    editable_file(path).write(out, lambda row: edits if row.number == item.rows[0].number else {})
    before, after = path.read_bytes(), out.read_bytes()
    encoding = "utf-16" if before[:1] in (b"\xff", b"\xfe") else "utf-8" if b"UTF-8" in before[:60] else None
    encoding = encoding or before[:60].split(b'encoding="')[1].split(b'"')[0].decode()
    old, new = before.decode(encoding).splitlines(), after.decode(encoding).splitlines()
    assert len(old) == len(new)
    return [line.strip() for line, was in zip(new, old, strict=True) if line != was]


def test_blank_values_are_filled_and_nothing_else_changes(catalogue):
    changed = filled(catalogue, {"Breite": ["120 mm"], "farbe": ["weiß & <grün>"], "Material": ["Stahl", "Messing"]})
    assert changed == [
        "<FEATURE><FNAME>Breite</FNAME><FVALUE>120</FVALUE><FUNIT>MMT</FUNIT></FEATURE>",
        "<FEATURE><FNAME>Farbe</FNAME><FVALUE>weiß &amp; &lt;grün&gt;</FVALUE></FEATURE>",
        "<FEATURE><FNAME>Material</FNAME><FVALUE>Stahl</FVALUE><FVALUE>Messing</FVALUE><FORDER>4</FORDER></FEATURE>",
    ]
    again = next(iter(read_products(catalogue.with_name("filled.xml"))))
    assert again.table["Breite"] == ("120 mm",)
    assert again.table["Material"] == ("Stahl", "Messing")


def test_a_value_is_written_in_the_language_that_is_read(languages):
    assert filled(languages, {"Head": ["flat", "round"], "Finish": ["matt"]}) == [
        '<b:FVALUE lang="deu"/><b:FVALUE lang="eng">flat</b:FVALUE><b:FVALUE lang="eng">round</b:FVALUE></b:FEATURE>',
        '<b:FEATURE><b:FNAME lang="eng">Finish</b:FNAME><b:FVALUE lang="eng">matt</b:FVALUE></b:FEATURE>',
    ]


def test_a_character_that_the_encoding_lacks_is_written_as_a_reference(tmp_path):
    path = tmp_path / "catalogue.xml"
    path.write_bytes(V12.format(encoding="iso-8859-1").encode("iso-8859-1"))
    assert filled(path, {"Farbe": ["weiß ™"]}) == [
        "<FEATURE><FNAME>Farbe</FNAME><FVALUE>weiß &#8482;</FVALUE></FEATURE>"
    ]
    assert next(iter(read_products(path.with_name("filled.xml")))).table["Farbe"] == ("weiß ™",)


@pytest.mark.parametrize(
    ("attribute", "value", "why"),
    [
        ("Netzspannung", "12 V", "FEATURE 'Netzspannung' is filled"),
        ("Breite", "12 cm", "FUNIT is 'MMT'"),
        ("Gewicht", "1 kg", "no FEATURE 'Gewicht'"),
        ("Größe", "M", "FEATURE 'Größe' is filled"),
        ("Form", "rund", "FEATURE 'Form' is filled"),  # with a dash, but somebody wrote it
    ],
)
def test_what_has_no_place_is_refused(catalogue, attribute, value, why):
    dialect = open_dialect(catalogue)
    base, small, _ = dialect.items()
    with pytest.raises(NoPlace, match=why):
        dialect.place(base, attribute, [value])
    with pytest.raises(NoPlace, match="fill the product's FEATURE"):
        dialect.place(small, "Farbe", ["rot"])


def test_a_catalogue_that_breaks_off_gives_its_whole_products_and_a_marked_row(catalogue):
    whole = catalogue.read_bytes()
    marker = "<ARTICLE mode=".encode("utf-16-le" if whole[:1] == b"\xff" else "ascii")
    catalogue.write_bytes(whole[: whole.rindex(marker) + 8])
    *products, last = read_products(catalogue)
    assert [p.id for p in products] == ["1000", "1000-1", "1000-2"]
    assert "the file is damaged here" in last.error


def test_entities_of_a_files_own_are_refused(tmp_path):
    path = tmp_path / "catalogue.xml"
    path.write_text('<!DOCTYPE BMECAT [<!ENTITY x "y">]><BMECAT><ARTICLE/></BMECAT>', encoding="utf-8")
    with pytest.raises(DataError, match="without entities of its own, got the entity 'x'"):
        list(read_products(path))


def test_what_was_filled_can_be_taken_back_byte_for_byte(catalogue):
    values = {"Breite": ["120 mm"], "Farbe": ["blau", "rot"], "Material": ["Stahl", "Messing"]}
    filled(catalogue, values)
    before, after = editable_file(catalogue), editable_file(catalogue.with_name("filled.xml"))
    columns = [("FEATURE 2", ""), ("FEATURE 3", ""), ("FEATURE 4", "")]
    (row, _), (now, _) = before.rows(), after.rows()
    assert [now.content(column) for column in columns] == ["120", ["blau", "rot"], ["Stahl", "Messing"]]
    sources = {column: Source(row.source(column)) for column in columns}
    after.write(out := catalogue.with_name("again.xml"), lambda row: sources if row.number == 1 else {})
    assert out.read_bytes() == catalogue.read_bytes()
