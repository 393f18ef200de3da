"""What a notebook shows of products, predictions and comparisons."""

from __future__ import annotations

from html.parser import HTMLParser

from attrex.evaluation.comparison import Comparison, ComparisonRow
from attrex.types import Prediction, Product, Span, Value

HOSTILE = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """The elements, and the texts of some of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.marks: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "p", "b", "bdi", "mark", "table", "thead", "tbody", "tr", "th", "td"}
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "mark" in self.open:
            self.marks.append(data)
        if {"td", "th"} & {*self.open}:
            self.cells[-1] += data


def test_a_product_shows_its_texts_with_the_labels_marked() -> None:
    spans = (Span("Color", 0, 9, "Navy blue", "title"), Span("Shade", 0, 4, "Navy", "title"))
    product = Product("<1>", {"title": "Navy blue & more", "text": HOSTILE}, table={"Color": ("Blue",)}, spans=spans)
    shown = Reader(product._repr_html_())
    assert shown.marks == ["Navy", " blue"]  # where two overlap, both are named by the first part
    assert "title: Navy blue & more" in shown.text
    assert HOSTILE in shown.text
    assert shown.cells == ["Color", "Blue"]


def test_a_long_text_is_cut_and_a_row_with_an_error_says_why() -> None:
    long = Product("1", {"text": "x" * 5000}, spans=(Span("Color", 1990, 2100, "x" * 110),))
    shown = Reader(long._repr_html_())
    assert shown.text.endswith("… 2,000 of 5,000 characters shown")
    assert shown.marks == ["x" * 10]
    assert "Not read: line 3" in Reader(Product("1", {}, error="line 3")._repr_html_()).text


def test_a_prediction_shows_values_with_and_without_a_source() -> None:
    values = (Value.from_span(Span("Color", 0, 4, HOSTILE[:4], "title"), 0.93), Value("Fit", "slim", 0.5))
    shown = Reader(Prediction("1", values, warnings=("photo 1 left out",))._repr_html_())
    assert shown.cells[:5] == ["attribute", "value", "confidence", "text", "where"]
    assert shown.cells[5:] == [
        "Color",
        "<scr",
        "0.93",
        "<scr",
        "title 0–4",
        "Fit",
        "slim",
        "0.50",
        "not in the text",
        "",
    ]
    assert "photo 1 left out" in shown.text
    assert "no value found" in Reader(Prediction("1")._repr_html_()).text


def test_a_comparison_is_a_table() -> None:
    rows = Comparison([ComparisonRow(HOSTILE, [])])
    assert Reader(rows._repr_html_()).cells == ["run", "seeds", HOSTILE, "0"]
