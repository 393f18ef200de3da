"""Does a teacher's reading of products without labels help a model that has few labelled ones?

    python benchmarks/teacher.py MODEL --train TRAIN --unlabelled MORE --valid VALID --test TEST --out DIR --limit 5000

MODEL reads the first --limit products of MORE; TRAIN teaches one model alone and one with these finds (and with the
finds in TRAIN itself, by whose filled cells the teacher is weighed). Both are judged by the table test on TEST, and by
TAG-F1 on --gold, products labelled in full by hand. --train-limit takes only so many products of TRAIN. The same
settings (--set) and seed go to both. A killed run goes on where it was.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import attrex
from attrex.pipeline import labelled_by_hand


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the teacher's directory")
    for name in ("train", "unlabelled", "valid", "test"):
        parser.add_argument(f"--{name}", required=True, metavar="FILE")
    parser.add_argument("--gold", metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--train-limit", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    shop = attrex.Shop.load(asked.model)
    asked.out.mkdir(parents=True, exist_ok=True)

    def read(path: str, most: int | None = None) -> list[attrex.Product]:
        return list(islice(attrex.read_products(path, shop=shop), most))

    train, more = read(asked.train, asked.train_limit), read(asked.unlabelled, asked.limit)
    valid, test = read(asked.valid, asked.train_limit), read(asked.test, asked.limit)
    finds = asked.out / "finds.jsonl"
    attrex.extract(asked.model, [*train, *more], finds, threshold=0.1, evidence=False, resume=True)
    for name, taught in (("alone", {}), ("taught", {"teacher": [finds], "unlabelled": more})):
        settings = [f"training.seed={asked.seed}", *asked.set]
        model = attrex.train(
            train,
            valid,
            asked.out / name,
            shop=shop,
            settings=settings,
            resume=True,
            trackers=[],
            progress=tell,
            **taught,
        )
        print(f"{name}: validation TAG-F1 {model.metrics['validation']['tag']['f1']:.4f}")
        table = attrex.evaluate_table(asked.out / name, test, valid=valid)
        print(f"{name}: table test {table.to_json()}")
        if asked.gold:
            gold = labelled_by_hand(read(asked.gold))
            print(f"{name}: gold {attrex.evaluate(asked.out / name, gold, by_hand=True).to_json()['tag']}")


def tell(event: object) -> None:
    if message := getattr(event, "message", ""):
        print(message)


if __name__ == "__main__":
    main()
