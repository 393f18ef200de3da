from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from attrex.demo.catalogue import draw_catalogue
from attrex.labels.agreement import label_agreement
from attrex.labels.labeler import DistantLabeler
from attrex.labels.mining import Thresholds, mine
from attrex.shop.label_policy import LabelPolicy
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import Product
from attrex.vocabulary.lexicon import Lexicon, Vocabulary

EXAMPLE = Shop.load(Path(__file__).parents[2] / "examples" / "fashion" / "shop.yaml")
FASHION = Shop(word_forms=EXAMPLE.word_forms, aliases=EXAMPLE.aliases)


def shop(*rows: tuple[int, str, dict[str, str]]) -> list[Product]:
    """So many products of each kind: (number, text, table). "#" in a text is another number in every product."""
    products = []
    for count, text, table in rows:
        for n in range(count):
            cells = {k: tuple(v.split("/")) for k, v in table.items()}
            products.append(Product(f"p{len(products)}", {"text": text.replace("#", str(n))}, table=cells))
    return products


def vocabulary(products: Iterable[Product], name: str, **policy: object) -> Vocabulary:
    labels = LabelPolicy(**policy)  # type: ignore[arg-type]
    return mine(products, replace(FASHION, labels=labels)).attributes[name]


def forms(section: dict[str, dict[str, object]] | object) -> dict[str, list[str]]:
    return {value: sorted(found) for value, found in section.items()}  # type: ignore[attr-defined]


def test_own_words_come_with_how_far_they_can_be_trusted() -> None:
    products = shop(
        (8, "Red shirt", {"Colour": "Red"}),
        (2, "Red shirt", {"Colour": "Blue"}),
        (3, "Red shirt", {}),
        (10, "Shirt\nMatches red shorts", {"Colour": "Blue"}),
    )
    red = vocabulary(products, "Colour").accepted["Red"]["Red"]
    assert (red.support, red.precision, red.in_titles) == (20, 0.4, 0.8)


def test_an_attribute_that_is_only_known_to_be_absent_has_no_vocabulary() -> None:
    products = [replace(p, table={**p.table, "Pattern": ()}) for p in shop((9, "Red shirt", {"Colour": "Red"}))]
    assert [*mine(products).attributes] == ["Colour"]


def test_an_option_that_no_cell_has_is_still_a_word_for_the_longer_value() -> None:
    products = shop((9, "Soft cotton shirt #", {"Material": "Pure Cotton"}))
    schema = Schema((Attribute("Material", options=("Pure Cotton", "Cotton")),))
    found = mine(products, Shop(schema=schema)).attributes["Material"]
    assert forms(found.accepted) == {"Pure Cotton": ["Pure Cotton", "cotton"]}


def test_another_head_word_for_a_value() -> None:
    products = shop(
        (9, "Shirt #\nIt has a polo neck", {"Neckline": "Polo Collar"}),
        (1, "Shirt #\nIt has a polo neck", {"Neckline": "Round Neck"}),
        (20, "Shirt #\nIt has a round neck", {"Neckline": "Round Neck"}),
        (20, "Shirt #\nA boat neck", {"Neckline": "Boat Neck"}),
        (4, "Shirt #\nA boat style neck", {"Neckline": "Boat Neck"}),  # too few
    )
    found = vocabulary(products, "Neckline")
    assert forms(found.accepted)["Polo Collar"] == ["Polo Collar", "polo neck"]
    assert found.accepted["Polo Collar"]["polo neck"] == (10, 0.9, None, None)
    assert forms(found.accepted)["Boat Neck"] == ["Boat Neck"]


def test_a_form_that_says_little_of_the_cell_is_only_suggested() -> None:
    products = shop(
        (6, "Shirt #\nIt has a polo neck", {"Neckline": "Polo Collar"}),
        (4, "Shirt #\nIt has a polo neck", {"Neckline": "Round Neck"}),
        (30, "Shirt #", {"Neckline": "Round Neck"}),
        (9, "Shirt #", {"Neckline": "Boat Neck"}),
    )
    found = vocabulary(products, "Neckline")
    assert forms(found.suggested) == {"Polo Collar": ["polo neck"]}
    assert "polo neck" not in found.accepted["Polo Collar"]
    eager = mine(products, FASHION, Thresholds(accepted=0.6)).attributes["Neckline"]
    assert "polo neck" in eager.accepted["Polo Collar"]


def test_the_last_word_of_values_and_a_value_inside_another() -> None:
    products = shop(
        (10, "Shoe # for the office", {"Type": "Formal Shoes", "Material": "Pure Cotton"}),
        (10, "Shoe # for the street", {"Type": "Casual Shoes", "Material": "Cotton"}),
        (10, "Shirt # in cotton", {"Type": "Shirts", "Material": "Pure Cotton"}),
        (10, "Belt #", {"Type": "Belts", "Material": "Leather"}),
    )
    lexicon = mine(products)
    assert forms(lexicon.attributes["Type"].accepted)["Formal Shoes"] == ["Formal Shoes", "shoe"]
    assert forms(lexicon.attributes["Material"].accepted)["Pure Cotton"] == ["Pure Cotton", "cotton"]
    assert forms(lexicon.attributes["Material"].accepted)["Cotton"] == ["Cotton"]


def test_inflections_of_a_value() -> None:
    products = shop(
        (10, "Coat # with pleated back", {"Detail": "Pleats"}),
        (10, "Coat #", {"Detail": "Fringes"}),
        (10, "Coat # with a pleasant look", {"Detail": "Buttons"}),
    )
    assert forms(vocabulary(products, "Detail").accepted)["Pleats"] == ["Pleats", "pleated"]


def test_words_in_the_slot_of_a_title() -> None:
    red, blue = {"Colour": "Red"}, {"Colour": "Blue"}
    products = shop(
        (10, "Acme red cap", red | {"Type": "Caps", "Brand": "Acme"}),
        (10, "Zeta blue shirt", blue | {"Type": "Shirts", "Brand": "Zeta"}),
        (5, "Acme red beanie", red | {"Type": "Caps", "Brand": "Acme"}),
        (5, "Zeta blue beanie", blue | {"Type": "Caps", "Brand": "Zeta"}),
        (6, "Zeta blue xr", blue | {"Type": "Caps", "Brand": "Zeta"}),  # a name of one brand's model
        (3, "Zeta blue tam", blue | {"Type": "Caps", "Brand": "Zeta"}),  # too few
        (20, "Other red thing", {"Type": "Bags", "Brand": "Other"} | red),
    )
    assert forms(vocabulary(products, "Type").accepted)["Caps"] == ["Caps", "beanie"]


def test_headings_and_what_is_said_under_them() -> None:
    products = shop(
        (12, "Shirt #\nCut\nRegular\nCare\nHand wash", {"Fit": "Regular Fit", "Care": "Hand Wash"}),
        (12, "Shirt #\nCut: slim\nCare: machine wash", {"Fit": "Slim Fit", "Care": "Machine Wash"}),
        (5, "Shirt #\nCut: muscle", {"Fit": "Slim Fit"}),
        (5, "Shirt #\nCut: comfort", {}),
        (5, "Shirt #\nCut: 51 cm", {}),
        (12, "Shirt #\nMaker\nRed Shirts Ltd", {"Fit": "Slim Fit"}),
    )
    lexicon = mine(products, FASHION)
    fit = lexicon.attributes["Fit"]
    assert list(fit.headings) == ["cut"]
    assert fit.headings["cut"].support == 29
    assert forms(fit.headed) == {"Regular Fit": ["regular"], "": ["comfort", "muscle"]}  # "slim" is an alias already
    assert not lexicon.attributes["Care"].headings  # the column's own name needs no mining
    (span,) = DistantLabeler(lexicon=lexicon).label(Product("p", {"text": "Vest\nCut: comfort"})).spans or ()
    assert (span.attribute, span.text, span.value) == ("Fit", "comfort", None)


def test_parts_of_compositions() -> None:
    products = shop(
        (6, "Shirt #\n80% cotton, 20% polyamide", {"Material": "Cotton"}),
        (6, "Lens #\n100% UV protection", {"Material": "Glass"}),
    )
    assert list(vocabulary(products, "Material").parts) == ["polyamide"]
    assert not vocabulary(products, "Material", composition=()).parts


def test_modifiers_of_values() -> None:
    colours = ("Blue", "Navy Blue", "Red", "Dark Red", "Green")
    lines = [
        f"Shirt #\nThis {m} {c.lower()} shirt {n}\nWash dark colours apart"
        for n, (m, c) in enumerate((m, c) for m in ("royal", "deep", "nice") for c in ("Blue", "Red") for _ in range(4))
    ]
    products = shop(
        *((1, line, {"Colour": colours[n % len(colours)]}) for n, line in enumerate(lines)),
        *((1, f"Shirt #\nA nice thing {n}", {"Colour": "Red"}) for n in range(30)),
    )
    assert sorted(vocabulary(products, "Colour").modifiers) == ["deep", "royal"]
    plain = shop(*((1, line, {"Colour": ("Blue", "Red", "Green")[n % 3]}) for n, line in enumerate(lines)))
    assert not vocabulary(plain, "Colour").modifiers  # a table that tells no shades apart


def test_a_word_that_stands_before_every_value_modifies_none() -> None:
    def said(word: str, shade: str) -> list[Product]:
        """Three colours with the word before each, in a table that tells a shade apart that no text says."""
        kinds = ((9, f"Shirt\nNumber # is {word} {c.lower()}", {"Colour": c}) for c in ("Blue", "Red", "Green"))
        return shop(*kinds, (9, "Shirt", {"Colour": shade}))

    assert not vocabulary(said("in", "Dark Blue"), "Colour").modifiers
    assert list(vocabulary(said("dark", "Dark Blue"), "Colour").modifiers) == ["dark"]  # as in the table itself


def test_a_value_that_begins_within_a_measure_has_no_word_before_it() -> None:
    kinds = [("Case of 3 mm-lines", "MM-Lines"), ("Dark lines", "Lines")] * 9
    products = [Product(str(n), {"title": "-", "text": t}, table={"Kind": (k,)}) for n, (t, k) in enumerate(kinds)]
    assert "of" not in vocabulary(products, "Kind").modifiers


def test_categories_that_have_the_attribute() -> None:
    tops = [replace(p, category="Tops") for p in shop((10, "Top #", {"Neckline": "Boat"}), (10, "Top #", {}))]
    bags = [replace(p, category="Bags") for p in shop((50, "Bag #", {}), (1, "Bag #", {"Neckline": "Boat"}))]
    assert vocabulary([*tops, *bags], "Neckline").categories == ("Tops",)


def test_broken_rows_are_left_out() -> None:
    broken = Product("x", {}, table={"Colour": ("Blue",)}, error="line 2 is not JSON")
    lexicon = mine([*shop((5, "Red", {"Colour": "Red"})), broken])
    assert {name: list(v.accepted) for name, v in lexicon.attributes.items()} == {"Colour": ["Red"]}


def test_of_very_many_products_a_sample_is_read_the_same_each_time() -> None:
    products = shop(*((1, f"Shirt {n}", {"Name": f"n{n}"}) for n in range(50)))
    found = [list(mine(iter(products), thresholds=Thresholds(products=10)).attributes["Name"].accepted) for _ in "ab"]
    assert len(found[0]) == 10
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def drawn() -> tuple[list[Product], Lexicon]:
    products = [d.product for d in draw_catalogue(400, seed=3, images=False)]
    return products, mine(products)


def test_on_the_drawn_catalogue_more_is_located_and_hardly_anything_wrong(drawn: tuple[list[Product], Lexicon]) -> None:
    products, lexicon = drawn
    bare = [replace(p, spans=None, complete=False) for p in products]
    before = label_agreement(map(DistantLabeler().label, bare), products)
    after = label_agreement(map(DistantLabeler(lexicon=lexicon).label, bare), products)
    assert after["recall"] > before["recall"] + 0.15
    assert after["differences"]["extra"] < 0.03 * after["located"]  # the others lie on a true value of the attribute
    assert lexicon == mine(bare)  # labels are not looked at


def test_colours_that_only_the_photo_tells_are_not_labelled(
    drawn: tuple[list[Product], Lexicon],
) -> None:
    _, lexicon = drawn
    text = {"title": "Cotton shirt in red or blue", "description": "The photo shows it."}
    found = DistantLabeler(lexicon=lexicon).label(Product("p", text))
    assert not any(s.attribute == "Color" for s in found.spans or ())
