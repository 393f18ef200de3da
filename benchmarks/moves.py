"""How often the way of one product through the code changes the folder, traced while it runs.

    python benchmarks/moves.py demo/data/train.jsonl demo/export.csv demo/work/values.jsonl

A move is a call, or a return from one, that goes on in another folder of `src/attrex`. Traced is `fill`: the product's
cells and finds are learned from, and its table is filled.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import attrex
from attrex.filling.fill import fill_table
from attrex.io.predictions import read_predictions
from attrex.io.readers import read_products
from attrex.vocabulary.normalizer import ValueNormalizer

ROOT = Path(attrex.__file__).parent


def folder_moves(call: Callable[[], Any]) -> Counter[tuple[str, str]]:
    """(folder, next folder) of every move while ``call`` runs, with how often it is made."""
    moves: Counter[tuple[str, str]] = Counter()
    here = ""

    def trace(frame: FrameType, event: str, _: Any) -> None:
        nonlocal here
        at = frame.f_back if event == "return" else frame
        if at is None or not event.startswith(("call", "return")):
            return
        path = Path(at.f_code.co_filename)
        if ROOT in path.parents:
            folder = path.relative_to(ROOT).parts[0]
            if here and folder != here:
                moves[here, folder] += 1
            here = folder

    sys.setprofile(trace)
    try:
        call()
    finally:
        sys.setprofile(None)
    return moves


def main() -> None:
    known, table, found = map(Path, sys.argv[1:4])
    products, predictions = list(read_products(table)), list(read_predictions(found))
    normalizer = ValueNormalizer.fit(read_products(known))
    normalizer.refine(products[1:], predictions[1:])

    def fill() -> None:
        normalizer.refine(products[:1], predictions[:1])
        list(fill_table(products[:1], predictions[:1], normalizer))

    moves = folder_moves(fill)
    print(f"{moves.total()} moves between folders, {len(predictions[0].values)} finds")
    for (here, there), n in moves.most_common():
        print(f"{n:6} {here} -> {there}")


if __name__ == "__main__":
    main()
