"""Runs side by side: means over seeds, how far they lie apart, and what the differences to one of them are worth."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from textwrap import fill
from typing import Any

import numpy as np

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.evaluation.metrics import f1, resample
from attrex.evaluation.runs import RUN_PARTS, RunResult
from attrex.evaluation.significance import PairedResult, paired_result
from attrex.io.spreadsheet import spreadsheet_text

FIGURES: dict[str, tuple[str, ...]] = {
    "TAG-F1": ("test", "tag", "f1"),
    "P": ("test", "tag", "precision"),
    "R": ("test", "tag", "recall"),
    "macro-F1": ("test", "macro_f1"),
    "CLS-F1": ("test", "cls", "f1"),
    "accuracy": ("test", "accuracy"),
    "attribute given": ("test_given", "tag", "f1"),
    "without photos": ("test_without_photos", "tag", "f1"),
    "gold exact F1": ("gold", "tag", "f1"),
    "gold overlap P": ("gold", "overlap", "precision"),
    "gold overlap R": ("gold", "overlap", "recall"),
    "gold overlap F1": ("gold", "overlap", "f1"),
    "sequences": ("test", "sequences_per_product"),
    "minutes": ("minutes",),
}


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One system: its runs, and how much better it is than the chosen one."""

    name: str
    runs: list[RunResult]
    difference: PairedResult | None = None

    def values(self, figure: str) -> list[float]:
        """A figure of every run that has it."""
        return [v for run in self.runs if (v := run.value(*FIGURES[figure])) is not None]


class Comparison(list[ComparisonRow]):
    """The rows of :func:`compare`, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        from attrex.reports.notebook import table_html

        head, *body = table_cells(self, FIGURES)
        return table_html(head, body)


def compare(
    runs: Sequence[RunResult],
    against: str | None = None,
    *,
    part: str = "test",
    metric: str = "tag",
    samples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """One row for the runs of each name, the best first by what is asked for; with ``against``, compared with that row.

    Raises :class:`ConfigError` when no row is named ``against``, :class:`DataError` when none was measured on ``part``,
    or, with ``against``, when they were measured on different products or have no counts of ``metric`` on ``part``.
    """
    there = [p for p in RUN_PARTS if any(p in run.measured for run in runs)]
    if part != "test" and part not in there:  # "test" is asked for by default: what there is, is shown
        raise DataError(
            f"no run was measured on {part!r}, only on {', '.join(there)}; choose one of these, or measure again "
            "(gold: with attrex evaluate --gold FILE)"
        )
    groups: dict[str, list[RunResult]] = defaultdict(list)
    for run in runs:
        groups[label(run, runs)].append(run)
    rows = Comparison(ComparisonRow(name, group) for name, group in groups.items())
    shown = figure_of(part, metric)
    rows.sort(key=lambda row: -mean(row.values(shown) or [-1.0]))
    if against is None:
        return rows
    chosen = [row for row in rows if against == row.name] or [row for row in rows if against == row.runs[0].name]
    if len(chosen) != 1:
        what, hint = ("several rows are", "") if chosen else ("no row is", did_you_mean(against, groups))
        raise ConfigError(f"{what} named {against!r}{hint}; expected one of {list(groups)}")
    other = chosen[0].runs
    return Comparison(
        row
        if row.runs is other
        else ComparisonRow(row.name, row.runs, difference(row.runs, other, part, metric, samples, seed))
        for row in rows
    )


def difference(
    ours: Sequence[RunResult], theirs: Sequence[RunResult], part: str, metric: str, samples: int = 10_000, seed: int = 0
) -> PairedResult:
    """How much better the mean F1 of ``ours`` is; products and, on either side, runs are drawn with replacement.

    The products are the same for all runs, so that what is hard for all is no difference; that another seed may do
    better or worse is part of the interval.
    """
    counts = [run.counts(part, metric) for run in (*ours, *theirs)]
    for run, found in zip((*ours, *theirs), counts, strict=True):
        if len(found) != len(counts[0]) or (found[:, 2] != counts[0][:, 2]).any():
            raise DataError(f"{run.source} and {ours[0].source} were measured on different products or labels")
    together = np.stack(counts, 1)  # (P, runs, 3)
    n = len(ours)
    observed = f1(together.sum(0))
    drawn = f1(resample(together, samples, seed))  # (samples, runs)
    rng = np.random.default_rng(seed)

    def some(group: np.ndarray) -> np.ndarray:
        return np.take_along_axis(group, rng.integers(group.shape[1], size=group.shape), 1).mean(1)

    return paired_result(float(observed[:n].mean() - observed[n:].mean()), some(drawn[:, :n]) - some(drawn[:, n:]))


def comparison_remarks(rows: Sequence[ComparisonRow]) -> list[str]:
    """Warnings about the rows: several runs of one seed, and differences between rows of unlike seeds."""
    remarks = []
    for row in rows:
        files: dict[str | None, list[str]] = defaultdict(list)
        for run in row.runs:
            files[run.seed].append(run.source)
        for seed, same in files.items():
            if len(same) > 1:
                what = "have no seed" if seed is None else f"all have seed {seed}"
                remarks.append(f"{row.name}: {', '.join(same)} {what}; they count as {len(same)} seeds")
    compared = [row for row in rows if row.difference]
    for other in (row for row in rows if compared and not row.difference):
        theirs = _seeds(other)
        remarks += [
            f"{row.name} has {ours}, {other.name} has {theirs}: the difference is between all runs of both, so "
            "a seed that only one of them has is part of it"
            for row in compared
            if (ours := _seeds(row)) and theirs and ours != theirs
        ]
    return remarks


def markdown(rows: Sequence[ComparisonRow], figures: Iterable[str] = FIGURES) -> str:
    """A table in Markdown, its columns aligned for the screen; figures that no run has are left out."""
    cells = table_cells(rows, figures)
    widths = [min(60, max(3, *map(len, column))) for column in zip(*cells, strict=True)]  # longer ones stand out
    cells.insert(1, ["-" * width for width in widths])
    return "".join(f"| {' | '.join(map(str.ljust, line, widths))} |\n" for line in cells)


def csv_text(rows: Sequence[ComparisonRow]) -> str:
    """The runs one by one, all figures in full: for a spreadsheet."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["name", "file", "seed", *FIGURES, "difference", "low", "high", "p"])
    for row in rows:
        found = row.difference
        compared = [found.difference, *found.ci95, found.p_value] if found else [""] * 4
        for run in row.runs:
            figures = [run.value(*keys) for keys in FIGURES.values()]
            cells = [row.name, run.source, run.measured.get("seed", ""), *figures, *compared]
            table.writerow(map(spreadsheet_text, cells))
    return out.getvalue()


def figure_of(part: str, metric: str) -> str:
    """Which of :data:`FIGURES` shows the F1 of ``metric`` on ``part``; TAG-F1 where none does."""
    asked = ((part, metric), (part, metric, "f1"))
    return next((name for name, keys in FIGURES.items() if keys in asked), "TAG-F1")


def figures_of(rows: Sequence[ComparisonRow], part: str, metric: str) -> list[str]:
    """The figures of ``metric`` on ``part``: its F1, precision and recall; all figures where no row has these."""
    chosen = [name for name, keys in FIGURES.items() if keys[:2] == (part, metric)] or [figure_of(part, metric)]
    return chosen if any(row.values(name) for row in rows for name in chosen) else list(FIGURES)


def headless_pyplot() -> Any:
    """Matplotlib's pyplot, without a screen, text as text. Raises :class:`ConfigError` where it is not installed."""
    try:
        import matplotlib
    except ImportError as exc:
        raise ConfigError("a plot needs matplotlib: pip install 'attrex[plots]'") from exc
    matplotlib.use("Agg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "attrex"}  # the same file each time
    from matplotlib import pyplot

    return pyplot


def plot(rows: Sequence[ComparisonRow], path: Path, figure: str = "TAG-F1") -> None:
    """Draw a figure of all rows, one mark per run, and the differences with their intervals where there are any.

    Raises :class:`ConfigError` without matplotlib.
    """
    pyplot = headless_pyplot()
    shown = [row for row in rows if row.values(figure)]
    names = [fill(row.name, 44, break_long_words=False, break_on_hyphens=False) for row in shown]
    heights = [2 + name.count("\n") for name in names]  # in lines of text: a long name needs several
    places = [sum(heights[:i]) + height / 2 for i, height in enumerate(heights)]
    canvas, axes = pyplot.subplots(figsize=(9, 0.17 * sum(heights) + 1), layout="constrained")
    columns = [(figure, 8)] + ([("difference, 95 % interval", 96)] if any(row.difference for row in shown) else [])
    for title, right in columns:
        axes.annotate(title, (1, 1), xycoords="axes fraction", xytext=(right, 4), textcoords="offset points")
    for y, row in zip(places, shown, strict=True):
        values = row.values(figure)
        axes.plot([min(values), max(values)], [y, y], color="#90cdf4", linewidth=6, solid_capstyle="round")
        axes.plot(values, [y] * len(values), "o", color="#2b6cb0", markersize=4)
        texts = [spread(values, digits=3)]
        if row.difference:
            texts.append("{:+.3f} ({:+.3f} to {:+.3f})".format(row.difference.difference, *row.difference.ci95))
        for text, (_, right) in zip(texts, columns, strict=False):
            beside = {"xytext": (right, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(text, (1, y), xycoords=("axes fraction", "data"), **beside)
    axes.set_yticks(places, names)
    axes.set_ylim(sum(heights), 0)
    axes.grid(axis="x", color="#e2e8f0")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"{figure}, one mark per run")
    canvas.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(canvas)


def label(run: RunResult, runs: Sequence[RunResult], *, leave_out: str = "") -> str:
    """A run's name, with what sets it apart from the others: runs that differ in nothing but the seed share a label.

    :param leave_out: one of the facts below, which the label does not have
    """
    facts = {"training_products": "{:,} products", "sample": "sample {}", "hidden_cells": "{:.0%} hidden", "data": "{}"}
    parts = [
        what.format(run.measured[key])
        for key, what in facts.items()
        if key != leave_out and run.measured.get(key) and len({str(r.measured.get(key) or "") for r in runs}) > 1
    ]
    namesakes = [set(other.settings) for other in runs if other.name == run.name]
    parts += [setting for setting in run.settings if not all(setting in settings for settings in namesakes)]
    return f"{run.name} ({', '.join(parts)})" if parts else run.name


def _seeds(row: ComparisonRow) -> str:
    """As ``seeds 0, 1``; empty where a run has no seed."""
    seeds = {run.seed for run in row.runs}
    known = sorted((s for s in seeds if s is not None), key=lambda s: (len(s), s))
    return "" if None in seeds else f"seed{'s' * (len(known) > 1)} {', '.join(known)}"


def table_cells(rows: Sequence[ComparisonRow], figures: Iterable[str] = FIGURES) -> list[list[str]]:
    """A line of headings and a line per row; figures that no run has are left out."""
    figures = [name for name in figures if any(run.has(*FIGURES[name]) for row in rows for run in row.runs)]
    compared = any(row.difference for row in rows)
    table = [["run", "seeds", *figures, *(["difference", "95 % interval", "p"] if compared else [])]]
    for row in rows:
        line = [row.name, str(len(row.runs)), *(spread(row.values(name)) for name in figures)]
        if found := row.difference:
            line += [f"{found.difference:+.4f}", "{:+.4f} to {:+.4f}".format(*found.ci95), f"{found.p_value:.4f}"]
        elif compared:
            line += ["-"] * 3
        table.append(line)
    return table


def spread(values: Sequence[float], digits: int | None = None) -> str:
    """The mean, and half the distance between the best and the worst run: "0.9023 ±0.0050"."""
    if not values:
        return "-"
    if digits is None:
        digits = 1 if max(values) > 1 else 4
    apart = f" ±{(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{apart}"
