"""Predictions to a file, row by row: a killed job keeps what it has finished and can go on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from attrex.errors import DataError
from attrex.inference.directory import read_json, write_json
from attrex.types import Prediction, Product

SUFFIXES = (".jsonl", ".parquet")
_ROWS_AT_ONCE = 2000
_SURROGATE = re.compile("[\ud800-\udfff]")
_ADVICE = "name a file that `attrex extract` wrote, or extract again"


@dataclass(slots=True)
class Tally:
    """What a file of predictions holds."""

    rows: int = 0
    values: int = 0
    warnings: int = 0  #: products with warnings
    errors: int = 0  #: rows that could not be read

    def add(self, prediction: Prediction) -> None:
        self.rows += 1
        self.values += len(prediction.values)
        self.warnings += bool(prediction.warnings)
        self.errors += prediction.error is not None


class PredictionFile:
    """Collects predictions in ``OUT.part`` and turns it into ``OUT`` (.jsonl or .parquet) when all are there.

    ``resume``: keep the whole rows of an unfinished file; ``finished`` tells that there is nothing left to do. ``how``
    is what the predictions depend on, JSON by the name of the option: an unfinished file that was made otherwise is not
    gone on with. Raises :class:`DataError` for that, for another suffix, or for an unfinished file when ``resume`` was
    not asked for.
    """

    def __init__(self, path: str | Path, *, resume: bool = False, how: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix not in SUFFIXES:
            raise DataError(f"--out should end in {' or '.join(SUFFIXES)}, got {self.path.name!r}")
        if self.path.is_dir():
            raise DataError(f"--out should be a file, but {self.path} is a directory; name a file in it")
        self.part = self.path.with_name(self.path.name + ".part")
        if self.part.exists() and not resume:
            raise DataError(f"{self.part} is an unfinished extraction; go on with --resume, or delete it")
        self.finished = resume and self.path.exists() and not self.part.exists()
        self.tally = Tally()
        self.how, self.record = dict(how or {}), self.path.with_name(self.path.name + ".part.how")
        if self.part.exists():
            self._check_how()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DataError(f"cannot make the directory {self.path.parent} for --out: {exc.strerror or exc}") from exc

    def left(self, products: Iterable[Product], step: int = 1) -> Iterator[Product]:
        """The products after those that the unfinished file has.

        Of that only a multiple of ``step`` rows is kept: rows computed together come out the same only together.

        Raises :class:`DataError` where the file was made from other products.
        """
        done = _keep_whole_lines(self.part, step) if self.part.exists() else 0
        left = iter(products)
        if done:
            for number, prediction in enumerate(read_predictions(self.part), 1):
                product = next(left, None)
                if product is None or _without_surrogates(product.id) != prediction.id:
                    here = f"product {product.id!r}" if product else "the end"
                    raise DataError(
                        f"{self.part} was made from other products: its row {number} is {prediction.id!r}, but the "
                        f"input has {here} there; resume with the same input, or delete the file to start again"
                    )
                self.tally.add(prediction)
        return left

    def write(self, predictions: Iterable[Prediction]) -> int:
        """Append predictions, then finish the file; returns how many rows it holds."""
        if self.how:
            write_json(self.record, self.how)
        with self.part.open("a", encoding="utf-8", buffering=1) as stream:
            for prediction in predictions:
                stream.write(_without_surrogates(json.dumps(prediction.to_json(), ensure_ascii=False)) + "\n")
                self.tally.add(prediction)
        if self.path.suffix == ".parquet":
            _to_parquet(self.part, self.path)
            self.part.unlink()
        else:
            os.replace(self.part, self.path)
        self.record.unlink(missing_ok=True)
        return self.tally.rows

    def _check_how(self) -> None:
        before = read_json(self.record) if self.record.exists() else {}
        for name in self.how:
            if name in before and before[name] != self.how[name]:
                raise DataError(
                    f"{self.part} was made with {name} {before[name]!r}, not {self.how[name]!r}; resume with the same, "
                    "or delete the file to start again"
                )


def _without_surrogates(text: str) -> str:
    """Half a surrogate pair is no character of a file: U+FFFD stands for it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _SURROGATE.search(text) else text


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """Predictions from a ``.jsonl`` or ``.parquet`` file that :class:`PredictionFile` wrote.

    Raises :class:`DataError` naming the line, in Parquet the row, that is broken or no prediction.
    """
    path = Path(path)
    rows, place = (_parquet_rows(path), "row") if path.suffix == ".parquet" else (_json_rows(path), "line")
    for number, row in enumerate(rows, 1):
        try:
            prediction = Prediction.from_json(row)
        except DataError as exc:
            raise DataError(f"{path} {place} {number} is {exc}; {_ADVICE}") from exc
        yield prediction


def _json_rows(path: Path) -> Iterator[Any]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError as exc:
                byte = f"0x{line[exc.start]:02x}"
                raise DataError(f"{path} line {number} is not UTF-8: it has the byte {byte}; {_ADVICE}") from exc
            except json.JSONDecodeError as exc:
                raise DataError(f"{path} line {number} is not JSON: {exc}; {_ADVICE}") from exc
            yield row


def _parquet_rows(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as stream:
        try:
            for batch in pq.ParquetFile(stream).iter_batches(_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    yield row | {"range": _scores(row["range"])} if "range" in row else row
        except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
            what = " ".join(str(exc).split())  # some are several lines
            raise DataError(f"{path} cannot be read as Parquet: {what}; {_ADVICE}") from exc


def _scores(pairs: Any) -> Any:
    """A range as JSON has it; what is no list of (attribute, score) stays, to be refused as no prediction."""
    try:
        return {pair["attribute"]: pair["score"] for pair in pairs}
    except (TypeError, KeyError):
        return pairs


def _keep_whole_lines(path: Path, step: int) -> int:
    """Cut off what a kill left unfinished; returns the number of lines kept, a multiple of ``step``."""
    rows, end, position = 0, 0, 0
    with path.open("rb+") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                break
            position += len(line)
            if number % step == 0:
                rows, end = number, position
        stream.truncate(end)
    return rows


def _to_parquet(source: Path, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout = _layout()
    whole = target.with_name(target.name + ".whole")
    with source.open(encoding="utf-8") as stream, pq.ParquetWriter(whole, layout) as writer:
        while lines := list(islice(stream, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist([_columns(json.loads(line)) for line in lines], layout))
    os.replace(whole, target)


def _layout() -> Any:
    """The columns of a Parquet file: those of the JSON rows, with the range as a list of (attribute, score)."""
    import pyarrow as pa

    evidence = pa.struct([("image", pa.int32()), ("weights", pa.list_(pa.list_(pa.float64())))])
    value = [
        ("attribute", pa.string()),
        ("text", pa.string()),
        ("field", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("confidence", pa.float64()),
        ("evidence", pa.list_(evidence)),
    ]
    columns = [
        ("id", pa.string()),
        ("values", pa.list_(pa.struct(value))),
        ("range", pa.list_(pa.struct([("attribute", pa.string()), ("score", pa.float64())]))),
        ("coverage", pa.float64()),
        ("warnings", pa.list_(pa.string())),
        ("error", pa.string()),
    ]
    return pa.schema(columns)


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"range": [{"attribute": a, "score": s} for a, s in row["range"].items()]}
