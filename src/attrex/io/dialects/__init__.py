"""Exports of shop platforms, read as the platform means them: one file per platform, each a :class:`Dialect`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.io.dialects.akeneo import Akeneo
from attrex.io.dialects.amazon_berkeley import AmazonBerkeley
from attrex.io.dialects.bmecat import BMEcat
from attrex.io.dialects.dialect import Dialect, Edit, Item, NoPlace, Sample, first_object
from attrex.io.dialects.icecat import IcecatJson, IcecatXml
from attrex.io.dialects.json_ld import JsonLd
from attrex.io.dialects.open_food_facts import OpenFoodFacts
from attrex.io.dialects.woocommerce import WooCommerceCsv
from attrex.io.files import table_form
from attrex.io.packed import open_binary
from attrex.io.rows import RawRecord

__all__ = ["DIALECTS", "Dialect", "Edit", "Item", "NoPlace", "Sample", "dialect_records", "open_dialect"]

DIALECTS: tuple[type[Dialect], ...] = (
    WooCommerceCsv,
    Akeneo,
    OpenFoodFacts,
    AmazonBerkeley,
    IcecatXml,
    IcecatJson,
    BMEcat,
    JsonLd,
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
        form = table_form(path)
        if form is not None:
            return Sample(path, form.header)
        with open_binary(path) as file:
            text = file.read(_START).decode("utf-8-sig", errors="replace")
    except (DataError, OSError, EOFError, ValueError, zlib.error):
        return Sample(path)
    return Sample(path, text=text, first=first_object(text))


def dialect_records(dialect: Dialect) -> Iterator[RawRecord]:
    """The products of an export as rows in the form that Attrex writes itself."""
    return (item.to_record() for item in dialect.items())
