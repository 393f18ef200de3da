from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from attrex.cli.screens.labels import label_screen
from attrex.errors import DataError
from attrex.labels.agreement import label_agreement
from attrex.labels.labeler import DistantLabeler
from attrex.shop.cells import Cells
from attrex.shop.label_policy import LabelPolicy
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import CellState, Product, Span
from attrex.vocabulary.folding import fold_plural
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary

EXAMPLE = Shop.load(Path(__file__).parents[2] / "examples" / "fashion" / "shop.yaml")
FASHION = Shop(word_forms=EXAMPLE.word_forms, aliases=EXAMPLE.aliases)
EVER = FormStats(20, 1.0)


def product(text: str | dict[str, str], **table: str | list[str]) -> Product:
    cells = {k.replace("_", " "): (v,) if isinstance(v, str) else tuple(v) for k, v in table.items()}
    return Product("p1", text if isinstance(text, dict) else {"text": text}, table=cells)


def read(shop: Shop, given: Product, labeler: DistantLabeler | None = None) -> Product:
    """The product as a reader of the shop's files gives it."""
    cells = {column: shop.cells.read(cell) for column, cell in given.table.items()}
    filled = {column: values for column, values in cells.items() if values is not None}
    return replace(given, table=shop.cells.merge(filled, labeler.report.columns if labeler else None))


def having(**policy: object) -> Shop:
    return Shop(labels=LabelPolicy(**policy))  # type: ignore[arg-type]


def said(found: Product) -> list[tuple[str, str]]:
    return [(s.attribute, s.text) for s in found.spans or ()]


def words(text: str, value: str | list[str], **policy: object) -> list[str]:
    """The words of a fashion shop's ``text`` that are labelled with ``value``."""
    labels = having(**policy).labels
    found = DistantLabeler(replace(FASHION, labels=labels)).label(product(text, A=value))
    return [s.text for s in found.spans or ()]


def test_a_span_has_the_words_of_the_text_and_the_value_of_the_table() -> None:
    found = DistantLabeler().label(product("Blue T-shirt for men", Type="Tshirts", Color="Blue"))
    assert found.spans == (
        Span("Color", 0, 4, "Blue", "text", "Blue"),
        Span("Type", 5, 12, "T-shirt", "text", "Tshirts"),
    )


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("two dresses", "Dress", ["dresses"]),
        ("one watch", "Watches", ["watch"]),
        ("a hoodie, hoodies", "Hoodies", ["hoodie", "hoodies"]),
        ("a blouse", "Blouses", ["blouse"]),
        ("Women's and Men's", "Women", ["Women"]),
        ("by Levi’s", "Levi's", ["Levi’s"]),
        ("MEN'S socks", "Men", ["MEN"]),
        ("a crew-neck tee", "Crew Neck", ["crew-neck"]),
        ("a crew neck tee", "Crew-Neck", ["crew neck"]),
        ("a t shirt, tshirt, T-Shirts", "T-shirt", ["t shirt", "tshirt", "T-Shirts"]),
        ("with a crew neckline", "Round Neck", ["crew neckline"]),
        ("gray or grey", "Grey", ["gray", "grey"]),
        ("tailored in red", "Red", ["red"]),
        ("bright. Blue", "Bright Blue", []),
        ("bright - Blue", "Bright Blue", []),
        ("30m or 30 m", "30 m", ["30m", "30 m"]),
        ("a Q& Q watch", "Q&Q", ["Q& Q"]),
        ("Tom and Jerry, Tom & Jerry", "Tom & Jerry", ["Tom and Jerry", "Tom & Jerry"]),
    ],
)
def test_how_words_match_by_default(text: str, value: str, expected: list[str]) -> None:
    assert words(text, value) == expected


@pytest.mark.parametrize(
    ("text", "value", "option"),
    [
        ("blue", "Blue", "ignore_case"),
        ("Dresses", "Dress", "fold_inflection"),
        ("Men's", "Men", "fold_inflection"),
        ("crew-neck", "crew neck", "hyphen_is_space"),
        ("flipflop", "flip flop", "join_words"),
        ("gray", "grey", "aliases"),
        ("crew neck", "round neck", "aliases"),
    ],
)
def test_each_way_of_matching_can_be_switched_off(text: str, value: str, option: str) -> None:
    assert words(text, value) == [text.removesuffix("'s")]
    assert words(text, value, **{option: False}) == []


def test_short_values_and_parts_of_words_only_on_request() -> None:
    assert words("Size M", "M") == []
    assert words("Size M", "M", min_length=1) == ["M"]
    assert words("tailored", "red", word_boundaries=False) == ["red"]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("👗🏽 Red\r\nDress 👍", "Red Dress", "Red\r\nDress"),
        ("Cafe\u0301 blouse", "Caf\u00e9", "Cafe\u0301"),
        ("纯棉圆领T恤,红色短袖", "红色", "红色"),
        ("红 色", "红色", "红 色"),
        ("新款红裙", "红", "红"),
        ("ﬁne wool", "Fine Wool", "ﬁne wool"),
        ("İpek", "ipek", "İpek"),  # Turkish
        ("IŞIK", "Işık", "IŞIK"),
        ("ışık", "IŞIK", "ışık"),
        ("Ｎａｖｙ shirt", "Navy", "Ｎａｖｙ"),
        ("✔Velmora™ shirt", "Velmora®", "Velmora"),
        ("①Velmora② shirt", "Velmora", "Velmora"),
        ("Velmora¹ shirt", "Velmora", "Velmora"),
        ("CO₂ neutral", "CO2", "CO₂"),
        ("→Red→Dress→", "dress", "Dress"),
        ("\u200bNa\u200bvy\u200b", "Navy", "Na\u200bvy"),
        ("\u202eNa\x00vy\u202c", "Navy", "Na\x00vy"),
        ("\x1b[31mNavy\x1b[0m", "Navy", "Navy"),
        ("Navy", "Na\u2060vy", "Navy"),
        ("เสื้อผ้าฝ้ายสีน้ำเงิน", "ผ้าฝ้าย", "ผ้าฝ้าย"),
        ("ເສື້ອຜ້າຝ້າຍສີຟ້າ", "ຜ້າຝ້າຍ", "ຜ້າຝ້າຍ"),
        ("អាវយឺតពណ៌ខៀវ", "ខៀវ", "ខៀវ"),
        ("STRASSE", "Straße", "STRASSE"),
        ("soft\u00adshell", "Softshell", "soft\u00adshell"),
    ],
)
def test_offsets_are_those_of_the_text_as_it_is(text: str, value: str, expected: str) -> None:
    (span,) = DistantLabeler().label(product(text, A=value)).spans or ()
    assert span.text == expected == text[span.start : span.end]


def test_a_match_never_ends_inside_an_accented_letter() -> None:
    assert words("Cafe\u0301", "Cafe") == []
    assert words("कि", "क", min_length=1) == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(min_size=1, max_size=8), st.text(max_size=30), st.booleans(), st.booleans())
def test_a_value_between_spaces_is_found_whatever_it_is_made_of(
    before: str, value: str, after: str, boundaries: bool, join: bool
) -> None:
    shop = having(word_boundaries=boundaries, join_words=join, min_length=1)
    text = f"{before} {value} {after}"
    found = DistantLabeler(shop).label(product(text, A=value))
    assert all(text[s.start : s.end] == s.text for s in found.spans or ())
    if value.isascii() and value.isalpha():
        assert found.spans


def test_every_field_keeps_its_own_offsets() -> None:
    found = DistantLabeler().label(product({"title": "Red bag", "description": "A bag in red"}, Color="Red"))
    assert [(s.field, s.start) for s in found.spans or ()] == [("title", 0), ("description", 9)]
    first = DistantLabeler(having(occurrences="first"))
    found = first.label(product({"title": "Red bag", "description": "A bag in red"}, Color="Red", Type="Bag"))
    assert [(s.field, s.text) for s in found.spans or ()] == [("title", "Red"), ("title", "bag")]


def test_who_gets_overlapping_words() -> None:
    shoes = product("canvas sports shoes", Type="Sports Shoes", Use="Sports", Material="Canvas")
    longest = DistantLabeler()
    assert said(longest.label(shoes)) == [("Material", "canvas"), ("Type", "sports shoes")]
    by_priority = DistantLabeler(having(overlap="priority", priority=("Use",)))
    assert said(by_priority.label(shoes)) == [("Material", "canvas"), ("Use", "sports")]
    both = DistantLabeler(having(overlap="keep"))
    assert said(both.label(shoes)) == [("Material", "canvas"), ("Use", "sports"), ("Type", "sports shoes")]
    assert longest.report.attributes["Use"].lost_to_overlap == 1


def test_the_same_words_are_both_attributes_where_both_cells_have_the_value_and_are_reported() -> None:
    watch = product("steel watch", Strap="Steel", Case="Steel")
    labeler = DistantLabeler(having(priority=("Case",)))
    assert said(labeler.label(watch)) == [("Case", "steel"), ("Strap", "steel")]
    assert labeler.report.ambiguous == {("steel", "Case", "Strap"): 1}
    assert labeler.report.attributes["Strap"].located == 1


def test_the_same_words_for_two_values_go_to_the_first_attribute() -> None:
    watch = product("steel watch", Strap="Steel", Case="Steels")
    schema = Schema((Attribute("Strap"), Attribute("Case")))
    assert said(DistantLabeler(Shop(schema=schema)).label(watch)) == [("Strap", "steel")]
    assert said(DistantLabeler(having(overlap="keep")).label(watch)) == [
        ("Strap", "steel"),
        ("Case", "steel"),
    ]


def test_a_schema_brings_aliases_and_columns() -> None:
    schema = Schema((Attribute("Color", ("Colour1", "Colour2"), aliases={"Wine": ("burgundy", "deep red")}),))
    shop = Shop(schema=schema)
    bag = read(shop, product("A deep-red bag, burgundy lining", Colour1="Wine", Colour2="Wine"))
    found = DistantLabeler(shop).label(bag)
    assert found.table == {"Color": ("Wine",)}
    assert [(s.text, s.value) for s in found.spans or ()] == [("deep-red", "Wine"), ("burgundy", "Wine")]


def test_blank_absent_and_not_located_cells_stay_apart() -> None:
    names = ("Color", "Fit", "Hood", "Pattern", "Use")
    schema = Schema((*map(Attribute, names), Attribute("Inside", ("Lining",))))
    shop = Shop(cells=Cells(absent=("No",)), schema=schema)
    table = {"Color": ("Red",), "Fit": (" n/a ",), "Hood": ("no",), "Pattern": ("Solid",), "Lining": (), "Use": ("",)}
    found = DistantLabeler(shop).label(read(shop, Product("p", {"text": "Red bag"}, table=table)))
    states = {a: found.cell_state(a) for a in ("Color", "Fit", "Hood", "Pattern", "Inside", "Use")}
    assert states == {
        "Color": CellState.LOCATED,
        "Fit": CellState.BLANK,
        "Hood": CellState.ABSENT,
        "Pattern": CellState.NOT_LOCATED,
        "Inside": CellState.ABSENT,
        "Use": CellState.BLANK,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Shirt\nFit: Slim", ["Slim"]),  # agrees with the cell
        ("Shirt\nFit\nSlim\nWash care", ["Slim"]),
        ("Shirt\nCut - slim, narrow look", ["slim"]),  # the column's name; of two phrases the one that agrees
        ("Shirt\nFit: Loose", []),  # the cell says otherwise
        ("Shirt\nFit: a slim shirt for the whole day", []),  # a sentence
        ("Slim shirt", []),
    ],
)
def test_a_heading_tells_that_a_word_is_a_value(text: str, expected: list[str]) -> None:
    shop = Shop(labels=LabelPolicy(aliases=False), schema=Schema((Attribute("Fit", ("Cut",)),)))
    shirt = read(shop, product(text, Cut="Slim Fit"))
    found = DistantLabeler(shop).label(shirt)
    assert [s.text for s in found.spans or ()] == expected
    assert all(s.value == "Slim Fit" for s in found.spans or ())
    without = replace(shop, labels=replace(shop.labels, headings=False))
    assert DistantLabeler(without).label(shirt).spans == ()


def test_a_heading_labels_a_blank_cell_with_a_short_phrase() -> None:
    shop = Shop(schema=Schema((Attribute("Fit", ("Cut",)), Attribute("Care"), Attribute("Length"))))
    text = "Shirt\nFit: muscle\nLength: 51 cm\nFit\nCare\nHand wash"
    (muscle, wash) = DistantLabeler(shop).label(product(text)).spans or ()
    assert (muscle.attribute, muscle.text, muscle.value) == ("Fit", "muscle", None)
    assert (wash.attribute, wash.text) == ("Care", "Hand wash")  # 51 cm is a measure, "Care" a heading itself
    lexicon = Lexicon({"Fit": Vocabulary(headed={"": {"muscle": EVER}}, headings={"shape": EVER})})
    labeler = DistantLabeler(shop, lexicon)
    found = labeler.label(product("Shirt\nShape: muscle", Fit="Slim Fit"))
    assert said(found) == [("Fit", "muscle")]  # known to be said there, whatever the cell
    assert labeler.report.sources == {"heading": 1}
    rises = Lexicon({"Rise": Vocabulary(accepted={"Low Rise": {"low-rise": EVER}})})
    found = DistantLabeler(shop, rises).label(product("Jeans\nFit: low rise, skinny fit"))
    assert said(found) == [("Rise", "low rise"), ("Fit", "skinny fit")]


@pytest.mark.parametrize(
    ("text", "cell", "expected"),
    [
        ("82% polyamide, 18% elastane", "Blended", ["polyamide", "elastane"]),
        ("60% baby alpaca and 40% silk", "NA", ["baby alpaca", "silk"]),
        ("60% a very soft wool and 40% silk", "NA", ["silk"]),  # more than a name
        ("100% cotton jersey", "Pure Cotton", ["cotton"]),
        ("100% UV protection", "Pure Cotton", []),
        ("100% wool", "Pure Cotton", []),  # one part, unknown: no composition
    ],
)
def test_the_parts_of_a_composition_are_materials(text: str, cell: str, expected: list[str]) -> None:
    shop = Shop(schema=Schema((Attribute("Material", ("Fabric",)),)))
    shirt = read(shop, product(text, Fabric=cell))
    assert [s.text for s in DistantLabeler(shop).label(shirt).spans or ()] == expected
    off = replace(shop, labels=LabelPolicy(composition=()))
    assert DistantLabeler(off).label(shirt).spans == ()


def test_a_composition_needs_no_capital_in_its_attributes_name() -> None:
    found = DistantLabeler().label(product("82% polyamide, 18% elastane", material="Blended"))
    assert said(found) == [("material", "polyamide"), ("material", "elastane")]


def test_a_composition_knows_the_words_of_a_lexicon() -> None:
    lexicon = Lexicon({"Material": Vocabulary(accepted={"Wool": {"merino wool": EVER}}, parts={"zephyr": EVER})})
    found = DistantLabeler(lexicon=lexicon).label(
        product("100% soft merino wool\nLining: 100% zephyr", Material="Blended")
    )
    assert [(s.text, s.value) for s in found.spans or ()] == [("merino wool", "Wool"), ("zephyr", None)]
    found = DistantLabeler(lexicon=lexicon).label(product("100% merino wool shirt in zephyr", Material="Blended"))
    assert [s.text for s in found.spans or ()] == ["merino wool"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("a bag", "Handbags"), ("slippers", "Flip Flops"), ("a tee", "Tshirts"), ("crew neck", "Round Neck")],
)
def test_a_fashion_shops_words_are_no_defaults(text: str, value: str) -> None:
    assert DistantLabeler().label(product(text, A=value)).spans == ()
    assert len(DistantLabeler(FASHION).label(product(text, A=value)).spans or ()) == 1


def test_languages_bring_their_negations_and_conjunctions() -> None:
    text = "60% Wolle und 40% Seide, nicht aus Leder"

    def labelled(languages: tuple[str, ...], **policy: object) -> list[str]:
        shop = replace(having(composition=("Stoff",), **policy), languages=languages)
        return [s.text for s in DistantLabeler(shop).label(product(text, Stoff="Leder")).spans or ()]

    assert labelled(("de", "en")) == ["Wolle", "Seide"]
    assert labelled(("en",)) == ["Wolle und", "Seide", "Leder"]
    assert labelled(("de", "en"), negations=()) == ["Wolle", "Seide", "Leder"]


def test_nothing_is_labelled_behind_a_negation() -> None:
    text = "Printed shirt. Do not iron the print, print side in"
    assert words(text, "Printed") == ["Printed", "print"]
    assert words(text, "Printed", negations=()) == ["Printed", "print", "print"]
    assert words("Do not bleach", "Do not bleach") == ["Do not bleach"]


def test_blank_cells_are_labelled_with_forms_that_are_right_where_the_cell_is_filled() -> None:
    sleeves = Vocabulary(
        accepted={
            "Sleeveless": {"sleeveless": FormStats(118, 0.86), "airy": FormStats(50, 0.5)},
            "Long Sleeves": {"long": FormStats(30, 0.4), "l/s": FormStats(3, 1.0)},
        },
        categories=("Tops",),
    )
    lexicon = Lexicon({"Sleeves": sleeves})

    def found(text: str, category: str | None = "Tops", trust: float = 0.8, **table: str) -> list[str]:
        labeler = DistantLabeler(having(trust=trust), lexicon=lexicon)
        located = labeler.label(replace(product(text, **table), category=category))
        return [s.text for s in located.spans or ()]

    assert found("An airy sleeveless top") == ["sleeveless"]
    assert found("An airy sleeveless top", trust=0.9) == []
    assert found("An airy sleeveless top", Sleeves="Short") == []  # the table says otherwise
    assert found("A sleeveless thing", category="Bags") == []  # no bag has sleeves
    assert found("A sleeveless thing", category=None) == ["sleeveless"]
    assert found("A top\nfor long walks, l/s") == []
    off = DistantLabeler(having(blank_cells=False), lexicon=lexicon)
    assert off.label(product("An airy sleeveless top")).spans == ()


def test_words_of_two_attributes_go_to_the_one_that_has_them_most_often_where_both_are_blank() -> None:
    rubber, seldom = {"Rubber": {"rubber": EVER}}, {"Rubber": {"rubber": FormStats(15, 1.0)}}
    lexicon = Lexicon({"Sole": Vocabulary(accepted=seldom), "Material": Vocabulary(accepted=rubber)})
    assert said(DistantLabeler(lexicon=lexicon).label(product("A rubber boot"))) == [("Material", "rubber")]
    found = DistantLabeler(lexicon=lexicon).label(product("A rubber boot", Material="Leather"))
    assert found.spans == ()  # it may be said of the material, and be wrong


def test_a_wider_word_for_several_values_stands_for_none_of_them_in_a_blank_cell() -> None:
    shoes = {v: {"shoe": FormStats(40, 0.9, None)} for v in ("Formal Shoes", "Casual Shoes")}
    lexicon = Lexicon({"Type": Vocabulary(accepted=shoes)})
    (blank,) = DistantLabeler(lexicon=lexicon).label(product("A shoe")).spans or ()
    (filled,) = DistantLabeler(lexicon=lexicon).label(product("A shoe", Type="Casual Shoes")).spans or ()
    assert (blank.text, blank.value, filled.value) == ("shoe", None, "Casual Shoes")


def test_what_a_title_says_counts_as_a_cell() -> None:
    colours = Vocabulary(
        accepted={"Maroon": {"maroon": FormStats(30, 0.5, 0.95)}, "Pink": {"pink": FormStats(30, 0.5, 0.95)}},
        categories=("Tops",),
    )
    lexicon = Lexicon({"Colour": colours})
    text = "A maroon top\nIn maroon, over pink shorts"

    def found(text: str, trust: float = 0.8, category: str = "Tops", titles: bool = True, **table: str) -> list[str]:
        labeler = DistantLabeler(having(trust=trust, titles=titles), lexicon=lexicon)
        located = labeler.label(replace(product(text, **table), category=category))
        assert all(s.value == s.text.title() for s in located.spans or ())
        return [s.text for s in located.spans or ()]

    assert found(text) == ["maroon", "maroon"]
    assert found(text, Colour="Pink") == ["maroon", "maroon", "pink"]
    assert found("A maroon and pink top", Colour="Pink") == ["pink"]  # the title says what the cell says
    assert found(text, trust=0.96) == found(text, titles=False) == found(text, category="Bags") == []


def test_the_forms_of_a_lexicon_are_labelled_where_the_cell_has_their_value() -> None:
    collars = Vocabulary(accepted={"Polo Collar": {"polo neck": EVER}}, suggested={"Polo Collar": {"polo shirt": EVER}})
    lexicon = Lexicon({"Neckline": collars})
    text = "A polo neck on a polo shirt"
    assert said(DistantLabeler(lexicon=lexicon).label(product(text, Neckline="Polo Collar"))) == [
        ("Neckline", "polo neck")
    ]
    assert DistantLabeler(lexicon=lexicon).label(product(text, Neckline="Round Neck")).spans == ()
    without = DistantLabeler(having(mined_forms=False), lexicon=lexicon)
    assert without.label(product(text, Neckline="Polo Collar")).spans == ()


def test_columns_are_headings_before_a_product_fills_them() -> None:
    bare = product("Fit: Regular\n82% polyamide, 18% elastane")
    labeler = DistantLabeler()
    assert said(labeler.label(bare)) == []
    labeler.add_headings(["Fit", "Material"])
    assert said(labeler.label(bare)) == [("Fit", "Regular"), ("Material", "polyamide"), ("Material", "elastane")]


def test_a_word_that_folds_to_nothing_is_no_part_of_a_value() -> None:
    assert words("a \u00ad red \u00ad bag", "red") == ["red"]
    options = Schema((Attribute("A", options=("red",)),))
    found = DistantLabeler(Shop(schema=options)).label(product("a \u00ad red \u00ad bag", A="red"))
    assert said(found) == [("A", "red")]


def test_thousands_of_values_in_one_text_take_no_longer_each(growth) -> None:
    lexicon = Lexicon({"Color": Vocabulary(accepted={"Blue": {"blue": EVER}, "Navy Blue": {"navy blue": EVER}})})

    def located(times: int) -> Product:
        return DistantLabeler(lexicon=lexicon).label(product("navy blue " * times, Color="Blue"))

    assert said(located(1_000)) == [("Color", "navy blue")] * 1_000
    assert growth(located, 1_000) < 9, "every find is compared with every other"


def test_labelled_products_keep_their_spans_and_marked_rows_pass() -> None:
    labelled = Product("a", {"text": "red"}, table={"Color": ("Blue",)}, spans=(), complete=True)
    broken = Product("b", {}, error="line 2 is not JSON")
    labeler = DistantLabeler()
    assert labeler.label(labelled) == labelled
    assert labeler.label(broken) is broken
    assert (labeler.report.already_labelled, labeler.report.errors) == (1, 1)


def test_the_report_counts_and_prints() -> None:
    schema = Schema((Attribute("Color", ("Tint",)), Attribute("Pattern")))
    shop = Shop(cells=Cells(other_columns="drop"), schema=schema)
    labeler = DistantLabeler(shop)
    for text, tint in (("red red", "Red"), ("blue", "Blue"), ("a bag", "Blue"), ("a bag", "Rust")):
        labeler.label(read(shop, product(text, Tint=tint, Pattern="Solid", SKU="77"), labeler))
    report = json.loads(json.dumps(labeler.report.to_json()))
    color = report["attributes"]["Color"]
    assert (color["cells"], color["located"], color["not_located"], color["spans"]) == (4, 2, 2, 3)
    assert color["never_found"] == {"Rust": 1}  # Blue is found elsewhere
    assert report["attributes"]["Pattern"]["located_share"] == 0
    assert report["dropped_columns"] == {"SKU": 4}
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(label_screen(labeler.report))
    page = console.export_text()
    assert "Pattern: Solid (4)" in page
    assert "Labels by the rule that found them: table 3." in page
    assert report["sources"] == {"table": 3}
    assert "Columns of no attribute, which were dropped: 1." in page


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("dress", "dresses"),
        ("watch", "watches"),
        ("box", "boxes"),
        ("accessory", "accessories"),
        ("tie", "ties"),
        ("shoe", "shoes"),
        ("size", "sizes"),
        ("blouse", "blouses"),
        ("up", "ups"),
        ("kurti", "kurtis"),
    ],
)
def test_singular_and_plural_fold_to_one_form(one: str, many: str) -> None:
    assert fold_plural(one) == fold_plural(many)


def test_folding_keeps_different_words_apart() -> None:
    assert (
        len({fold_plural(w) for w in ("cap", "cape", "dress", "gas", "tee", "tie", "pant", "short", "strip", "stripe")})
        == 10
    )


def labelled(*places: tuple[str, int, int]) -> list[Product]:
    text = "dark blue slim fit jeans"
    spans = tuple(Span(a, s, e, text[s:e]) for a, s, e in places)
    return [Product("p", {"text": text}, spans=spans)]


def test_agreement_tells_differences_by_kind() -> None:
    ours = labelled(("Color", 5, 9), ("Fit", 10, 18), ("Style", 19, 24), ("Brand", 0, 4))
    theirs = labelled(("Color", 0, 9), ("Fit", 10, 18), ("Type", 19, 24), ("Use", 10, 14))
    result = label_agreement(ours, theirs)
    assert (result["precision"], result["recall"], result["f1"]) == (0.25, 0.25, 0.25)
    assert result["differences"] == {"boundary": 1, "attribute": 1, "missing": 1, "extra": 1}
    assert result["per_attribute"]["Fit"]["f1"] == 1
    assert result["per_attribute"]["Brand"]["differences"] == {"extra": 1}
    assert label_agreement(ours, ours)["f1"] == 1
    assert label_agreement(labelled(), labelled())["f1"] == 0


def test_agreement_of_different_products_is_an_error() -> None:
    with pytest.raises(DataError, match="1 are only on one side, such as 'p'; keep the ids that both have"):
        label_agreement(labelled(), [])


def test_marked_rows_are_told_with_their_reason() -> None:
    labeler = DistantLabeler()
    for number in range(7):
        labeler.label(Product(f"{number}", {}, error=f"line {number}: not UTF-8"))
    assert labeler.report.errors == 7
    assert labeler.report.to_json()["error_examples"] == [f"line {n}: not UTF-8" for n in range(5)]


def test_values_without_a_letter_or_digit_are_in_no_text() -> None:
    for value in ("...", "✔", "★★★★★", "--"):
        assert DistantLabeler().label(product(f"Red {value} shirt" + "." * 3000, A=value)).spans == ()


def test_what_stands_under_a_heading_ends_at_a_symbol() -> None:
    found = DistantLabeler(Shop(schema=Schema((Attribute("Material"),)))).label(product("Material: ✔Velmora™ ■"))
    assert [s.text for s in found.spans or ()] == ["Velmora"]
