"""A job: which shards are to run, who runs them, and what is kept of each when it is finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attrex.errors import ConfigError, DataError
from attrex.io.bad_rows import REASONS, RowTally
from attrex.io.sharding import Shard
from attrex.jobs.local import Event, Piece
from attrex.jobs.manifest import Made, Manifest, entry_of, write_job
from attrex.jobs.metrics import write_metrics
from attrex.jobs.task import Task, errors_name, part_name
from attrex.progress import Progress, ProgressEvent, note, silent

Run = Callable[[Sequence[Piece]], Iterator[Event]]
"""Runs shards and tells what happens; of this machine's workers, of Ray's."""


@dataclass
class JobResult:
    """What a job's folder holds of its share when the job ends."""

    folder: str
    shards: int = 0  #: of the share
    skipped: int = 0  #: of these, those that were finished before
    rows: int = 0
    values: int = 0
    filled: int = 0
    seconds: float = 0.0  #: of this run
    failed: list[str] = field(default_factory=list)  #: shards that could not be finished, and why
    source: str = ""
    split: str | None = None
    tally: RowTally = field(default_factory=RowTally)  #: rows, and those that cannot be read


def parse_share(text: str | None) -> tuple[int, int]:
    """``"2/4"``: the second share of four; None: all. Raises :class:`ConfigError` for anything else."""
    if text is None:
        return 1, 1
    i, _, n = text.partition("/")
    if not (i.strip().isdecimal() and n.strip().isdecimal() and 1 <= int(i) <= int(n)):
        raise ConfigError(f"shard should be a share such as 2/4, the second of four, got {text!r}")
    return int(i), int(n)


@dataclass
class Job:
    """Shards, and what is known of them.

    :param made: of each shard, what its file is made of.
    :param share: only shards ``i - 1``, ``i - 1 + n`` ... of the numbered ones.
    """

    task: Task
    inputs: Sequence[str]
    shards: Sequence[Shard]
    model_hash: str
    options: dict[str, Any]
    share: tuple[int, int] = (1, 1)
    metrics: Path | None = None

    def made(self, number: int) -> Made:
        return Made(self.shards[number].content, self.model_hash, self.options)

    def run(self, run: Run, *, redo: bool = False, progress: Progress = silent) -> JobResult:
        """Run what is not finished.

        :param redo: do again what is of another input, model, or other options; else that is refused.

        Raises :class:`DataError` for finished shards of something else, and where another process runs this share.
        """
        folder, manifest = self.task.folder, Manifest(self.task.folder, self.share)
        with folder.lock(manifest.name):
            entries, sizes = manifest.entries(), folder.sizes("part-*")
            mine = range(self.share[0] - 1, len(self.shards), self.share[1])
            finished = {
                n: e for n, e in entries.items() if sizes.get(part_name(n, self.task.how.form)) == e.get("bytes")
            }
            changed = {n: why for n, e in entries.items() if (why := self._change(n, e)) is not None}
            if changed and not redo:
                raise DataError(_refusal(folder.name, changed))
            write_job(folder, self.inputs, self.shards, self.task.how.form)
            done = {n: finished[n] for n in mine if n in finished and n not in changed}
            left = [n for n in mine if n not in done]
            self._tidy(mine)
            result = JobResult(folder.name, len(mine), len(done))
            result.source = self.inputs[0] if len(self.inputs) == 1 else f"the {len(self.inputs):,} files"
            for entry in done.values():
                _add(result, entry)
            if done:
                note(progress, f"{len(done):,} of {len(mine):,} shards are finished already: {len(left):,} are left")
            try:
                self._work(run, left, manifest, result, progress)
                self._tidy(mine)  # a worker that died has left what it wrote, and another has done its shard
            finally:
                if self.metrics is not None:
                    write_metrics(self.metrics, result, len(left))
        return result

    def _change(self, number: int, entry: dict[str, Any]) -> str | None:
        if number >= len(self.shards):
            return "the input has fewer rows"
        return self.made(number).differs(entry)

    def _tidy(self, mine: Iterable[int]) -> None:
        """Take away what killed processes have left of this share's shards, and shards that are no more."""
        folder, form = self.task.folder, self.task.how.form
        names = {part_name(n, form) for n in mine} | {errors_name(n) for n in mine}
        for unfinished in [*folder.sizes("part-*.part"), *folder.sizes("errors/part-*.part")]:
            if unfinished.rsplit(".", 2)[0] in names:
                folder.remove(unfinished)
        here = {part_name(n, form) for n in range(len(self.shards))}
        if self.share == (1, 1):
            for name in folder.sizes("part-*"):
                if name not in here and not name.endswith(".part"):
                    folder.remove(name)
            for name in folder.sizes("errors/part-*.jsonl"):
                if name not in {errors_name(n) for n in range(len(self.shards))}:
                    folder.remove(name)

    def _work(self, run: Run, left: Sequence[int], manifest: Manifest, result: JobResult, progress: Progress) -> None:
        started, begun = time.monotonic(), result.rows
        total = begun + sum(self.shards[n].rows for n in left)
        rows = begun
        for what, said in run([Piece(n, self.shards[n]) for n in left]):
            if what == "done":
                rows += said
            elif what == "failed":
                result.failed.append(said)
                note(progress, said)
            else:
                number, found = said
                shard = self.shards[number]
                name = self.task.sources[shard.source].name
                form = self.task.how.form
                entry = entry_of(number, shard, name, self.made(number), found, form, at=time.time())
                manifest.add(entry)
                _add(result, entry)
            result.seconds = time.monotonic() - started
            if what == "finished" and self.metrics is not None:
                write_metrics(self.metrics, result, len(left), begun)
            rate = (rows - begun) / result.seconds if result.seconds else 0.0
            progress(ProgressEvent("extracting", rows, total, facts=f"{rate:,.1f} products/s"))
        progress(ProgressEvent("extracting", finished=True))


def _add(result: JobResult, entry: dict[str, Any]) -> None:
    result.rows += entry["rows"]
    result.values += entry["values"]
    result.filled += entry["filled"]
    result.tally.rows += entry["rows"]
    result.tally.unreadable += entry["bad_rows"]
    result.tally.damaged += entry.get("damaged", 0)
    result.tally.reasons = [*result.tally.reasons, *entry.get("reasons", ())][:REASONS]


def _refusal(folder: str, changed: dict[int, str]) -> str:
    first = min(changed)
    shards = f"shard {first} of {folder} is" if len(changed) == 1 else f"{len(changed):,} shards of {folder} are"
    return (
        f"{shards} finished, but of something else: {changed[first]} (shard {first}); go on with the same, do what has "
        "changed again (redo=True), or choose another directory"
    )
