"""Print a Markdown table of finished runs: mean over seeds, with half the distance between best and worst behind it.

python recipes/table.py recipes/results/fashion/*.json
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

COLUMNS: dict[str, tuple[str, ...]] = {
    "TAG-F1": ("test", "tag", "f1"),
    "P": ("test", "tag", "precision"),
    "R": ("test", "tag", "recall"),
    "macro-F1": ("test", "macro_f1"),
    "CLS-F1": ("test", "cls", "f1"),
    "accuracy": ("test", "accuracy"),
    "without photos": ("test_without_photos", "tag", "f1"),
    "gold exact F1": ("gold", "tag", "f1"),
    "gold overlap P": ("gold", "overlap", "precision"),
    "gold overlap R": ("gold", "overlap", "recall"),
    "gold overlap F1": ("gold", "overlap", "f1"),
    "sequences": ("test", "sequences_per_product"),
    "minutes": ("minutes",),
}


def main(paths: list[str]) -> None:
    if not paths:
        sys.exit("no results to show; name the JSON files that recipes/run.py has written")
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(paths):
        run = json.loads(Path(path).read_text(encoding="utf-8"))
        runs[f"{run['name']} ({run['training_products']:,})"].append(run)
    print(f"| run (training products) | seeds | {' | '.join(COLUMNS)} |")
    print("|" + "---|" * (len(COLUMNS) + 2))
    for name, seeds in sorted(runs.items(), key=lambda item: -_mean(item[1], COLUMNS["TAG-F1"])):
        print(f"| {name} | {len(seeds)} | {' | '.join(_cell(seeds, keys) for keys in COLUMNS.values())} |")


def _values(runs: list[dict[str, Any]], keys: tuple[str, ...]) -> list[float]:
    found = []
    for run in runs:
        value: Any = run
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            found.append(float(value))
    return found


def _mean(runs: list[dict[str, Any]], keys: tuple[str, ...]) -> float:
    return mean(_values(runs, keys) or [0.0])


def _cell(runs: list[dict[str, Any]], keys: tuple[str, ...]) -> str:
    values = _values(runs, keys)
    if not values:
        return "-"
    digits = 1 if max(values) > 1 else 4
    spread = f" ±{(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


if __name__ == "__main__":
    main(sys.argv[1:])
