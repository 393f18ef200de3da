"""How many values a tagger can answer at all: those that end where units end, and are given back letter by letter.

python paper/recipes/outside/reachable.py wdc-pave --data DIR
python paper/recipes/outside/reachable.py wdc-pave --data DIR --set text.split_words=false
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from prepare import labelled, read_rows

from attrex.config import Config
from attrex.encoding.encoder import EncodedProduct, ProductEncoder
from attrex.inference.assembly import spans_from_units
from attrex.inference.checkpoint import load_tokenizer
from attrex.io.readers import read_products
from attrex.model.text_encoder import resolve_text_model
from attrex.shop.schema import Schema
from attrex.types import Product, Span


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("oa-mine", "wdc-pave"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    rows = read_rows(options.data / options.name / "train.jsonl")
    config = Config.load("small", options.set).fitted(len(rows))
    encoder = ProductEncoder(load_tokenizer(resolve_text_model(config.text.model)), config, Schema(()))
    filled, found = count_reachable(rows, encoder)
    print(f"{options.name}: {found:,} of {filled:,} cells with a value can be answered right ({found / filled:.2%})")


def count_reachable(rows: list[dict[str, Any]], encoder: ProductEncoder) -> tuple[int, int]:
    """How many cells have a value, and of how many a tagger that makes no mistake would give one of them."""
    filled = found = 0
    for row, product in zip(rows, read_products(list(labelled(rows))), strict=True):
        encoded = encoder.encode(product)
        answers: dict[str, set[str]] = {}
        for span in product.spans or ():
            answers.setdefault(span.attribute, set()).update(_answers(span, product, encoded))
        for attribute, values in row["attributes"].items():
            filled += bool(values)
            found += any(value.strip() in answers.get(attribute, ()) for value in values)
    return filled, found


def _answers(span: Span, product: Product, encoded: EncodedProduct) -> set[str]:
    """What is given back for the units that a span touches."""
    field = encoded.fields.index(span.field)
    units = [
        unit
        for window in encoded.windows
        for unit in window.units
        if unit.field == field and unit.start < span.end and unit.end > span.start
    ]
    return {s.text for s in spans_from_units(span.attribute, units, product, encoded.fields)} if units else set()


if __name__ == "__main__":
    main()
