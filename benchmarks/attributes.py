"""What a product costs in a catalogue of the model's own attributes, of 2,000, 20,000 or 100,000.

    python benchmarks/attributes.py MODEL --data test.jsonl --out benchmarks/attributes.json

A trained model is widened: its attributes keep their weights, the added ones get a prototype, a row of the range
classifier and a bias that leaves them out, as a trained classifier does with attributes of other categories. So every
width finds the same values, and all that differs is what the width itself costs.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from attrex.encoding.dataset import Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.inference.checkpoint import load_model
from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_json
from attrex.io.readers import read_products
from attrex.model.build import build_system
from attrex.shop.schema import Attribute, Schema
from attrex.shop.shop import Shop
from attrex.tools.benchmark import in_own_process, machine
from attrex.tools.memory import peak_mb
from attrex.types import Product

WIDTHS = (2_000, 20_000, 100_000)
STEPS = 6
LEFT_OUT = -12.0  # the bias of an attribute that no product of this kind has


def main() -> None:
    options = _parse()
    products = [p for p in read_products(options.data, limit=options.limit) if p.error is None]
    console = Console(stderr=True)
    own = len(Shop.load(options.model).schema.names)
    widths = [own, *(width for width in options.widths if width > own)]
    runs: dict[int, list[dict[str, float]]] = {width: [] for width in widths}
    with TemporaryDirectory() as work:
        for width in widths:
            in_own_process(_widen, options.model, width, Path(work) / str(width))
        for number in range(options.rounds):
            for width in widths:
                console.print(f"round {number + 1} of {options.rounds}: {width:,} attributes")
                source = str(Path(work) / str(width))
                found = in_own_process(_extraction, source, products)
                runs[width].append(found | in_own_process(_training, source, products[: 16 * (STEPS + 1)]))
    rows = {
        width: {key: round(median(run[key] for run in found), 2) for key in found[0]} for width, found in runs.items()
    }
    write_json(options.out, {"machine": machine(), "products": len(products), "widths": rows})
    Console().print(_table(rows))
    print(f"figures: {options.out}")


def _widen(source: str, width: int, out: Path) -> None:
    model = load_model(source)
    own = model.schema.attributes
    schema = Schema((*own, *(Attribute(f"attribute {i}") for i in range(len(own), width))))
    network = build_system(model.config, schema, model.tokenizer, model.network.architecture())
    narrow, wide = model.network.state_dict(), network.state_dict()
    for name, tensor in wide.items():
        if tensor.shape == narrow[name].shape:
            tensor.copy_(narrow[name])
        else:
            tensor[: len(narrow[name])] = narrow[name]
            if name in ("classifier.output.bias", "value_range.output.bias"):
                tensor[len(narrow[name]) :] = LEFT_OUT
            elif name in ("classifier.output.weight", "value_range.output.weight"):
                tensor[len(narrow[name]) :] = 0
    network.load_state_dict(wide)
    replace(model, network=network, shop=replace(model.shop, schema=schema)).save(out)


def _extraction(source: str, products: list[Product]) -> dict[str, float]:
    extractor = Extractor.load(source)
    list(extractor.extract(products[:8], evidence=False))
    before = extractor.count.sequences
    started = time.perf_counter()
    values = sum(len(p.values) for p in extractor.extract(products, evidence=False))
    seconds = time.perf_counter() - started
    return {
        "ms per product": 1e3 * seconds / len(products),
        "sequences per product": (extractor.count.sequences - before) / len(products),
        "values": values,
        "extraction MB": peak_mb(),
    }


def _training(source: str, products: list[Product]) -> dict[str, float]:
    """A few steps of the default training, forward, backward and update."""
    model = load_model(source)
    encoder = ProductEncoder(model.tokenizer, model.config, model.schema)
    data = LabelledProducts(products, encoder, TargetEncoder(model.schema))
    extractor = Extractor(model)
    collator = Collator(encoder, extractor.loader)
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=1e-6)
    model.network.train()
    seconds = []
    for at in range(0, 16 * (STEPS + 1), 16):
        batch = collator([data[i] for i in range(at, at + 16)])
        started = time.perf_counter()
        model.network(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - started)
    return {"training ms per product": 1e3 * median(seconds[1:]) / 16, "training MB": peak_mb()}


def _table(rows: dict[int, dict[str, float]]) -> Table:
    table = Table("attributes", title="What the number of attributes costs", title_justify="left")
    for name in next(iter(rows.values())):
        table.add_column(name, justify="right")
    for width, row in rows.items():
        table.add_row(f"{width:,}", *(f"{value:,.1f}" for value in row.values()))
    return table


def _parse() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="directory of a trained model with a predicted range")
    parser.add_argument("--data", required=True, help="labelled products, e.g. test.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "attributes.json")
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="beside the model's own")
    return parser.parse_args()


if __name__ == "__main__":
    main()
