"""The drawn catalogue: a shop of the project's own, with photos, texts, gold spans and traps, of any size.

Facts are drawn first (:mod:`facts`), then told (:mod:`texts`, in :mod:`english` or :mod:`chinese`) and pictured
(:mod:`drawing` on a :mod:`sketch`).
"""

from __future__ import annotations

from attrex.demo.catalogue.catalogue import (
    LANGUAGES,
    TRAPS,
    DrawnProduct,
    draw_catalogue,
    schema_names,
    shop_view,
    write_catalogue,
)
from attrex.demo.catalogue.vocabulary import COLORS

__all__ = [
    "COLORS",
    "LANGUAGES",
    "TRAPS",
    "DrawnProduct",
    "draw_catalogue",
    "schema_names",
    "shop_view",
    "write_catalogue",
]
