"""Finished runs as files: what `attrex evaluate --json` and `recipes/run.py` write, read back to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrex.errors import DataError

COLUMNS = ("correct", "predicted", "gold")
COMPARED = ("tag", "overlap", "cls", "cls_values", "accuracy")
"""Metrics whose counts of every product are kept with a run, so that runs can be compared without their models."""
PARTS = ("test", "test_given", "test_without_photos", "gold", "gold_without_photos")
"""What a run may have been measured on; a file of `attrex evaluate` has "test" and, with --gold, "gold"."""


def pack(counts: NDArray[np.float64]) -> dict[str, str]:
    """(P, 3) counts of each product as three lines of numbers: short, and readable in a JSON file."""
    return {name: " ".join(str(int(n)) for n in counts[:, i]) for i, name in enumerate(COLUMNS)}


def unpack(packed: Mapping[str, str]) -> NDArray[np.float64]:
    """The inverse of :func:`pack`."""
    return np.array([packed[name].split() for name in COLUMNS], dtype=np.float64).T


@dataclass(frozen=True, slots=True)
class Run:
    """One measured model."""

    path: Path
    name: str  #: of the system or the recipe; runs that differ in nothing but the seed share it
    measured: Mapping[str, Any]  #: part -> metrics, as in :meth:`Evaluation.to_json`, and what is known of the run

    def value(self, *keys: str) -> float | None:
        """A figure of the run, or None where it was not measured."""
        found: Any = self.measured
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return None if found is None else float(found)

    def counts(self, part: str, metric: str) -> NDArray[np.float64]:
        """(P, 3) of each product. Raises :class:`DataError` where the file does not have them."""
        if part not in self.measured:
            there = [p for p in PARTS if p in self.measured]
            raise DataError(f"{self.path} was not measured on {part!r}, only on {', '.join(there)}")
        packed = self.measured[part].get("counts", {})
        if metric not in packed:
            raise DataError(
                f"{self.path} has no counts per product of {metric!r} (there are: {', '.join(packed) or 'none'}); "
                "measure it again, or compare without --against"
            )
        return unpack(packed[metric])


def read_runs(paths: Iterable[str | Path]) -> list[Run]:
    """Read files of runs. Raises :class:`DataError` for one that is missing or no such file."""
    return [_read(Path(path)) for path in paths]


def _read(path: Path) -> Run:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DataError(f"{path} cannot be read: {exc}; name files that attrex evaluate --json has written") from exc
    if isinstance(found, dict) and "tag" in found:  # of `attrex evaluate`
        gold = found.pop("gold", None)
        found = {"name": path.stem, "test": found} | ({"gold": gold} if gold else {})
    parts = [found[part] for part in PARTS if part in found] if isinstance(found, dict) else []
    if not any(isinstance(part, dict) and "tag" in part for part in parts):
        raise DataError(f"{path} is no file of a run; name files that attrex evaluate --json has written")
    return Run(path, str(found.get("name", path.stem)), found)
