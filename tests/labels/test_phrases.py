from __future__ import annotations

import pytest

from attrex.labels.labeler import DistantLabeler
from attrex.shop.label_policy import LabelPolicy
from attrex.shop.shop import Shop
from attrex.types import Product
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary

SURE = FormStats(20, 1.0)
LEXICON = Lexicon(
    {
        "Colour": Vocabulary(
            accepted={v: {v.lower(): SURE} for v in ("Blue", "Green", "Olive", "Navy Blue")},
            modifiers=dict.fromkeys(("dark", "royal", "olive"), SURE),
        ),
        "Pattern": Vocabulary(
            accepted={v: {v.lower(): SURE} for v in ("Floral", "Print")}, modifiers={"floral": SURE, "blue": SURE}
        ),
    }
)


def phrases(text: str, whole: bool = True, **table: str) -> list[str]:
    shop = Shop(labels=LabelPolicy(whole_phrases=whole, blank_cells=False))
    cells = {k: tuple(v.split("/")) for k, v in table.items()}
    found = DistantLabeler(shop, lexicon=LEXICON).label(Product("p", {"text": text}, table=cells))
    return [s.text for s in found.spans or ()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a royal blue shirt", ["royal blue"]),
        ("a royal-blue shirt", ["royal-blue"]),
        ("Dark Royal blue", ["Dark Royal blue"]),
        ("pale blue", ["blue"]),
        ("dark, blue", ["blue"]),
        ("dark\nblue", ["blue"]),
        ("in the dark", []),
        ("dark", []),
    ],
)
def test_a_modifier_belongs_to_the_value_behind_it(text: str, expected: list[str]) -> None:
    assert phrases(text, Colour="Blue") == expected


def test_a_value_that_modifies_another_is_one_phrase_with_it() -> None:
    assert phrases("olive green trousers", Colour="Olive") == ["olive green"]
    assert phrases("olive green trousers", Colour="Green") == ["olive green"]
    assert phrases("olive trousers, green", Colour="Olive") == ["olive"]
    assert phrases("a floral print", Pattern="Floral/Print") == ["floral print"]
    assert phrases("a floral, print", Pattern="Floral/Print") == ["floral", "print"]


def test_a_value_inside_a_longer_one_of_its_attribute_is_that_phrase() -> None:
    assert phrases("a navy blue shirt", Colour="Blue") == ["navy blue"]
    assert phrases("a navy blue shirt", whole=False, Colour="Blue") == ["blue"]


def test_words_of_another_attribute_are_not_taken() -> None:
    assert phrases("a royal blue print", Colour="Blue", Pattern="Print") == ["royal blue", "print"]


def test_it_can_be_switched_off() -> None:
    assert phrases("a royal blue shirt", whole=False, Colour="Blue") == ["blue"]
