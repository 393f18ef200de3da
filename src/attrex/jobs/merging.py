"""The shards of a job put together into one file, once it is proved that none is missing, double, or another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from attrex.errors import DataError
from attrex.io.atomic import atomic_path
from attrex.io.remote import is_remote
from attrex.jobs.folder import Folder, digest_of, folder_of
from attrex.jobs.manifest import Manifest, read_job
from attrex.jobs.task import SUFFIXES, errors_name, part_name
from attrex.progress import Progress, silent, track


@dataclass(frozen=True)
class Merged:
    """What was put together."""

    path: str | Path
    shards: int
    rows: int
    bad_rows: int


def merge(
    directory: str | Path, out: str | Path, *, errors: str | Path | None = None, progress: Progress = silent
) -> Merged:
    """Put the shards of a finished job together, in their order.

    Proved are: each shard of the job is finished once, all of one model and one set of options; each file has the bytes
    that its line of the manifest says; and their rows are as many as the lines say.

    :param out: a file of the kind of the shards.
    :param errors: where the rows that could not be read go, .jsonl.

    Raises :class:`DataError` naming what is missing or not as it should be; nothing is written then.
    """
    folder = folder_of(directory)
    about, entries = read_job(folder), Manifest(folder).entries()
    form, count = about.get("form", "rows"), len(about["shards"])
    if PurePath(out).suffix != SUFFIXES[form]:
        raise DataError(f"out should end in {SUFFIXES[form]}, which the shards are, got {PurePath(out).name!r}")
    _check_all(folder, about, entries, form)
    rows, bad_rows = 0, sum(entries[n]["bad_rows"] for n in range(count))
    if errors is not None:
        with _published(errors) as path, path.open("wb") as file:
            for number in (n for n in range(count) if entries[n]["bad_rows"]):
                file.write(_errors_of(folder, number, entries[number]))
    with _published(out) as path, _writer(form, path) as add:
        for number in track(range(count), "merging", progress):
            name = part_name(number, form)
            with folder.local(name) as part:
                check_hash(folder, name, part, entries[number])
                found = add(part)
            rows += entries[number]["rows"]
            if found is not None and found != entries[number]["rows"]:
                raise DataError(
                    f"{folder.name}/{name}: expected {entries[number]['rows']:,} rows, got {found:,}; run the job again"
                )
    return Merged(out, count, rows, bad_rows)


@contextmanager
def _published(out: str | Path) -> Iterator[Path]:
    if isinstance(out, str) and is_remote(out):
        root, _, name = out.rpartition("/")
        with folder_of(root).publish(name) as path:
            yield path
    else:
        with atomic_path(Path(out)) as path:
            yield path


def _check_all(folder: Folder, about: dict[str, Any], entries: dict[int, dict[str, Any]], form: str) -> None:
    count = len(about["shards"])
    there = folder.sizes("part-*")
    missing = [n for n in range(count) if n not in entries or part_name(n, form) not in there]
    if missing:
        raise DataError(
            f"{folder.name}: expected {count:,} finished shards, but {len(missing):,} are missing, the first is shard "
            f"{missing[0]}; run the job to its end"
        )
    files = {part_name(n, form) for n in range(count)}
    if others := [n for n in there if n.endswith(SUFFIXES[form]) and n not in files]:
        raise DataError(f"{folder.name}: expected {count:,} shards, but there is {others[0]}, too; take it away")
    end: dict[int, int] = {}
    for number, (source, begin, after, content) in enumerate(about["shards"]):
        entry = entries[number]
        if begin != end.get(source, begin):
            raise DataError(f"{folder.name}: shard {number} does not begin where the one before it ends; run it again")
        end[source] = after
        first = entries[0]
        if entry.get("content") != content or any(entry.get(k) != first.get(k) for k in ("model", "options")):
            raise DataError(
                f"{folder.name}: shard {number} is of another input, model, or of other options than the job; run the "
                "job again with redo"
            )


def _errors_of(folder: Folder, number: int, entry: dict[str, Any]) -> bytes:
    name, wanted = errors_name(number), entry["bad_rows"]
    content = folder.read([name])[0]
    if (found := content.count(b"\n")) != wanted:
        raise DataError(f"{folder.name}/{name}: expected {wanted:,} rows, got {found:,}; run the job again")
    return content


Add = Callable[[Path], int | None]


@contextmanager
def _writer(form: str, path: Path) -> Iterator[Add]:
    """What adds a shard's file to the one at ``path``, and tells how many products it had.

    That is None of the long form, where a product has as many rows as it has values.
    """
    if form == "rows":
        with path.open("wb") as out:
            yield lambda part: _append_lines(out, part)
        return
    writers: list[Any] = []
    yield lambda part: _append_table(writers, path, part, form)
    for writer in writers:
        writer.close()


def _append_lines(out: BinaryIO, part: Path) -> int:
    rows = 0
    with part.open("rb") as file:
        while piece := file.read(2**20):
            rows += piece.count(b"\n")
            out.write(piece)
    return rows


def _append_table(writers: list[Any], path: Path, part: Path, form: str) -> int | None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        if not writers:
            writers.append(pq.ParquetWriter(path, file.schema_arrow))
        for group in range(file.num_row_groups):
            writers[0].write_table(file.read_row_group(group))
        return file.metadata.num_rows if form == "wide" else None


def check_hash(folder: Folder, name: str, part: Path, entry: dict[str, Any]) -> None:
    """Raise :class:`DataError` for a file that is not what the manifest says."""
    if digest_of(part) != entry.get("hash"):
        raise DataError(
            f"{folder.name}/{name} is not the file that the manifest says: it was changed or damaged; delete it, and "
            "run the job again"
        )
