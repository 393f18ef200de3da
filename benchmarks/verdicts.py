"""Does a model learn from a review? Verdicts on cells that were hidden from it, simulated from what the cells had.

    python benchmarks/verdicts.py DIR/train.jsonl DIR/test.jsonl --out out

Of some products most cells of four attributes are hidden, so that the model has little to learn them from. It is
trained, reads the same products, and what `attrex review add` makes of that goes into a store. A reviewer claims cells
in the store's order and decides each as the hidden cell says: accept, or correct; a cell that the shop had not filled
either is `unsure`, which says nothing and does not count. The model is trained anew with these verdicts, everything
else as before, and both take the table test of the same attributes on other products. Texts alone, a few hundred
products and a few epochs: what is compared is the same training with and without the verdicts.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import attrex
from attrex.pipeline import evaluate_table, review_add, review_export
from attrex.review.cells import ReviewCell, Verdict
from attrex.review.store import ReviewStore

ATTRIBUTES = ("Pattern", "Sleeve Length", "Neckline", "Fit")
SETTINGS = ("image.model=null", "fusion.kind=none", "training.batch_size=8")  # more steps of few products
Row = dict[str, Any]
Truth = Mapping[tuple[str, str], Sequence[str]]
"""(product, attribute) -> what the hidden cell has."""


def rows_of(path: Path, draw: Random, limit: int) -> list[Row]:
    """Products as the shop has them, without labels."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    kept = ("id", "title", "text", "category", "group", "attributes")
    return [{name: row.get(name) for name in kept} for row in draw.sample(rows, min(limit, len(rows)))]


def hidden(rows: Sequence[Row], share: float, draw: Random) -> tuple[list[Row], Truth]:
    """The same products without a share of their cells, and what these had."""
    left, truth = [], {}
    for row in rows:
        taken = [a for a in ATTRIBUTES if row["attributes"].get(a) and draw.random() < share]
        truth |= {(row["id"], a): row["attributes"][a] for a in taken}
        left.append({**row, "attributes": {a: v for a, v in row["attributes"].items() if a not in taken}})
    return left, truth


def review(store: ReviewStore, truth: Truth, verdicts: int) -> dict[str, int]:
    """So many verdicts, of each attribute in its turn; returns how often each was given."""
    given: dict[str, int] = {}
    for attribute in ATTRIBUTES:
        told = 0
        while told < verdicts // len(ATTRIBUTES) and (cells := store.claim("simulated", attribute=attribute)):
            verdict, values = said(cells[0], truth)
            store.decide(cells[0].id, "simulated", verdict, values)
            given[verdict] = given.get(verdict, 0) + 1
            told += verdict != Verdict.UNSURE
    return given


def said(cell: ReviewCell, truth: Truth) -> tuple[Verdict, Sequence[str]]:
    """What somebody who knows the hidden cell says of a proposal."""
    values = truth.get((cell.proposed.product, cell.proposed.attribute))
    if values is None:
        return Verdict.UNSURE, ()
    return (Verdict.ACCEPT, ()) if set(values) == set(cell.proposed.proposal) else (Verdict.CORRECT, values)


def trained(path: Path, directory: Path, epochs: int, seed: int, verdicts: Path | None = None) -> Path:
    settings = [*SETTINGS, f"training.epochs={epochs}", f"training.seed={seed}"]
    attrex.train(path, directory=directory, settings=settings, verdicts=verdicts, trackers=())
    return directory


def right(model: Path, test: Path) -> dict[str, float]:
    """Share of the cells that are found again: of all four attributes, and of each."""
    found = evaluate_table(model, test, attributes=ATTRIBUTES, photos=False, bootstrap=0)
    (scores,) = found.readings.values()
    of_each = {a: s.shares["accuracy"].value or 0.0 for a, s in scores.per_attribute.items()}
    return {"all": scores.overall.shares["accuracy"].value or 0.0, **of_each}


def one_seed(arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    draw, out = Random(seed), arguments.out / f"seed-{seed}"
    out.mkdir(parents=True)
    rows, truth = hidden(rows_of(arguments.train, draw, arguments.products), arguments.hide, draw)
    files = {"train": rows, "test": rows_of(arguments.test, draw, arguments.test_products)}
    paths = {name: out / f"{name}.jsonl" for name in files}
    for name, content in files.items():
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    before = trained(paths["train"], out / "before", arguments.epochs, seed)
    attrex.extract(before, paths["train"], out / "values.jsonl", photos=False)
    with ReviewStore(out / "review.db", draw=Random(seed).random) as store:
        review_add(store, paths["train"], out / "values.jsonl", model=before)
        given = review(store, truth, arguments.verdicts)
        review_export(store, out / "verdicts.jsonl")
    after = trained(paths["train"], out / "after", arguments.epochs, seed, out / "verdicts.jsonl")
    known = sum(bool(row["attributes"].get(a)) for row in rows for a in ATTRIBUTES)
    return {
        "seed": seed,
        "cells left": known,
        "verdicts": given,
        "before": right(before, paths["test"]),
        "after": right(after, paths["test"]),
    }


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Before and after, by attribute: means, and the differences of each seed."""
    lines = ["| | without verdicts | with them | difference of each seed |", "|---|---|---|---|"]
    for name in ("all", *ATTRIBUTES):
        pairs = [(r["before"][name], r["after"][name]) for r in results]
        differences = ", ".join(f"{100 * (after - before):+.1f}" for before, after in pairs)
        before, after = (mean(column) for column in zip(*pairs, strict=True))
        lines.append(f"| {name} | {before:.3f} | {after:.3f} | {differences} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="products with their table, .jsonl")
    parser.add_argument("test", type=Path, help="others of the same shop, of other groups")
    parser.add_argument("--out", type=Path, required=True, help="a new directory: models, stores, results.json")
    parser.add_argument("--products", type=int, default=400, help="to train on")
    parser.add_argument("--test-products", type=int, default=300)
    parser.add_argument("--verdicts", type=int, default=200)
    parser.add_argument("--hide", type=float, default=0.9, help="share of the four attributes' cells")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    arguments.out.mkdir(parents=True)
    results = []
    for seed in range(arguments.seeds):
        started = time.process_time()
        results.append(one_seed(arguments, seed))
        results[-1]["processor seconds"] = round(time.process_time() - started)
        (arguments.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        print(json.dumps(results[-1]), flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
