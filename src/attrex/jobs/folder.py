"""Where a job's files go: whole or not there, whoever is killed when."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from attrex.io.atomic import atomic_path


@dataclass(frozen=True)
class Folder:
    """A folder on this machine, or on one that all workers see.

    :param root: it is made when something is written.
    """

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    @contextmanager
    def publish(self, name: str) -> Iterator[Path]:
        """A path to write to, which becomes the file when the block ends without an error.

        The path is this process's own: a worker whose parent was killed may still write the same shard.
        """
        with atomic_path(self.root / name, suffix=f".{os.getpid()}.part", lock=False) as path:
            yield path

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def digest(self, name: str) -> str:
        """A hash of a file."""
        with (self.root / name).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def names(self, pattern: str) -> list[str]:
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.glob(pattern))

    def read(self, name: str) -> bytes:
        """A file's bytes; none where there is no such file."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else b""

    def append(self, name: str, line: str) -> None:
        """Add a line to a file of lines. What a kill left of one is cut off first."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if end := file.tell():
                file.seek(max(0, end - 2**16))
                tail = file.read()
                file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
