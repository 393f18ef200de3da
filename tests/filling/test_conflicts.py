"""Filled cells that are probably wrong: which they are, and in which order."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attrex.filling.changes import write_conflicts
from attrex.filling.conflicts import CONFLICT_COLUMNS, Conflict, conflicts_of, most_probable_first
from attrex.filling.fill import fill_table
from attrex.types import Prediction, Product, RegionWeights, Span, Value
from attrex.vocabulary.normalizer import ValueNormalizer

KNOWN = [Product(str(i), {}, table={"Color": (c,)}) for i, c in enumerate(("Red", "Blue", "Green"))]


def conflicts(cell: tuple[str, ...] | None, found: Mapping[str, float], **how: Any) -> list[Conflict]:
    """Of one product with this Color, in which these words were found with these confidences."""
    product = Product("1", {"text": "the text"}, table={} if cell is None else {"Color": cell})
    finds = tuple(Value.from_span(Span("Color", 0, len(w), w), c) for w, c in found.items())
    (row,) = fill_table([product], [Prediction("1", finds)], ValueNormalizer.fit(KNOWN), **how)
    return list(conflicts_of(row))


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (None, {"red": 0.9}),  # blank
        ((), {"red": 0.9}),  # it says that there is none
        (("Red",), {}),
        (("RED",), {"red": 0.9}),  # compared folded
        (("Red",), {"blue": 0.4}),  # below the limit
        (("Red",), {"blue": 0.9, "red": 0.6}),  # beside a find that agrees
        (("Red", "Blue"), {"blue": 0.9}),  # one of several values
        (("Red", "Blue"), {"blue": 0.9, "green": 0.95}),
    ],
)
def test_what_is_no_conflict(cell: tuple[str, ...] | None, found: dict[str, float]) -> None:
    assert conflicts(cell, found) == []


def test_a_conflict_has_the_surest_find_in_the_shops_words() -> None:
    (one,) = conflicts(("Red",), {"green": 0.7, "blue": 0.9})
    assert (one.product, one.attribute, one.cell, one.value) == ("1", "Color", ("Red",), "Blue")
    assert (one.found.confidence, one.own, one.margin) == (0.9, 0.0, 0.9)
    assert one.found.source == Span("Color", 0, 4, "blue")
    (several,) = conflicts(("Red", "Blue"), {"green": 0.7})
    assert (several.cell, several.value) == (("Red", "Blue"), "Green")


def test_a_cell_whose_own_value_was_found_too_but_less_surely_is_less_probably_wrong() -> None:
    (one,) = conflicts(("Red", "Green"), {"blue": 0.9, "RED": 0.2, "green": 0.3})
    assert one.own == 0.3
    assert one.margin == pytest.approx(0.6)
    (above,) = conflicts(("Red",), {"blue": 0.9, "red": 0.6}, min_confidence=0.7)
    assert above.own == 0.6


def test_regions_are_not_kept() -> None:
    found = Value("Color", "Blue", 0.9, regions=(RegionWeights(0, ((1.0,),)),), decided_by="photo")
    product = Product("1", {}, table={"Color": ("Red",)})
    (row,) = fill_table([product], [Prediction("1", (found,))], ValueNormalizer.fit(KNOWN))
    (one,) = conflicts_of(row)
    assert (one.found.regions, one.found.decided_by) == ((), "photo")


def conflict(number: int, confidence: float, own: float = 0.0, cell: str = "Red", value: str = "Blue") -> Conflict:
    return Conflict(str(number), "Color", (cell,), value, Value("Color", value, confidence, decided_by="photo"), own)


def test_the_most_probably_wrong_come_first_with_how_many_say_the_same() -> None:
    given = [
        conflict(0, 0.6),
        conflict(1, 0.9, own=0.4),
        conflict(2, 0.8),
        conflict(3, 0.8, cell="Green"),
        conflict(4, 0.7, value="Navy"),
    ]
    listed = most_probable_first(iter(given))
    assert [(c.product, c.others) for c in listed] == [("2", 2), ("3", 0), ("4", 0), ("0", 2), ("1", 2)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_conflicts_are_rows_of_a_file(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"conflicts.{suffix}"
    said = Value.from_span(Span("Color", 0, 4, "blue", "title"), 0.87654)
    write_conflicts(out, [Conflict("1", "Color", ("Red", "Green"), "Blue", said, 0.12345, 3), conflict(2, 0.5)])
    if suffix == "jsonl":
        first, second = map(json.loads, out.read_text().splitlines())
        assert tuple(first) == CONFLICT_COLUMNS
        assert [*first.values()] == [
            *("1", "Color", ["Red", "Green"], "Blue", 0.8765, 0.1235, 3),
            *("blue", "title", 0, 4, None),
        ]
        assert [*second.values()][3:] == ["Blue", 0.5, 0.0, 0, None, None, None, None, "photo"]
        return
    with out.open(newline="") as file:
        header, first, second = csv.reader(file)
    assert tuple(header) == CONFLICT_COLUMNS
    assert first == ["1", "Color", "Red; Green", "Blue", "0.8765", "0.1235", "3", "blue", "title", "0", "4", ""]
    assert second[4:] == ["0.5", "0.0", "0", "", "", "", "", "photo"]
