"""Is the photo used? Texts that name several colours, of which only the photo shows the product's own.

    python paper/recipes/ambiguous.py paper/recipes/configs/uls-dram.yaml --products 4000 --seed 0 --work runs

Trains one system on a drawn catalogue, three quarters of whose texts are such, with cut-down settings, and
writes the share of unseen ones whose colour is read right: with the product's own photo, without any, and with another
product's. A run in results/drawn.jsonl is not made again; an interrupted one resumes from its last checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from run import RESULTS, figures, finished_runs, run_name

from attrex.cli.console import progress
from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.demo.run import DEMO_AMBIGUOUS_SHARE, photo_use
from attrex.evaluation.evaluate import evaluate_extractor
from attrex.evaluation.runs import add_run
from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products
from attrex.training.train import train_model

UNSEEN = 400
SETTINGS = (
    "text.max_tokens=128",
    "text.split_words=false",
    "text.category=false",
    "decoder.direct=false",
    "image.size=64",  # colours and patterns are visible at 64 pixels, and a step takes half as long
    "training.scheme=partial",
    "training.text_layers=3",
    "training.image_trainable=true",
    "training.epochs=3",
    "training.evaluations=1",
    "training.fusion_learning_rate=5e-4",  # the photo is learned within a few hundred steps ...
    "training.image_learning_rate=1e-5",  # ... unless the image encoder silences its features before
)
"""Preset `small`, cut down: what all figures in results/drawn.jsonl were made with."""


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    name = options.config.stem
    table, run = options.results / "drawn.jsonl", run_name(name, str(options.products), options.seed)
    console = Console()
    if made := finished_runs(table).get(run):
        console.print(f"done already: {made.source}", soft_wrap=True)
        return
    config = Config.load(options.config, [*SETTINGS, f"training.seed={options.seed}", *options.set])
    data = options.work / f"drawn-{options.products}-seed{options.seed}"
    model = options.work / "drawn" / run
    if not (data / "test.jsonl").exists():
        write_catalogue(
            data,
            train=options.products,
            valid=max(12, options.products // 20),
            test=UNSEEN,
            seed=options.seed,
            image_size=96,
            ambiguous_share=DEMO_AMBIGUOUS_SHARE,
        )
    train_model(  # a finished training is not repeated, only checked to be of the same data and settings
        read_products(data / "train.jsonl"),
        read_products(data / "valid.jsonl"),
        model,
        config=config,
        resume=(model / "run.json").exists(),
        progress=progress,
        trackers=[],
    )
    extractor = Extractor.load(model)
    test = list(read_products(data / "test.jsonl"))
    result = evaluate_extractor(extractor, test)
    found: dict[str, Any] = {
        "name": name,
        "system": config.system_name,
        "training_products": options.products,
        "overrides": options.set,
        "seed": options.seed,
        "minutes": extractor.model.metrics["minutes"],
        "right_colour": photo_use(extractor, data / "test.jsonl", test, result.predictions),
        "test": figures(result),
    }
    add_run(table, run, found)
    console.print(found["right_colour"])
    console.print(f"{run}: {table}", soft_wrap=True)


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="configuration of the system, paper/recipes/configs/*.yaml")
    parser.add_argument("--products", type=int, default=4000, help="how many to draw and train on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where data and models go")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where drawn.jsonl is")
    parser.add_argument("--set", action="append", default=[], help="override a setting, as in attrex train")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
