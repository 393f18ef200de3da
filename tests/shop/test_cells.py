from __future__ import annotations

from typing import Any

import pytest

from attrex.errors import ConfigError, DataError
from attrex.io.readers import read_products
from attrex.labels.labeler import DistantLabeler
from attrex.labels.mining import mine
from attrex.quality import check_splits
from attrex.shop.cells import Cells, ColumnCounts
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.types import CellState
from attrex.vocabulary.normalizer import ValueNormalizer

MERGING = Cells(absent=("none",), blank=("NA",), columns={"Neck": "Neckline", "Collar": "Neckline"})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Red", ("Red",)),
        (" Red ", ("Red",)),
        (38, ("38",)),
        (["Red", "Blue", "Red"], ("Red", "Blue")),
        (["Red", None, "n/a"], ("Red",)),
        ("Red / Blue", ("Red", "Blue")),
        ("N/A", None),
        ("NOT  available", None),
        ("unknown", None),
        ("  ", None),
        (None, None),
        (float("nan"), None),
        (["unknown", "-"], None),
        ([], ()),
        ("No", ()),
        (["no", "n/a"], ()),
        (["no", "Red"], ("Red",)),
        ("no / Red", ("Red",)),
    ],
)
def test_a_cell_is_blank_absent_or_has_values(cell: Any, expected: tuple[str, ...] | None) -> None:
    assert Cells(absent=("no",), separator="/").read(cell) == expected


def test_a_marker_for_absent_goes_before_the_blank_ones() -> None:
    assert Cells(absent=("Not applicable",)).read("not applicable") == ()


def test_an_empty_cell_is_blank_whatever_the_markers() -> None:
    assert Cells(blank=()).read("") is None
    assert Cells(blank=()).read("n/a") == ("n/a",)


def test_what_holds_no_values_is_an_error() -> None:
    with pytest.raises(DataError, match=r"expected text, a number or a list of these, got an object \{'a': 1\}"):
        Cells().read({"a": 1})


@pytest.mark.parametrize(
    ("given", "message"),
    [({"other_columns": "loose"}, "other_columns should be keep or drop, not 'loose'"), ({"separator": ""}, "null")],
)
def test_a_choice_that_does_not_exist(given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Cells(**given)  # type: ignore[arg-type]


def test_columns_are_merged_and_a_filled_one_beats_an_absent_one() -> None:
    assert MERGING.merge({"Neck": (), "Collar": ("Polo",)}) == {"Neckline": ("Polo",)}
    assert MERGING.merge({"Neck": ("V",), "Collar": ("V", "Shirt")}) == {"Neckline": ("V", "Shirt")}
    assert MERGING.merge({"Neck": (), "SKU": ("7",)}) == {"Neckline": (), "SKU": ("7",)}


def test_merging_counts_what_became_of_the_columns() -> None:
    counts, drop = ColumnCounts(), Cells(columns=MERGING.columns, other_columns="drop")
    for table in ({"Neck": ("V",), "Collar": ("Shirt",), "SKU": ("7",)}, {"Neck": (), "Collar": ("V",)}):
        drop.merge(table, counts)
    assert counts == ColumnCounts(
        columns={"Neck": 2, "Collar": 2, "SKU": 1}, dropped={"SKU": 1}, merged={"Neckline": 1}
    )


@pytest.mark.parametrize("other", ["keep", "drop"])
def test_merging_twice_changes_nothing(other: str) -> None:
    cells = Cells(columns=MERGING.columns, other_columns=other)
    once = cells.merge({"Neck": ("V",), "Collar": ("Shirt",), "Color": ("Red",)})
    assert cells.merge(once) == once
    assert ("Color" in once) == (other == "keep")


SHOP = Shop(schema=Schema((Attribute("Material", ("Fabric", "Stuff")),)))


@pytest.mark.parametrize("word", ["unknown", "Not available", "-", "n/a", ""])
def test_a_marker_gives_the_same_answer_everywhere(word: str) -> None:
    rows = [{"id": "1", "text": "a cotton shirt", "attributes": {"Fabric": word}}]
    (product,) = read_products(rows, shop=SHOP)
    assert product.cell_state("Material") == CellState.BLANK
    located = DistantLabeler(SHOP).label(product)
    assert located.cell_state("Material") == CellState.BLANK
    assert mine([product], SHOP).attributes == {}
    assert ValueNormalizer.fit([product], shop=SHOP).attributes == ()
    assert check_splits({"train": [product]}).attributes == {}


def test_columns_of_one_attribute_are_merged_before_anybody_asks() -> None:
    rows = [{"id": "1", "text": "a cotton shirt", "attributes": {"Fabric": "Cotton", "Stuff": "Silk"}}]
    (product,) = read_products(rows, shop=SHOP)
    assert product.table == {"Material": ("Cotton", "Silk")}
    assert [(s.attribute, s.text) for s in DistantLabeler(SHOP).label(product).spans or ()] == [("Material", "cotton")]
    assert list(check_splits({"train": [product]}).attributes) == ["Material"]
    assert list(mine([product] * 5, SHOP).attributes) == ["Material"]


def test_what_was_written_is_read_with_the_same_shop(tmp_path: Any) -> None:
    from attrex.io.readers import write_products

    shop = Shop(cells=Cells(other_columns="drop"), schema=SHOP.schema)
    rows = [{"id": "1", "text": "a cotton shirt", "attributes": {"Fabric": "Cotton", "SKU": "7"}}]
    labeler = DistantLabeler(shop)
    located = [labeler.label(p) for p in read_products(rows, shop=shop)]
    write_products(tmp_path / "l.jsonl", located)
    assert list(read_products(tmp_path / "l.jsonl", shop=shop)) == located
    assert located[0].table == {"Material": ("Cotton",)}
