"""Splits of a data set: one chosen by name, or products held out without leaking (groups stay on one side)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from attrex.errors import DataError, did_you_mean
from attrex.types import Product

_T = TypeVar("_T")


def choose_split(available: Mapping[str, _T], split: str | None, where: str) -> _T:
    """The part called ``split`` (valid, val, validation and dev are one name), or the only part there is."""
    if split is None and len(available) == 1:
        return next(iter(available.values()))
    for name, part in available.items():
        if split is not None and _canonical(name) == _canonical(split):
            return part
    came = "none was named" if split is None else f"got {split!r}{did_you_mean(split, available)}"
    raise DataError(f"{where}: expected one of the splits {list(available)}, {came}; name one with split=")


def _canonical(name: str) -> str:
    return "valid" if name in ("val", "validation", "dev") else name


def split_by_group(products: Sequence[Product], share: float) -> tuple[list[Product], list[Product]]:
    """(kept, held out): about ``share`` (0..1) of the products, by ``group``, or by text where there is none.

    The choice depends on a hash of the group only, so it is the same in any order and for a larger catalogue.
    Neither side is empty. Raises :class:`DataError` where all products are one group.
    """
    places = [_place(product) for product in products]
    distinct = sorted(set(places))
    if len(distinct) < 2:
        raise DataError(
            f"cannot hold products out: the {len(products)} products are {len(distinct)} group (the same `group`, or "
            "the same text where they have none); give validation products of their own"
        )
    # Few products may all fall on one side of the share; then the outermost group changes sides.
    border = min(max(share, distinct[1]), distinct[-1])
    kept = [p for p, place in zip(products, places, strict=True) if place >= border]
    return kept, [p for p, place in zip(products, places, strict=True) if place < border]


def _place(product: Product) -> float:
    """Where a product's group is between 0 and 1, spread evenly."""
    key = product.group if product.group is not None else "\n".join(product.fields.values())
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), "big") / 2**64
