from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from attrex.errors import DataError
from attrex.labels.lexicon_review import LexiconForm, LexiconReview, review_lexicon
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary

LEXICON = Lexicon(
    {
        "Neckline": Vocabulary(
            accepted={"Round Neck": {"Round Neck": FormStats(90, 1.0), "circle": FormStats(20, 0.9)}},
            suggested={"Round Neck": {"crewneck": FormStats(12, 0.6, 0.9)}},
            headings={"neck type": FormStats(30, 0.8)},
        )
    }
)
CIRCLE = LexiconForm("Neckline", "Round Neck", "circle")
CREW = LexiconForm("Neckline", "Round Neck", "crewneck")


def product(number: int, text: str, neck: str = "Round Neck") -> Product:
    return Product(str(number), {"text": text}, table={"Neckline": (neck,)})


def reading(product: Product, *words: str) -> Prediction:
    text = product.fields["text"]
    at = [(word, text.index(word)) for word in words]
    return Prediction(product.id, tuple(Value.from_span(Span("Neckline", i, i + len(w), w), 0.9) for w, i in at))


def opinion(products: list[Product], read: list[Prediction]) -> LexiconReview:
    return review_lexicon(LEXICON, products, read, promote=0.5, demote=0.1)


def test_a_suggested_form_that_the_model_reads_is_accepted_and_an_accepted_one_that_it_does_not_read_is_not() -> None:
    products = [product(i, "Tee, crewneck with a circle print, round neck") for i in range(10)]
    read = [reading(p, "crewneck", "round neck") for p in products[:7]] + [reading(p) for p in products[7:]]
    said = opinion(products, read)
    neck = said.lexicon.attributes["Neckline"]
    assert said.promoted == {CREW: FormStats(12, 0.6, 0.9, 0.7)}
    assert said.demoted == {CIRCLE: FormStats(20, 0.9, None, 0.0)}
    assert neck.accepted["Round Neck"] == {
        "Round Neck": FormStats(90, 1.0, None, 0.7),
        "crewneck": FormStats(12, 0.6, 0.9, 0.7),
    }
    assert neck.suggested["Round Neck"] == {"circle": FormStats(20, 0.9, None, 0.0)}
    assert neck.headings == LEXICON.attributes["Neckline"].headings
    assert said.judged == 3


def test_a_values_own_words_stay_accepted_whatever_the_model_reads() -> None:
    products = [product(i, "Tee with round neck") for i in range(10)]
    said = opinion(products, [reading(p) for p in products])
    assert not said.demoted
    assert said.lexicon.attributes["Neckline"].accepted["Round Neck"]["Round Neck"].by_model == 0.0


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda p: replace(p, table={"Neckline": ("V-Neck",)}), id="the cell has another value"),
        pytest.param(lambda p: replace(p, table={}), id="the cell is blank"),
        pytest.param(lambda p: replace(p, fields={"text": "not a crewneck"}), id="the text denies it"),
        pytest.param(lambda p: replace(p, error="broken"), id="the row is broken"),
    ],
)
def test_places_that_a_form_would_not_label_do_not_count(changed: Callable[[Product], Product]) -> None:
    products = [changed(product(i, "Tee with crewneck")) for i in range(20)]
    said = opinion(products, [reading(p) for p in products])
    assert said.judged == 0
    assert said.lexicon == LEXICON


def test_few_places_say_nothing() -> None:
    products = [product(i, "Tee with crewneck") for i in range(9)]
    assert opinion(products, [reading(p, "crewneck") for p in products]).judged == 0


def test_finds_of_other_products_are_refused() -> None:
    products = [product(i, "Tee") for i in range(3)]
    with pytest.raises(DataError, match=r"row 3: .* the table has '2' and the finds are of none; give the file that"):
        opinion(products, [reading(p) for p in products[:2]])
    with pytest.raises(DataError, match=r"row 1: .* the table has '0' and the finds are of '1'"):
        opinion(products, [reading(p) for p in products[1:]])


def test_a_lexicon_keeps_the_models_opinion_in_its_file(tmp_path: Path) -> None:
    products = [product(i, "Tee, crewneck with a circle print") for i in range(10)]
    said = opinion(products, [reading(p, "crewneck") for p in products]).lexicon
    said.save(tmp_path / "reviewed.yaml")
    assert "circle: [20, 0.9, null, 0.0]" in (tmp_path / "reviewed.yaml").read_text()
    assert Lexicon.load(tmp_path / "reviewed.yaml") == said
