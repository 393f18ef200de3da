"""Files that are whole or not there: written beside their name, renamed when complete, by one process at a time."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from attrex.errors import DataError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of writing: the disk, the user's quota or the greatest length of a file is reached."""


@contextmanager
def exclusive_lock(path: Path, lock: Path | None = None) -> Iterator[None]:
    """Hold the lock of ``path`` (``NAME.lock`` beside it, or ``lock``): two writers would spoil each other's file.

    A killed process releases it. Raises :class:`DataError` where another process holds it.
    """
    from filelock import FileLock, Timeout  # the one slow import of what every command loads

    lock = path.with_name(f"{path.name}.lock") if lock is None else lock
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise DataError(f"another process is writing {path} just now; wait for it, or choose another name") from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps a file that is open
            lock.unlink()
        held.release()


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """An error of writing in the block, where there is no space left, names the file; by itself it does not."""
    try:
        yield
    except OSError as exc:
        if exc.errno in NO_SPACE and exc.filename is None:
            exc.filename = str(path)
        raise


@contextmanager
def atomic_path(path: Path, *, suffix: str = ".part", lock: bool = True) -> Iterator[Path]:
    """A path to write to, ``NAME.part``, which becomes ``path`` when the block ends without an error.

    An error or an interrupt leaves what was under the name before. A link stays a link.

    :param suffix: of the path to write to.
    :param lock: take the file's lock; False where the caller holds it.

    Raises :class:`DataError` for a directory, and where another process is writing the file.
    """
    path = path.resolve()
    if path.is_dir():
        raise DataError(f"{path}: expected a file to write, got a directory; name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + suffix)
    with naming_full_disk(path), exclusive_lock(path) if lock else nullcontext():
        try:
            yield part
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A directory to fill, ``NAME.part``, which takes the place of ``path`` when the block ends without an error.

    The one that was there before is ``NAME.part.old`` for a moment; where a kill leaves it so, the next call puts it
    back.
    """
    part, old = (path.with_name(path.name + suffix) for suffix in (".part", ".part.old"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_full_disk(path), exclusive_lock(path):
        if old.is_dir() and not path.exists():
            os.replace(old, path)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        try:
            yield part
            if path.exists():
                os.replace(path, old)
            os.replace(part, path)
        finally:
            if old.is_dir() and not path.exists():
                os.replace(old, path)
            for left in (part, old):
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """A text file (packed where the name ends in .gz) that has its name when it is complete, as :func:`atomic_path`."""
    with atomic_path(path) as part, part.open("wb") as raw:
        packed = gzip.GzipFile(path.name, "wb", fileobj=raw) if path.suffix.lower() == ".gz" else raw
        # backslashreplace turns half a surrogate pair, which UTF-8 cannot hold, into its JSON escape
        with io.TextIOWrapper(cast(BinaryIO, packed), "utf-8", errors="backslashreplace", newline="\n") as file:
            yield file


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by new content, as :func:`atomic_path`."""
    with atomic_path(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Replace a file by new UTF-8 text, as :func:`atomic_path`."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Replace a file by JSON, as :func:`atomic_path`."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
