"""Which cells of a run a person is asked about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from attrex.errors import ConfigError
from attrex.filling.fill import fill_table
from attrex.review.cells import Kind, Option
from attrex.review.collecting import Collected, collect
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

NORMALIZER = ValueNormalizer.fit([Product("w", {"text": ""}, table={"Neck": ("Round Neck", "V Neck")})])


def product(name: str, text: str = "crewneck shirt", **cells: tuple[str, ...]) -> Product:
    return Product(name, {"text": text}, images=(Path(f"/photos/{name}.jpg"), b"..."), table=cells, category="Tops")


def said(words: str, confidence: float, start: int = 0) -> Value:
    return Value("Neck", words, confidence, Span("Neck", start, start + len(words), words, "text"))


def run(pairs: Iterable[tuple[Product, tuple[Value, ...]]], **how: object) -> Collected:
    products, values = zip(*pairs, strict=True)
    predictions = [Prediction(p.id, v) for p, v in zip(products, values, strict=True)]
    rows = fill_table(products, predictions, NORMALIZER, min_confidence=0.5)
    return collect(zip(products, rows, strict=True), lambda text: NORMALIZER.folded[text], **how)  # type: ignore[arg-type]


def test_a_cell_is_asked_about_for_one_of_four_reasons() -> None:
    found = run(
        [
            (product("blank"), (Value("Neck", "Round Neck", 0.4), Value("Neck", "V Neck", 0.2))),
            (product("sure"), (Value("Neck", "V Neck", 0.9),)),
            (product("wrong", Neck=("V Neck",)), (Value("Neck", "Round Neck", 0.8), Value("Neck", "V Neck", 0.1))),
            (product("absent", Neck=()), (Value("Neck", "V Neck", 0.7),)),
            (product("right", Neck=("V Neck",)), (Value("Neck", "V Neck", 0.9),)),
            (product("nearly nothing"), (Value("Neck", "V Neck", 0.09),)),
            (product("doubt in a filled cell", Neck=("V Neck",)), (Value("Neck", "Round Neck", 0.4),)),
            (product("nothing"), ()),
        ]
    )
    told = [(c.product, c.kind, c.proposal, c.cell, c.confidence, round(c.risk, 4)) for c in found.cells]
    assert told == [
        ("blank", Kind.DOUBTFUL, ("Round Neck",), None, 0.4, 0.4),
        ("wrong", Kind.CONFLICT, ("Round Neck",), ("V Neck",), 0.8, 0.7),
        ("absent", Kind.DIFFERS, ("V Neck",), (), 0.7, 0.7),
        ("sure", Kind.SURE, ("V Neck",), None, 0.9, 0.1),
    ]
    assert found.counts() == {"doubtful": 1, "differs": 1, "conflict": 1, "sure": 1}
    assert found.population.size == 1
    assert len(found.products) == 8


def test_a_cell_comes_with_what_a_person_needs() -> None:
    shop = {"Neck": ("Round Neck", "Boat Neck")}
    finds = (said("crewneck", 0.4), Value("Neck", "V Neck", 0.2))
    (cell,) = run([(product("a"), finds)], options=shop).cells
    assert (cell.words, cell.found) == ("crewneck", finds[0])
    assert cell.options == (Option("V Neck", 0.2), Option("Round Neck", 0.0), Option("Boat Neck", 0.0))
    assert (cell.fields, cell.images, cell.category) == ({"text": "crewneck shirt"}, ("/photos/a.jpg",), "Tops")


def test_the_same_words_in_cells_that_say_the_same_are_one_question() -> None:
    cells = run(
        [
            (product("a"), (said("crewneck", 0.4),)),
            (product("b", "CREWNECK"), (said("CREWNECK", 0.3),)),
            (product("c", Neck=("V Neck",)), (said("crewneck", 0.9),)),
            (product("d"), (Value("Neck", "crewneck", 0.4),)),
        ]
    ).cells
    keys = {c.product: c.same_key for c in cells}
    assert keys["a"] == keys["b"]
    assert keys["c"] not in (None, keys["a"])
    assert keys["d"] is None


def test_the_sample_is_random_and_the_same_again() -> None:
    every = [(product(f"p{n}"), (Value("Neck", "V Neck", 0.6 + n / 1000),)) for n in range(100)]
    found = run(every, sample=10)
    drawn = [c.product for c in found.cells]
    assert len(drawn) == 10
    assert [c.order for c in found.cells] == sorted((c.order for c in found.cells), reverse=True)
    assert [c.product for c in run(reversed(every), sample=10).cells] == drawn
    assert run(every, sample=20).cells[:10] == found.cells
    assert drawn not in ([f"p{n}" for n in range(10)], sorted(drawn))
    assert run(every).population == found.population
    assert run(every[1:]).population != found.population


def test_what_a_person_decided_is_neither_asked_nor_sampled() -> None:
    pairs = [(product(n), (Value("Neck", "V Neck", c),)) for n, c in (("a", 0.9), ("b", 0.8), ("c", 0.3), ("d", 0.3))]
    found = run(pairs, known={("a", "Neck"), ("c", "Neck")})
    assert [c.product for c in found.cells] == ["d", "b"]
    assert found.population.size == 1


def test_without_a_sample_nothing_is_measured() -> None:
    found = run([(product("a"), (Value("Neck", "V Neck", 0.9),))], sample=0)
    assert (found.cells, found.population.size) == ((), 0)
    with pytest.raises(ConfigError, match="sample should be 0 or more"):
        run([(product("a"), ())], sample=-1)
