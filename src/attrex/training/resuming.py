"""One directory, one run: is what it holds finished, half done, or another run? What is saved first tells."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from attrex.config import Config
from attrex.errors import ConfigError
from attrex.io.atomic import exclusive_lock, write_json
from attrex.types import Product

RUN_RECORD = "run.json"
STATE = "trainer_state.json"  # the last file of a checkpoint to be written
_PARTS = ("model.safetensors", "optimizer.pt", "scheduler.pt")


def fingerprint(config: Config, *products: Sequence[Product], **texts: str) -> dict[str, Any]:
    """What makes a run this run: settings by name; as hashes its products, with how many photos, and other texts."""
    contents: list[Any] = [
        [(p.id, dict(p.fields), p.category, dict(p.table), p.spans, p.complete, p.error, len(p.images)) for p in part]
        for part in products
    ]
    decided = [(p.id, sorted(p.reviewed)) for part in products for p in part if p.reviewed]
    contents += [decided] if decided else []
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return {
        "settings": config.model_dump(mode="json"),
        **hashes,
        "products": hashlib.sha256(repr(contents).encode()).hexdigest(),
    }


@contextmanager
def open_run(
    directory: Path, record: dict[str, Any], resume: bool, *, finished: str, what: str
) -> Iterator[Path | None]:
    """Around a run in ``directory``: the checkpoint that it goes on from, None: from the start.

    ``record`` is the :func:`fingerprint` of the run, ``finished`` the file that shows that it is over, ``what`` it then
    is. Raises :class:`ConfigError` where there is something else, or an unfinished run and no ``resume``, and
    :class:`DataError` where another process is at work.
    """
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"{directory}: expected a directory, got a file; choose another")
    directory.mkdir(parents=True, exist_ok=True)
    first = os.environ.get("RANK", "0") == "0"  # of the processes of one torchrun: it holds the lock for all
    with exclusive_lock(directory, directory / "run.lock") if first else nullcontext():
        yield _prepare(directory, record, resume, finished, what)


def _prepare(directory: Path, record: dict[str, Any], resume: bool, finished: str, what: str) -> Path | None:
    checkpoint = last_complete(directory)
    taken = (directory / finished).exists()
    if not resume and taken:
        raise ConfigError(f"{directory} holds a finished {what}; choose another directory")
    if not resume and checkpoint is not None:
        raise ConfigError(
            f"{directory} holds an unfinished run; continue it with resume=True, or choose another directory"
        )
    if resume and (taken or checkpoint is not None):
        differences = _changed_settings(_read_record(directory / RUN_RECORD), record)
        if differences:
            raise ConfigError(
                f"{directory} holds another run: {'; '.join(differences)}. Resume it with the same "
                "settings, seed and data, or choose another directory"
            )
    for half in _checkpoints(directory):  # a kill while saving
        if _saved_step(half) is None:
            shutil.rmtree(half, ignore_errors=True)
    write_json(directory / RUN_RECORD, record)
    return checkpoint


def last_complete(directory: Path) -> Path | None:
    """The newest checkpoint that a run can go on from, half-written ones left aside."""
    found = [(step, path) for path in _checkpoints(directory) if (step := _saved_step(path)) is not None]
    return max(found)[1] if found else None


def _checkpoints(directory: Path) -> list[Path]:
    return list((directory / "checkpoints").glob("checkpoint-*"))


def _saved_step(checkpoint: Path) -> int | None:
    """The step of a complete checkpoint, None for half of one."""
    try:
        state: Mapping[str, Any] = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        return int(state["global_step"]) if all((checkpoint / part).exists() for part in _PARTS) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _read_record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _changed_settings(before: Any, now: Any, name: str = "") -> list[str]:
    """Where two nested mappings differ, in words a person can act on."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [k for k in now if before.get(k) != now[k]]
        return [d for k in keys for d in _changed_settings(before.get(k), now[k], f"{name}.{k}" if name else k)]
    if "." not in name:  # a hash says nothing to a person
        return [f"its {name} are other ones" if name.endswith("s") else f"its {name} is another one"]
    return [f"{name.removeprefix('settings.')} was {before!r} and is now {now!r}"]
