from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from attrex.errors import DataError
from attrex.filling.conflicts import Conflict
from attrex.reports.content import MAX_CONFLICTS, listed_conflicts, sample
from attrex.reports.doubts import excerpt
from attrex.reports.html import write_report
from attrex.reports.product import MAX_ROWS, MAX_TEXT
from attrex.types import Prediction, Product, RegionWeights, Span, Value, WordWeight

VOID = {"meta", "img", "input"}
HOSTILE = "<script>alert('x')</script> \"quoted\" & 'more' $title"


class Page(HTMLParser):
    """The elements of a page; a tag that closes what is not open fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[dict[str, str]] = []
        self.open: list[dict[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute: {names}"
        element = {name: value or "" for name, value in attrs} | {"tag": tag, "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag: str, cls: str = "", **attributes: str) -> list[dict[str, str]]:
        wanted = {k.replace("_", "-"): v for k, v in attributes.items()}
        return [
            e
            for e in self.elements
            if e["tag"] == tag
            and set(cls.split()) <= set(e.get("class", "").split())
            and all(e.get(k) == v for k, v in wanted.items())
        ]

    def texts(self, tag: str, cls: str = "", **attributes: str) -> list[str]:
        return [e["text"] for e in self.all(tag, cls, **attributes)]


def photo(width: int = 60, height: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(out, "PNG")
    return out.getvalue()


def value(attribute: str, start: int, end: int, text: str, confidence: float = 0.9, **more) -> Value:
    return Value.from_span(Span(attribute, start, end, text, "title"), confidence, **more)


def span(attribute: str, start: int, end: int, text: str) -> Span:
    return Span(attribute, start, end, text, "title")


SHIRT = Product(
    "shirt-1",
    {"title": "Navy striped cotton shirt"},
    images=(photo(),),
    spans=(span("color", 0, 4, "Navy"), span("material", 13, 19, "cotton")),
    complete=True,
)
CORNER = RegionWeights(0, ((1.0, 0.5, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
FOUND = Prediction(
    "shirt-1",
    (value("color", 0, 4, "Navy", 0.95, regions=(CORNER,)), value("pattern", 5, 12, "striped", 0.4)),
    {"color": 0.97, "pattern": 0.52},
)


def report(path: Path, products: list[Product], predictions: list[Prediction], **options) -> Page:
    options = {"title": "Test set", "model_name": "DRAM"} | options
    written = write_report(path / "report.html", products, predictions, **options)
    return Page(written.read_text(encoding="utf-8"))


def number(text: str) -> Product:
    return Product(text, {"title": f"product {text}"})


# ------------------------------------------------------------------------------------------------------------- the page


def test_the_page_is_whole_and_needs_nothing_from_outside(tmp_path):
    page = report(tmp_path, [SHIRT], [FOUND])
    assert page.html.startswith("<!doctype html>")
    assert page.texts("title") == ["Test set"]
    assert all(e["src"].startswith("data:image/jpeg;base64,") for e in page.elements if "src" in e)
    assert not any({"href", "srcset", "action"} & set(e) for e in page.elements)
    assert "url(" not in page.html
    assert "@import" not in page.html
    assert "http://" not in page.html
    assert "https://" not in page.html
    policy = page.all("meta", http_equiv="Content-Security-Policy")[0]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_what_became_of_the_table_comes_first(tmp_path):
    counts = {"before": 1, "after": 3, "filled": 2, "left": 1}
    cells = {"products": 5, "errors": 1, "filled": 2, "expected": 0.95, "attributes": {HOSTILE: counts}}
    page = report(tmp_path, [SHIRT], [FOUND], cells=cells)
    row = next(e for e in page.all("tr") if "alert" in e["text"])
    assert row["text"].endswith("25%75%21")  # of the four products that could be read; filled, left to people
    assert "2 blank cells were filled; 95% of them should be what the shop would have written" in page.html
    assert page.html.index("blank cells were filled") < page.html.index('class="cards"')
    assert "The table" not in report(tmp_path, [SHIRT], [FOUND]).html


def test_values_are_marked_at_their_characters(tmp_path):
    page = report(tmp_path, [SHIRT], [FOUND])
    assert page.texts("p", "text") == ["Navy striped cotton shirt"]
    assert [m["text"] for m in page.all("mark") if "data-rows" in m] == ["Navy", "striped", "cotton"]
    assert page.all("mark", data_label="color 0.95 ✓")


def test_gold_makes_right_wrong_and_missed(tmp_path):
    page = report(tmp_path, [SHIRT], [FOUND])
    marks = {m["text"]: m["class"] for m in page.all("mark") if "data-rows" in m}
    assert marks == {"Navy": "right", "striped": "wrong", "cotton": "missed"}
    rows = {r["data-attribute"]: "data-mistake" in r for r in page.all("tr") if "data-attribute" in r}
    assert rows == {"color": False, "pattern": True, "material": True}
    assert "2 mistakes" in page.texts("span", "badge wrong")


def test_without_labels_nothing_is_right_or_wrong(tmp_path):
    page = report(tmp_path, [replace(SHIRT, spans=None)], [FOUND])
    assert [m["class"] for m in page.all("mark") if "data-rows" in m] == ["found", "found"]
    assert page.all("body")[0]["class"] == ""
    assert "no labels" in page.texts("span", "badge")


def test_incomplete_labels_are_said_to_be_incomplete(tmp_path):
    page = report(tmp_path, [replace(SHIRT, complete=False)], [FOUND])
    assert page.all("body", "labelled incomplete")


def test_overlapping_values_stay_visible(tmp_path):
    product = Product("shoe", {"title": "Red Tape shoes"})
    found = Prediction("shoe", (value("brand", 0, 8, "Red Tape", 0.8), value("color", 0, 3, "Red", 0.4)))
    page = report(tmp_path, [product], [found])
    both, rest = (m for m in page.all("mark") if "data-rows" in m)
    assert (both["text"], rest["text"]) == ("Red", " Tape")
    assert both["data-label"] == "color 0.40 · brand 0.80"
    assert both["style"].count("linear-gradient") == 2
    assert rest["style"].count("linear-gradient") == 1
    assert "calc(100% - 0px)" in rest["style"], "the second underline keeps its height"


def test_offsets_are_characters_in_any_script(tmp_path):
    texts = {
        "a": ("👜 黑色包", 2, 4, "黑色"),
        "b": ("قميص أزرق", 5, 9, "أزرق"),
        "c": ("e\u0301tui\r\nbleu", 7, 11, "bleu"),
    }
    products = [Product(k, {"title": t[0]}) for k, t in texts.items()]
    found = [Prediction(k, (value("color", *t[1:]),)) for k, t in texts.items()]
    page = report(tmp_path, products, found)
    assert [m["text"] for m in page.all("mark") if "data-rows" in m] == ["黑色", "أزرق", "bleu"]


def test_a_lone_surrogate_costs_one_character_not_the_page(tmp_path):
    page = report(tmp_path, [Product("x", {"title": "half \ud83d pair"})], [Prediction("x")])
    assert page.texts("p", "text") == ["half ? pair"]


def test_all_data_are_escaped(tmp_path):
    product = Product(
        HOSTILE,
        {HOSTILE: HOSTILE},
        category=HOSTILE,
        table={HOSTILE: (HOSTILE,)},
        spans=(Span(HOSTILE, 0, 8, "<script>", HOSTILE),),
        warnings=(HOSTILE,),
        error=HOSTILE,
    )
    found = Value.from_span(Span(HOSTILE, 0, 8, "<script>", HOSTILE), 0.5)
    prediction = Prediction(HOSTILE, (found,), {HOSTILE: 0.5}, warnings=("other " + HOSTILE,), error="no " + HOSTILE)
    scores = {"per_attribute": {HOSTILE: {"f1": 0.5}}}
    options = {"title": HOSTILE, "model_name": HOSTILE, "notes": {HOSTILE: HOSTILE}, "scores": scores}
    page = report(tmp_path, [product], [prediction], **options)
    assert len(page.all("script")) == 1
    assert "alert(" not in page.texts("script")[0]
    assert "<script>alert" not in page.html
    assert page.texts("h1") == [HOSTILE]
    assert page.texts("p", "text") == [HOSTILE]
    assert page.texts("h2")[-1] == HOSTILE
    assert not any(name.startswith("on") for e in page.elements for name in e)


def test_a_huge_text_is_cut_and_says_so(tmp_path):
    text = "word " * 200_000 + "blue"
    found = Prediction("x", (value("color", len(text) - 4, len(text), "blue"), value("noun", 0, 4, "word")))
    page = report(tmp_path, [Product("x", {"title": text})], [found])
    assert len(page.html) < 100_000
    assert page.texts("p", "text long")[0].startswith(text[:MAX_TEXT])
    assert f" … {MAX_TEXT:,} of 1,000,004 characters shown, 1 value further on" in page.texts("span", "note")


def test_a_value_across_the_cut_is_marked_up_to_it(tmp_path):
    text = "x" * (MAX_TEXT + 10)
    found = Prediction("x", (value("a", MAX_TEXT - 5, MAX_TEXT + 5, "x" * 10),))
    page = report(tmp_path, [Product("x", {"title": text})], [found])
    assert [m["text"] for m in page.all("mark") if "data-rows" in m] == ["xxxxx"]


def test_many_values_are_cut_and_say_so(tmp_path):
    n = MAX_ROWS + 5
    found = Prediction("x", tuple(value("a", i, i + 1, "x") for i in range(n)))
    page = report(tmp_path, [Product("x", {"title": "x" * n})], [found])
    assert f"{MAX_ROWS} of {n} values shown" in page.texts("p", "note")


# ----------------------------------------------------------------------------------------------------------- the photos


def test_evidence_is_packed_small_and_told_in_words(tmp_path):
    page = report(tmp_path, [SHIRT], [FOUND])
    (tile,) = page.all("button", "tile")
    assert tile["data-heat"] == "0:3:ff8000" + "00" * 6
    assert tile["aria-label"] == "heat-map of color: Navy (0.95): photo 1, top left"
    assert "photo 1, top left" in page.texts("td", "where")


def test_several_photos_are_embedded_once_each_in_their_proportions(tmp_path):
    product = replace(SHIRT, images=(photo(60, 40), photo(40, 60)))
    second = RegionWeights(1, ((0.2, 0.2), (0.2, 0.8)))
    found = Prediction("shirt-1", (value("color", 0, 4, "Navy", regions=(second, CORNER)),))
    page = report(tmp_path, [product], [found], image_size=48)
    sizes = []
    for image in page.all("img"):
        data = base64.b64decode(image["src"].partition(",")[2])
        sizes.append(Image.open(io.BytesIO(data)).size)
    assert sizes == [(48, 32), (32, 48)]
    heats = page.all("button", "tile")[0]["data-heat"].split()
    assert [h[:2] for h in heats] == ["0:", "1:"], "the strongest photo comes first"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_photo_on_its_side_is_shown_upright(tmp_path, kind):
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30), "navy").save(out, kind, exif=exif)
    page = report(tmp_path, [replace(SHIRT, images=(out.getvalue(),))], [FOUND], image_size=40)
    data = base64.b64decode(page.all("img")[0]["src"].partition(",")[2])
    assert Image.open(io.BytesIO(data)).size == (20, 40)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (((1.0,),), "centre"),
        (((0.0, 0.0), (0.0, 1.0)), "bottom right"),
        (((0.0,) * 7,) * 3 + ((0, 0, 0, 0, 0, 0, 1.0),) + ((0.0,) * 7,) * 3, "right"),
    ],
)
def test_the_warmest_place_is_told_in_words(tmp_path, weights, words):
    found = Prediction("shirt-1", (value("color", 0, 4, "Navy", regions=(RegionWeights(0, weights),)),))
    page = report(tmp_path, [SHIRT], [found])
    assert f"photo 1, {words}" in page.texts("td", "where")


def test_no_photo_and_a_broken_photo_have_placeholders(tmp_path):
    products = [replace(SHIRT, images=()), replace(SHIRT, images=(b"not an image",))]
    page = report(tmp_path, products, [replace(FOUND, values=())] * 2)
    none, broken = page.all("div", "placeholder")
    assert "No photo" in none["text"]
    assert broken["text"].startswith("Photo 1 could not be read")
    assert len(broken["text"]) > len("Photo 1 could not be read") + 10, "the reason is given"
    assert page.all("img") == []


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (RegionWeights(3, ((1.0,),)), "its heat-map is for photo 4, the product has 1"),
        (RegionWeights(0, ((1.0, 0.0), (1.0,))), "its heat-map is not a grid of rows of equal length"),
        (RegionWeights(0, ()), "its heat-map is not a grid of rows of equal length"),
        (RegionWeights(0, ((float("nan"),),)), "its heat-map has weights that are not finite numbers"),
    ],
)
def test_a_heat_map_that_cannot_be_drawn_is_a_warning(tmp_path, evidence, words):
    found = Prediction("shirt-1", (value("color", 0, 4, "Navy", regions=(evidence,)),))
    page = report(tmp_path, [SHIRT], [found])
    assert f"Warning: color 'Navy': {words}" in page.texts("p", "alert warning")
    assert page.all("button", "tile") == []


# --------------------------------------------------------------------------------------------------------- what is said


def test_warnings_errors_and_coverage_are_shown(tmp_path):
    products = [SHIRT, Product("row 2", {}, error="row 2 has no title")]
    predictions = [
        replace(FOUND, coverage=0.5, warnings=("photo was small",)),
        Prediction("row 2", error="row 2 has no title"),
    ]
    page = report(tmp_path, products, predictions)
    assert page.texts("p", "alert error") == ["Not read: row 2 has no title"], "said once"
    assert page.texts("p", "alert warning") == ["Warning: photo was small", "Coverage: 50.0% of the text was read"]
    assert ["data-marked" in a for a in page.all("article")] == [True, True]
    assert "Not read1" in page.texts("div", "card")


def test_a_value_that_the_text_does_not_say_is_a_warning(tmp_path):
    found = Prediction("shirt-1", (value("color", 1, 5, "Navy"), value("brand", 90, 94, "Navy")))
    page = report(tmp_path, [SHIRT], [found])
    assert page.texts("p", "alert warning") == [
        "Warning: color 'Navy' is not what the text says at title:1-5, so it is not marked there",
        "Warning: brand 'Navy' is not what the text says at title:90-94, so it is not marked there",
    ]
    assert {r["data-attribute"] for r in page.all("tr") if "data-attribute" in r} == {"color", "brand", "material"}


def test_range_and_table_are_shown_as_chips(tmp_path):
    page = report(tmp_path, [replace(SHIRT, table={"color": ("Blue",), "size": ()})], [FOUND])
    assert page.texts("span", "chip") == ["color0.97", "pattern0.52", "colorBlue", "sizenone"]


SCORES = {
    "products": 1,
    "tag": {"precision": 0.5, "recall": 0.25, "f1": 0.3333, "ci95": [0.2, 0.4]},
    "per_attribute": {
        "color": {"precision": 1.0, "recall": 0.9, "f1": 0.95, "gold": 20},
        "size": {"f1": 0.1, "gold": 40},
    },
}


def test_scores_make_cards_and_a_chart(tmp_path):
    page = report(tmp_path, [SHIRT], [FOUND], scores=SCORES, notes={"preset": "small"})
    cards = page.texts("div", "card")
    assert cards[:3] == ["F10.33395% 0.200 – 0.400", "Precision0.500", "Recall0.250"]
    assert "Attributes looked for2.0" in cards
    assert [b["data-pick"] for b in page.all("button") if "data-pick" in b] == ["size", "color"]
    assert page.texts("th", scope="col")[:5] == ["Attribute", "F1", "Precision", "Recall", "Labels"]
    assert page.texts("dl", "facts") == ["presetsmall"]
    nothing = Prediction("shirt-2")  # decoded for no attribute
    page = report(tmp_path, [SHIRT, replace(SHIRT, id="shirt-2")], [FOUND, nothing], scores=SCORES | {"macro_f1": 0.5})
    assert {"Attributes looked for1.0", "Macro F10.500"} <= set(page.texts("div", "card"))
    page = report(tmp_path, [SHIRT], [FOUND], scores=SCORES | {"macro_f1": 0.0, "macro_attributes": 0})
    assert not any(card.startswith("Macro F1") for card in page.texts("div", "card"))


def test_without_scores_the_chart_counts(tmp_path):
    page = report(tmp_path, [SHIRT], [FOUND])
    assert page.texts("th", scope="col")[:3] == ["Attribute", "Mean confidence", "Values"]
    assert "Values found2" in page.texts("div", "card")


def test_two_models_stand_side_by_side(tmp_path):
    other = Prediction("shirt-1", (FOUND.values[0], value("material", 13, 19, "cotton", 0.7)))
    page = report(tmp_path, [SHIRT], [FOUND], model_name="VL", other=("DRAM", [other]), scores=SCORES)
    assert page.texts("h3") == ["1stVL", "2ndDRAM"]
    assert page.texts("p", "text") == [SHIRT.fields["title"]] * 2
    first = [(m["text"], m["class"]) for m in page.all("mark", data_model="0")]
    second = [(m["text"], m["class"]) for m in page.all("mark", data_model="1")]
    assert first == [("Navy", "right"), ("striped", "wrong differs"), ("cotton", "missed differs")]
    assert second == [("Navy", "right"), ("cotton", "right differs")]
    assert [t["data-model"] for t in page.all("button", "tile")] == ["0", "1"]
    differs = {r["data-attribute"]: "data-differs" in r for r in page.all("tr") if "data-attribute" in r}
    assert differs == {"color": False, "pattern": True, "material": True}
    assert "F11st0.33395% 0.200 – 0.4002nd–" in page.texts("div", "card")
    assert page.all("body", "two")


# ----------------------------------------------------------------------------------------------------------- the sample


def test_a_sample_without_labels_is_even_and_said(tmp_path):
    products = [number(str(i)) for i in range(10)]
    page = report(tmp_path, products, [Prediction(p.id) for p in products], max_products=5)
    assert page.texts("h2") == ["0", "2", "4", "6", "8"]
    said = "5 of 10 products are shown: taken evenly over all. The summary is over all of them."
    assert page.texts("p", "note sampled") == [said]
    assert "Products100 with photo" in page.texts("div", "card")


def test_a_sample_with_labels_takes_mistakes_then_low_confidence():
    def product(i: int, predicted_end: int, confidence: float) -> tuple[Product, tuple[Prediction]]:
        gold = Product(str(i), {"title": "blue cup"}, spans=(span("color", 0, 4, "blue"),))
        return gold, (Prediction(str(i), (value("color", 0, predicted_end, "blue"[:predicted_end], confidence),)),)

    rows = [product(0, 4, 0.9), product(1, 4, 0.3), product(2, 3, 0.99), product(3, 4, 0.8)]
    products, predictions = zip(*rows, strict=True)
    assert sample(products, predictions, 1) == [2]
    assert sample(products, predictions, 2) == [1, 2]
    assert sample(products, predictions, 3) == [1, 2, 3]
    assert sample(products, predictions, 9) == [0, 1, 2, 3]


def test_no_products_make_a_page_too(tmp_path):
    page = report(tmp_path, [], [])
    assert page.all("body", "empty")
    assert page.all("article") == []


# --------------------------------------------------------------------------------------- cells that are probably wrong


CARE_TEXTS = {"title": "Navy striped cotton shirt", "description": "Wash at 40 degrees."}
IN_TABLE = Product("shirt-1", CARE_TEXTS, images=(photo(),), table={"color": ("Red",), "care": ("Hand Wash",)})
WORDS = (WordWeight("description", 0, 4, "Wash", 0.6), WordWeight("title", 13, 19, "cotton", 0.3))
SAID = Value.from_span(span("color", 0, 4, "Navy"), 0.9, regions=(CORNER,))
CHOSEN = Value("care", "Machine Wash", 0.8, regions=(CORNER,), decided_by="text", words=WORDS)


def conflict(found: Value, cell: str = "Red", product: Product = IN_TABLE, **more: float) -> Conflict:
    return Conflict(product.id, found.attribute, (cell,), found.value, replace(found, regions=(), words=()), **more)


def page_of(tmp_path: Path, *found: Value, product: Product = IN_TABLE, **more: float) -> Page:
    """The page of one product with these values, all of them in conflict with the table."""
    doubtful = [(0, conflict(value, product=product, **more)) for value in found]
    return report(tmp_path, [product], [Prediction(product.id, found)], conflicts=doubtful)


def test_a_cell_is_shown_with_the_find_its_photo_and_where_the_product_is(tmp_path: Path) -> None:
    page = page_of(tmp_path, SAID, others=3, own=0.25)
    (item,) = page.all("li")
    assert page.texts("p", "cell") == ["color0.90"]
    assert page.texts("p", "claim") == ["tableRedfoundNavy"]
    assert page.texts("p", "excerpt") == ["titleNavy striped cotton shirt"]
    assert [m["text"] for m in page.all("mark") if "data-rows" not in m and "class" not in m] == ["Navy"]
    assert "photo 1, top left · 3 other cells with the same two values · 0.25 for the table's value" in item["text"]
    (thumb,) = page.all("figure", "thumb")
    assert thumb["data-heat"] == page.all("button", "tile")[0]["data-heat"] == "0:3:ff8000" + "00" * 6
    (link,) = page.all("a")
    assert (link["href"], link["text"]) == ("#product-1", "Product 1: shirt-1")
    assert [a["id"] for a in page.all("article")] == ["product-1"]
    assert "Cells that are probably wrongmost probably wrong first" in page.texts("h2")


def test_what_the_text_does_not_say_is_shown_by_the_words_or_the_photo_that_decided(tmp_path: Path) -> None:
    page = page_of(tmp_path, CHOSEN)
    assert page.texts("p", "excerpt") == ["titleNavy striped cotton shirt", "descriptionWash at 40 degrees."]
    assert "from the text · “Wash”, “cotton”" in page.texts("li")[0]
    assert "data-heat" not in page.all("figure", "thumb")[0]  # the photo did not decide
    page = page_of(tmp_path, replace(CHOSEN, decided_by="photo"))
    assert page.texts("p", "excerpt") == []
    assert "from the photo · photo 1, top left" in page.texts("li")[0]
    assert "data-heat" in page.all("figure", "thumb")[0]
    page = page_of(tmp_path, replace(CHOSEN, decided_by="both"))
    assert "from both · photo 1, top left · “Wash”, “cotton”" in page.texts("li")[0]
    assert len(page.texts("p", "excerpt")) == 2


@pytest.mark.parametrize(("images", "words"), [((), "No photo"), ((b"no image",), "Photo could not be read")])
def test_without_a_photo_there_is_a_placeholder(tmp_path: Path, images: tuple[bytes, ...], words: str) -> None:
    page = page_of(tmp_path, SAID, product=replace(IN_TABLE, images=images))
    assert page.texts("div", "thumb placeholder") == [words]


def test_without_conflicts_there_is_no_section(tmp_path: Path) -> None:
    page = report(tmp_path, [IN_TABLE], [Prediction("shirt-1", (SAID,))])
    assert page.all("section", "doubts") == []


def test_a_long_list_is_cut_and_says_where_all_of_it_is(tmp_path: Path) -> None:
    products = [replace(IN_TABLE, id=f"s{i}", images=()) for i in range(MAX_CONFLICTS + 5)]
    doubtful = [(i, conflict(SAID, product=p)) for i, p in enumerate(products)]
    page = report(tmp_path, products, [Prediction(p.id, (SAID,)) for p in products], conflicts=doubtful)
    assert len(page.all("li")) == MAX_CONFLICTS
    said = page.texts("section", "doubts")[0]
    assert f"{MAX_CONFLICTS} of {MAX_CONFLICTS + 5}, most probably wrong first: `attrex fill --conflicts FILE`" in said


def test_the_products_of_the_list_are_on_the_page_and_links_lead_to_them(tmp_path: Path) -> None:
    products = [replace(IN_TABLE, id=f"s{i}") for i in range(9)]
    predictions = [Prediction(p.id, (SAID,)) for p in products]
    doubtful = [(i, conflict(SAID, product=products[i])) for i in (7, 2, 7, 4)]
    page = report(tmp_path, products, predictions, conflicts=doubtful, max_products=4)
    assert len(page.all("article")) == 4
    links = [(link["href"], link["text"]) for link in page.all("a")]
    assert [text.split(": ")[1] for _, text in links] == ["s7", "s2", "s7", "s4"]
    ids = {a["id"]: a["text"] for a in page.all("article")}
    assert all(text.split(": ")[1] in ids[href[1:]] for href, text in links)
    assert "4 of 9 products are shown: those with the cells above, of the others taken evenly over all" in page.html
    page = report(tmp_path, products, predictions, conflicts=doubtful, max_products=2)
    assert [link["text"].split(": ")[1] for link in page.all("a")] == ["s7", "s2", "s7"]


def test_two_models_have_the_conflicts_of_the_first(tmp_path: Path) -> None:
    found = [Prediction("shirt-1", (SAID,))]
    page = report(tmp_path, [IN_TABLE], found, other=("B", found), conflicts=[(0, conflict(SAID))])
    assert "Cells that are probably wrong1stmost probably wrong first" in page.texts("h2")


def test_data_in_the_list_are_escaped(tmp_path: Path) -> None:
    product = Product(HOSTILE, {HOSTILE: HOSTILE}, table={HOSTILE: (HOSTILE,)})
    found = Value(HOSTILE, HOSTILE, 0.9, decided_by="both", words=(WordWeight(HOSTILE, 0, 8, "<script>", 0.5),))
    page = page_of(tmp_path, found, product=product)
    assert len(page.all("script")) == 1
    assert "<script>alert" not in page.html
    assert page.texts("p", "excerpt") == [HOSTILE]


def test_a_find_that_is_not_what_the_text_says_has_no_excerpt(tmp_path: Path) -> None:
    assert page_of(tmp_path, Value.from_span(span("color", 1, 5, "Navy"), 0.9)).texts("p", "excerpt") == []


def test_products_that_must_be_shown_take_the_place_of_others() -> None:
    products = [number(str(i)) for i in range(10)]
    nothing = [[Prediction(p.id)] for p in products]
    assert sample(products, nothing, 4, {3, 9}) == [0, 3, 5, 9]
    assert sample(products, nothing, 2, {3, 9}) == [3, 9]
    labelled = [replace(p, spans=()) for p in products]
    assert sample(labelled, nothing, 3, {8}) == [0, 1, 8]


def test_conflicts_are_listed_as_far_as_their_products_fit() -> None:
    doubtful = [(i, conflict(SAID)) for i in (5, 1, 5, 3)]
    assert [i for i, _ in listed_conflicts(doubtful, 2)] == [5, 1, 5]
    assert listed_conflicts([], 2) == []


@pytest.mark.parametrize(
    ("text", "places", "parts"),
    [
        ("a navy shirt", [(2, 6)], ["a ", "[navy]", " shirt"]),
        ("navy", [(0, 4)], ["[navy]"]),
        ("navy blue", [(0, 9), (5, 9)], ["[navy blue]"]),
        ("navy blue", [(0, 6), (4, 9)], ["[navy b]", "[lue]"]),
        (
            "word " * 20 + "navy" + " word" * 20,
            [(100, 104)],
            [" … " + "word " * 9, "[navy]", " word" * 9 + " … "],
        ),
        (
            "navy" + " word" * 30 + " blue",
            [(0, 4), (155, 159)],
            ["[navy]", " word" * 9 + " … " + "word " * 9, "[blue]"],
        ),
        ("navy" + "x" * 200, [(0, 4)], ["[navy]", "x" * 50 + " … "]),
    ],
)
def test_an_excerpt_has_the_words_in_their_context(text: str, places: list[tuple[int, int]], parts: list[str]) -> None:
    assert [f"[{part}]" if is_word else part for part, is_word in excerpt(text, places)] == parts


# ----------------------------------------------------------------------------------------------------------- the errors


def test_predictions_of_other_products_are_refused(tmp_path):
    message = (
        "needs one prediction for each product, got 1 products and 0 predictions of 'DRAM'; give the predictions of"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        report(tmp_path, [SHIRT], [])
    message = (
        "expected the prediction of 'B' for product 0, 'shirt-1', got one for 'hat'; give the predictions of the same"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        report(tmp_path, [SHIRT], [FOUND], other=("B", [Prediction("hat")]))


def test_a_page_of_no_products_cannot_be_asked_for(tmp_path):
    with pytest.raises(DataError, match="max_products should be at least 1, got 0"):
        report(tmp_path, [SHIRT], [FOUND], max_products=0)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(DataError, match=r"report.html: expected a file to write, got a directory; name a file"):
        report(tmp_path, [SHIRT], [FOUND])


def test_a_value_without_a_place_stands_in_the_table_only(tmp_path):
    found = Prediction("shirt-1", (*FOUND.values, Value("fit", "slim", 0.7, regions=(CORNER,))))
    page = report(tmp_path, [SHIRT], [found])
    assert "not in the text" in page.texts("td", "where")
    assert page.html.count("not in the text") == 1
    assert not any("slim" in text for text in page.texts("mark"))
    assert "which is not what the text says" not in page.html
    assert len(page.all("button", "tile")) == 2  # its heat-map, and the one of the colour


def test_what_decided_a_value_and_the_words_for_it_stand_in_the_table_and_light_up_in_the_text(tmp_path):
    words = (WordWeight("title", 13, 19, "cotton", 0.5), WordWeight("title", 5, 12, "striped", 0.3))
    fit = Value("fit", "slim", 0.7, regions=(CORNER,), decided_by="both", words=words)
    care = Value("care", "Hand Wash", 0.6, regions=(CORNER,), decided_by="text", words=words[:1])
    shade = Value("shade", "dark", 0.5, regions=(CORNER,), decided_by="photo", words=words)
    astray = Value("size", "XL", 0.4, decided_by="both", words=(replace(words[0], text="wool"),))
    product = replace(SHIRT, spans=None)
    page = report(tmp_path, [product], [Prediction("shirt-1", (FOUND.values[0], fit, care, shade, astray))])
    rows = {r["data-attribute"]: r for r in page.all("tr") if "data-attribute" in r}
    assert rows["fit"]["text"].endswith("not in the textfrom both · photo 1, top left · “cotton”, “striped”")
    assert rows["care"]["text"].endswith("not in the textfrom the text · “cotton”")
    assert rows["shade"]["text"].endswith("not in the textfrom the photo · photo 1, top left")
    spoke = {s["text"]: s["data-spoke"] for s in page.all("span") if "data-spoke" in s}
    assert spoke == {
        "cotton": f"{rows['care']['data-rows']} {rows['fit']['data-rows']}",
        "striped": rows["fit"]["data-rows"],
    }
    assert page.texts("p", "text") == ["Navy striped cotton shirt"]
    assert page.all("button", "tile", data_label="fit: slim (0.70, from both)")


def test_a_value_has_the_shops_word_beside_the_texts(tmp_path):
    named = replace(FOUND.values[0], value="Navy Blue", decided_by="text")
    page = report(tmp_path, [SHIRT], [Prediction("shirt-1", (named, replace(FOUND.values[1], value="Striped")))])
    assert page.texts("small", "named") == [" → Navy Blue"]
    assert "NavyNavy" not in page.html
    (color,) = (r for r in page.all("tr", data_attribute="color"))
    assert color["text"].startswith("colorNavy → Navy Blue0.95")
