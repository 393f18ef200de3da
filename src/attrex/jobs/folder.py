"""Where a job's files go: whole or not there, whoever is killed when."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from attrex.errors import ConfigError
from attrex.io.atomic import atomic_path, exclusive_lock
from attrex.io.outputs import check_local
from attrex.io.remote import RemoteFile, filesystem, is_file, is_remote, join, publish, reaching, read_all, sizes


class Folder(Protocol):
    """What a job has to know of the place of its files; names are relative to it, with ``/``."""

    @property
    def name(self) -> str: ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Only one process at a time; raises :class:`DataError` for a second one."""
        ...

    def publish(self, name: str) -> AbstractContextManager[Path]:
        """A path to write to, which becomes the file when the block ends without an error."""
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A path that a file can be read from."""
        ...

    def sizes(self, pattern: str) -> dict[str, int]:
        """The files of a pattern, in sorted order -> bytes."""
        ...

    def read(self, names: Sequence[str]) -> list[bytes]:
        """The contents of files; nothing of one that is not there."""
        ...

    def append(self, name: str, line: str) -> None:
        """Add a line to a file of lines, which :meth:`lines` gives back."""
        ...

    def lines(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        """Where each whole line of the files of lines stands, and the line."""
        ...

    def remove(self, name: str) -> None: ...


@dataclass(frozen=True)
class LocalFolder:
    """A folder on this machine, or on one that all workers see.

    :param root: it is made when something is written.
    """

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self.root / name):
            yield

    @contextmanager
    def publish(self, name: str) -> Iterator[Path]:
        """The path is this process's own: a worker whose parent was killed may still write the same shard."""
        with atomic_path(self.root / name, suffix=f".{os.getpid()}.part", lock=False) as path:
            yield path

    def local(self, name: str) -> AbstractContextManager[Path]:
        return nullcontext(self.root / name)

    def sizes(self, pattern: str) -> dict[str, int]:
        found = sorted((p.relative_to(self.root).as_posix(), p) for p in self.root.glob(pattern))
        return {name: path.stat().st_size for name, path in found if path.is_file()}

    def read(self, names: Sequence[str]) -> list[bytes]:
        paths = [self.root / name for name in names]
        return [path.read_bytes() if path.is_file() else b"" for path in paths]

    def append(self, name: str, line: str) -> None:
        """What a kill left of a line is cut off first."""
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

    def lines(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        for name in self.sizes(pattern):
            for place, line in enumerate(self.read([name])[0].split(b"\n")[:-1], 1):
                yield f"{self.name}/{name} line {place}", line

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of a store, ``s3://shop/results``.

    Nobody can add to a file there, so that each line of a manifest is a file of its own; and nobody can hold a lock
    that a kill releases: two processes that run the same shards write the same bytes.
    """

    name: str

    def lock(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def publish(self, name: str) -> Iterator[Path]:
        """What is written is whole here before any of it is sent."""
        with tempfile.TemporaryDirectory(prefix="attrex-") as folder:
            copy = Path(folder, name.rpartition("/")[2])
            yield copy
            publish(copy, join(self.name, name))

    def local(self, name: str) -> AbstractContextManager[Path]:
        return RemoteFile(join(self.name, name)).staged()

    def sizes(self, pattern: str) -> dict[str, int]:
        return sizes(self.name, pattern)

    def read(self, names: Sequence[str]) -> list[bytes]:
        found = read_all(self.name, names)
        return [found.get(name, b"") for name in names]

    def append(self, name: str, line: str) -> None:
        content = line.encode("utf-8", "backslashreplace") + b"\n"
        digest = hashlib.blake2b(content, digest_size=8).hexdigest()
        with self.publish(f"{name}/{digest}.json") as path:
            path.write_bytes(content)

    def lines(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        names = list(self.sizes(f"{pattern}/*.json"))
        for name, content in zip(names, self.read(names), strict=True):
            yield f"{self.name}/{name}", content.rstrip(b"\n")

    def remove(self, name: str) -> None:
        fs, path = filesystem(join(self.name, name))
        with suppress(FileNotFoundError), reaching(self.name):
            fs.rm_file(path)


def folder_of(out: str | Path) -> Folder:
    """The folder at a path or an address. Raises :class:`ConfigError` for a file."""
    if isinstance(out, str) and is_remote(out):
        if is_file(out):
            raise ConfigError(f"out should be a folder, but {out} is a file; name another")
        return RemoteFolder(out.rstrip("/"))
    check_local(out, "a folder")
    path = Path(out)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"out should be a folder, but {path} is a file; name another")
    return LocalFolder(path)


def digest_of(path: Path) -> str:
    """A hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
