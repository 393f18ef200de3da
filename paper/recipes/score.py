"""Score what another tool has found as runs are scored, and add it to the runs on the same data.

    python paper/recipes/score.py --name crf --data DIR --test found.test.json --gold found.gold.json

A file of finds is a JSON list of [id, [[attribute, start, end], ...]], one entry per product of DIR/test.jsonl (of
DIR/gold_dev.jsonl) in its order, in characters of its only text.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from run import CORE, RESULTS, figures, run_name, table_path

from attrex.errors import DataError
from attrex.evaluation.evaluate import Evaluation
from attrex.evaluation.metrics import score
from attrex.evaluation.runs import add_run
from attrex.io.readers import read_products
from attrex.types import Prediction, Product, Span, Value


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    result: dict[str, Any] = {
        "name": options.name,
        "data": options.data.name,
        "training_products": options.products or sum(1 for _ in read_products(options.data / "train.jsonl")),
        "seed": options.seed,
    }
    test = list(read_products(options.data / "test.jsonl"))
    result["test"] = _scored(test, _read(options.test, test))
    if options.gold:
        gold = [replace(p, complete=True) for p in read_products(options.data / "gold_dev.jsonl")]
        result["gold"] = _scored(gold, _read(options.gold, gold), CORE)
    table, run = (
        table_path(options.results, options.data),
        run_name(options.name, str(options.products or "all"), options.seed),
    )
    add_run(table, run, result)
    print(f"{run}: {table}")


def _read(path: Path, products: Sequence[Product]) -> list[Prediction]:
    """The finds as predictions. Raises :class:`DataError` where they are of other products."""
    found = json.loads(path.read_text(encoding="utf-8"))
    ids = [str(row[0]) for row in found]
    if ids != [p.id for p in products]:
        raise DataError(f"{path}: expected finds for the same products in the same order as the data has them")
    return [
        Prediction(product.id, tuple(_value(product, *find) for find in finds))
        for product, (_, finds) in zip(products, found, strict=True)
    ]


def _value(product: Product, attribute: str, start: int, end: int) -> Value:
    ((field, text),) = product.fields.items()
    return Value.from_span(Span(attribute, start, end, text[start:end], field))


def _scored(
    products: list[Product], predictions: list[Prediction], attributes: Sequence[str] | None = None
) -> dict[str, Any]:
    scores = score(products, predictions, attributes=attributes)
    found = figures(Evaluation(scores, products, predictions, 0.0, 0.0), by_attribute=attributes is not None)
    return {key: value for key, value in found.items() if not key.endswith("_per_product")}  # not known of a tool


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the row")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True, help="finds in DIR/test.jsonl")
    parser.add_argument("--gold", type=Path, help="finds in DIR/gold_dev.jsonl")
    parser.add_argument("--products", type=int, help="how many products the tool was trained on, where not on all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the tables of runs are")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
