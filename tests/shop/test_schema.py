from __future__ import annotations

import pytest

from attrex.errors import SchemaError
from attrex.shop.schema import Attribute, Schema
from attrex.types import CellState, Product, Span

SCHEMA = Schema(
    (
        Attribute("closure"),
        Attribute("colour", ("color", "Farbe"), ("red", "navy"), {"navy": ("dark blue", "marine")}),
        Attribute("size", options=("38", "yes")),
    ),
    {"shoe": ("colour", "size"), "bag": ("colour", "closure"), "gift card": ()},
)


def product(number: int, category: str | None = None, **cells: str | None) -> Product:
    table = {name: (value,) if value else () for name, value in cells.items()}
    return Product(str(number), {"text": "Red shirt"}, category=category, table=table)


def test_attributes_are_found_by_name_and_keep_their_order():
    assert SCHEMA.names == ("closure", "colour", "size")
    assert SCHEMA.index("size") == 2


def test_an_unknown_attribute_comes_with_the_nearest_one():
    with pytest.raises(SchemaError, match=r"no attribute 'color' in the schema; did you mean 'colour'\?"):
        SCHEMA.index("color")


def test_names_must_differ():
    with pytest.raises(SchemaError, match="attribute names must differ, found more than once: size"):
        Schema((Attribute("size"), Attribute("size"), Attribute("colour")))


def test_categories_list_known_attributes():
    with pytest.raises(SchemaError) as caught:
        Schema((Attribute("colour"),), {"bag": ("color",)})
    assert str(caught.value) == (
        "category 'bag' lists the attribute 'color', which the schema does not define; did you mean 'colour'?"
    )


def test_columns_are_merged_into_their_attribute():
    assert SCHEMA.column_mapping() == {"closure": "closure", "color": "colour", "Farbe": "colour", "size": "size"}


def test_categories_allow_what_they_list_and_unknown_ones_everything():
    assert SCHEMA.allowed("bag") == {"colour", "closure"}
    assert SCHEMA.allowed("gift card") == set()
    assert SCHEMA.allowed("hat") == SCHEMA.allowed(None) == {"closure", "colour", "size"}


# ---- learning -------------------------------------------------------------------------------------------------------


def test_options_come_most_frequent_first_from_cells_and_spans():
    located = Product("9", {"text": "Red shirt"}, spans=(Span("colour", 0, 3, "Red", value="red"),))
    schema = Schema.learn([product(1, colour="blue"), product(2, colour="red"), located, product(3, size=None)])
    assert schema.names == ("colour",)  # an attribute that no product has is left out
    assert schema.attributes[0].options == ("red", "blue")


def test_a_located_cell_counts_once():
    both = Product(
        "1",
        {"text": "Red shirt"},
        table={"colour": ("crimson",)},
        spans=(Span("colour", 0, 3, "Red", value="crimson"),),
    )
    schema = Schema.learn([both, product(2, colour="blue"), product(3, colour="blue")])
    assert schema.attributes[0].options == ("blue", "crimson")


def test_rare_attributes_and_long_tails_can_be_left_out():
    rows = [product(i, colour=f"colour {i % 3}", size="38" if i == 0 else None) for i in range(9)]
    schema = Schema.learn(rows, min_count=2, max_options=2)
    assert schema.names == ("colour",)
    assert len(schema.attributes[0].options) == 2


def test_categories_are_learned_where_there_are_enough_products():
    rows = [product(i, "bag", colour="red", size=None) for i in range(20)] + [product(99, "hat", size="38")]
    schema = Schema.learn(rows)
    assert schema.categories == {"bag": ("colour",)}
    assert Schema.learn(rows, min_category_size=1).categories == {"bag": ("colour",), "hat": ("size",)}


def test_a_category_that_nobody_has_filled_yet_rules_nothing_out():
    bare = [Product(str(i), {"text": "Red bag"}, category="bag") for i in range(30)]
    schema = Schema.learn([product(99, "hat", colour="red"), *bare])
    assert schema.categories == {}
    assert schema.allowed("bag") == {"colour"}
    assert schema.cell_state(bare[0], "colour") == CellState.BLANK


def test_a_column_belongs_to_one_attribute():
    with pytest.raises(SchemaError, match="the column 'Farbe' of the attribute 'tint' belongs to 'colour' already"):
        Schema((Attribute("colour", ("Farbe",)), Attribute("tint", ("Farbe",))))
    with pytest.raises(SchemaError, match="the column 'size' of the attribute 'fit' belongs to 'size' already"):
        Schema((Attribute("fit", ("size",)), Attribute("size", ("Grösse",))))


def test_a_schema_comes_back_from_plain_mappings():
    plain = SCHEMA.to_plain()
    assert Schema.from_plain(plain["attributes"], plain["categories"]) == SCHEMA


@pytest.mark.parametrize(
    ("attributes", "categories", "words"),
    [
        (["colour"], None, "attributes should be a mapping such as {name: {options: [a]}}, found ['colour']"),
        ({"colour": "red"}, None, "attribute 'colour' should be a mapping with any of columns, options, aliases"),
        ({"colour": {"option": ["red"]}}, None, "attribute 'colour' has an unknown key 'option'; did you mean 'opt"),
        ({"colour": {"options": "red"}}, None, "options of attribute 'colour' should be a list such as [a, b], found"),
        ({"colour": {"columns": {"a": "b"}}}, None, "columns of attribute 'colour' should be a list"),
        (
            {"colour": {"aliases": ["crimson"]}},
            None,
            "aliases of attribute 'colour' should be a mapping such as {name: [a, b]}, found ['crimson']",
        ),
        ({"colour": {"aliases": {"red": "crimson"}}}, None, "aliases of 'red', attribute 'colour', should be a list"),
        ({"colour": ""}, ["bag"], "categories should be a mapping"),
        ({"colour": ""}, {"bag": "colour"}, "category 'bag' should be a list"),
        ({"colour": ""}, {"bag": ["size"]}, "category 'bag' lists the attribute 'size'"),
    ],
)
def test_what_is_no_schema_is_named_with_the_entry_at_fault(attributes: object, categories: object, words: str):
    with pytest.raises(SchemaError) as caught:
        Schema.from_plain(attributes, categories)
    assert words in str(caught.value)
