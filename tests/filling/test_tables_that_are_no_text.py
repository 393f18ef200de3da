"""`fill` on a table of any shop in Parquet or JSON: written, and taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.pipeline import fill, undo_fill
from attrex.types import Prediction, Value

ROWS: list[dict[str, Any]] = [
    {"sku": 1, "Product Name": "Linen shirt", "Price": 9.5, "Color": ["Red"], "Fit": "Slim"},
    {"sku": 2, "Product Name": "Blue wool hat", "Price": 5.0, "Color": None, "Fit": None},
]
FOUND = [Prediction("1", ()), Prediction("2", tuple(Value(a, v, 0.9) for a, v in (("Color", "Blue"), ("Use", "Ski"))))]


def write(path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "use"), [("a.parquet", ["Ski"]), ("a.jsonl", "Ski")])
def test_blank_cells_are_filled_and_go_back(tmp_path: Path, name: str, use: object) -> None:
    path, out, changes = write(tmp_path / name), tmp_path / f"filled-{name}", tmp_path / "changes.csv"
    fill(path, FOUND, out, changes=changes)
    assert read(out) == [ROWS[0], {**ROWS[1], "Color": ["Blue"]}]
    fill(path, FOUND, out, changes=changes, new_columns=True)
    assert read(out)[1] == {**ROWS[1], "Color": ["Blue"], "Use": use}
    undo_fill(changes, out=tmp_path / f"back-{name}")
    assert read(tmp_path / f"back-{name}") == ROWS
