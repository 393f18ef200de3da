"""Predictions to a file, row by row: a killed job keeps what it has finished and can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.types import Prediction

SUFFIXES = (".jsonl", ".parquet")
_ROWS_AT_ONCE = 2000


class PredictionFile:
    """Collects predictions in ``OUT.part`` and turns it into ``OUT`` (.jsonl or .parquet) when all are there.

    Raises :class:`DataError` for another suffix, or for an unfinished file when ``resume`` was not asked for.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = Path(path)
        if self.path.suffix not in SUFFIXES:
            raise DataError(f"--out should end in {' or '.join(SUFFIXES)}, got {self.path.name!r}")
        self.part = self.path.with_name(self.path.name + ".part")
        if self.part.exists() and not resume:
            raise DataError(f"{self.part} is an unfinished extraction; go on with --resume, or delete it")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.done = _keep_whole_lines(self.part) if resume and self.part.exists() else 0

    def write(self, predictions: Iterable[Prediction]) -> int:
        """Append predictions, then finish the file; returns how many rows it holds."""
        rows = self.done
        with self.part.open("a", encoding="utf-8") as stream:
            for prediction in predictions:
                stream.write(json.dumps(prediction.to_json(), ensure_ascii=False) + "\n")
                rows += 1
        if self.path.suffix == ".parquet":
            _to_parquet(self.part, self.path)
            self.part.unlink()
        else:
            os.replace(self.part, self.path)
        return rows


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """Predictions from a ``.jsonl`` or ``.parquet`` file that :class:`PredictionFile` wrote."""
    path = Path(path)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield Prediction.from_json(row | {"range": {r["attribute"]: r["score"] for r in row["range"]}})
        return
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as exc:
                raise DataError(f"{path} line {number} is not JSON: {exc}") from exc
            yield Prediction.from_json(row)


def _keep_whole_lines(path: Path) -> int:
    """Cut off a last line that a kill left unfinished; returns the number of whole lines."""
    rows, end = 0, 0
    with path.open("rb+") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            rows, end = rows + 1, end + len(line)
        stream.truncate(end)
    return rows


def _to_parquet(source: Path, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    evidence = pa.struct([("image", pa.int32()), ("weights", pa.list_(pa.list_(pa.float32())))])
    value = pa.struct(
        [
            ("attribute", pa.string()),
            ("text", pa.string()),
            ("field", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("confidence", pa.float32()),
            ("evidence", pa.list_(evidence)),
        ]
    )
    layout = pa.schema(
        [
            ("id", pa.string()),
            ("values", pa.list_(value)),
            ("range", pa.list_(pa.struct([("attribute", pa.string()), ("score", pa.float32())]))),
            ("coverage", pa.float32()),
            ("warnings", pa.list_(pa.string())),
            ("error", pa.string()),
        ]
    )
    whole = target.with_name(target.name + ".whole")
    with source.open(encoding="utf-8") as stream, pq.ParquetWriter(whole, layout) as writer:
        while lines := list(islice(stream, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist([_columns(json.loads(line)) for line in lines], layout))
    os.replace(whole, target)


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"range": [{"attribute": a, "score": s} for a, s in row["range"].items()]}
