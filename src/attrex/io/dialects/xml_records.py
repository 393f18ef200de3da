"""XML exports as rows: one per product, and what stands before and between them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from attrex.errors import DataError
from attrex.io.packed import open_binary
from attrex.io.rows import RawRecord
from attrex.io.xml_stream import Element, XmlError, elements


def element_rows(
    path: Path, products: Collection[str], others: Collection[str] = ()
) -> Iterator[tuple[RawRecord, Element | None]]:
    """The elements of a file that are products, numbered from 1, and other ones that are asked for, with number 0.

    Where the file is damaged a marked row without an element ends them. Raises :class:`DataError` where it holds no
    product before.
    """
    number = 0
    try:
        with open_binary(path) as file:
            for element in elements(file, {*products, *others}):
                is_product = element.name in products
                number += is_product
                where = f"{path.name} {element.name} {number}" if is_product else path.name
                yield RawRecord(where, number if is_product else 0), element
    except (XmlError, OSError, EOFError, zlib.error) as exc:
        if not number:
            raise DataError(f"{path}: {exc}") from exc
        error = f"expected more products, got: {exc}; the file is damaged here and cannot be read further"
        yield RawRecord(f"{path.name} after {number} products", number + 1, error=error, damaged=True), None
        return
    if not number:
        raise DataError(f"{path}: expected products ({', '.join(products)}), got none; check which file it is")
