from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from attrex.cli.screens.check import check_screen
from attrex.labels.mentions import UnlabelledMentions
from attrex.quality import CheckReport, Finding, check_splits
from attrex.shop.schema import Attribute, Schema
from attrex.types import Product, Span


def product(
    name: str, text: str, *said: tuple[str, str], table: dict[str, tuple[str, ...]] | None = None, **more: object
) -> Product:
    """A labelled product; ``said``: (attribute, words of the text)."""
    spans = tuple(Span(a, text.index(w), text.index(w) + len(w), w) for a, w in said)
    return Product(name, {"text": text}, spans=spans, table=table or {}, **more)  # type: ignore[arg-type]


def photo(color: str, size: int = 8) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), color).save(out, "PNG")
    return out.getvalue()


def finding(report: CheckReport, name: str) -> Finding:
    (found,) = [f for f in report.findings if f.check == name]
    return found


def names(report: CheckReport) -> list[str]:
    return [f.check for f in report.findings]


def test_a_clean_data_set_has_nothing_to_report() -> None:
    products = [
        product(f"p{i}", f"red bag number {i}", ("Color", "red"), images=(photo("red", 8 + i),)) for i in range(20)
    ]
    report = check_splits({"train": products})
    assert report.findings == ()
    assert report.ok
    assert report.splits["train"]["products"] == report.splits["train"]["labelled"] == 20
    assert report.images == {"none": 0, "one": 20, "several": 0, "photos": 20, "missing": 0, "broken": 0}
    assert "Nothing to report." in printed(report)


def printed(report: CheckReport) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(check_screen(report))
    return console.export_text()


def test_every_cell_state_is_counted() -> None:
    products = [
        product("located", "red bag", ("Color", "red"), table={"Color": ("Red",)}),
        product("not located", "a bag", table={"Color": ("Red",)}),
        product("absent", "b bag", table={"Color": ()}),
        product("blank", "c bag"),
        product("complete and absent", "d bag", complete=True),
        product("complete and absent twice", "e bag", table={"Color": ()}, complete=True),
        product("complete", "red f", ("Color", "red"), complete=True),
    ]
    report = check_splits({"train": products})
    assert report.attributes["Color"] == {
        "filled": 3,
        "fill_share": 0.4286,
        "located": 2,
        "not_located": 1,
        "located_share": 0.6667,
        "absent": 3,
        "blank": 1,
        "spans": 2,
    }
    blanks = finding(report, "blanks")
    assert blanks.what == "14% of the cells are blank and count as unknown, not as absent"
    assert "complete: true" in blanks.advice


def test_cells_that_a_learned_category_rules_out_are_not_blank() -> None:
    shirts = [product(f"s{i}", "red", ("Color", "red"), ("Fit", "red"), category="Shirts") for i in range(20)]
    bags = [product(f"b{i}", "red", ("Color", "red"), category="Bags") for i in range(20)]
    bare = [product("s", "bag", category="Shirts"), product("x", "bag")]
    products = [*shirts, *bags, *bare]
    mentions = UnlabelledMentions.learn(products, Schema.learn(products))
    assert check_splits({"train": products}).attributes["Fit"]["blank"] == 22
    fit = check_splits({"train": products}, mentions=mentions).attributes["Fit"]
    assert (fit["located"], fit["absent"], fit["blank"]) == (20, 20, 2)


def test_values_that_are_blank_in_most_shops_are_told() -> None:
    table = {"Color": ("-",), "Fit": ("Unknown", "Slim")}
    found = check_splits({"train": [product("a", "red", table=table), product("b", "red", table={"Color": ("-",)})]})
    told = [f.what for f in found.findings if f.check == "blank-marker"]
    assert told == [
        "2 cells say '-', which counts as a value here: Color (2)",
        "1 cells say 'Unknown', which counts as a value here: Fit (1)",
    ]


def test_known_values_that_the_table_lacks_are_counted() -> None:
    products = [
        product("labelled", "red bag", ("Color", "red"), table={"Color": ("Red",)}),
        product("blank", "a red bag"),
        product("other words", "red bag", table={"Color": ("Scarlet",)}),
        product("absent", "red bag", table={"Color": ()}),
        product("complete", "red bag", complete=True),
        Product("not looked at yet", {"text": "red bag"}, table={"Color": ("Red",)}),
    ]
    mentions = UnlabelledMentions.learn(products, Schema.learn(products))
    report = check_splits({"train": products}, mentions=mentions)
    blank, filled = finding(report, "unlabelled-in-blank-cells"), finding(report, "unlabelled-in-filled-cells")
    assert blank.what == "1 blank cells have a text that names a known value: Color (1)"
    assert "range.unknown says what they teach" in blank.advice
    assert filled.what == "1 cells have a value that was not found, and a text that names another one: Color (1)"
    assert "unlabelled-in-blank-cells" not in names(check_splits({"train": products}))


def test_complete_products_are_recognised() -> None:
    report = check_splits(
        {"gold": [product(str(i), f"red bag {i}", ("Color", "red"), complete=True) for i in range(20)]}
    )
    assert finding(report, "complete").what == "all 20 products are complete: what is not labelled is taken as absent"
    assert "blanks" not in names(report)


def test_marked_rows_are_counted_and_left_out() -> None:
    rows = [
        Product("1", {}, error="line 1 is not JSON"),
        product("2", "red", ("Color", "red"), warnings=("id made up",)),
        product("3", " "),
    ]
    report = check_splits({"train": rows})
    assert dict(report.splits["train"]) == {
        "products": 3,
        "labelled": 2,
        "complete": 0,
        "errors": 1,
        "with_warnings": 1,
        "without_text": 1,
    }
    assert finding(report, "errors").what == "1 of 3 rows could not be read, such as: line 1 is not JSON"
    assert finding(report, "with-warnings").what == "1 of 3 rows have warnings, such as: id made up"
    assert finding(report, "without-text").what == "1 of 3 products have no text, such as: 3"


def test_unlabelled_products_and_empty_splits() -> None:
    raw = Product("1", {"text": "red bag"}, table={"Color": ("Red",)})
    report = check_splits({"train": [raw], "valid": []})
    assert finding(report, "unlabelled").severity == "warning"
    assert "`attrex locate`" in finding(report, "unlabelled").advice
    assert finding(report, "empty-split").what == "valid has no products"
    assert not report.ok
    assert report.findings[0].severity == "error"  # the gravest first
    assert "no-attributes" in names(check_splits({"train": [product("1", "x")]}))


def test_rare_and_hardly_said_attributes() -> None:
    products = [
        product(f"p{i}", f"red wool bag {i}", ("Color", "red"), table={"Season": ("Fall",), "Color": ("Red",)})
        for i in range(20)
    ]
    products.append(product("wool", "wool", ("Material", "wool")))
    report = check_splits({"train": products})
    assert finding(report, "rare-attributes").numbers["spans"] == {"Season": 0, "Material": 1}
    said = finding(report, "rarely-said")
    assert said.what == "1 attributes are filled but hardly ever said in the text: Season (0%)"


def test_collisions_and_shared_values() -> None:
    products = [
        product("1", "steel watch", ("Strap", "steel"), ("Case", "steel")),
        product("2", "dark blue bag", ("Color", "dark blue"), ("Color", "blue")),
    ]
    report = check_splits({"train": products})
    collisions = finding(report, "tag-collisions")
    assert collisions.what == "1 pairs of spans of two attributes overlap: Case / Strap (1)"
    assert "flat tagger" in collisions.advice
    assert finding(report, "own-overlaps").numbers["pairs"] == {"Color": 1}
    assert finding(report, "ambiguous-values").numbers["most"] == {"steel": {"Strap": 1, "Case": 1}}


def test_thousands_of_labels_in_one_text_take_no_longer_each(growth) -> None:
    def checked(times: int) -> CheckReport:
        spans = tuple(Span("Color", 4 * n, 4 * n + 3, "red") for n in range(times))
        return check_splits({"train": [Product("p", {"text": "red " * times}, spans=spans)]})

    assert growth(checked, 500) < 9, "every label is compared with every other"


def test_long_texts_are_counted_in_windows() -> None:
    words = lambda n: " ".join(["w"] * n)  # noqa: E731
    products = [product("short", words(8)), product("long", words(20)), Product("two", {"a": words(4), "b": words(4)})]
    report = check_splits({"test": products}, count_tokens=lambda t: len(t.split()), max_tokens=10, overlap=2)
    # 8 tokens fit beside the two special ones; 20 take 8 + 6 + 6; two fields need a separator: 9
    assert report.lengths["windows"] == {"mean": 2.0, "median": 2, "95%": 2, "longest": 3}
    assert report.lengths["tokens"]["longest"] == 20
    assert report.lengths["words"]["median"] == 8
    long = finding(report, "long-texts")
    assert long.what == "2 of 3 texts are longer than the encoder's 10 tokens and are read in 6 windows in all"
    assert "windows" not in check_splits({"test": products}).lengths


def test_texts_with_html_are_told_of() -> None:
    texts = ("<p>red</p>", "red<br/>bag", "size <M, price >5", "red")
    report = check_splits({"train": [Product(f"p{i}", {"title": "a bag", "body": t}) for i, t in enumerate(texts)]})
    html = finding(report, "html")
    assert html.what == "texts with HTML tags: body (2)"
    assert "html: [body]" in html.advice


def test_photos_missing_broken_none_and_several(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(photo("red")[:40])
    (tmp_path / "good.png").write_bytes(photo("blue"))
    products = [
        product("a", "a", images=(tmp_path / "gone.png",)),
        product("b", "b", images=(tmp_path / "cut.png", tmp_path / "good.png")),
        product("c", "c"),
    ]
    report = check_splits({"train": products}, image_size=8)
    assert report.images == {"none": 1, "one": 1, "several": 1, "photos": 3, "missing": 1, "broken": 1}
    missing = finding(report, "missing-images")
    assert (missing.severity, missing.numbers["photos"]) == ("warning", 1)
    assert "1 of 3 photos are missing, such as: product a: " in missing.what
    assert "directory of `images`" in missing.advice
    assert "text-only" in finding(report, "broken-images").advice
    assert finding(report, "no-photo").what == "1 of 3 products have no photo"
    unseen = check_splits({"train": products}, check_images=False)
    assert unseen.images == {"none": 1, "one": 1, "several": 1, "photos": 3}
    nothing = check_splits({"train": products[:1]})
    assert finding(nothing, "missing-images").severity == "error"  # all of them: the directory is wrong


def test_what_is_in_two_splits() -> None:
    train = [Product("1", {"title": "Red bag", "body": "x"}, images=(photo("red"),), group="g")]
    valid = [
        Product("1", {"title": "Other", "body": "x"}),
        Product("2", {"title": "red  BAG", "body": "x"}),
        Product("3", {"title": "red bag", "body": "y"}, images=(photo("red"),), group="g"),
        Product("3", {"title": "more", "body": "z"}),
    ]
    report = check_splits({"train": train, "valid": valid})
    leaks = {f.check: (f.severity, f.numbers["products"]) for f in report.findings if f.check.endswith("across-splits")}
    assert leaks == {
        "id-across-splits": ("error", {"valid": 1}),
        "group-across-splits": ("error", {"valid": 1}),
        "text-across-splits": ("warning", {"valid": 1}),
        "photo-across-splits": ("warning", {"valid": 1}),
        "title-across-splits": ("info", {"valid": 2}),
    }
    assert finding(report, "id-across-splits").what == (
        "products share their id with a product of an earlier split: valid (1)"
    )
    assert finding(report, "repeated-ids").what == "ids that come more than once in a split: valid (1)"


def test_a_schema_that_does_not_fit() -> None:
    schema = Schema((Attribute("Color"), Attribute("Heel")), categories={"Shoes": ("Heel",)})
    products = [
        product("1", "red bag", ("Colour", "red")),
        product("2", "blue shoes", ("Color", "blue"), category="Shoes"),
        product("3", "shoes", table={"Color": ()}, category="Shoes"),
    ]
    report = check_splits({"train": products}, schema=schema)
    assert finding(report, "not-in-schema").what == (
        "1 attributes are not in the schema: Colour (1); did you mean 'Color'?"
    )
    assert finding(report, "never-occur").what == "1 attributes of the schema never occur: Heel"
    mismatch = finding(report, "category-mismatch")
    assert mismatch.what == (
        "1 cells have an attribute that the schema rules out for their category, most often Color in Shoes"
    )


def test_a_report_prints_and_becomes_json() -> None:
    report = check_splits({"train": [product("1", "red bag", ("Color", "red"))]})
    body = json.loads(json.dumps(report.to_json()))
    assert body["ok"] is True
    assert body["attributes"]["Color"]["located"] == 1
    assert body["findings"][0].keys() == {"check", "severity", "what", "numbers", "advice"}
    page = printed(report)
    for words in ("train", "Color", "100.0%", "characters", "warning 1 of 1 attributes have fewer than 20 spans"):
        assert words in page


@pytest.mark.parametrize("splits", [{}, {"train": []}])
def test_no_products_at_all_is_reported_not_raised(splits: dict[str, list[Product]]) -> None:
    report = check_splits(splits)
    assert names(report) == ["empty-split"] * len(splits)
    assert "Products" in printed(report)
