"""How good are labels that are located from a table? Each step of locating, against hand labels.

    python paper/recipes/labels.py --data DIR --shop examples/fashion/shop.yaml

DIR holds train.jsonl, from whose tables and texts a lexicon is mined, and gold_dev.jsonl with complete hand labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from run import CORE

from attrex.evaluation.metrics import score
from attrex.io.readers import read_products
from attrex.labels.labeler import DistantLabeler
from attrex.labels.mining import mine
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product, Value
from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon

BEFORE: dict[str, Any] = {
    "negations": (),
    "headings": False,
    "composition": (),
    "mined_forms": False,
    "whole_phrases": False,
    "titles": False,
    "blank_cells": False,
}
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the cells' own words", {}),
    ("nothing behind a not", {"negations": ("not",)}),
    ("headings", {"headings": True}),
    ("compositions", {"composition": ("Material", "Fabric")}),
    ("lexicon: headings, parts, known values", {}),
    ("lexicon: mined forms", {"mined_forms": True}),
    ("lexicon: whole phrases", {"whole_phrases": True}),
    ("titles", {"titles": True}),
    ("blank cells", {"blank_cells": True}),
    ("trust 0.7", {"trust": 0.7}),
    ("trust 0.6", {"trust": 0.6}),
)


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    shop = Shop.load(options.shop)
    shop = replace(shop, cells=replace(shop.cells, other_columns="keep"))
    lexicon = mine(read_products(options.data / "train.jsonl", shop=shop), shop)
    gold = list(read_products(options.data / "gold_dev.jsonl", shop=shop))
    print("| with | overlap P | R | F1 | exact P | R | F1 |")
    print("|---|---|---|---|---|---|---|")
    changes = dict(BEFORE)
    for name, change in STEPS:
        changes |= change
        used = lexicon if name.startswith("lexicon") or changes["mined_forms"] else NOTHING_MINED
        print(f"| {name} | {_scores(gold, replace(shop, labels=replace(shop.labels, **changes)), used)} |")


def _scores(gold: Sequence[Product], shop: Shop, lexicon: Lexicon) -> str:
    labeler = DistantLabeler(shop, lexicon)
    labeler.add_headings(attribute for product in gold for attribute in product.table)
    located = [labeler.label(replace(product, spans=None, complete=False)) for product in gold]
    found = score(gold, [_as_prediction(product) for product in located], attributes=CORE, bootstrap=0)
    return " | ".join(f"{x:.3f}" for s in (found.overlap, found.tag) for x in (s.precision, s.recall, s.f1))


def _as_prediction(product: Product) -> Prediction:
    return Prediction(product.id, tuple(map(Value.from_span, product.spans or ())))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shop", type=Path, required=True)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
