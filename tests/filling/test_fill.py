from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from attrex.errors import DataError
from attrex.filling.fill import CHANGE_COLUMNS, FilledRow, Outcome, fill_table
from attrex.inference.selection import HeldOut
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer


def product(number: int = 0, **table: tuple[str, ...]) -> Product:
    return Product(str(number), {"text": "the text"}, table=table)


def read(number: int = 0, **finds: dict[str, float]) -> Prediction:
    """What was found: attribute -> words -> confidence."""
    values = [Value.from_span(Span(a, 0, len(w), w), c) for a, said in finds.items() for w, c in said.items()]
    return Prediction(str(number), tuple(values))


def filled(one: Product, found: Prediction, *more: Product, **how: Any) -> FilledRow:
    (row,) = fill_table([one], [found], ValueNormalizer.fit([one, *more]), **how)
    return row


def outcomes(row: FilledRow) -> dict[str, Outcome]:
    return {entry.value: entry.outcome for entry in row.entries}


RED = product(1, Color=("Red",))


def test_a_blank_cell_is_filled_in_the_tables_words() -> None:
    row = filled(product(Fit=("Slim",)), read(Color={"red": 0.9}), RED)
    assert row.table == {"Fit": ("Slim",), "Color": ("Red",)}
    (entry,) = row.entries
    assert tuple(entry.to_json()) == CHANGE_COLUMNS
    assert list(entry.to_json().values()) == ["0", "Color", "filled", [], "Red", True, 0.9, "red", "text", 0, 3, None]


def test_a_filled_cell_is_compared_and_never_changed() -> None:
    same = filled(RED, read(1, Color={"RED": 0.7, "blue": 0.9}))
    assert outcomes(same) == {"blue": Outcome.FURTHER, "Red": Outcome.AGREES}
    other = filled(RED, read(1, Color={"blue": 0.9}))
    assert outcomes(other) == {"blue": Outcome.DIFFERS}
    assert same.table == other.table == {"Color": ("Red",)}


def test_a_cell_known_to_be_absent_stays_so() -> None:
    row = filled(product(Color=()), read(Color={"red": 0.9}), RED)
    assert (row.table, outcomes(row)) == ({"Color": ()}, {"Red": Outcome.DIFFERS})


def test_the_surest_value_fills_a_cell_that_takes_one() -> None:
    row = filled(product(), read(Color={"blue": 0.8, "red": 0.9, "Red ": 0.7}), RED)
    assert (row.table, outcomes(row)) == ({"Color": ("Red",)}, {"Red": Outcome.FILLED, "blue": Outcome.FURTHER})


def test_cells_that_hold_several_get_all() -> None:
    row = filled(product(), read(Color={"blue": 0.8, "red": 0.9}), product(1, Color=("Red", "White")))
    assert row.table == {"Color": ("Red", "blue")}


def test_unsure_finds_say_nothing_and_unknown_words_only_fill_when_they_may() -> None:
    finds = read(Color={"Sky\n blue": 0.6, "red": 0.4})
    assert filled(product(), read(Color={"cut \ud83d": 0.9})).table == {"Color": ("cut \ufffd",)}
    assert filled(product(), read(Farbe={"grü\u00ad\u00adn": 0.9})).table == {"Farbe": ("grün",)}  # was gr&uuml;n
    assert filled(product(), finds, RED).table == {"Color": ("Sky blue",)}
    assert outcomes(filled(product(), finds, RED, min_confidence=0.7)) == dict.fromkeys(
        ("Sky blue", "Red"), Outcome.BELOW
    )
    row = filled(product(), finds, RED, known_only=True, min_confidence=0.3)
    assert (row.table, outcomes(row)) == ({"Color": ("Red",)}, {"Sky blue": Outcome.UNKNOWN, "Red": Outcome.FILLED})


def test_what_does_not_reach_the_limit_is_told_and_neither_filled_in_nor_compared() -> None:
    row = filled(product(), read(Color={"red": 0.6}), RED, min_confidence=0.7)
    assert row.table == {}
    assert list(row.entries[0].to_json().values())[1:7] == ["Color", "below", [], "Red", True, 0.6]
    agreeing = filled(RED, read(1, Color={"blue": 0.9, "red": 0.6}), min_confidence=0.7)
    assert outcomes(agreeing) == {"blue": Outcome.DIFFERS, "Red": Outcome.BELOW}
    several = filled(product(), read(Color={"blue": 0.9, "red": 0.6}), RED, min_confidence=0.7)
    assert (several.table, outcomes(several)["Red"]) == ({"Color": ("blue",)}, Outcome.BELOW)


def test_every_attribute_has_the_limit_of_its_cut_off_and_without_one_nothing_is_filled() -> None:
    held = [("Color", 0.9, True)] * 200 + [("Fit", 0.9, True)] * 100
    cutoffs = HeldOut.of(held).cutoffs(0.98)  # Fit cannot reach it, of Care nothing was held out
    row = filled(product(), read(Color={"red": 0.9}, Fit={"slim": 1.0}, Care={"wash": 1.0}), cutoffs=cutoffs)
    assert row.table == {"Color": ("red",)}
    assert outcomes(row) == {"red": Outcome.FILLED, "slim": Outcome.BELOW, "wash": Outcome.BELOW}
    assert filled(product(), read(Color={"red": 0.89}), cutoffs=cutoffs).table == {}


@pytest.mark.parametrize("side", ["product", "reading"])
def test_a_row_with_an_error_keeps_what_it_has(side: str) -> None:
    found = read(Fit={"slim": 0.9})
    if side == "product":
        row = filled(Product("0", {}, table={"Color": ("Red",)}, error="broken"), found)
    else:
        row = filled(product(Color=("Red",)), Prediction("0", found.values, error="broken"))
    assert row == FilledRow("0", {"Color": ("Red",)}, (), "broken")


def test_finds_of_other_products_are_refused() -> None:
    with pytest.raises(DataError, match="row 1: expected finds for the products of the table"):
        filled(product(), read(7))


def test_a_product_is_filled_with_few_moves_between_the_folders_of_the_code() -> None:
    spec = spec_from_file_location("benchmarks_moves", Path(__file__).parents[2] / "benchmarks" / "moves.py")
    assert spec is not None
    assert spec.loader is not None
    moves = module_from_spec(spec)
    spec.loader.exec_module(moves)
    finds = read(**{f"A{i}": {"red": 0.9, "blue": 0.8} for i in range(6)})
    normalizer = ValueNormalizer.fit([product(1, **{f"A{i}": ("Red",) for i in range(6)})])
    own = product(**{f"A{i}": ("Red",) for i in range(3)})

    def fill() -> None:
        normalizer.refine([own], [finds])
        list(fill_table([own], [finds], normalizer))

    assert 0 < moves.folder_moves(fill).total() < 40  # one call of the normaliser for each find, and little else


def test_the_same_words_found_twice_count_once_as_the_surest() -> None:
    twice = Prediction("0", (*read(Color={"red": 0.6}).values, *read(Color={"red": 0.9}).values))
    (entry,) = filled(product(), twice, RED).entries
    assert entry.found.confidence == 0.9


def test_a_value_that_the_text_does_not_say_fills_a_cell_and_has_no_place() -> None:
    found = Prediction("0", (Value("Color", "RED", 0.9, decided_by="photo"),))
    row = filled(product(), found, RED)
    assert row.table == {"Color": ("Red",)}
    change = ["0", "Color", "filled", [], "Red", True, 0.9]
    assert list(row.entries[0].to_json().values()) == [*change, *[None] * 4, "photo"]


def test_a_find_says_whether_the_cell_has_it_below_the_limit_too() -> None:
    row = filled(RED, read(1, Color={"blue": 0.9, "RED": 0.6}), min_confidence=0.7)
    assert {entry.value: entry.in_cell for entry in row.entries} == {"blue": False, "Red": True}
