"""Values without a source stand where the text says them, for scoring only."""

from __future__ import annotations

import pytest

from attrex.config import Config
from attrex.encoding.encoder import ProductEncoder
from attrex.evaluation.metrics import score
from attrex.evaluation.placing import with_places
from attrex.inference.checkpoint import load_tokenizer
from attrex.model.text_encoder import resolve_text_model
from attrex.shop.schema import Schema
from attrex.types import Prediction, Product, Span, Value

TEXTS = {"title": "Blue cotton shirt, blue", "description": "A shirt of cotton. Lightblue. " * 12}


@pytest.fixture(scope="module")
def encoder(tiny: Config, schema: Schema) -> ProductEncoder:
    """Windows of 32 tokens: the description has several."""
    raw = tiny.model_dump()
    raw["text"] |= {"max_tokens": 32, "overlap": 12}
    config = Config.parse(raw)
    return ProductEncoder(load_tokenizer(resolve_text_model(config.text.model)), config, schema)


def test_a_value_stands_wherever_whole_words_say_it(encoder: ProductEncoder) -> None:
    product = Product("7", TEXTS, spans=(Span("Color", 0, 4, "Blue", "title"),))
    found = Prediction(
        "7", (Value("Color", "blue", 0.9), Value("Material", "cotton shirt", 0.4), Value("Fit", "slim", 1))
    )
    (placed,) = with_places([product], [found], encoder)
    assert [(s.attribute, s.field, s.start, s.text) for s in placed.spans] == [
        ("Color", "title", 0, "Blue"),
        ("Material", "title", 5, "cotton shirt"),
        ("Color", "title", 19, "blue"),
    ]
    assert [v.confidence for v in placed.values] == [0.9, 0.4, 0.9]
    cotton = Prediction("7", (Value("Material", "cotton", 0.4),))
    assert len(with_places([product], [cotton], encoder)[0].values) == 13  # each once, whatever the windows overlap


def test_values_with_a_source_stay_where_they_are(encoder: ProductEncoder) -> None:
    product = Product("7", TEXTS, spans=())
    said = Value.from_span(Span("Color", 19, 23, "blue", "title"), 0.3)
    only_said = Prediction("7", (said,))
    assert with_places([product], [only_said], encoder) == [only_said]
    (both,) = with_places([product], [Prediction("7", (said, Value("Color", "shirt", 1)))], encoder)
    assert said in both.values
    assert len(both.values) == 14


def test_what_a_value_head_chose_is_not_scored_as_a_span(encoder: ProductEncoder) -> None:
    product = Product("7", TEXTS, spans=(Span("Color", 0, 4, "Blue", "title"),))
    said = Value.from_span(Span("Color", 19, 23, "blue", "title"), 0.3)
    chosen = Value("Color", "blue", 0.9, decided_by="photo")  # the text says the word, too
    found = [Prediction("7", (said, chosen))]
    assert with_places([product], found, encoder) == found
    scores = score([product], with_places([product], found, encoder), bootstrap=0)
    assert (scores.tag.predicted, scores.tag.correct) == (1, 0)
    (beside,) = with_places([product], [Prediction("7", (chosen, Value("Material", "shirt", 1)))], encoder)
    assert {v.attribute for v in beside.values} == {"Material"}


def test_scores_count_places_only(encoder: ProductEncoder) -> None:
    product = Product("7", TEXTS, spans=(Span("Color", 0, 4, "Blue", "title"),))
    found = [Prediction("7", (Value("Color", "blue", 0.9), Value("Fit", "slim", 1)))]
    bare = score([product], found, bootstrap=0)
    assert (bare.tag.predicted, bare.cls.predicted) == (0, 0)
    scores = score([product], with_places([product], found, encoder), bootstrap=0)
    assert (scores.tag.predicted, scores.tag.correct, scores.cls.predicted) == (2, 1, 1)
