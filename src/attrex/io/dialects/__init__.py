"""Exports of shop platforms, read as the platform means them: one file per platform, each a :class:`Dialect`."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.io.dialects.akeneo import Akeneo
from attrex.io.dialects.amazon_berkeley import AmazonBerkeley
from attrex.io.dialects.bmecat import BMEcat
from attrex.io.dialects.dialect import Dialect, Edit, Item, NoPlace, Sample, first_object, name_key
from attrex.io.dialects.google import GoogleTsv, GoogleXml
from attrex.io.dialects.icecat import IcecatJson, IcecatXml
from attrex.io.dialects.json_ld import JsonLd
from attrex.io.dialects.magento import MagentoCsv
from attrex.io.dialects.open_food_facts import OpenFoodFacts
from attrex.io.dialects.plain import PlainTable
from attrex.io.dialects.prestashop import PrestaShopCsv
from attrex.io.dialects.shopify import ShopifyCsv, ShopifyJson
from attrex.io.dialects.woocommerce import WooCommerceCsv, WooCommerceJson
from attrex.io.files import distinct_names, table_columns
from attrex.io.packed import open_binary
from attrex.io.rows import RawRecord
from attrex.shop.shop import DEFAULT_SHOP, Shop

__all__ = ["DIALECTS", "Dialect", "Edit", "Item", "NoPlace", "Sample", "dialect_records", "open_dialect"]

DIALECTS: tuple[type[Dialect], ...] = (
    ShopifyCsv,
    ShopifyJson,
    WooCommerceCsv,
    WooCommerceJson,
    MagentoCsv,
    PrestaShopCsv,
    GoogleTsv,
    GoogleXml,
    Akeneo,
    OpenFoodFacts,
    AmazonBerkeley,
    IcecatXml,
    IcecatJson,
    BMEcat,
    JsonLd,
    PlainTable,
)
"""All dialects; the first one that recognises a file reads it."""
NONE = "none"
"""In place of a dialect's name: read by the shop's columns alone."""
_START = 65_536


def open_dialect(path: Path, name: str | None = None) -> Dialect | None:
    """The dialect that a file is in; None where it is in none. ``name``: read it as this one.

    Raises :class:`ConfigError` for a name that no dialect has.
    """
    if name == NONE:
        return None
    if name is not None:
        kind = next((d for d in DIALECTS if d.name == name), None)
        if kind is None:
            known = [*(d.name for d in DIALECTS), NONE]
            raise ConfigError(f"dialect should be one of {', '.join(known)}, not {name!r}{did_you_mean(name, known)}")
        return kind(sample_of(path))
    sample = sample_of(path)
    found = next((d for d in DIALECTS if d.recognises(sample)), None)
    return None if found is None else found(sample)


def sample_of(path: Path) -> Sample:
    """How a file begins; one that cannot be read begins with nothing, and its reader says why."""
    try:
        columns = table_columns(path)
        if columns is not None:
            repeated = tuple(name for name, times in Counter(columns).items() if name and times > 1)
            return Sample(path, tuple(distinct_names(columns)), repeated)
        with open_binary(path) as file:
            text = file.read(_START).decode("utf-8-sig", errors="replace")
    except (DataError, OSError, EOFError, ValueError, zlib.error):
        return Sample(path)
    return Sample(path, text=text, first=first_object(text))


def dialect_records(dialect: Dialect, shop: Shop = DEFAULT_SHOP) -> Iterator[RawRecord]:
    """The products of an export as rows in the form that Attrex writes itself.

    An attribute that the shop knows in another spelling (``shoe_size`` for `Shoe size`) goes by the shop's.
    """
    known = {name_key(name): name for name in (*shop.cells.columns, *shop.schema.names)}
    spelt = {*shop.cells.columns, *shop.schema.names}
    for item in dialect.items():
        row = item.to_record()
        if known and row.values is not None:
            cells = row.values["attributes"].items()
            names = {n: n if n in spelt else known.get(name_key(n), n) for n, _ in cells}
            row = replace(row, values={**row.values, "attributes": {names[n]: content for n, content in cells}})
        yield row
