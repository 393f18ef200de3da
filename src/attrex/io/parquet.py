"""Rows of JSON to Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

ROWS_AT_ONCE = 2000


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], schema: Any) -> None:
    """Write rows, some at a time, as the Parquet file ``path``; an error leaves an incomplete file.

    ``schema`` (``pyarrow.Schema``): the columns; a key that a row lacks is null. Half of a surrogate pair,
    which Parquet cannot hold, becomes U+FFFD.
    """
    import pyarrow.parquet as pq

    remaining = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while some := list(islice(remaining, ROWS_AT_ONCE)):
            writer.write_table(arrow_table(some, schema))


def arrow_table(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    """The rows as a ``pyarrow.Table``, as :func:`write_parquet` writes them."""
    import pyarrow as pa

    try:
        return pa.Table.from_pylist(rows, schema)
    except UnicodeEncodeError:
        text = json.dumps(rows, ensure_ascii=False).encode("utf-16", "surrogatepass")
        return pa.Table.from_pylist(json.loads(text.decode("utf-16", "replace")), schema)
