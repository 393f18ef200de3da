"""What extraction holds in memory: one product, streams of more and more, and texts of thousands of words.

    python benchmarks/memory.py MODEL --data test.jsonl --out benchmarks/memory.json

Each row in a process of its own. Streams repeat the data's products, read from their file as `attrex extract` reads
them; a long text is other products' texts, one after the other, until it has so many words.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_json
from attrex.io.readers import read_products
from attrex.tools.benchmark import in_own_process, machine
from attrex.tools.memory import peak_mb
from attrex.types import Product

ROWS = ((1, None), (256, None), (1_024, None), (4_096, None), (1, 4_000), (16, 4_000), (64, 4_000))
"""How many products, of how many words each; None: as they are."""


def main() -> None:
    options = _parse()
    console = Console(stderr=True)
    rows = []
    for products, words in ROWS:
        console.print(f"{products:,} products, {f'{words:,} words each' if words else 'as they are'}")
        rows.append(in_own_process(_extraction, options.model, options.data, products, words, options.photos))
    write_json(options.out, {"machine": machine(), "photos": options.photos, "rows": rows})
    Console().print(_table(rows))
    print(f"figures: {options.out}")


def _extraction(source: str, data: str, products: int, words: int | None, photos: bool) -> dict[str, Any]:
    extractor = Extractor.load(source)
    loaded = peak_mb()
    stream = chain.from_iterable(read_products(data) for _ in repeat(None))
    started, values = time.perf_counter(), 0
    for prediction in extractor.extract(islice(_long(stream, words) if words else stream, products), photos=photos):
        values += len(prediction.values)
    return {
        "products": products,
        "words": words,
        "windows": extractor.count.rows,
        "values": values,
        "loaded MB": round(loaded),
        "peak MB": round(peak_mb()),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _long(products: Iterable[Product], words: int) -> Iterator[Product]:
    """Products with texts of at least ``words`` words: their own and those of the products after them."""
    texts: list[str] = []
    for product in products:
        texts += product.fields.values()
        if sum(len(text.split()) for text in texts) >= words:
            yield replace(product, fields={"text": "\n".join(texts)}, spans=None)
            texts = []


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="What extraction holds in memory", title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*("as they are" if v is None else f"{v:,}" for v in row.values()))
    return table


def _parse() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="directory of a trained model or an export")
    parser.add_argument("--data", required=True, help="products, e.g. test.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "memory.json")
    parser.add_argument("--photos", action="store_true", help="with photos (default: texts only)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
