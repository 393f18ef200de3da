"""Train on an outside benchmark, answer its test rows, and score them by its authors' formula.

    python paper/recipes/outside/run.py oa-mine --data DIR --seeds 0 1 2
    python paper/recipes/outside/run.py wdc-pave --data DIR

DIR/NAME holds train.jsonl and test.jsonl (:mod:`prepare` says what is in them) and, where there are any, the stored
answers of others, OTHER.predictions.jsonl with rows {"id", "values": {attribute: value}}. Everything is written under
`--out`; a run that is there is not made again, and an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from prepare import asked, labelled, read_rows
from scoring import Answers, Counts, compare, count, interval

from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_json, write_text
from attrex.io.readers import read_products
from attrex.io.splitting import split_by_group
from attrex.model.decode import surest_pairs
from attrex.pipeline.training import HELD_OUT, train
from attrex.types import Prediction, Product

TEXT_ONLY = ("image.model=null", "fusion.kind=none")
TAGGED = ("values.head=false", "text.hidden_dropout=0.1")
"""The texts say all values that are asked for, so that the head, which chooses among known ones, is left out."""
LIMITS = tuple(x / 20 for x in range(13))
"""Confidences among which the least one of an answer is chosen, on validation products."""


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    data, out = options.data / options.name, options.out / options.name
    training, test = read_rows(data / "train.jsonl"), read_rows(data / "test.jsonl")
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "train.jsonl", "".join(json.dumps(row) + "\n" for row in labelled(training)))
    learned, held_out = split_by_group(list(read_products(out / "train.jsonl")), HELD_OUT)
    names = asked(training)
    products = list(read_products([{k: v for k, v in row.items() if k != "attributes"} for row in test]))
    runs = []
    for seed in options.seeds:
        directory = out / f"seed-{seed}"
        settings = [*TEXT_ONLY, *TAGGED, f"training.seed={seed}", *options.set]
        model = train(learned, held_out, directory, config=options.preset, settings=settings, resume=True)
        extractor = Extractor.load(directory)
        extractor.model.network.decode_pairs = surest_pairs  # one value per cell: where it most likely is
        known = {row["id"]: row for row in training}
        limit = choose_limit([known[p.id] for p in held_out], _extract(extractor, held_out, names))
        answers = one_value(_extract(extractor, products, names), limit)
        counts = count(test, answers)
        write_json(directory / "answers.json", answers)
        figures = {"seed": seed, "limit": limit, "minutes": model.metrics["minutes"], **_figures(counts)}
        runs.append((figures, counts))
        print(json.dumps(figures))
    others = {path.name.removesuffix(".predictions.jsonl"): path for path in sorted(data.glob("*.predictions.jsonl"))}
    compared = {}
    for name, path in others.items():
        theirs = count(test, read_answers(path))
        compared[name] = _figures(theirs) | {f"seed {f['seed']} less it": compare(c, theirs) for f, c in runs}
        print(name, json.dumps(compared[name]))
    micro, macro = (np.array([figures[kind]["f1"] for figures, _ in runs]) for kind in ("micro", "macro"))
    print(
        f"{options.name}, {len(runs)} seeds: micro F1 {micro.mean():.1f} ±{micro.std():.1f}, macro {macro.mean():.1f}"
    )
    write_json(out / "results.json", {"runs": [figures for figures, _ in runs], "others": compared})


def one_value(predictions: Iterable[Prediction], limit: float) -> dict[str, dict[str, str]]:
    """Product's id -> attribute -> its surest value that is at least ``limit`` sure, in the text's words."""
    answers: dict[str, dict[str, str]] = {}
    for prediction in predictions:
        surest = sorted(prediction.values, key=lambda value: value.confidence)
        answers[prediction.id] = {
            value.attribute: value.source.text if value.source else value.value
            for value in surest
            if value.confidence >= limit
        }
    return answers


def choose_limit(rows: Sequence[dict[str, Any]], predictions: Sequence[Prediction]) -> float:
    """The least confidence of an answer that gives the best micro and macro F1 together."""

    def both(limit: float) -> float:
        counts = count(rows, one_value(predictions, limit))
        return float(counts.micro()[2] + counts.macro()[2])

    return max(LIMITS, key=both)


def read_answers(path: Path) -> Answers:
    """The stored answers of another system."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["values"] for row in rows}


def _extract(extractor: Extractor, products: Sequence[Product], names: dict[str, set[str]]) -> list[Prediction]:
    """Every product is asked for the attributes of its category."""
    wanted = {p.id: names.get(p.category or "", set()) for p in products}
    return list(extractor.extract(products, evidence=False, attributes=wanted, min_confidence=0.0))


def _figures(counts: Counts) -> dict[str, Any]:
    found = {name: figures._asdict() for name, figures in counts.figures().items()}
    return {"counts": counts.total(), **found, "interval": interval(counts)}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("oa-mine", "wdc-pave"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--preset", default="small", help="what the training starts from")
    parser.add_argument("--out", type=Path, default=Path("runs/outside"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the training")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
