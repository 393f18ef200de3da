"""Rows of JSON to Parquet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

ROWS_AT_ONCE = 2000


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], schema: Any) -> None:
    """Rows, some at a time, as the Parquet file ``path``, which is ``PATH.whole`` until all are there.

    ``schema`` (``pyarrow.Schema``): the columns; a key that a row lacks is null. Half of a surrogate pair,
    which Parquet cannot hold, becomes U+FFFD.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    left, whole = iter(rows), path.with_name(path.name + ".whole")
    try:
        with pq.ParquetWriter(whole, schema) as writer:
            while some := list(islice(left, ROWS_AT_ONCE)):
                try:
                    table = pa.Table.from_pylist(some, schema)
                except UnicodeEncodeError:
                    text = json.dumps(some, ensure_ascii=False).encode("utf-16", "surrogatepass")
                    table = pa.Table.from_pylist(json.loads(text.decode("utf-16", "replace")), schema)
                writer.write_table(table)
        os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)
