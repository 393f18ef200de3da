"""Hold products out without leaking: what shares a text or a photo stays on one side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from attrex.types import Product


def split_by_group(products: Sequence[Product], share: float) -> tuple[list[Product], list[Product]]:
    """(kept, held out): about ``share`` of the products is held out, by ``group``, or by text where there is none.

    The choice depends on a hash of the group, so it is the same for any order and when products are added.
    """
    kept: list[Product] = []
    held: list[Product] = []
    for product in products:
        key = product.group if product.group is not None else "\n".join(product.fields.values())
        place = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), "big") / 2**64
        (held if place < share else kept).append(product)
    return kept, held
