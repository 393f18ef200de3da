"""The manifest: a line of JSON for each finished shard, which says what of and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attrex.errors import DataError, short
from attrex.io.sharding import Shard
from attrex.jobs.folder import Folder
from attrex.jobs.rows import FORMAT_VERSION
from attrex.jobs.task import ShardResult, part_name

JOB_FILE = "job.json"
"""What all of the job's shares have in common: its shards are numbered by it."""
WHOLE = (1, 1)


@dataclass(frozen=True)
class Manifest:
    """What a job's folder holds. Each share of a job (``--shard i/n``) has a file of its own; all of them are read.

    :param share: which share of how many writes.
    """

    folder: Folder
    share: tuple[int, int] = WHOLE

    @property
    def name(self) -> str:
        i, n = self.share
        return "manifest.jsonl" if n == 1 else f"manifest.{i}-of-{n}.jsonl"

    def entries(self) -> dict[int, dict[str, Any]]:
        """Number of a shard -> what is said of it; of several the last one.

        Raises :class:`DataError` for a line that is none of a manifest; a last one that was cut off does not count.
        """
        found: dict[int, dict[str, Any]] = {}
        for where, line in self.folder.lines("manifest*.jsonl"):
            try:
                entry = json.loads(line)
                number = entry["shard"]
                if type(number) is not int or not isinstance(entry["file"], str):
                    raise ValueError("no shard, or no file")
            except (ValueError, KeyError, TypeError, RecursionError) as exc:
                raise DataError(
                    f"{where}: expected a finished shard of a manifest, got {short(line)} ({exc}); take it out, and "
                    "its shard is done again"
                ) from None
            if number not in found or found[number]["at"] <= entry.get("at", 0):
                found[number] = {"at": 0, **entry}
        return found

    def add(self, entry: Mapping[str, Any]) -> None:
        self.folder.append(self.name, json.dumps(entry, ensure_ascii=False))


@dataclass(frozen=True)
class Made:
    """What a shard's file is made of: another one of the same number is of something else."""

    content: str  #: of its products
    model: str
    options: Mapping[str, Any]

    def differs(self, entry: Mapping[str, Any]) -> str | None:
        """In what an entry of the manifest is of something else; None where it is not."""
        if entry.get("model") != self.model:
            return "the model is another one"
        before = entry.get("options")
        before = before if isinstance(before, dict) else {}
        for name in sorted({*before, *self.options}):
            if before.get(name) != self.options.get(name):
                return f"{name} is {short(self.options.get(name))}, it was {short(before.get(name))}"
        return "the input has changed" if entry.get("content") != self.content else None


def entry_of(
    number: int, shard: Shard, source: str, made: Made, result: ShardResult, form: str, at: float
) -> dict[str, Any]:
    """The line of a finished shard.

    :param source: the input's name.
    :param at: when it was finished, in seconds since 1970.
    """
    return {
        "shard": number,
        "file": part_name(number, form),
        "input": source,
        "begin": shard.begin,
        "end": shard.end,
        "content": made.content,
        "model": made.model,
        "options": dict(made.options),
        "rows": result.rows,
        "bad_rows": result.bad_rows,
        "damaged": result.damaged,
        "values": result.values,
        "filled": result.filled,
        "seconds": result.seconds,
        "bytes": result.bytes,
        "hash": result.hash,
        "reasons": list(result.reasons),
        "at": round(at, 3),
    }


def write_job(folder: Folder, inputs: Sequence[str], shards: Sequence[Shard], form: str) -> None:
    """Write what `attrex merge` has to know of a job besides its shards; nothing where it is there already."""
    about = {
        "format": FORMAT_VERSION,
        "form": form,
        "inputs": list(inputs),
        "shards": [[s.source, s.begin, s.end, s.content] for s in shards],
    }
    text = json.dumps(about, ensure_ascii=False).encode("utf-8", "backslashreplace")
    if folder.read([JOB_FILE])[0] != text:
        with folder.publish(JOB_FILE) as path:
            path.write_bytes(text)


def read_job(folder: Folder) -> dict[str, Any]:
    """What :func:`write_job` wrote; raises :class:`DataError` where there is nothing of the kind."""
    try:
        about = json.loads(folder.read([JOB_FILE])[0])
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or not isinstance(about.get("shards"), list):
        raise DataError(
            f"{folder.name}: expected the folder of a job, with a {JOB_FILE}; name what `attrex run --out DIR` wrote"
        )
    if about.get("format") != FORMAT_VERSION:
        raise DataError(
            f"{folder.name} has format {short(about.get('format'))}, this version reads {FORMAT_VERSION}; run the job "
            "again, or upgrade"
        )
    return about
