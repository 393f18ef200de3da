from __future__ import annotations

import io

from rich.console import Console

from attrex.evaluation.metrics import Scores, score
from attrex.evaluation.tables import score_tables
from attrex.types import Prediction, Product, Span, Value


def shown(scores: Scores) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(score_tables(scores))
    return out.getvalue()


def test_the_tables_show_the_numbers_and_what_failed():
    shirt = Span("Type", 5, 10, "shirt")
    labels = (Span("[red]Color", 0, 4, "blue"), shirt, Span("Type", 16, 21, "shirt"))
    products = [Product("a", {"text": "blue shirt, tee shirt"}, spans=labels), Product("b", {"text": ""}, spans=())]
    found = Prediction("a", (Value.from_span(Span("Type", 5, 10, "shirt"), 0.9),))
    text = shown(score(products, [found, None], bootstrap=20))

    assert "2 products, 1 of them unreadable or without prediction" in text
    assert "1.000    0.333   0.500" in text  # TAG
    assert "0.000 - 0.500" in text
    assert "macro-F1 (0 attributes)" in text
    assert "at least 20 gold spans" in text
    assert text.index("Type ") < text.index("[red]Color")  # most gold first; a name is no markup
