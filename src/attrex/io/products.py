"""Products to JSONL, in the labelled row format that :func:`attrex.io.readers.read_products` reads back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrex.io.atomic import atomic_write
from attrex.types import ImageSource, Product


def product_to_row(product: Product, base: Path) -> dict[str, Any]:
    """The product in the labelled row format. Image paths below ``base`` are stored relative to it, others absolute."""
    row: dict[str, Any] = {"id": product.id}
    if tuple(product.fields) == ("text",) and product.error is None:
        row["text"] = product.fields["text"]
    else:
        row["fields"] = dict(product.fields)
    if product.images:
        row["images"] = [_stored_image(i, base.absolute()) for i in product.images]
    if product.category is not None:
        row["category"] = product.category
    row["attributes"] = {a: list(v) for a, v in product.table.items()}
    if product.spans is not None:
        row["spans"] = [s.to_json() for s in product.spans]
    row |= {"group": product.group} if product.group is not None else {}
    row |= {"complete": True} if product.complete else {}
    row |= {"warnings": list(product.warnings)} if product.warnings else {}
    row |= {"error": product.error} if product.error is not None else {}
    return row


def _stored_image(image: ImageSource, base: Path) -> str | dict[str, str]:
    if isinstance(image, bytes):
        return {"bytes": base64.b64encode(image).decode()}
    path = image.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line (packed where the name ends in .gz), and return how many.

    The file is replaced when all rows are written (:func:`~attrex.io.atomic.atomic_path`, whose errors it raises).
    """
    number = 0
    with atomic_write(Path(path)) as file:
        for number, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return number


def write_products(path: str | Path, products: Iterable[Product]) -> int:
    """Write products with :func:`write_rows` in the labelled row format, and return how many."""
    base = Path(path).parent
    return write_rows(path, (product_to_row(p, base) for p in products))
