"""The library's functions where a command does not reach them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import attrex
from attrex.demo.catalogue import write_catalogue
from attrex.errors import DataError
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.types import Prediction, Span, Value


def test_mine_is_known_by_its_text(tmp_path: Path):
    data = write_catalogue(tmp_path, train=12, valid=1, test=1, images=False)
    word = "".join(["mi", "ne"])  # a string of its own, as one from a file or a form is
    labelled = attrex.locate(data / "catalog.jsonl", shop=data / "shop.yaml", lexicon=word)
    assert labelled.lexicon.attributes
    assert any(p.spans for p in labelled)


@pytest.mark.parametrize(("columns", "refused"), [({}, True), ({"attributes": ("Color", "Material")}, False)])
def test_filled_cells_in_columns_that_nobody_mapped_are_not_taken_for_blank(
    tmp_path: Path, columns: dict[str, Any], refused: bool
) -> None:
    table = tmp_path / "shop.csv"
    table.write_text("id,title,description,Color,Material\n1,Cap,A blue cap of wool,Navy,\n2,Scarf,A red scarf,,Silk\n")
    blue, wool = Span("Color", 2, 6, "blue", "description"), Span("Material", 14, 18, "wool", "description")
    red = Span("Color", 2, 5, "red", "description")
    predictions = [
        Prediction("1", (Value.from_span(blue, 0.99), Value.from_span(wool, 0.99))),
        Prediction("2", (Value.from_span(red, 0.99),)),
    ]
    shop = Shop(columns=ColumnMapping(**columns))
    if refused:
        with pytest.raises(
            DataError, match=r"columns of attributes that the shop does not read, Color, Material: .*columns: "
        ):
            attrex.fill(table, predictions, tmp_path / "filled.csv", shop=shop)
        assert not (tmp_path / "filled.csv").exists()
    else:
        attrex.fill(table, predictions, tmp_path / "filled.csv", shop=shop)
        rows = (tmp_path / "filled.csv").read_text().splitlines()
        assert rows == ["id,Color,Material", "1,Navy,wool", "2,red,Silk"]
