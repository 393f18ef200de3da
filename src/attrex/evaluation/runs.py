"""Finished runs as files: what `attrex evaluate --json` and `paper/recipes/run.py` write, read back to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrex.errors import DataError
from attrex.io.rows import short

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

    path: Path
    name: str  #: of the system or the recipe; runs that differ in nothing but the seed share it
    measured: Mapping[str, Any]  #: part -> metrics, as in :meth:`Evaluation.to_json`, and what is known of the run

    def value(self, *keys: str) -> float | None:
        """A figure of the run, or None where it was not measured or, of macro-F1, no attribute could be averaged."""
        found = self._at(*keys)
        if found is None or (keys[-1] == "macro_f1" and self._at(*keys[:-1], "macro_attributes") == 0):
            return None
        return float(found)

    def tells(self, *keys: str) -> bool:
        """Whether the run has a figure, be it that nothing could be averaged."""
        return self._at(*keys) is not None

    @property
    def seed(self) -> str | None:
        """As it is printed; None where the file does not say."""
        seed = self.measured.get("seed")
        return None if seed is None else str(seed)

    @property
    def settings(self) -> tuple[str, ...]:
        """What was set otherwise than in the recipe of that name, as ``section.key=value``."""
        found = self.measured.get("overrides")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def counts(self, part: str, metric: str) -> NDArray[np.float64]:
        """(P, 3) of each product. Raises :class:`DataError` where the file does not have them."""
        if part not in self.measured:
            there = [p for p in RUN_PARTS if p in self.measured]
            raise DataError(f"{self.path} was not measured on {part!r}, only on {', '.join(there)}")
        packed = self.measured[part].get("counts", {})
        if metric not in packed:
            raise DataError(
                f"{self.path} has no counts per product of {metric!r} (there are: {', '.join(packed) or 'none'}); "
                "measure it again, or compare without --against"
            )
        return unpack(packed[metric])

    def _at(self, *keys: str) -> Any:
        found: Any = self.measured
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def read_runs(paths: Iterable[str | Path]) -> list[RunResult]:
    """Read files of runs, each once. Raises :class:`DataError` for one that is missing, damaged or no such file."""
    files: dict[Path, Path] = {}
    for path in map(Path, paths):
        files.setdefault(path.resolve(), path)
    return [_read_run(path) for path in files.values()]


def _read_run(path: Path) -> RunResult:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DataError(f"{path} cannot be read: {exc}; name files that attrex evaluate --json has written") from exc
    evaluated = isinstance(found, dict) and "tag" in found  # by `attrex evaluate`
    fault = next(_run_faults(found, evaluated), None) if isinstance(found, dict) else None
    if fault:
        raise DataError(f"{path} is damaged: {fault}; measure again with attrex evaluate --json")
    if evaluated:
        gold = found.pop("gold", None)
        found = {"name": path.stem, "test": found} | ({"gold": gold} if gold else {})
    if not isinstance(found, dict) or not any("tag" in found.get(part, {}) for part in RUN_PARTS):
        raise DataError(f"{path} is no file of a run; name files that attrex evaluate --json has written")
    return RunResult(path, str(found.get("name", path.stem)), found)


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
