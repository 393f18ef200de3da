"""Measured runs: a file of `attrex evaluate --json` each, or a table with a line per run; read back to be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from attrex.errors import DataError, did_you_mean
from attrex.io.atomic import atomic_write
from attrex.io.rows import short, shortlist

COUNT_COLUMNS = ("correct", "predicted", "gold")
COMPARED = ("tag", "overlap", "cls", "cls_values", "accuracy")
"""Metrics whose counts of every product are kept with a run, so that runs can be compared without their models."""
RUN_PARTS = ("test", "test_given", "test_without_photos", "gold", "gold_without_photos")
"""What a run may have been measured on; a file of `attrex evaluate` has "test" and, with --gold, "gold"."""


def pack(counts: NDArray[np.float64]) -> dict[str, str]:
    """(P, 3) counts of each product as three lines of numbers: short, and readable in a JSON file."""
    return {name: " ".join(str(int(n)) for n in counts[:, i]) for i, name in enumerate(COUNT_COLUMNS)}


def unpack(packed: Mapping[str, str]) -> NDArray[np.float64]:
    """The inverse of :func:`pack`."""
    return np.array([packed[name].split() for name in COUNT_COLUMNS], dtype=np.float64).T


@dataclass(frozen=True, slots=True)
class RunResult:
    """One measured model."""

    source: str  #: its file, or TABLE.jsonl::RUN: what :func:`read_runs` takes
    name: str  #: of the system or the recipe; runs that differ in nothing but the seed share it
    measured: Mapping[str, Any]  #: part -> metrics, as in :meth:`Evaluation.to_json`, and what is known of the run

    def value(self, *keys: str) -> float | None:
        """A figure of the run, or None where it was not measured or, of macro-F1, no attribute could be averaged."""
        found = self._at(*keys)
        if found is None or (keys[-1] == "macro_f1" and self._at(*keys[:-1], "macro_attributes") == 0):
            return None
        return float(found)

    def has(self, *keys: str) -> bool:
        """Whether a figure was measured, also where nothing could be averaged."""
        return self._at(*keys) is not None

    @property
    def seed(self) -> str | None:
        """As printed; None where the file has none."""
        seed = self.measured.get("seed")
        return None if seed is None else str(seed)

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that override the recipe's, as ``section.key=value``."""
        found = self.measured.get("overrides")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def counts(self, part: str, metric: str) -> NDArray[np.float64]:
        """(P, 3) of each product. Raises :class:`DataError` where the file does not have them."""
        if part not in self.measured:
            there = [p for p in RUN_PARTS if p in self.measured]
            raise DataError(f"{self.source} was not measured on {part!r}, only on {', '.join(there)}")
        packed = self.measured[part].get("counts", {})
        if metric not in packed:
            raise DataError(
                f"{self.source} has no counts per product of {metric!r} (there are: {', '.join(packed) or 'none'}); "
                "measure it again, or compare without `against`"
            )
        return unpack(packed[metric])

    def _at(self, *keys: str) -> Any:
        found: Any = self.measured
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def read_runs(sources: Iterable[str | Path]) -> list[RunResult]:
    """Read runs, each once.

    :param sources: files of `attrex evaluate --json`, tables (``TABLE.jsonl``), or some runs of a table by their names
        (``TABLE.jsonl::uls-dram-*``)
    :raises DataError: a source is missing, damaged or has no run
    """
    runs: dict[tuple[Path, str], RunResult] = {}
    for path, pattern in map(split_source, sources):
        file = path.resolve()
        if pattern is not None:
            for name, run in _read_table(path, pattern).items():
                runs.setdefault((file, name), run)
        elif (file, "") not in runs:
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as exc:
                raise DataError(
                    f"{path} cannot be read: {exc}; name files of attrex evaluate --json, or tables of runs (.jsonl)"
                ) from exc
            runs[file, ""] = _as_run(found, str(path), path.stem)
    return list(runs.values())


def split_source(source: str | Path) -> tuple[Path, str | None]:
    """The file of a source, and the pattern of its runs' names where that file is a table."""
    table = re.fullmatch(r"(.*\.jsonl)(?:::(.+))?", str(source))
    return (Path(table[1]), table[2] or "*") if table else (Path(source), None)


def add_run(table: Path, name: str, measured: Mapping[str, Any]) -> None:
    """Write a run into its table, in the place of an earlier run of that name.

    The lines are in the order of the runs' names, so that a new run is one new line in a diff. A kill leaves the table
    as it was; of two processes that add runs at once one waits for the other.

    :raises DataError: the table is damaged; it stays as it is
    """
    table.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(table.with_name(f"{table.name}.adding.lock")):  # from reading to writing, and it waits
        lines = {run: line for run, line, _ in _table_lines(table)} if table.exists() else {}
        lines[name] = json.dumps({"run": name} | dict(measured), ensure_ascii=False)
        with atomic_write(table) as file:
            file.writelines(f"{lines[run]}\n" for run in sorted(lines))


def _table_lines(table: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The name of every run, its line, and what the line holds."""
    try:
        lines = table.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, ValueError) as exc:
        raise DataError(f"{table} cannot be read: {exc}; name a table of runs") from exc
    for number, line in enumerate(lines if lines != [""] else [], 1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise DataError(f"line {number} of {table} is damaged: {exc}; delete the line, and measure again") from exc
        if not isinstance(found, dict) or not isinstance(found.get("run"), str):
            raise DataError(f'line {number} of {table} is no run: expected an object with "run", its name')
        yield found["run"], line, found


def _read_table(table: Path, pattern: str) -> dict[str, RunResult]:
    """The runs whose names match, by these names."""
    found = {name: measured for name, _, measured in _table_lines(table)}
    chosen = [name for name in found if fnmatchcase(name, pattern)]
    if not chosen:
        raise DataError(
            f"{table} has no run {pattern!r}{did_you_mean(pattern, found)}; expected one of {shortlist(found, 5)}"
        )
    return {name: _as_run(found[name], f"{table}::{name}", name) for name in chosen}


def _as_run(found: Any, source: str, name: str) -> RunResult:
    """A run as it was read. Raises :class:`DataError` where it is damaged, or no run."""
    evaluated = isinstance(found, dict) and "tag" in found  # by `attrex evaluate`
    fault = next(_run_faults(found, evaluated), None) if isinstance(found, dict) else None
    if fault:
        raise DataError(f"{source} is damaged: {fault}; measure again with attrex evaluate --json")
    if evaluated:
        gold = found.pop("gold", None)
        found = {"name": name, "test": found} | ({"gold": gold} if gold else {})
    if not isinstance(found, dict) or not any("tag" in found.get(part, {}) for part in RUN_PARTS):
        raise DataError(
            f"{source} is no measured run; name files of attrex evaluate --json, or tables of runs (.jsonl)"
        )
    return RunResult(source, str(found.get("name", name)), found)


def _run_faults(found: Mapping[str, Any], evaluated: bool) -> Iterator[str]:
    """What is wrong with a file of a run, by its own keys."""
    yield from _no_numbers(found, "", "training_products", "hidden_cells", "minutes")
    if evaluated:
        yield from _part_faults(found, "")
    for part in RUN_PARTS:
        if part in found and not isinstance(found[part], Mapping):
            yield f"{part} should be an object with metrics, got {short(found[part])}"
        elif part in found:
            yield from _part_faults(found[part], f"{part}.")


def _part_faults(found: Mapping[str, Any], at: str) -> Iterator[str]:
    for metric in (m for m in ("tag", "overlap", "cls") if m in found):
        scores = found[metric]
        if not isinstance(scores, Mapping) or "f1" not in scores:
            yield f"{at}{metric} should be an object with precision, recall and f1, got {short(scores)}"
        else:
            yield from _no_numbers(scores, f"{at}{metric}.", "f1", "precision", "recall")
    yield from _no_numbers(found, at, "accuracy", "macro_f1", "macro_attributes", "sequences_per_product")
    counts = found.get("counts", {})
    if not isinstance(counts, Mapping):
        yield f"{at}counts should be an object with metrics, got {short(counts)}"
        return
    for metric, packed in counts.items():
        yield from _count_faults(packed, f"{at}counts.{metric}")


def _count_faults(packed: Any, at: str) -> Iterator[str]:
    if not isinstance(packed, Mapping) or any(name not in packed for name in COUNT_COLUMNS):
        yield f"{at} should be an object with the lines {', '.join(COUNT_COLUMNS)}, got {short(packed)}"
        return
    for name in COUNT_COLUMNS:
        line = packed[name]
        if not isinstance(line, str) or not all(n.isdecimal() for n in line.split()):
            yield f"{at}.{name} should be text, a whole number for each product, got {short(line)}"
            return
    lengths = [len(packed[name].split()) for name in COUNT_COLUMNS]
    if min(lengths) != max(lengths) or not lengths[0]:
        yield f"{at} should have as many numbers in each line as there are products, got {lengths}"


def _no_numbers(found: Mapping[str, Any], at: str, *keys: str) -> Iterator[str]:
    for key in keys:
        value = found.get(key, 0)
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
            yield f"{at}{key} should be a number, got {short(value)}"
