"""One option, many names: found in texts of any language, and written in that of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from attrex import fill, locate
from attrex.errors import ConfigError, SchemaError
from attrex.filling.fill import fill_table
from attrex.io.predictions import PredictionFile
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

SHOP = """
attributes:
  Color:
    options:
      - {value: Blue, labels: {de: Blau, es: [Azul, Azulado], pt-BR: Azul}}
      - {value: Red, labels: {de: Rot, es: Rojo}}
      - Orange
    aliases: {Blue: [navy]}
  Fit:
    options: [{value: Slim, labels: {de: Schmal}}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return Shop.load(path)


def product(number: int, text: str = "", **cells: str) -> Product:
    return Product(str(number), {"title": text}, table={name: (value,) for name, value in cells.items()})


def found(number: int, **values: str) -> Prediction:
    return Prediction(str(number), tuple(Value(name, value, 0.9) for name, value in values.items()))


def test_a_shop_with_labels_is_written_as_it_was_read(shop: Shop, tmp_path: Path) -> None:
    color = shop.schema.attributes[0]
    assert color.options == ("Blue", "Red", "Orange")
    assert color.labels["Blue"] == {"de": ("Blau",), "es": ("Azul", "Azulado"), "pt-BR": ("Azul",)}
    shop.save(tmp_path / "again.yaml")
    assert Shop.load(tmp_path / "again.yaml") == shop


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("{labels: {de: Blau}}", "should be words such as Blue, or {value: Blue, labels: {de: Blau}}, found"),
        ("{value: Blue, label: {de: Blau}}", "should be words such as Blue, or"),
        ("[Blue, Red]", "should be words such as Blue, or"),
        ("{value: Blue, labels: [Blau]}", "labels of 'Blue', attribute 'Color', should be a mapping"),
        ("{value: Blue, labels: {german language: Blau}}", "should be by language, such as de or pt-BR, found 'german"),
        ("{value: Blue, labels: {de: }}", "the label 'de' of 'Blue', attribute 'Color', should be a word or a list"),
        ("{value: Blue, labels: {de: {a: b}}}", "the label 'de' of 'Blue', attribute 'Color', should be a word or"),
    ],
)
def test_what_is_no_option_is_named(option: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(f"attributes:\n  Color:\n    options: [{option}]\n", encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        Shop.load(path)
    assert said in str(caught.value)


def test_cells_and_labels_go_by_the_option(shop: Shop) -> None:
    span = Span("Color", 0, 4, "blau", "title", "BLAU")
    (read,) = shop.schema.by_option([Product("1", {"title": "blau"}, table={"Color": ("azul", "Blau")}, spans=(span,))])
    assert read.table == {"Color": ("Blue",)}
    assert [s.value for s in read.spans or ()] == ["Blue"]
    other = product(2, Size="38")
    assert next(shop.schema.by_option([other])) is other


def test_a_name_is_found_in_texts_whatever_the_cell_says(shop: Shop) -> None:
    texts = ["Hemd in Blau", "camisa azul", "a navy shirt", "blue shirt"]
    for cell in ("Blue", "Blau", "azul"):
        rows = [product(i, text, Color=cell) for i, text in enumerate(texts)]
        spans = [[s.text for s in p.spans or ()] for p in locate(rows, shop=shop)]
        assert spans == [["Blau"], ["azul"], ["navy"], ["blue"]], cell


@pytest.mark.parametrize(
    ("cells", "filled"), [(["Rot", "rot", "Red"], "Blau"), (["Rojo"], "Azul"), (["Red"], "Blue"), ([], "Blue")]
)
def test_a_find_is_written_in_the_language_of_the_filled_cells(shop: Shop, cells: list[str], filled: str) -> None:
    table = [product(0), *(product(i, Color=cell) for i, cell in enumerate(cells, 1))]
    finds = [found(0, Color="navy"), *(found(i, Color="rojo") for i in range(1, len(table)))]
    normalizer = ValueNormalizer.fit(shop=shop)
    normalizer.refine(table, finds)
    first, *others = fill_table(table, finds, normalizer)
    assert first.table == {"Color": (filled,)}
    assert [e.outcome for row in others for e in row.entries] == ["agrees"] * len(others)
    assert [row.table for row in others] == [p.table for p in table[1:]]  # a filled cell is never changed


def test_an_attribute_without_filled_cells_is_written_as_the_others(shop: Shop) -> None:
    table = [product(0, Color="Blau"), product(1, Color="Rot")]
    finds = [found(0, Fit="slim"), found(1, Fit="schmal")]
    normalizer = ValueNormalizer.fit(shop=shop)
    normalizer.refine(table, finds)
    assert [row.table["Fit"] for row in fill_table(table, finds, normalizer)] == [("Schmal",), ("Schmal",)]


def test_a_language_without_a_name_leaves_the_options_own(shop: Shop) -> None:
    normalizer = ValueNormalizer.fit(shop=shop)
    normalizer.language = "es-MX"  # of a region that has no names of its own
    assert [normalizer.written("Color", v) for v in ("Blue", "Orange", "teal")] == ["Azul", "Orange", "teal"]
    assert normalizer.written("Fit", "Slim") == "Slim"


def test_names_are_kept_with_the_normaliser(shop: Shop, tmp_path: Path) -> None:
    ValueNormalizer.fit([product(1, Color="Rot")], shop=shop).save(tmp_path / "normalizer.json")
    loaded = ValueNormalizer.load(tmp_path / "normalizer.json")
    assert [loaded.normalize("Color", word) for word in ("azulado", "BLAU", "navy", "rot")] == ["Blue"] * 3 + ["Red"]
    assert loaded.languages() == ["de", "es", "pt-BR"]
    assert loaded._attributes["Color"].cells == {"Red": 1}


def test_an_options_own_name_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    options = "[{value: Navy, labels: {es: Azul}}, {value: Azul, labels: {en: Blue}}]"
    path.write_text(f"attributes: {{Color: {{options: {options}}}}}", encoding="utf-8")
    shop = Shop.load(path)
    (read,) = shop.schema.by_option([product(1, Color="Azul")])
    assert read.table == {"Color": ("Azul",)}
    assert ValueNormalizer.fit(shop=shop).normalize("Color", "azul") == "Azul"


def test_a_file_is_filled_in_its_language_or_the_one_that_is_asked_for(shop: Shop, tmp_path: Path) -> None:
    table = tmp_path / "shop.csv"
    table.write_text("id,title,Color\n1,Hemd,rot\n2,Hose,\n", encoding="utf-8")
    values = tmp_path / "values.jsonl"
    PredictionFile(values).write([found(1, Color="Red"), found(2, Color="navy")])
    fill(table, values, tmp_path / "out.csv", shop=shop)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "id,title,Color\n1,Hemd,rot\n2,Hose,Blau\n"
    fill(table, values, tmp_path / "es.csv", shop=shop, language="es")
    assert (tmp_path / "es.csv").read_text(encoding="utf-8") == "id,title,Color\n1,Hemd,rot\n2,Hose,Azul\n"
    with pytest.raises(ConfigError, match="language=fr: no option has a label in it; there are de, es, pt-BR;"):
        fill(table, values, tmp_path / "fr.csv", shop=shop, language="fr")
