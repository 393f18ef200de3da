"""Held-out products: by group, the same in any order, never empty."""

from __future__ import annotations

import random

import pytest

from attrex.errors import DataError
from attrex.io.splitting import split_by_group
from attrex.types import Product


def shop(count: int, groups: int | None = None) -> list[Product]:
    return [
        Product(str(i), {"title": f"shoe {i}"}, group=None if groups is None else f"g{i % groups}")
        for i in range(count)
    ]


def test_about_the_share_is_held_out() -> None:
    kept, held = split_by_group(shop(2000), 0.1)
    assert len(kept) + len(held) == 2000
    assert 150 < len(held) < 250


def test_a_group_stays_on_one_side() -> None:
    kept, held = split_by_group(shop(300, groups=60), 0.2)
    assert held
    assert not {p.group for p in kept} & {p.group for p in held}


def test_products_without_a_group_stay_together_by_their_text() -> None:
    twins = [Product(f"{i}{twin}", {"title": f"shoe {i}"}) for i in range(100) for twin in "ab"]
    kept, held = split_by_group(twins, 0.3)
    assert held
    assert not {p.id[:-1] for p in kept} & {p.id[:-1] for p in held}


def test_the_choice_does_not_depend_on_the_order_or_on_further_products() -> None:
    products = shop(400)
    held = {p.id for p in split_by_group(products, 0.1)[1]}
    shuffled = random.Random(1).sample(products, len(products))
    assert {p.id for p in split_by_group(shuffled, 0.1)[1]} == held
    assert held < {p.id for p in split_by_group(shop(800), 0.1)[1]}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_neither_side_is_empty_however_few_there_are(count: int, share: float) -> None:
    kept, held = split_by_group(shop(count), share)
    assert kept
    assert held


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"the 7 products are 1 group .*; give validation products of their own"):
        split_by_group(shop(7, groups=1), 0.1)
    with pytest.raises(DataError, match="the 0 products are 0 group"):
        split_by_group([], 0.1)
