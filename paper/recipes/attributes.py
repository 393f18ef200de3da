"""Runs attribute by attribute, on what was labelled by hand: before and after, with photos and without.

python paper/recipes/attributes.py --before 'OLD.jsonl::uls-dram-all-*' --after 'NEW.jsonl::uls-dram-masked-all-*'
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import mean

from attrex.evaluation.runs import RunResult, read_runs


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    before, after = read_runs(options.before), read_runs(options.after)
    names = [*after[0].measured["gold"]["per_attribute"]]
    print("| attribute | spans | before | after | after, without photos |\n|---|---|---|---|---|")
    for name in names:
        spans = after[0].measured["gold"]["per_attribute"][name]["gold"]
        cells = [_mean(before, "gold", name), _mean(after, "gold", name), _mean(after, "gold_without_photos", name)]
        print(f"| {name} | {spans} | {' | '.join(cells)} |")


def _mean(runs: Sequence[RunResult], part: str, attribute: str) -> str:
    """Overlapping F1, mean over the runs; 0 for one that neither has nor finds any."""
    values = [run.value(part, "per_attribute", attribute, "overlap_f1") or 0.0 for run in runs if part in run.measured]
    return f"{mean(values):.3f}" if values else "-"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in ("--before", "--after"):
        parser.add_argument(side, nargs="+", required=True, help="runs of all seeds, as for attrex compare")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
