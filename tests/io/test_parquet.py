from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.io import parquet
from attrex.io.parquet import write_parquet

SCHEMA = pa.schema([("id", pa.string()), ("words", pa.list_(pa.string()))])


def test_rows_are_written_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", 2)
    rows: list[dict[str, Any]] = [{"id": "1", "words": ["red"]}, {"id": "2"}, {"id": "half \ud83d", "words": []}]
    write_parquet(tmp_path / "t.parquet", iter(rows), SCHEMA)
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert file.num_row_groups == 2
    assert file.read().to_pylist() == [rows[0], {"id": "2", "words": None}, {"id": "half \ufffd", "words": []}]
