"""A catalogue as other shops' exports: the same products as CSV, as XLSX and in Shopify's template.

    python benchmarks/copies.py DIR/catalog.jsonl --out DIR --limit 2000
    attrex complete DIR/catalog.csv --photos PHOTOS --out DIR/filled.csv --minutes 10

The JSONL's rows have id, title, description, image, category and attributes. An attribute becomes a column of its name,
in Shopify's template a metafield; Brand and Type are Shopify's own columns Vendor and Type.
"""

from __future__ import annotations

import argparse
import csv
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path, help="JSONL")
    parser.add_argument("--out", type=Path, required=True, help="directory of the copies")
    parser.add_argument("--limit", type=int, help="only the first so many products")
    options = parser.parse_args(arguments)
    with options.catalogue.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in islice(stream, options.limit)]
    options.out.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row["attributes"]))
    stem = options.catalogue.stem
    _write_csv(options.out / f"{stem}.csv", plain(rows, names))
    _write_csv(options.out / f"{stem}-shopify.csv", shopify(rows, names))
    _write_xlsx(options.out / f"{stem}.xlsx", plain(rows, names))
    print(f"{len(rows):,} products, {len(names)} attributes: {options.out}")


def plain(rows: Sequence[Row], names: Sequence[str]) -> Iterator[list[str]]:
    """A row a product, a column an attribute."""
    texts = ("id", "title", "description", "image", "category")
    yield [*texts, *names]
    for row in rows:
        yield [*(row[t] for t in texts), *(row["attributes"].get(name, "") for name in names)]


def shopify(rows: Sequence[Row], names: Sequence[str]) -> Iterator[list[str]]:
    """Shopify's older template, with a metafield for each attribute but the brand."""
    others = [name for name in names if name != "Brand"]
    fields = [f"{n} (product.metafields.custom.{re.sub('[^a-z0-9]+', '_', n.lower())})" for n in others]
    first = ("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Published", "Option1 Name", "Option1 Value")
    yield [*first, "Variant SKU", "Image Src", *fields]
    for row in rows:
        handle = re.sub("[^a-z0-9]+", "-", f"{row['title']} {row['id']}".lower()).strip("-")
        body = "".join(f"<p>{html.escape(line)}</p>" for line in row["description"].splitlines())
        cells = row["attributes"]
        own = [handle, row["title"], body, cells.get("Brand", ""), row["category"], "true", "Title", "Default Title"]
        yield [*own, row["id"], row["image"], *(cells.get(name, "") for name in others)]


def _write_csv(path: Path, rows: Iterator[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _write_xlsx(path: Path, rows: Iterator[list[str]]) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Products")
    for row in rows:
        sheet.append(row)
    book.save(path)


if __name__ == "__main__":
    main()
