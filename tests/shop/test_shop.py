from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from attrex.errors import AttrexError, ConfigError, SchemaError
from attrex.io.readers import read_products
from attrex.labels.labeler import DistantLabeler
from attrex.shop.cells import Cells
from attrex.shop.label_policy import LabelPolicy
from attrex.shop.mapping import ColumnMapping
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import Product, Span

SHOP = Shop(
    columns=ColumnMapping(id="sku", texts=("name",), attributes=("Colour", "Fabric"), complete=True),
    cells=Cells(blank=("n/a", "null"), absent=("NO",), separator="/", other_columns="drop"),
    labels=LabelPolicy(overlap="priority", priority=("Color",), trust=0.5, min_length=3, headings=False),
    languages=("de", "en"),
    word_forms={"rote": "rot"},
    aliases={"bags": ("purse",)},
    schema=Schema(
        (
            Attribute("Color", ("Colour", "Farbe"), ("red", "yes"), {"red": ("crimson",)}),
            Attribute("Material", ("Fabric",)),
        ),
        {"bag": ("Color",)},
    ),
)
FASHION = Path(__file__).parents[2] / "examples" / "fashion" / "shop.yaml"


@pytest.mark.parametrize("shop", [SHOP, Shop()])
def test_a_shop_comes_back_from_its_file(shop: Shop, tmp_path: Path) -> None:
    shop.save(tmp_path / "shop.yaml")
    assert Shop.load(tmp_path / "shop.yaml") == shop
    assert Shop.load(tmp_path) == shop  # a model's directory
    assert (tmp_path / "shop.yaml").read_text() == shop.to_yaml()


def test_words_are_taken_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        "columns: {id: 7, texts: name, attributes: [yes, 38]}\n"
        "cells: {absent: [NO, null], separator: null}\n"
        "labels: {ignore_case: false, trust: 1, min_length: 3}\n"
        "languages: []\nword_forms:\n"
        "attributes: {Size: {options: [38, 2024-01-99, yes]}, 颜色: }\n",
        encoding="utf-8",
    )
    assert Shop.load(tmp_path) == Shop(
        columns=ColumnMapping(id="7", texts=("name",), attributes=("yes", "38")),
        cells=Cells(absent=("NO", "null")),
        labels=LabelPolicy(ignore_case=False, trust=1.0, min_length=3),
        languages=(),
        schema=Schema((Attribute("Size", options=("38", "2024-01-99", "yes")), Attribute("颜色"))),
    )


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("colums: {id: sku}", "unknown key 'colums'; did you mean 'columns'? (known: columns, cells, labels"),
        ("other_columns: drop", "unknown key 'other_columns'; it belongs under `cells:`"),
        ("overlap: longest", "unknown key 'overlap'; it belongs under `labels:`"),
        ("columns: {feilds: [name]}", "columns: unknown key 'feilds'"),
        ("columns: {text: [name]}", "columns: unknown key 'text'; did you mean 'texts'? (known: id, texts, html"),
        ("columns: [name]", "columns should be a mapping with any of id, texts"),
        ("columns: {id: [sku]}", "columns: id should be a word, not ['sku']"),
        ("columns: {complete: often}", "columns: complete should be true or false, not 'often'"),
        ("cells: {columns: {a: b}}", "cells: unknown key 'columns'"),
        ("cells: {absent: {a: b}}", "cells: absent should be a list of words, not {'a': 'b'}"),
        ("cells: {other_columns: 3}", "cells: other_columns should be keep or drop, not '3'"),
        ("cells: {other_columns: drop}", "other_columns is drop, but the schema has no attributes"),
        ("labels: {ignore_cases: true}", "labels: unknown key 'ignore_cases'; did you mean 'ignore_case'?"),
        ("labels: {overlap: longer}", "labels: overlap should be one of longest, priority, keep, not 'longer'"),
        ("labels: {occurrences: last}", "labels: occurrences should be one of all, first, not 'last'"),
        ("labels: {aliases: sometimes}", "labels: aliases should be true or false, not 'sometimes'"),
        ("labels: {trust: 80}", "labels: trust should be a share from 0 to 1, such as 0.8, not 80.0"),
        ("labels: {trust: often}", "labels: trust should be a number, not 'often'"),
        ("labels: {min_length: true}", "labels: min_length should be a whole number, not 'true'"),
        ("languages: {en: us}", "languages should be a list of words, not {'en': 'us'}"),
        ("word_forms: [a]", "word_forms should be a mapping of words to words, not ['a']"),
        ("aliases: {bags: {a: b}}", "aliases: bags should be a list of words, not {'a': 'b'}"),
        ("attributes: [Color]", "attributes should be a mapping"),
        ("- a", "should be a mapping with any of columns, cells, labels"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, yaml: str, message: str) -> None:
    (tmp_path / "shop.yaml").write_text(yaml)
    with pytest.raises(AttrexError) as caught:
        Shop.load(tmp_path / "shop.yaml")
    assert str(caught.value).startswith(str(tmp_path / "shop.yaml"))
    assert message in str(caught.value)


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no shop file .*gone\.yaml; Shop\(\)\.save\(path\) writes one with every key"
    ):
        Shop.load(tmp_path / "gone.yaml")
    (tmp_path / "shop.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not YAML"):
        Shop.load(tmp_path)


def test_faults_of_attributes_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("attributes: {Color: {option: [red]}}")
    with pytest.raises(SchemaError, match=r"shop\.yaml: attribute 'Color' has an unknown key 'option'"):
        Shop.load(tmp_path)


def test_cells_merge_the_columns_of_the_schema() -> None:
    assert SHOP.cells.columns == {"Colour": "Color", "Farbe": "Color", "Fabric": "Material"}
    renamed = replace(SHOP, schema=Schema((Attribute("Tint", ("Farbe",)),)))
    assert renamed.cells.columns == {"Farbe": "Tint"}


def test_names_that_no_table_has_are_told() -> None:
    schema = Schema((Attribute("Color", ("Frabe",)), Attribute("Material", ("Stoff",)), Attribute("Fit")))
    shop = Shop(labels=LabelPolicy(priority=("Nope", "Color")), schema=schema)
    assert [*shop.unused(["Farbe", "Stoff"])] == [
        "1 of 2 names under `attributes: columns` are in no product's table, such as 'Frabe'; did you mean 'Farbe'?",
        "1 of 2 names under `labels: priority` are in no product's table, such as 'Nope'",
    ]
    assert not [*replace(shop, labels=LabelPolicy(priority=("Fit",))).unused(["Frabe", "Stoff"])]


def product(number: int, category: str = "shirt", **cells: str) -> Product:
    spans = (Span("Fit", 0, 4, "Slim", "text"),)
    return Product(
        str(number), {"text": "Slim red"}, category=category, table={k: (v,) for k, v in cells.items()}, spans=spans
    )


def test_what_a_shop_leaves_open_is_learned() -> None:
    products = [product(n, Color="red", Brand="Acme") for n in range(20)]
    assert Shop().learn(products).schema == Schema.learn(products)
    own = Schema((Attribute("Size", options=("L",)), Attribute("Color", ("Colour",), (), {"red": ("crimson",)})))
    learned = Shop(schema=own, languages=("de",)).learn(products)
    assert learned.schema.attributes == (
        Attribute("Size", options=("L",)),
        Attribute("Color", ("Colour",), ("red",), {"red": ("crimson",)}),
        Attribute("Brand", options=("Acme",)),
        Attribute("Fit", options=("Slim",)),
    )
    assert learned.schema.categories == {"shirt": ("Color", "Brand", "Fit")}
    assert learned.languages == ("de",)
    assert learned.learn(products) == learned


def test_attributes_that_a_shop_drops_are_not_learned() -> None:
    own = Schema((Attribute("Color"),), {"bag": ()})
    learned = Shop(cells=Cells(other_columns="drop"), schema=own).learn([product(1, Color="red", Brand="Acme")])
    assert learned.schema == Schema((Attribute("Color", options=("red",)),), {"bag": ()})


def test_the_example_merges_a_fashion_shops_columns() -> None:
    shop = Shop.load(FASHION)
    table = {"BaseColour": "Red", "Colour2": "NA", "Collar": "Polo Collar", "Type": "Regular", "SKU": "7", "Fit": "No"}
    (found,) = read_products([{"id": "p", "text": "Red polo-collar tee", "attributes": table}], shop=shop)
    assert found.table == {"Color": ("Red",), "Neckline": ("Polo Collar",), "Fit": ()}
    spans = DistantLabeler(shop).label(found).spans or ()
    assert [(s.attribute, s.text) for s in spans] == [("Color", "Red"), ("Neckline", "polo-collar")]
