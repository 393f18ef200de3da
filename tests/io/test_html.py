"""HTML in texts: what is read, and that every character keeps its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrex.errors import DataError
from attrex.io.html import has_markup, without_markup
from attrex.io.readers import read_products
from attrex.labels.headings import key_value_lines
from attrex.labels.labeler import DistantLabeler
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop

GREEN = "gr&uuml;nes"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a <b>red</b> bag", "a    red     bag"),
        ("red<br>bag", "red   \nbag"),
        ("a<LI CLASS='x'>red</LI></ul><p>bag", "a" + " " * 13 + "\nred    \n        bag"),  # no empty lines
        ("<p>a\r\nb</p>\n<p>c", "   a  b   \n    c"),  # as in a browser
        ("a\n<b>b</b>\n&amp;", "a\n   b    \n&    "),  # where no tag does, they end lines
        ("<!-- <p>blue</p> -->red", " " * 20 + "red"),
        ("<style>p {color: blue}</style>red", " " * 30 + "red"),
        ("<script>if (a < b) blue", " " * 23),
        ("tie &amp; shirt", "tie &     shirt"),
        ("hand&nbsp;wash", "hand      wash"),
        ("5&quot; heel", '5"      heel'),
        ("&#39;red&#x27;", "'    red'     "),
        ("caf&eacute; au lait", "café        au lait"),
        (f"a {GREEN} bag", "a grü\u00ad\u00ad\u00ad\u00ad\u00adnes bag"),
        ("Gr&ouml;&szlig;e", "Grö\u00ad\u00ad\u00ad\u00ad\u00adß\u00ad\u00ad\u00ad\u00ad\u00ad\u00ade"),
        ("&bogus; &#0; &", "&bogus; \ufffd    &"),
        ("gr&uuml;&#1;", "grü         "),
        (
            "gr&#252n &amp x &copy=3 H&M Pens&notes",
            "grü\xad\xad\xad\xadn &    x &copy=3 H&M Pens&notes",
        ),  # no semicolons
        ("a Baum&shy;wolle", "a Baum\u00ad\u00ad\u00ad\u00ad\u00adwolle"),
        ('<a title="x > Blue">Red', " " * 20 + "Red"),
        ("<a title = 'a>b' rel=\"<c>\">Red", " " * 27 + "Red"),
        ('<p style="color:red>Red 15" wide', " " * 20 + 'Red 15" wide'),  # a quote that closes no attribute
        ("<b don't>Red", " " * 9 + "Red"),
        ("<![CDATA[Red]]>", " " * 9 + "Red   "),
        ("<!DOCTYPE html>Red", " " * 15 + "Red"),
        ("size <M, 3 < 4 > 2, R&D; <3", "size <M, 3 < 4 > 2, R&D; <3"),
    ],
)
def test_what_is_read(text: str, read: str) -> None:
    assert without_markup(text) == read


@given(st.text(st.sampled_from("<>/&;#!-= \n\"'abpliscrt39xü\ud83d\0"), max_size=60))
def test_every_character_keeps_its_place(text: str) -> None:
    read = without_markup(text)
    assert len(read) == len(text)
    if "<" not in text and "&" not in text:
        assert read == text


@pytest.mark.parametrize(
    "piece", ["<a", "<!--", "<script", "</", "&amp", "<a '", "<scripta </script ", '<a b="', "<a b='\"", "<![CDATA["]
)
def test_hostile_markup_takes_no_longer_each(growth, piece: str) -> None:
    assert growth(lambda n: without_markup(piece * n), 5_000) < 9


def test_tags_and_not_all_angles_are_markup() -> None:
    assert has_markup("a <b>red</b> bag")
    assert has_markup("red<br/>bag")
    assert not has_markup("size <M, price >5, <3, R&D")


def test_a_list_and_a_table_have_headings() -> None:
    text = "<ul><li>Fit: Regular</li></ul><table><tr><th>Neckline</th><td>Round Neck</td></tr></table>"
    found = [(h.heading, text[h.start : h.end]) for h in key_value_lines(without_markup(text))]
    assert found == [("Fit", "Regular"), ("Neckline", "Round Neck")]


def test_a_column_of_html_is_read_and_labelled_where_the_file_has_it() -> None:
    body = f"<p>A {GREEN} shirt</p><li>hand&nbsp;<b>wash</b></li>"
    row = {"id": 1, "title": "a <b> c", "body": body, "attributes": {"Farbe": "grünes", "Care": "Hand Wash"}}
    (product,) = read_products([row], shop=Shop(ColumnMapping(texts=("title", "body"), html=("body",))))
    assert product.fields["title"] == "a <b> c"
    located = DistantLabeler().label(product).spans or ()
    assert {(s.attribute, body[s.start : s.end]) for s in located} == {
        ("Farbe", GREEN),
        ("Care", "hand&nbsp;<b>wash"),
    }


def test_a_column_of_html_that_no_row_has_is_told() -> None:
    with pytest.raises(DataError, match=r"expected the column 'bodi', which the shop names.*did you mean 'body'"):
        list(read_products([{"id": 1, "body": "red"}], shop=Shop(ColumnMapping(texts=("body",), html=("bodi",)))))


def test_a_column_of_html_that_is_not_read_is_told() -> None:
    rows = [{"id": 1, "title": "red", "Body (HTML)": "<p>red</p>"}]
    with pytest.raises(DataError, match=r"read as texts \(title, .*got 'Body \(HTML\)'; name all text"):
        list(read_products(rows, shop=Shop(ColumnMapping(html=("Body (HTML)",)))))
