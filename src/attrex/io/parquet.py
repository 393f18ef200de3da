"""Rows of JSON to Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

ROWS_AT_ONCE = 2000


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], schema: Any) -> None:
    """Write rows, some at a time, as the Parquet file ``path``; an error leaves an incomplete file.

    ``schema`` (``pyarrow.Schema``): the columns; a key that a row lacks is null. Half of a surrogate pair,
    which Parquet cannot hold, becomes U+FFFD.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    remaining = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while some := list(islice(remaining, ROWS_AT_ONCE)):
            try:
                table = pa.Table.from_pylist(some, schema)
            except UnicodeEncodeError:
                text = json.dumps(some, ensure_ascii=False).encode("utf-16", "surrogatepass")
                table = pa.Table.from_pylist(json.loads(text.decode("utf-16", "replace")), schema)
            writer.write_table(table)
