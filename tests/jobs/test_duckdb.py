"""What the documentation asks DuckDB, asked of files as a job writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attrex.errors import DataError
from attrex.filling.fill import Entry, FilledRow, Outcome
from attrex.integrations.duckdb import results
from attrex.io.parquet import write_parquet
from attrex.jobs.tables import long_rows, long_schema, wide_row, wide_schema
from attrex.types import Prediction, Span, Value

duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install 'attrex[duckdb]'")
WOOL = Value.from_span(Span("Material", 2, 6, "wool", "title"), 0.75)
RED = Value("Color", "Red", 0.9, decided_by="photo")
ROWS = [
    FilledRow("1", {"Color": ("Blue",)}, (Entry("1", "Color", Outcome.DIFFERS, ("Blue",), "Red", True, RED),)),
    FilledRow(
        "2",
        {"Color": ("Red",), "Material": ("Wool",)},
        (
            Entry("2", "Color", Outcome.FILLED, (), "Red", True, RED),
            Entry("2", "Material", Outcome.FILLED, (), "Wool", True, WOOL),
        ),
    ),
    FilledRow("3", {"Color": ("Blue", "Red")}, error="it cannot be read"),
]


def job(folder: Path, form: str) -> Path:
    """A job of one shard for each row; the first one has no value of Material."""
    folder.mkdir()
    for number, row in enumerate(ROWS):
        path = folder / f"part-{number:06}.parquet"
        if form == "long":
            write_parquet(path, long_rows(row, Prediction(row.id), "m0"), long_schema())
        else:
            single = "Material".__eq__
            wide = [wide_row(row, ["Color", "Material"], single, "m0")]
            write_parquet(path, wide, wide_schema(["Color", "Material"], single))
    about = {"format": 1, "form": form, "inputs": ["x.csv"], "shards": [[0, n, n + 1, ""] for n in range(3)]}
    (folder / "job.json").write_text(json.dumps(about))
    return folder


def test_long_has_a_row_for_each_value(tmp_path: Path) -> None:
    found = results(job(tmp_path / "values", "long"))
    columns = ("id", "attribute", "value", "source", "outcome", "confidence", "start", "text", "error")
    assert found.select(*columns).fetchall() == [
        ("1", "Color", "Blue", "table", "table", None, None, None, None),
        ("1", "Color", "Red", "photo", "differs", 0.9, None, None, None),
        ("2", "Color", "Red", "photo", "filled", 0.9, None, None, None),
        ("2", "Material", "Wool", "text", "filled", 0.75, 2, "wool", None),
        ("3", "Color", "Blue", "table", "table", None, None, None, "it cannot be read"),
        ("3", "Color", "Red", "table", "table", None, None, None, "it cannot be read"),
        ("3", None, None, None, "error", None, None, None, "it cannot be read"),
    ]
    query = (
        f"SELECT attribute, source, count(*) FROM '{tmp_path}/values/part-*.parquet' "
        "WHERE outcome IN ('table', 'filled') GROUP BY ALL ORDER BY ALL"
    )
    assert duckdb.sql(query).fetchall() == [("Color", "photo", 1), ("Color", "table", 3), ("Material", "text", 1)]


def test_wide_has_a_column_for_each_attribute(tmp_path: Path) -> None:
    found = results(job(tmp_path / "cells", "wide"))
    assert [str(kind) for kind in found.types] == [
        *("VARCHAR", "VARCHAR[]", "VARCHAR", "DOUBLE", "VARCHAR", "VARCHAR", "DOUBLE", "VARCHAR", "VARCHAR")
    ]
    assert found.fetchall() == [
        ("1", ["Blue"], "table", None, None, None, None, "m0", None),
        ("2", ["Red"], "photo", 0.9, "Wool", "text", 0.75, "m0", None),
        ("3", ["Blue", "Red"], "table", None, None, None, None, "m0", "it cannot be read"),
    ]


def test_a_job_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = job(tmp_path / "values", "long")
    (folder / "part-000002.parquet").unlink()
    with pytest.raises(DataError, match=r"expected 3 files, but part-000002\.parquet is missing"):
        results(folder)
    with pytest.raises(DataError, match="expected the folder of a job"):
        results(tmp_path)
