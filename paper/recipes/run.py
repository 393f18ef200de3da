"""Train and measure one row of a table, and add the figures to the runs on the same data.

    python paper/recipes/run.py paper/recipes/configs/uls-dram.yaml --data DIR --seed 0 --work runs

DIR holds train.jsonl, valid.jsonl, test.jsonl and, if there is one, gold_dev.jsonl (complete hand labels). The figures
become a line of results/DIR.jsonl, under DIR's own name. A run that is there already is not made again; an interrupted
one resumes from its last checkpoint.
"""

from __future__ import annotations

import argparse
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

from attrex.cli.console import progress
from attrex.config import Config
from attrex.evaluation.evaluate import Evaluation, evaluate_extractor
from attrex.evaluation.runs import RunResult, add_run, read_runs
from attrex.evaluation.threshold import CANDIDATES, threshold_curve
from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products
from attrex.io.splitting import split_by_group
from attrex.labels.labeler import DistantLabeler
from attrex.shop.shop import Shop
from attrex.systems import system_info
from attrex.training.train import train_model
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
"""The attributes that `gold_dev` is scored on; the labels of its others are less certain."""
HELD_OUT = 0.02
"""Share of the training products to choose on, where the scores are reported on the validation part."""
RESULTS = Path(__file__).parent / "results"
_EXAMPLE = Shop.load(Path(__file__).parents[2] / "examples" / "fashion" / "shop.yaml")
FASHION = Shop(word_forms=_EXAMPLE.word_forms, aliases=_EXAMPLE.aliases)
"""What texts on fashion call the values of tables; columns and cells are as the data have them."""


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    name = options.config.stem
    table, run = table_path(options.results, options.data), run_name(name, extent(options), options.seed, options.base)
    console = Console()
    if made := finished_runs(table).get(run):
        if list(made.settings) != options.set:
            sys.exit(f"{made.source} was made with --set {list(made.settings)}; this run needs a configuration file")
        console.print(f"done already: {made.source}", soft_wrap=True)
        return
    work = options.work / options.data.name / run
    config = _config(options)
    train_size, valid_size, _ = options.sample or (None, None, None)
    train_model(  # a finished training is not repeated, only checked to be of the same data and settings
        hide_cells(split(options.data, "train", options.products, train_size), options.hide, options.seed),
        hide_cells(split(options.data, "valid", sample=valid_size), options.hide, options.seed),
        work,
        config=config,
        resume=(work / "run.json").exists(),
        progress=progress,
    )
    extractor = Extractor.load(work)
    add_run(table, run, _measure(extractor, options, config))
    console.print(f"{run}: {table}", soft_wrap=True)


def extent(options: argparse.Namespace) -> str:
    """How much of the data a run is trained on, for its name: all, 1200, 1200-hide30, sample1200-300-700."""
    seen = f"sample{'-'.join(map(str, options.sample))}" if options.sample else str(options.products or "all")
    return seen + (f"-hide{round(100 * options.hide)}" if options.hide else "")


def table_path(results: Path, data: Path) -> Path:
    """The table of the runs on a data set."""
    return results / f"{data.name}.jsonl"


def run_name(name: str, extent: str, seed: int, base: str | None = None) -> str:
    """A run's name in its table: runs that differ have different names. Its model is in WORK/DATA/NAME."""
    return f"{name}{f'@{base}' if base else ''}-{extent}-seed{seed}"


def finished_runs(table: Path) -> dict[str, RunResult]:
    """The runs of a table by their names; none where there is no table yet."""
    runs = read_runs([table]) if table.exists() else []
    return {run.measured["run"]: run for run in runs}


def figures(evaluation: Evaluation, *, by_attribute: bool = False) -> dict[str, Any]:
    """What a table keeps of an evaluation.

    :param by_attribute: also the overlapping F1 and the number of labels of every attribute
    """
    found = evaluation.to_json()
    each = found.pop("per_attribute")
    if by_attribute:
        found["per_attribute"] = {name: {key: f[key] for key in ("gold", "overlap_f1")} for name, f in each.items()}
    return found


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
    every, labeler = list(products), DistantLabeler(FASHION)
    labeler.add_headings(column for p in every for column in p.table)
    return (labeler.label(p) if p.spans is None else p for p in every)


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
        "validation_tag_f1": [at["eval_tag_f1"] for at in extractor.model.metrics["history"] if "eval_tag_f1" in at],
    }
    if not options.gold_only:
        result |= _on_test(extractor, options, config)
    gold = options.data / "gold_dev.jsonl"
    if gold.exists():
        products = [replace(p, complete=True) for p in read_products(gold)]
        result["gold"] = figures(evaluate_extractor(extractor, products, attributes=CORE), by_attribute=True)
        if config.image.model is not None:
            texts_only = evaluate_extractor(extractor, products, attributes=CORE, photos=False)
            result["gold_without_photos"] = figures(texts_only, by_attribute=True)
    return result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def _on_test(extractor: Extractor, options: argparse.Namespace, config: Config) -> dict[str, Any]:
    test = list(split(options.data, "test", sample=options.sample and options.sample[2]))
    found: dict[str, Any] = {"test": figures(evaluate_extractor(extractor, test))}
    if options.without_photos and config.image.model is not None:
        found["test_without_photos"] = figures(evaluate_extractor(extractor, test, photos=False))
    if options.curve and extractor.model.network.predicts_range:
        low = list(extractor.extract(test, threshold=min(CANDIDATES), evidence=False))
        found["threshold_curve"] = threshold_curve(test, low)
    if system_info(config.system).attribute_given:  # asked for all attributes above, for those of each product here
        found["test_given"] = figures(evaluate_extractor(extractor, test, gold_attributes=True))
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
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the tables of runs are")
    parser.add_argument("--without-photos", action="store_true", help="measure the test data without photos, too")
    parser.add_argument("--curve", action="store_true", help="also TAG-F1 by S_thr, one more pass over the test data")
    parser.add_argument(
        "--gold-only", action="store_true", help="measure on gold_dev.jsonl and leave the test data out"
    )
    parser.add_argument("--set", action="append", default=[], help="override a setting, as in attrex train")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
