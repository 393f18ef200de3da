"""What becomes of one shard: its products are extracted, named and filled in one pass, and written as one file.

A task is told to worker processes as it is; each loads the model once and keeps it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice, tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.filling.fill import MIN_CONFIDENCE, FilledRow, fill_table
from attrex.inference.directory import locate_model
from attrex.io.bad_rows import RowTally
from attrex.io.parquet import write_parquet
from attrex.io.sharding import Shard, ShardedSource
from attrex.jobs.folder import Folder, digest_of
from attrex.jobs.rows import json_row
from attrex.jobs.tables import long_rows, long_schema, wide_row, wide_schema
from attrex.types import Prediction, Product

if TYPE_CHECKING:
    from attrex.inference.extractor import Extractor
    from attrex.inference.selection import Cutoff
    from attrex.vocabulary.normalizer import ValueNormalizer

REPORT = 64
"""Rows between two reports of how far a shard is."""


class ShardStopped(Exception):
    """The job is to end: the shard is left as if it had not been begun."""


@dataclass(frozen=True)
class How:
    """What the results depend on, besides the products and the model."""

    backend: str = "auto"
    precision: str | None = None
    deterministic: bool = False
    batch_size: int | None = None
    threshold: float | None = None
    photos: bool = True
    evidence: bool = False
    min_confidence: float = MIN_CONFIDENCE
    cutoffs: Mapping[str, Cutoff] | None = None
    known_only: bool = False
    form: str = "rows"  #: one of :data:`SUFFIXES`


@dataclass(frozen=True)
class ShardResult:
    """What the manifest says of a finished shard."""

    rows: int
    bad_rows: int
    values: int
    filled: int
    seconds: float
    damaged: int = 0  #: parts of the source that cannot be read
    reasons: tuple[str, ...] = ()  #: of the first bad rows
    bytes: int = 0  #: of the file
    hash: str = ""  #: of the file


@dataclass(frozen=True)
class Task:
    """A job as its workers know it.

    :param model: a directory, or a name on the hub.
    :param allow_code: as for :meth:`~attrex.inference.extractor.Extractor.load`.
    """

    model: str
    sources: Sequence[ShardedSource]
    folder: Folder
    how: How = How()
    model_hash: str = ""
    allow_code: tuple[str | type, ...] = ()

    def load(self, check: Callable[[], None] = lambda: None) -> ShardRunner:
        """The model, ready to run shards; on one core, so that bytes do not hang on how many there are.

        :param check: is called before each batch, and raises what is to end the shard.
        """
        from attrex.inference.extractor import Extractor
        from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

        how = self.how
        with one_thread():
            extractor = Extractor.load(
                self.model,
                backend=how.backend,
                precision=how.precision,
                deterministic=how.deterministic,
                allow_code=self.allow_code,
            )
        if hasattr(extractor.engine, "cores"):  # of an export
            extractor.engine.cores = 1
        normalizer = ValueNormalizer.load(locate_model(self.model) / NORMALIZER_FILE)
        return ShardRunner(self, extractor, normalizer, check)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes on one core in the block, where it is there."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class ShardRunner:
    """Runs shards with a model that is loaded."""

    task: Task
    extractor: Extractor
    normalizer: ValueNormalizer
    check: Callable[[], None]

    def __post_init__(self) -> None:
        self.extractor.engine = _CheckedEngine(self.extractor.engine, self)
        size = self.task.how.batch_size or self.extractor.model.config.training.eval_batch_size
        from attrex.inference.extractor import CHUNK

        self.at_once = size * CHUNK + REPORT  #: products that may be worked at when the process dies

    def run(
        self,
        number: int,
        shard: Shard,
        marks: Mapping[int, str],
        report: Callable[[int], None] = lambda done: None,
    ) -> ShardResult:
        """Write the file of a shard, and that of its bad rows if it has any.

        :param marks: products of it, by their place, that cannot be read, and why.
        :param report: gets how many of its products are done.
        """
        start, folder, form = time.monotonic(), self.task.folder, self.task.how.form
        rows = values = filled = 0
        bad: list[dict[str, Any]] = []
        source, tally = self.task.sources[shard.source], RowTally()

        def counted(pairs: Iterable[tuple[Product, FilledRow, Prediction]]) -> Iterator[tuple[FilledRow, Prediction]]:
            nonlocal rows, values, filled
            for product, row, prediction in pairs:
                rows, values = rows + 1, values + len(prediction.values)
                filled += sum(entry.outcome == "filled" for entry in row.entries)
                if prediction.error is not None:
                    where = {"shard": number, "source": source.name, "row": product.number, "id": product.id}
                    bad.append({**where, "reason": prediction.error})
                yield row, prediction
                if rows % REPORT == 0:
                    report(rows)

        with folder.publish(part_name(number, form)) as path:
            write_rows(path, counted(self._filled(marked(source.read(shard, tally), marks))), form, self)
            size, digest = path.stat().st_size, digest_of(path)
            if bad:
                with folder.publish(errors_name(number)) as errors:
                    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in bad)
                    errors.write_bytes("".join(lines).encode("utf-8", "backslashreplace"))
            else:
                folder.remove(errors_name(number))
        report(rows)
        reasons = tuple(row["reason"] for row in bad[:3])
        seconds = round(time.monotonic() - start, 3)
        return ShardResult(rows, len(bad), values, filled, seconds, tally.damaged, reasons, size, digest)

    def probe(self, shard: Shard, begin: int, at: Callable[[int], None], bad: Callable[[int, str], None]) -> None:
        """Run some products of a shard one by one, to find those that cannot be run; nothing is written.

        :param begin: place of the first one; those before it are known to be good.
        :param at: gets the place of each product before it is run: if the process dies then, that was it.
        :param bad: gets the place of one that raises an error, and why.
        """
        products = self.task.sources[shard.source].read(shard)
        for place, product in enumerate(islice(products, begin, begin + self.at_once), begin):
            at(place)
            try:
                list(self._filled(iter([product])))
            except ShardStopped:
                raise
            except Exception as exc:
                bad(place, f"the product cannot be read: {type(exc).__name__}: {exc}")

    def rows(self, products: Iterable[Product]) -> Iterator[tuple[FilledRow, Prediction]]:
        """Of each product its cells afterwards, and what was found."""
        return ((row, prediction) for _, row, prediction in self._filled(iter(products)))

    def _filled(self, products: Iterator[Product]) -> Iterator[tuple[Product, FilledRow, Prediction]]:
        """What is kept in memory is what the extractor works at."""
        how = self.task.how
        told, read, of_table = tee(products, 3)
        found = self.extractor.extract(
            read, batch_size=how.batch_size, threshold=how.threshold, evidence=how.evidence, photos=how.photos
        )
        kept, of_fill = tee(found)
        rows = fill_table(
            of_table,
            of_fill,
            self.normalizer,
            min_confidence=how.min_confidence,
            cutoffs=how.cutoffs,
            known_only=how.known_only,
        )
        with ExitStack() as threads:
            if not hasattr(self.extractor.engine, "cores"):
                threads.enter_context(one_thread())
            for row in rows:  # the last of the three that moves on
                yield next(told), row, next(kept)


def marked(products: Iterable[Product], marks: Mapping[int, str]) -> Iterator[Product]:
    for place, product in enumerate(products):
        yield replace(product, error=marks[place]) if place in marks and product.error is None else product


def write_rows(path: Path, rows: Iterator[tuple[FilledRow, Prediction]], form: str, runner: ShardRunner) -> None:
    """The file of a shard, in one of the forms of :data:`SUFFIXES`."""
    if form != "rows":
        names, single, model = runner.extractor.names, runner.normalizer.is_single_valued, runner.task.model_hash
        if form == "long":
            write_parquet(path, (one for row, found in rows for one in long_rows(row, found, model)), long_schema())
        else:
            wide = (wide_row(row, names, single, model) for row, _ in rows)
            write_parquet(path, wide, wide_schema(names, single))
        return
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for row, prediction in rows:
            file.write(json.dumps(json_row(row, prediction), ensure_ascii=False) + "\n")


SUFFIXES = {"rows": ".jsonl", "long": ".parquet", "wide": ".parquet"}
"""What a job may write -> the kind of its files."""


def part_name(number: int, form: str) -> str:
    return f"part-{number:06}{SUFFIXES[form]}"


def errors_name(number: int) -> str:
    return f"errors/part-{number:06}.jsonl"


class _CheckedEngine:
    """An engine that asks before each batch whether it is to go on."""

    def __init__(self, engine: Any, runner: ShardRunner) -> None:
        self._engine, self._runner = engine, runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, arrays: Any, **how: Any) -> Any:
        self._runner.check()
        return self._engine.run(arrays, **how)
