"""XML exports as rows: one per product, and what stands before and between them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from attrex.errors import DataError
from attrex.io.atomic import atomic_path
from attrex.io.dialects.dialect import Edit
from attrex.io.packed import open_binary
from attrex.io.rows import RawRecord
from attrex.io.xml_stream import Element, XmlEdit, XmlError, edited, elements, xml_encoding


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
        yield RawRecord(f"{path.name} after {number} products", number + 1, error=error), None
        return
    if not number:
        raise DataError(f"{path}: expected products ({', '.join(products)}), got none; check which file it is")


def write_edits(path: Path, out: Path, edits: Iterable[Edit]) -> None:
    """Copy an XML file with values in its blank places, every other byte as it is; packed where ``out`` ends in .gz.

    :param edits: as :meth:`Dialect.place` gives them for a file in XML: their key is (tag, first byte, byte behind the
        last), and for an element that is put in, its number among those at this place.
    """
    places = [XmlEdit(str(tag), int(start), int(end), str(e.value)) for e in edits for tag, start, end, *_ in (e.key,)]
    with open_binary(path) as file, atomic_path(out) as part, part.open("wb") as raw:
        encoding = xml_encoding(file)
        packed = gzip.GzipFile(out.name, "wb", fileobj=raw) if out.suffix.lower() == ".gz" else raw
        with packed:
            for chunk in edited(file, places, encoding):
                packed.write(chunk)
