"""The paper's tables, claims and figures on data of yours: every row by `run.py`; a finished run is not made again.

    python paper/recipes/paper.py --data DIR --small --out paper       (minutes a row; all of it without --small)
    python paper/recipes/paper.py --data MEPAVE --base mepave --out paper

DIR is what run.py takes. Which row is which configuration, and what the paper prints, is in paper.yaml; `--only 2 8`
makes Table 2 and Figure 8 alone, `--seeds 0` one run a row. `paper/tables.md` has the tables and the claims;
`figure8.svg` the S_thr curve, `figure6.html` the heat-maps of ULS-VL and ULS-DRAM side by side. Run it from one place:
encoders that are pretrained further are kept, and looked for, in `runs/`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import yaml
from run import RESULTS, evenly, extent, finished_runs, run_name, split, table_path

from attrex.config import Config
from attrex.errors import DataError
from attrex.evaluation.comparison import difference, headless_pyplot, spread
from attrex.evaluation.metrics import resample
from attrex.evaluation.runs import RunResult
from attrex.evaluation.significance import PairedResult, paired_result
from attrex.io.readers import read_products
from attrex.training.pretrain import pretrain

HERE = Path(__file__).parent
PRINTED = {"precision": "P", "recall": "R", "cls": "CLS-F1", "tag": "TAG-F1", "accuracy": "accuracy"}
MEASURED: dict[str, tuple[str, ...]] = {
    "precision": ("test", "tag", "precision"),
    "recall": ("test", "tag", "recall"),
    "cls": ("test", "cls", "f1"),
    "tag": ("test", "tag", "f1"),
    "accuracy": ("test", "accuracy"),
}
BESIDE: dict[str, tuple[str, ...]] = {
    "attribute given": ("test_given", "tag", "f1"),
    "gold exact F1": ("gold", "tag", "f1"),
    "gold overlap F1": ("gold", "overlap", "f1"),
    "sequences": ("test", "sequences_per_product"),
    "minutes": ("minutes",),
}


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    plan = yaml.safe_load((HERE / "paper.yaml").read_text(encoding="utf-8"))
    options.products, options.sample, options.hide, options.set = None, None, 0.0, []
    if options.small:
        options.sample, options.set = plan["small"]["sample"], plan["small"]["settings"]
    tables = {n: t for n, t in plan["tables"].items() if not options.only or str(n) in options.only}
    figures = {n: f for n, f in plan["figures"].items() if not options.only or str(n) in options.only}
    if not options.show:
        _make(options, plan, tables, figures)
    options.finished = finished_runs(table_path(options.results, options.data))
    options.out.mkdir(parents=True, exist_ok=True)
    pages = [_head(options), *(_table(options, number, table) for number, table in tables.items())]
    pages.append(_claims(options, plan["claims"]))
    (options.out / "tables.md").write_text("\n\n".join(pages) + "\n", encoding="utf-8")
    print(f"tables and claims: {options.out / 'tables.md'}")
    if 8 in figures:
        _threshold_figure(options, figures[8], options.out / "figure8.svg")
    if 6 in figures:
        _heatmaps(options, figures[6]["models"], options.out / "figure6.html")


def _make(options: argparse.Namespace, plan: dict[str, Any], tables: dict[Any, Any], figures: dict[int, Any]) -> None:
    """Every run that the tables and figures need and that is not there yet; one seed of all before the next."""
    if "pretraining" in tables:
        _pretrain(options, plan["pretraining"])
    for seed in options.seeds:
        for config in dict.fromkeys([*_configs(tables), *_figure_configs(figures)]):
            _run(options, config, seed, curve=config == plan["figures"][8]["config"])


def _pretrain(options: argparse.Namespace, plan: dict[str, Any]) -> None:
    """Make the encoder that rows of the table `pretraining` start from; one that is there already is left as it is.

    Raises :class:`ConfigError` where that has read other products, or by other settings.
    """
    train_size, valid_size, _ = options.sample or (None, None, None)
    texts = evenly(read_products(options.texts), plan["texts"]) if options.texts else []
    products = [*split(options.data, "train", sample=train_size), *texts]
    pretrain(
        products,
        plan["out"],
        validation=split(options.data, "valid", sample=valid_size),
        config=Config.load(options.base or HERE / "paper-base.yaml", plan["settings"]),
        resume=Path(plan["out"]).exists(),
    )


def _configs(tables: dict[int, Any]) -> Iterator[str]:
    yield from (row["config"] for table in tables.values() for row in table["rows"].values())


def _figure_configs(figures: dict[int, Any]) -> Iterator[str]:
    yield from (name for figure in figures.values() for name in figure.get("models", [figure.get("config")]))


def _run(options: argparse.Namespace, config: str, seed: int, curve: bool) -> None:
    """In a process of its own, so that time and memory are that run's."""
    command = [sys.executable, str(HERE / "run.py"), str(HERE / "configs" / f"{config}.yaml")]
    command += ["--data", str(options.data), "--seed", str(seed), "--work", str(options.work)]
    command += ["--results", str(options.results)]
    command += ["--base", options.base] if options.base else []
    command += ["--sample", *map(str, options.sample)] if options.sample else []
    command += ["--curve"] if curve else []
    for setting in options.set:
        command += ["--set", setting]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{config}, seed {seed}, did not finish; finished runs are kept; the same command continues")


def _runs(options: argparse.Namespace, config: str) -> list[RunResult]:
    """Those of a row that are finished, one a seed."""
    names = (run_name(config, extent(options), seed, options.base) for seed in options.seeds)
    return [options.finished[name] for name in names if name in options.finished]


# ---- tables ---------------------------------------------------------------------------------------------------------


def _head(options: argparse.Namespace) -> str:
    """The data and settings of all tables, and what the columns mean."""
    seen = "all products"
    if options.sample:
        seen = "{:,} products to train on, {:,} to choose on, {:,} to report on".format(*options.sample)
    settings = f" Settings: {', '.join(options.set)}." if options.set else ""
    return (
        f"# The paper's tables on {options.data.name}\n\n"
        f"Made by `paper/recipes/paper.py`. Data: {seen}.{settings}\n\n"
        "- Scores are in percent: mean over the seeds ± half the range. Intervals: 95 %, by a paired bootstrap.\n"
        "- **paper**: the figure printed in the paper, on its own data (MEPAVE; Table 5: MAE).\n"
        "- **attribute given**: each product is asked only for the attributes that it has.\n"
        "- **gold**: scores on products labelled in full by hand.\n"
        "- **sequences**: decoded sequences per product.\n"
        "- **minutes**: of one training, on one core."
    )


def _table(options: argparse.Namespace, number: int | str, table: dict[str, Any]) -> str:
    """Each row with what the paper prints, what was measured here, and how far it is from the row ``against``."""
    rows = {name: (row, _runs(options, row["config"])) for name, row in table["rows"].items()}
    printed = [k for k in PRINTED if any(k in row for row, _ in rows.values())]
    ours_too = [k for k in PRINTED if k in printed or k == "tag"]
    beside = [
        k
        for k, keys in BESIDE.items()
        if any(run.value(*keys) is not None for _, runs in rows.values() for run in runs)
    ]
    against = _runs(options, table["against"]) if "against" in table else []
    head = ["", *(f"{PRINTED[k]}, paper" for k in printed), *(PRINTED[k] for k in ours_too), *beside, "seeds"]
    head += [f"TAG-F1 beside {table['against']}, 95 % interval"] if against else []
    lines = [head, ["---"] * len(head)]
    for name, (row, runs) in rows.items():
        paper = [f"{row[k]:.2f}" if k in row else "-" for k in printed]
        ours = [_percent(runs, MEASURED[k]) for k in ours_too]
        more = [
            _number(runs, BESIDE[k]) if k in ("sequences", "minutes") else _percent(runs, BESIDE[k]) for k in beside
        ]
        apart = [_apart(runs, against) if row["config"] != table["against"] else "-"] if against else []
        lines.append([name, *paper, *ours, *more, str(len(runs)), *apart])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    title = table["title"]
    return f"## {f'Table {number}: {title}' if isinstance(number, int) else title[0].upper() + title[1:]}\n\n{text}"


def _apart(runs: Sequence[RunResult], others: Sequence[RunResult]) -> str:
    try:
        found = _tag_difference(runs, others) if runs else None
    except DataError:  # runs of the time before counts were kept with them
        found = None
    if found is None:
        return "-"
    low, high = found.ci95
    return f"{100 * found.difference:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _values(runs: Sequence[RunResult], keys: tuple[str, ...]) -> list[float]:
    return [v for run in runs if (v := run.value(*keys)) is not None]


def _percent(runs: Sequence[RunResult], keys: tuple[str, ...]) -> str:
    return spread([100 * v for v in _values(runs, keys)], digits=2)


def _number(runs: Sequence[RunResult], keys: tuple[str, ...]) -> str:
    values = _values(runs, keys)
    return f"{mean(values):.1f}" if values else "-"


# ---- claims ---------------------------------------------------------------------------------------------------------


def _claims(options: argparse.Namespace, claims: Sequence[dict[str, str]]) -> str:
    """What the paper says, and what the runs here say of it."""
    lines = ["| the paper says | difference in points | 95 % interval | |", "| --- | --- | --- | --- |"]
    for claim in claims:
        better, worse = _same_seeds(_runs(options, claim["better"]), _runs(options, claim["worse"]))
        if not better:
            continue
        compared = precision_over_recall if claim.get("by") == "precision over recall" else _tag_difference
        try:
            found = compared(better, worse)
        except DataError:  # runs of the time before counts were kept with them
            lines.append(f"| {claim['says']} | - | - | to be measured again |")
            continue
        low, high = found.ci95
        verdict = "holds" if low > 0 else "does not hold" if high < 0 else "undecided"
        cells = f"{100 * found.difference:+.2f} | {100 * low:+.2f} to {100 * high:+.2f}"
        lines.append(f"| {claim['says']} | {cells} | {verdict} |")
    return "## Claims\n\n" + "\n".join(lines)


def _same_seeds(ours: Sequence[RunResult], theirs: Sequence[RunResult]) -> tuple[list[RunResult], list[RunResult]]:
    """The runs whose seed either side has: while runs are missing, a lucky seed is no advantage."""
    seeds = {run.measured["seed"] for run in ours} & {run.measured["seed"] for run in theirs}
    return tuple([run for run in side if run.measured["seed"] in seeds] for side in (ours, theirs))  # type: ignore[return-value]


def _tag_difference(ours: Sequence[RunResult], theirs: Sequence[RunResult]) -> PairedResult:
    return difference(ours, theirs, "test", "tag")


def precision_over_recall(
    ours: Sequence[RunResult], theirs: Sequence[RunResult], samples: int = 10_000
) -> PairedResult:
    """How much more precision than recall ``ours`` have gained over ``theirs``; drawn as in :func:`difference`."""
    together = np.stack([run.counts("test", "tag") for run in (*ours, *theirs)], 1)  # (P, runs, 3)

    def gain(counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(..., runs, 3), and the runs (..., n + m) that count -> (...)"""
        precision, recall = (counts[..., 0] / np.maximum(counts[..., i], 1) for i in (1, 2))  # 0 without finds
        lead = precision - recall
        lead = np.take_along_axis(lead, chosen, -1)
        return lead[..., : len(ours)].mean(-1) - lead[..., len(ours) :].mean(-1)

    rng = np.random.default_rng(0)
    n, m = len(ours), len(theirs)
    chosen = np.concatenate([rng.integers(n, size=(samples, n)), n + rng.integers(m, size=(samples, m))], 1)
    observed = gain(together.sum(0), np.arange(n + m))
    return paired_result(float(observed), gain(resample(together, samples, 0), chosen))


# ---- figures --------------------------------------------------------------------------------------------------------


def _threshold_figure(options: argparse.Namespace, figure: dict[str, Any], path: Path) -> None:
    """Figure 8: TAG-F1 by S_thr, a line per seed."""
    curves = [
        run.measured["threshold_curve"] for run in _runs(options, figure["config"]) if "threshold_curve" in run.measured
    ]
    if not curves:
        print("no run here has an S_thr curve")
        return
    pyplot = headless_pyplot()
    canvas, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for number, curve in enumerate(curves):
        axes.plot(
            [float(at) for at in curve],
            list(curve.values()),
            "o-",
            color="#2b6cb0",
            alpha=0.5 + 0.5 / (1 + number),
            markersize=3,
        )
    for name, at in figure["best"].items():
        axes.axvline(at, color="#a0aec0", linestyle="--")
        axes.annotate(
            f"best on {name}",
            (at, 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            xytext=(-11, 0),
            textcoords="offset points",
            color="#718096",
            fontsize=8,
        )
    axes.set(xlabel="S_thr", ylabel="TAG-F1", title=f"{options.data.name}, one line per seed")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, metadata={"Date": None})
    pyplot.close(canvas)
    print(f"S_thr curve: {path}")


def _heatmaps(options: argparse.Namespace, names: Sequence[str], path: Path) -> None:
    """Figures 6 and 7: both models on the first test products with photos."""
    from attrex.inference.extractor import Extractor
    from attrex.reports.compose import report_page

    homes = [
        options.work / options.data.name / run_name(name, extent(options), options.seeds[0], options.base)
        for name in names
    ]
    if not all((home / "attrex.json").exists() for home in homes):
        print("no heat-maps: the models of these runs are not here any more")
        return
    shown = [p for p in split(options.data, "test", 200) if p.images][:40]
    models = [(name, Extractor.load(home)) for name, home in zip(names, homes, strict=True)]
    print(f"heat-maps: {report_page(path, shown, models, photos=True, most=40)}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", help="preset that every row starts from, in place of `small`: mepave, mae ...")
    parser.add_argument("--small", action="store_true", help="the subset and epochs of paper.yaml")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=("1", "2", "3", "4", "5", "tir", "pretraining", "6", "8"),
        help="tables, and figures 6 and 8",
    )
    parser.add_argument("--show", action="store_true", help="make no runs: tables and figures of those that are there")
    parser.add_argument("--texts", type=Path, help="unlabelled products, for the table `pretraining`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where models go")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=Path("paper"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
