"""The shards of a job put together into one file, once it is proved that none is missing, double, or another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from attrex.errors import DataError
from attrex.io.atomic import atomic_path
from attrex.jobs.folder import Folder
from attrex.jobs.manifest import Manifest, read_job
from attrex.jobs.task import SUFFIXES, errors_name, part_name
from attrex.progress import Progress, silent, track


@dataclass(frozen=True)
class Merged:
    """What was put together."""

    path: Path
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
    folder = Folder(Path(directory))
    about, entries = read_job(folder), Manifest(folder).entries()
    form, count = about.get("form", "rows"), len(about["shards"])
    out = Path(out)
    if out.suffix != SUFFIXES[form]:
        raise DataError(f"out should end in {SUFFIXES[form]}, which the shards are, got {out.name!r}")
    _check_all(folder, about, entries, form)
    rows = 0
    with atomic_path(out) as path, _writer(form, path, folder) as add:
        for number in track(range(count), "merging", progress):
            rows += add(folder, part_name(number, form), entries[number])
    wanted = sum(entries[n]["rows"] for n in range(count))
    if rows != wanted:  # nothing has changed since the hashes were compared
        raise DataError(f"{folder.name}: expected {wanted:,} rows in all shards, got {rows:,}; run the job again")
    if errors is not None:
        with atomic_path(Path(errors)) as path, path.open("wb") as file:
            for number in range(count):
                file.write(folder.read(errors_name(number)) if entries[number]["bad_rows"] else b"")
    return Merged(out, count, rows, sum(entries[n]["bad_rows"] for n in range(count)))


def _check_all(folder: Folder, about: dict[str, Any], entries: dict[int, dict[str, Any]], form: str) -> None:
    count = len(about["shards"])
    missing = [n for n in range(count) if n not in entries or folder.size(part_name(n, form)) is None]
    if missing:
        raise DataError(
            f"{folder.name}: expected {count:,} finished shards, but {len(missing):,} are missing, the first is shard "
            f"{missing[0]}; run the job to its end"
        )
    files = {part_name(n, form) for n in range(count)}
    if others := [n for n in folder.names(f"part-*{SUFFIXES[form]}") if n not in files]:
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


Add = Callable[[Folder, str, dict[str, Any]], int]


@contextmanager
def _writer(form: str, path: Path, folder: Folder) -> Iterator[Add]:
    """What adds a shard's file to the one at ``path``, and tells how many rows it had."""
    if form != "rows":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, pq.read_schema(folder.root / part_name(0, form))) as writer:
            yield lambda folder, name, entry: _append_table(writer, folder, name, entry, form)
        return
    with path.open("wb") as out:
        yield lambda folder, name, entry: _append_lines(out, folder, name, entry)


def _append_lines(out: BinaryIO, folder: Folder, name: str, entry: dict[str, Any]) -> int:
    check_hash(folder, name, entry)
    rows, last = 0, b"\n"
    with (folder.root / name).open("rb") as file:
        while piece := file.read(2**20):
            rows, last = rows + piece.count(b"\n"), piece[-1:]
            out.write(piece)
    if last != b"\n" or rows != entry["rows"]:
        raise DataError(f"{folder.name}/{name}: expected {entry['rows']:,} rows, got {rows:,}; run the job again")
    return rows


def _append_table(writer: Any, folder: Folder, name: str, entry: dict[str, Any], form: str) -> int:
    """Of the long form, products are counted, and not rows: a product has as many as it has values."""
    import pyarrow.parquet as pq

    check_hash(folder, name, entry)
    with pq.ParquetFile(folder.root / name) as file:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group))
        rows = file.metadata.num_rows
    if form == "wide" and rows != entry["rows"]:
        raise DataError(f"{folder.name}/{name}: expected {entry['rows']:,} rows, got {rows:,}; run the job again")
    return entry["rows"]


def check_hash(folder: Folder, name: str, entry: dict[str, Any]) -> None:
    """Raise :class:`DataError` for a file that is not what the manifest says."""
    if folder.digest(name) != entry.get("hash"):
        raise DataError(
            f"{folder.name}/{name} is not the file that the manifest says: it was changed or damaged; delete it, and "
            "run the job again"
        )
