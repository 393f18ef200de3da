"""Tables in text files: encoding, delimiter and header are found out from the rows."""

from __future__ import annotations

import gzip

import pytest

from attrex.io.csv_cells import CsvFile
from attrex.io.files import file_rows


def rows(path):
    return [row.values for row in file_rows(path)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv", "a.csv.gz"])
def test_any_usual_encoding_under_any_name(tmp_path, encoding, name):
    content = "id;title\r\n1;Grüne Mütze\r\n".encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert rows(tmp_path / name) == [{"id": "1", "title": "Grüne Mütze"}]


def test_one_wrong_byte_among_utf_8_marks_its_row_only(tmp_path):
    (tmp_path / "a.csv").write_bytes("id,title\n1,Mütze\n".encode() + b"2,M\xfctze\n3,Hut\n")
    first, second, third = file_rows(tmp_path / "a.csv")
    assert (first.error, third.error) == ("", "")
    assert second.error == "expected UTF-8 text, got the byte 0xfc; save the file as UTF-8"


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("id;name, short, long;text\n1;Cap;a, b\n2;Hat;c\n", ";"),  # more commas in the header than semicolons
        ("id;price;text\n1;1,5;a\n2;2,5;b\n", ";"),  # a comma in every row, none in the header
        ("id\ttext\n1\ta, b; c\n2\td, e; f\n", "\t"),
        ("id|text\n1|a, b\n", "|"),
        ('"id";"text"\n"1";"a, ""b"", c"\n', ";"),
        ("id,text\n", ","),
    ],
)
def test_the_delimiter_is_the_one_that_the_rows_fit(tmp_path, content, delimiter):
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    assert CsvFile(tmp_path / "a.csv").layout.delimiter == delimiter


def test_the_header_is_found_below_a_title(tmp_path):
    (tmp_path / "a.csv").write_text("Products of 2026,,,\n,,,\nid,title,text,Color\n1,Cap,Blue,\n", encoding="utf-8")
    assert CsvFile(tmp_path / "a.csv").layout.above == 2
    (row,) = file_rows(tmp_path / "a.csv")
    assert (row.number, row.values) == (4, {"id": "1", "title": "Cap", "text": "Blue", "Color": ""})


def test_short_rows_are_read_and_told_and_long_ones_marked_unless_what_is_over_is_blank(tmp_path):
    (tmp_path / "a.csv").write_text("id,title,Color\n1,Cap\n2,Hat,Red,\n3,Mug,White,Round\n", encoding="utf-8")
    short, padded, long = file_rows(tmp_path / "a.csv")
    assert short.values == {"id": "1", "title": "Cap", "Color": None}
    assert short.warnings == (
        "a.csv line 2: expected 3 cells as in the header, got 2; the missing ones are read as blank",
    )
    assert (padded.values, padded.warnings) == ({"id": "2", "title": "Hat", "Color": "Red"}, ())
    assert long.error.startswith("expected 3 cells as in the header, got 4; quote cells")


def test_a_quote_that_is_never_closed_damages_its_own_row_only(tmp_path):
    (tmp_path / "a.csv").write_text('id,title\n1,"White mug\n2,Red mug\n3,"Blue\ncap"\n', encoding="utf-8")
    damaged, red, blue = file_rows(tmp_path / "a.csv")
    assert damaged.error.startswith("expected cells with closed quotes, got ")
    assert (red.values["title"], blue.values["title"]) == ("Red mug", "Blue\ncap")
    assert [r.number for r in (damaged, red, blue)] == [2, 3, 4]


def test_between_tabs_a_quote_that_encloses_no_cell_is_a_character(tmp_path):
    (tmp_path / "a.tsv").write_text('id\ttitle\n1\t"White mug\n2\t"Light, soft",Warm\n3\t"Hat"\n', encoding="utf-8")
    first, second, third = file_rows(tmp_path / "a.tsv")
    assert [r.values["title"] for r in (first, second, third)] == ['"White mug', '"Light, soft",Warm', "Hat"]
    assert first.warnings == (
        "a.tsv line 2: expected cells with closed quotes, got one that is open; it is read as it stands",
    )
    assert second.warnings == ()
