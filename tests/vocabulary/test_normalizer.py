from __future__ import annotations

from attrex.shop.label_policy import LocatePolicy
from attrex.shop.schema import Attribute, Schema
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary
from attrex.vocabulary.normalizer import MIN_CELLS, ValueNormalizer

SURE = FormStats(90, 1.0)


def row(*values: str, attribute: str = "Color", text: str = "") -> Product:
    return Product("1", {"text": text}, table={attribute: values})


def find(text: str, attribute: str = "Color") -> Prediction:
    return Prediction("1", (Value.from_span(Span(attribute, 0, len(text), text), 0.9),))


def learned(*products: Product, names: ValueNormalizer | None = None) -> ValueNormalizer:
    names = names or ValueNormalizer()
    for product in products:
        names.learn(product)
    return names


def test_a_value_goes_by_the_tables_word_and_most_frequent_spelling() -> None:
    names = learned(row("Navy Blue"), row("navy blue"), row("Navy Blue"), row("Red"))
    assert names.of("Color", "NAVY-BLUE") == "Navy Blue"
    assert names.of("Color", "blue") is None
    assert names.of("Material", "red") is None  # another attribute's word


def test_labels_say_what_words_stand_for() -> None:
    span = Span("Color", 0, 5, "azure", value="Blue")
    labelled = Product("1", {"text": "azure"}, table={"Color": ("Blue",)}, spans=(span,))
    assert learned(labelled).of("Color", "Azure") == "Blue"


def test_labels_of_a_product_do_not_name_what_was_found_in_it() -> None:
    span = Span("Color", 0, 5, "azure", value="Blue")
    labelled = Product("1", {"text": "azure"}, table={"Color": ("Blue",)}, spans=(span,))
    names = ValueNormalizer()
    names.learn(labelled, find("azure"))
    assert (names.of("Color", "azure", cell=("Blue",)), names.of("Color", "blue")) == (None, "Blue")


def test_a_lexicon_knows_other_words_and_what_belongs_to_a_value() -> None:
    vocabulary = Vocabulary(
        accepted={"Blue": {"Blue": SURE, "azure": SURE}},
        headed={"Green": {"leaf": SURE}, "": {"nameless": SURE}},
        modifiers={"royal": SURE, "deep": SURE},
    )
    names = ValueNormalizer(lexicon=Lexicon({"Color": vocabulary}))
    assert [names.of("Color", w) for w in ("azure", "deep royal Blue", "green")] == ["Blue", "Blue", "Green"]
    assert [names.of("Color", w) for w in ("royal", "steel blue", "nameless", "")] == [None] * 4


def test_a_schema_has_options_aliases_and_merged_columns() -> None:
    schema = Schema((Attribute("Color", ("BaseColour",), ("Grey",), {"Grey": ("anthracite",)}),))
    names = learned(row("Red", attribute="BaseColour"), names=ValueNormalizer(schema))
    assert names.of("Color", "anthracite") == "Grey"
    assert names.of("Color", "gray") == "Grey"
    assert names.of("Color", "red") == "Red"
    assert names.attributes == ("Color",)


def test_words_found_beside_filled_cells_stand_for_their_value() -> None:
    names = ValueNormalizer()
    for value in ["Women"] * MIN_CELLS + ["Men"]:
        names.learn(row(value, attribute="Gender"), find("ladies", "Gender"))
    assert names.of("Gender", "Ladies") == "Women"  # five of six cells
    names.learn(row("Men", attribute="Gender"), find("ladies", "Gender"))
    assert names.of("Gender", "ladies") is None  # five of seven


def test_a_cell_is_not_named_by_itself() -> None:
    names = ValueNormalizer()
    for _ in range(MIN_CELLS):
        names.learn(row("Women", attribute="Gender"), find("ladies", "Gender"))
    assert names.of("Gender", "ladies") == "Women"
    assert names.of("Gender", "ladies", cell=("Women",)) is None


def test_an_attribute_takes_one_value_where_its_cells_hold_one() -> None:
    names = learned(*[row("Red")] * 200, row("Red", "Blue"), row("Cotton", "Wool", attribute="Material"))
    assert names.is_single_valued("Color")  # one cell in two hundred holds two
    assert not names.is_single_valued("Material")
    assert not names.is_single_valued("Fit")  # no cell tells


def test_a_policy_decides_what_is_blank_and_what_is_one_spelling() -> None:
    policy = LocatePolicy(blank=("other",), ignore_case=False)
    names = learned(row("Other"), row("Red"), names=ValueNormalizer(policy=policy))
    assert names.of("Color", "Other") is None
    assert (names.of("Color", "Red"), names.of("Color", "red")) == ("Red", None)
