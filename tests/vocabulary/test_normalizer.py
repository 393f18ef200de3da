from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attrex.errors import DataError
from attrex.shop.label_policy import LabelPolicy
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import NOTHING_MINED, FormStats, Lexicon, Vocabulary
from attrex.vocabulary.normalizer import MIN_CELLS, ValueNormalizer

SURE = FormStats(90, 1.0)


def row(*values: str, attribute: str = "Color", text: str = "") -> Product:
    return Product("1", {"text": text}, table={attribute: values})


def find(text: str, attribute: str = "Color") -> Prediction:
    return Prediction("1", (Value.from_span(Span(attribute, 0, len(text), text), 0.9),))


def fitted(*products: Product, lexicon: Lexicon = NOTHING_MINED, **shop: Any) -> ValueNormalizer:
    return ValueNormalizer.fit(products, shop=Shop(**shop), lexicon=lexicon)


def refined(pairs: list[tuple[Product, Prediction]], normalizer: ValueNormalizer | None = None) -> ValueNormalizer:
    normalizer = normalizer or ValueNormalizer.fit()
    normalizer.refine([product for product, _ in pairs], [prediction for _, prediction in pairs])
    return normalizer


def test_a_value_goes_by_the_tables_word_and_most_frequent_spelling() -> None:
    normalizer = fitted(row("Navy Blue"), row("navy blue"), row("Navy Blue"), row("Red"))
    assert normalizer.normalize("Color", "NAVY-BLUE") == "Navy Blue"
    assert normalizer.normalize("Color", "blue") is None
    assert normalizer.normalize("Material", "red") is None  # another attribute's word


def labelled(cell: str = "Blue") -> Product:
    return Product("1", {"text": "azure"}, table={"Color": (cell,)}, spans=(Span("Color", 0, 5, "azure", value=cell),))


def test_labels_give_forms_their_values() -> None:
    assert fitted(labelled()).normalize("Color", "Azure") == "Blue"


def test_labels_of_a_product_do_not_name_what_was_found_in_it() -> None:
    normalizer = refined([(labelled(), find("azure"))])
    assert normalizer.normalize("Color", "azure", cell=("Blue",)) is None
    assert normalizer.normalize("Color", "blue") == "Blue"


def test_a_lexicon_knows_other_words_and_what_belongs_to_a_value() -> None:
    vocabulary = Vocabulary(
        accepted={"Blue": {"Blue": SURE, "azure": SURE}},
        headed={"Green": {"leaf": SURE}, "": {"nameless": SURE}},
        modifiers={"royal": SURE, "deep": SURE},
    )
    normalizer = fitted(lexicon=Lexicon({"Color": vocabulary}))
    named = ("azure", "deep royal Blue", "green")
    assert [normalizer.normalize("Color", w) for w in named] == ["Blue", "Blue", "Green"]
    assert [normalizer.normalize("Color", w) for w in ("royal", "steel blue", "nameless", "")] == [None] * 4


def test_a_schema_has_options_and_aliases() -> None:
    schema = Schema((Attribute("Color", ("BaseColour",), ("Grey",), {"Grey": ("anthracite",)}),))
    normalizer = fitted(row("Red"), schema=schema)
    assert normalizer.normalize("Color", "anthracite") == "Grey"
    assert normalizer.normalize("Color", "gray") == "Grey"
    assert normalizer.normalize("Color", "red") == "Red"
    assert normalizer.attributes == ("Color",)


def test_further_values_can_be_made_known() -> None:
    normalizer = fitted(row("Navy Blue"), row("Red"))
    assert normalizer.normalize("Color", "lilac") is None
    normalizer.know("Color", ["Lilac"])
    normalizer.know("Fit", ["Slim"])
    assert [normalizer.normalize("Color", text) for text in ("lilac", "NAVY BLUE")] == ["Lilac", "Navy Blue"]
    assert normalizer.normalize("Fit", "slim") == "Slim"
    assert normalizer.attributes == ("Color", "Fit")
    normalizer.know("Color", ["Lilac"])
    assert normalizer.to_json()["attributes"]["Color"]["values"].count("Lilac") == 1


def test_word_lists_have_aliases_of_any_attributes_values_also_of_those_that_only_cells_have() -> None:
    aliases = {"handbags": ("bag",)}
    assert fitted(row("Handbags", attribute="Type"), aliases=aliases).normalize("Type", "bags") == "Handbags"
    assert fitted(row("Handbags", attribute="Type")).normalize("Type", "bags") is None


def test_forms_found_beside_filled_cells_stand_for_their_value() -> None:
    cells = [*["Women"] * MIN_CELLS, "Men"]
    normalizer = refined([(row(value, attribute="Gender"), find("ladies", "Gender")) for value in cells])
    assert normalizer.normalize("Gender", "Ladies") == "Women"  # five of six cells
    refined([(row("Men", attribute="Gender"), find("ladies", "Gender"))], normalizer)
    assert normalizer.normalize("Gender", "ladies") is None  # five of seven


def test_a_cell_is_not_named_by_itself() -> None:
    normalizer = refined([(row("Women", attribute="Gender"), find("ladies", "Gender"))] * MIN_CELLS)
    assert normalizer.normalize("Gender", "ladies") == "Women"
    assert normalizer.normalize("Gender", "ladies", cell=("Women",)) is None


def test_an_attribute_is_single_valued_where_its_cells_hold_one() -> None:
    normalizer = fitted(*[row("Red")] * 200, row("Red", "Blue"), row("Cotton", "Wool", attribute="Material"))
    assert normalizer.is_single_valued("Color")  # one cell in two hundred holds two
    assert not normalizer.is_single_valued("Material")
    assert not normalizer.is_single_valued("Fit")  # no cell tells


def test_a_policy_decides_what_is_one_spelling() -> None:
    normalizer = fitted(row("Red"), labels=LabelPolicy(ignore_case=False))
    assert (normalizer.normalize("Color", "Red"), normalizer.normalize("Color", "red")) == ("Red", None)


def test_finds_of_other_products_are_refused() -> None:
    with pytest.raises(DataError, match="row 1: expected finds for the products of the table"):
        ValueNormalizer.fit([row("Red")], predictions=[Prediction("2")])


def rich(tmp_path: Path) -> tuple[ValueNormalizer, Path]:
    """A normaliser with something in every table, and its file."""
    schema = Schema((Attribute("Size", options=("Large",), aliases={"Large": ("L",)}),))
    vocabulary = Vocabulary(accepted={"Blue": {"azure": SURE}}, modifiers={"royal": SURE, "deep": SURE})
    normalizer = fitted(
        *[labelled("Navy")] * 2,
        row("Red", "Blue"),
        schema=schema,
        lexicon=Lexicon({"Color": vocabulary}),
        labels=LabelPolicy(hyphen_is_space=False),
        word_forms={"rouge": "red"},
        aliases={"red": ("crimson",)},
    )
    refined([(row("Blue"), find("sky"))] * MIN_CELLS, normalizer)
    path = tmp_path / "normalizer.json"
    normalizer.save(path)
    return normalizer, path


def test_what_is_saved_and_read_again_normalises_alike(tmp_path: Path) -> None:
    normalizer, path = rich(tmp_path)
    loaded = ValueNormalizer.load(path)
    assert loaded.attributes == normalizer.attributes == ("Size", "Color")
    expected = {"azure": "Navy", "deep royal blue": "Blue", "Rouge": "Red", "crimson": "Red", "sky": "Blue", "x": None}
    for one in (normalizer, loaded):
        assert {form: one.normalize("Color", form) for form in expected} == expected
        assert (one.is_single_valued("Color"), one.normalize("Size", "large")) == (False, "Large")
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == path.read_text()
    refined([(row("Blue"), find("heaven"))] * MIN_CELLS, loaded)
    assert loaded.normalize("Color", "heaven") == "Blue"


def test_a_models_labels_do_not_name_the_finds_of_the_product_they_are_of(tmp_path: Path) -> None:
    normalizer, path = fitted(labelled("Navy")), tmp_path / "normalizer.json"
    normalizer.save(path)
    loaded = ValueNormalizer.load(path)
    assert loaded.normalize("Color", "azure") == "Navy"
    assert loaded.normalize("Color", "azure", cell=("Navy",)) is None  # it may be the product that taught it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body.update(format=9), "format should be 1, found 9"),
        (lambda body: body.pop("aliases"), "the normaliser should have format, folding, aliases, attributes"),
        (lambda body: body["folding"].update(lower=True), "folding should have ignore_case"),
        (lambda body: body["attributes"]["Color"].update(single="2"), "'single' should be a whole number, found '2'"),
        (lambda body: body["attributes"]["Color"].update(values=[1]), "'values' should be a list of words"),
        (lambda body: body["attributes"]["Color"]["cells"].update(Red=None), "'Red' should be a whole number"),
        (lambda body: body["attributes"].update(Fit=[]), "attribute 'Fit' should have values, forms"),
    ],
)
def test_a_damaged_file_is_refused(change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path) -> None:
    _, path = rich(tmp_path)
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    with pytest.raises(DataError, match=f"normalizer.json: {re.escape(message)}.*; copy the model again"):
        ValueNormalizer.load(path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"normalizer\.json is not JSON"):
        ValueNormalizer.load(path)
    with pytest.raises(DataError, match=r"no normaliser .* or fill without the model and give the catalogue"):
        ValueNormalizer.load(tmp_path / "none.json")
