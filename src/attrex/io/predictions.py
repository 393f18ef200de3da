"""Predictions to a file, row by row: a killed job keeps what it has finished and can go on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from attrex.errors import DataError
from attrex.io.bounded import (
    MAX_ROW,
    BoundedLines,
    TooLongError,
    check_pages,
    check_parts,
    row_bytes,
    text_leaves,
    too_long,
)
from attrex.io.content import row_hash
from attrex.io.parquet import ROWS_AT_ONCE, write_parquet
from attrex.io.resumable import ResumableWriter
from attrex.plain_json import whole_characters
from attrex.types import Prediction

PREDICTION_SUFFIXES = (".jsonl", ".parquet")
_ADVICE = "name a file that `attrex extract` wrote, or extract again"


@dataclass(slots=True)
class PredictionCounts:
    """What a file of predictions holds."""

    rows: int = 0
    values: int = 0
    warnings: int = 0  #: products with warnings
    errors: int = 0  #: rows that could not be read

    def add(self, row: Mapping[str, Any]) -> None:
        self.rows += 1
        self.values += len(row["values"])
        self.warnings += bool(row.get("warnings"))
        self.errors += row.get("error") is not None


class PredictionFile(ResumableWriter):
    """Predictions, row by row, as ``OUT`` (.jsonl or .parquet) when all are there; ``counts`` of what it holds.

    ``options`` are what they depend on, as for :class:`ResumableWriter`, whose errors it raises, too; and
    :class:`DataError` for another suffix.
    """

    def __init__(self, path: str | Path, *, resume: bool = False, options: Mapping[str, Any] | None = None) -> None:
        if Path(path).suffix not in PREDICTION_SUFFIXES:
            raise DataError(
                f"a file of predictions should end in {' or '.join(PREDICTION_SUFFIXES)}, got {Path(path).name!r}"
            )
        self.counts = PredictionCounts()
        super().__init__(path, what="extraction", key="values", resume=resume, options=options, count=self.counts.add)

    def write(self, predictions: Iterable[Prediction]) -> int:
        """Append predictions, then finish the file; returns how many rows it holds."""
        self.append(self._row(prediction) for prediction in predictions)
        return self.counts.rows

    def _row(self, prediction: Prediction) -> dict[str, Any]:
        row = prediction.to_json()
        return row if prediction.content is None else row | {"content": row_hash(prediction.content, self.options)}

    def _finished_rows(self) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(super()._finished_rows(), 1):
            try:
                Prediction.from_json(row)
            except DataError as exc:
                raise DataError(f"{self.part} line {number} is {exc}; delete the file to start again") from exc
            yield row

    def _finish(self) -> None:
        if self.suffix == ".parquet":
            with self.part.open(encoding="utf-8") as lines, self.complete() as path:
                rows = (
                    row | {"range": [{"attribute": a, "score": s} for a, s in row["range"].items()]}
                    for row in map(json.loads, lines)
                )
                write_parquet(path, rows, _schema())
            self.part.unlink()
        else:
            super()._finish()


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """Predictions from a ``.jsonl`` or ``.parquet`` file that :class:`PredictionFile` wrote.

    Raises :class:`DataError` naming the line, in Parquet the row, that is broken or no prediction.
    """
    path = Path(path)
    rows, place = (_read_parquet(path), "row") if path.suffix == ".parquet" else (read_rows(path), "line")
    for number, row in enumerate(rows, 1):
        try:
            prediction = Prediction.from_json(row)
        except DataError as exc:
            raise DataError(f"{path} {place} {number} is {exc}; {_ADVICE}") from exc
        yield prediction


def read_rows(path: Path) -> Iterator[Any]:
    with path.open("rb") as stream:
        lines = BoundedLines(stream)
        for number in count(1):
            lines.begin_row()
            try:
                line = next(lines)
                check_parts(line)
                row = json.loads(line.decode("utf-8"))
                if b"\\u" in line:
                    row = whole_characters(row)
            except StopIteration:
                return
            except TooLongError as exc:
                raise DataError(f"{path} line {number}: {exc}") from exc
            except UnicodeDecodeError as exc:
                byte = f"0x{line[exc.start]:02x}"
                raise DataError(f"{path} line {number} is not UTF-8: it has the byte {byte}; {_ADVICE}") from exc
            except (ValueError, RecursionError) as exc:  # ValueError: also a number of 5,000 digits
                raise DataError(f"{path} line {number} is not JSON: {exc}; {_ADVICE}") from exc
            yield row


def _read_parquet(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as stream:
        try:
            texts = text_leaves(pq.ParquetFile(stream).metadata.schema)
            file = pq.ParquetFile(stream, read_dictionary=texts)
            for group in range(file.num_row_groups):
                check_pages(path, file.metadata, group)
                for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group]):
                    sizes = sum(map(row_bytes, batch.columns), np.zeros(batch.num_rows, np.int64))
                    if sizes.max(initial=0) > MAX_ROW:
                        raise TooLongError(too_long("more"))
                    for row in batch.to_pylist():
                        yield row | {"range": _range_scores(row["range"])} if "range" in row else row
        except TooLongError as exc:
            raise DataError(f"{path}: {exc}") from exc
        except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
            what = " ".join(str(exc).split())  # some are several lines
            raise DataError(f"{path} cannot be read as Parquet: {what}; {_ADVICE}") from exc


def _range_scores(pairs: Any) -> Any:
    """A range as JSON has it; what is no list of (attribute, score) stays, to be refused as no prediction."""
    try:
        return {pair["attribute"]: pair["score"] for pair in pairs}
    except (TypeError, KeyError):
        return pairs


def _schema() -> Any:
    """The columns of a Parquet file: those of the JSON rows, with the range as a list of (attribute, score)."""
    import pyarrow as pa

    source = [("field", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())]
    regions = [("image", pa.int32()), ("weights", pa.list_(pa.list_(pa.float64())))]
    value = [
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("confidence", pa.float64()),
        ("source", pa.struct(source)),
        ("regions", pa.list_(pa.struct(regions))),
        ("decided_by", pa.string()),
        ("words", pa.list_(pa.struct([*source, ("weight", pa.float64())]))),
    ]
    columns = [
        ("id", pa.string()),
        ("values", pa.list_(pa.struct(value))),
        ("range", pa.list_(pa.struct([("attribute", pa.string()), ("score", pa.float64())]))),
        ("coverage", pa.float64()),
        ("warnings", pa.list_(pa.string())),
        ("error", pa.string()),
        ("content", pa.string()),
    ]
    return pa.schema(columns)
