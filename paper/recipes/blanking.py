"""How runs do when more and more of the training table is blank: a plot of finished runs of `run.py --hide`.

python paper/recipes/blanking.py paper/recipes/results/DATA.jsonl --out docs/results/blanking.svg
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import mean

from attrex.evaluation.comparison import FIGURES, headless_pyplot, label, spread
from attrex.evaluation.runs import read_runs

COLORS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568")


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    points: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    runs = read_runs(options.runs)
    for run in runs:
        value = run.value(*FIGURES[options.figure])
        if value is not None:  # runs that differ in more than the cells are no points of one line
            line = label(run, runs, leave_out="hidden_cells")
            points[line][run.value("hidden_cells") or 0.0].append(value)
    lines = {name: dict(sorted(at.items())) for name, at in points.items() if len(at) > 1}
    pyplot = headless_pyplot()
    canvas, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    print(f"| cells taken away | {' | '.join(lines)} |\n|{'---|' * (len(lines) + 1)}")
    for share in sorted({share for line in lines.values() for share in line}):
        print(f"| {share:.0%} | {' | '.join(spread(line.get(share, ()), digits=3) for line in lines.values())} |")
    for color, (name, line) in zip(COLORS * len(lines), lines.items(), strict=False):
        shares, values = list(line), [mean(v) for v in line.values()]
        axes.plot([100 * s for s in shares], values, "o-", color=color, label=name)
        axes.fill_between(
            [100 * s for s in shares],
            [min(v) for v in line.values()],
            [max(v) for v in line.values()],
            color=color,
            alpha=0.15,
        )
    axes.set(xlabel="share of the training table's cells taken away, %", ylabel=options.figure)
    axes.legend(frameon=False)
    axes.grid(color="#e2e8f0")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(options.out, metadata={"Date": None} if options.out.suffix == ".svg" else None)
    pyplot.close(canvas)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="as for attrex compare")
    parser.add_argument("--figure", default="gold overlap F1", choices=FIGURES)
    parser.add_argument("--out", type=Path, default=Path("blanking.svg"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
