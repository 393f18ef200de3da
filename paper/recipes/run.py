"""Train and measure one row of a table, and keep the figures as a small JSON file.

    python paper/recipes/run.py paper/recipes/configs/uls-dram.yaml --data DIR --seed 0 --work runs

DIR holds train.jsonl, valid.jsonl, test.jsonl and, if there is one, gold_dev.jsonl (complete hand labels). A run in
the results already is not made again; an interrupted one goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from rich.console import Console

from attrex.config import Config
from attrex.evaluation.evaluate import evaluate
from attrex.evaluation.threshold import CANDIDATES, threshold_curve
from attrex.inference.directory import write_json
from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products
from attrex.io.splitting import split_by_group
from attrex.labels.labeler import DistantLabeler
from attrex.systems import system_info
from attrex.training.train import train
from attrex.types import Product

CORE = (
    "Brand",
    "Product Type",
    "Color",
    "Gender",
    "Material",
    "Pattern",
    "Sleeve Length",
    "Neckline",
    "Fit",
    "Closure",
)
"""The attributes that `gold_dev` is judged on; its other ones are soft."""
HELD_OUT = 0.02
"""Of the training products, where the validation part is what is reported on."""


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    name = options.config.stem
    target = result_path(options.results, options.data, name, extent(options), options.seed, options.base)
    console = Console()
    if target.exists():
        overrides = json.loads(target.read_text(encoding="utf-8"))["overrides"]
        if overrides != options.set:
            sys.exit(f"{target} was made with --set {overrides}; give this run a configuration file of its own")
        console.print(f"done already: {target}", soft_wrap=True)
        return
    work = work_path(options.work, target)
    config = _config(options)
    train_size, valid_size, _ = options.sample or (None, None, None)
    train(  # of a finished run only what it was made of is compared
        hide_cells(split(options.data, "train", options.products, train_size), options.hide, options.seed),
        hide_cells(split(options.data, "valid", sample=valid_size), options.hide, options.seed),
        work,
        config=config,
        resume=(work / "run.json").exists(),
        console=console,
    )
    extractor = Extractor.load(work)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, _measure(extractor, options, config))
    console.print(f"{name}: {target}", soft_wrap=True)


def extent(options: argparse.Namespace) -> str:
    """How much of the data a run has seen, for its name: all, 1200, 1200-hide30, sample1200-300-700."""
    seen = f"sample{'-'.join(map(str, options.sample))}" if options.sample else str(options.products or "all")
    return seen + (f"-hide{round(100 * options.hide)}" if options.hide else "")


def result_path(results: Path, data: Path, name: str, extent: str, seed: int, base: str | None) -> Path:
    """Where the figures of a run are kept; what makes it another run is in the name."""
    based = f"@{base}" if base else ""
    return results / data.name / f"{name}{based}-{extent}-seed{seed}.json"


def work_path(work: Path, result: Path) -> Path:
    """Where the model of a run is."""
    return work / result.parent.name / result.stem


def split(data: Path, name: str, limit: int | None = None, sample: int | None = None) -> Iterator[Product]:
    """A part of the data: NAME.jsonl, or the split of a MEPAVE or MAE directory; tables get their values located.

    ``limit``: its first products; ``sample``: so many, evenly spaced, for files are often sorted by age or category.
    Of MAE, whose test part is not published, the paper reports the validation part: then a part of the training
    products is held out to choose on.
    """
    products: Iterable[Product]
    if (data / "train.jsonl").exists():
        products = read_products(data / f"{name}.jsonl", limit=limit)
    elif not (data / "val").exists() or (data / "test").exists():
        products = read_products(data, split=name, limit=limit)
    elif name == "test":
        products = read_products(data, split="valid", limit=limit)
    else:
        kept, held_out = split_by_group(list(read_products(data, split="train")), HELD_OUT)
        products = islice(kept if name == "train" else held_out, limit)
    if sample is not None:
        products = iter(evenly(products, sample))
    every, labeler = list(products), DistantLabeler()
    labeler.know(column for p in every for column in p.table)
    return (labeler.locate(p) if p.spans is None else p for p in every)


def evenly(products: Iterable[Product], size: int) -> list[Product]:
    """``size`` of the products, or all where there are fewer, evenly spaced."""
    every = list(products)
    size = min(size, len(every))
    return [every[i * len(every) // size] for i in range(size)]


def _config(options: argparse.Namespace) -> Config:
    """The row's configuration, on another base where one is asked for."""
    overrides = [f"training.seed={options.seed}", *options.set]
    if not options.base:
        return Config.load(options.config, overrides)
    raw = yaml.safe_load(options.config.read_text(encoding="utf-8")) | {"base": options.base}
    with TemporaryDirectory() as place:
        path = Path(place) / options.config.name
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return Config.load(path, overrides)


def hide_cells(products: Iterable[Product], share: float, seed: int) -> Iterator[Product]:
    """Products of which about ``share`` of the known cells are blank, with the labels located from them.

    Which ones depends on the seed, the product and the attribute alone; what is hidden at 0.3 is hidden at 0.6 too. A
    complete product is not complete without them.
    """
    for product in products:
        known = {*product.table, *(s.attribute for s in product.spans or ())}
        blank = {a for a in known if Random(f"{seed} {product.id} {a}").random() < share}
        table = {a: values for a, values in product.table.items() if a not in blank}
        spans = tuple(s for s in product.spans or () if s.attribute not in blank)
        yield replace(product, table=table, spans=spans, complete=product.complete and not blank)


def _measure(extractor: Extractor, options: argparse.Namespace, config: Config) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": options.config.stem + (f"@{options.base}" if options.base else ""),
        "system": config.system_name,
        "data": options.data.name,
        "training_products": extractor.model.metrics["training_products"],
        "preset": config.preset,
        "overrides": options.set,
        "sample": " ".join(map(str, options.sample or ())),
        "hidden_cells": options.hide,
        "seed": options.seed,
        "commit": _commit(),
        "machine": _machine(),
        "threads": torch.get_num_threads(),
        "minutes": extractor.model.metrics["minutes"],
        "validation_history": extractor.model.metrics["history"],
    }
    if not options.gold_only:
        result |= _on_test(extractor, options, config)
    gold = options.data / "gold_dev.jsonl"
    if gold.exists():
        products = [replace(p, complete=True) for p in read_products(gold)]
        result["gold"] = evaluate(extractor, products, attributes=CORE).to_json()
        if config.image.model is not None:
            result["gold_without_photos"] = evaluate(extractor, products, attributes=CORE, photos=False).to_json()
    return result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def _on_test(extractor: Extractor, options: argparse.Namespace, config: Config) -> dict[str, Any]:
    test = list(split(options.data, "test", sample=options.sample and options.sample[2]))
    found: dict[str, Any] = {"test": evaluate(extractor, test).to_json()}
    if options.without_photos and config.image.model is not None:
        found["test_without_photos"] = evaluate(extractor, test, photos=False).to_json()
    if options.curve and extractor.model.network.predicts_range:
        low = list(extractor.extract(test, threshold=min(CANDIDATES), evidence=False))
        found["threshold_curve"] = threshold_curve(test, low)
    if system_info(config.system).attribute_given:  # asked for all attributes above, and for the right ones here
        found["test_given"] = evaluate(extractor, test, given=True).to_json()
    return found


def _commit() -> str:
    """The code's commit, with `-dirty` where it was changed since."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        run = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return "unknown"
    return run.stdout.strip() or "unknown"


def _machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = f"{len(names)} x {names[0]}" if names else cpu
    return f"{cpu}, torch {torch.__version__}"


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="configuration of the row, paper/recipes/configs/*.yaml")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--products", type=int, help="train on the first so many products only")
    size.add_argument(
        "--sample",
        type=int,
        nargs=3,
        metavar=("TRAIN", "VALID", "TEST"),
        help="so many products of each part, evenly spaced over its file",
    )
    parser.add_argument("--base", help="preset to start from, in place of the configuration's own")
    parser.add_argument("--hide", type=float, default=0.0, help="share of the training table's cells to take away")
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where models go")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--without-photos", action="store_true", help="measure the test data without photos, too")
    parser.add_argument("--curve", action="store_true", help="also TAG-F1 by S_thr, one more pass over the test data")
    parser.add_argument(
        "--gold-only", action="store_true", help="measure on gold_dev.jsonl and leave the test data out"
    )
    parser.add_argument("--set", action="append", default=[], help="override a setting, as in attrex train")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
