"""Files of object stores and clusters (`s3://bucket/shop.csv`), through fsspec; each kind needs a package of its own.

Only what a person names is opened, or what lies below it: an address that data give is none of these. A file is there
when all of it is: stores show an object when its upload has ended, and elsewhere it is renamed then.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from attrex.errors import DataError, short

PACKAGES = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "az": ("adlfs", "az"),
    "abfs": ("adlfs", "az"),
    "abfss": ("adlfs", "az"),
    "hdfs": ("pyarrow", ""),
}
"""How addresses begin -> the package that reads them, and the extra that installs it."""
_RENAMED = ("hdfs",)
"""Where a file that is being written can be seen: it is written under another name."""
_VERSION = ("size", "ETag", "etag", "mtime", "LastModified", "last_modified", "updated")
_AT_ONCE = 4 * 2**20


def scheme_of(address: str | Path) -> str:
    return str(address).partition("://")[0].lower() if "://" in str(address) else ""


def is_remote(address: object) -> bool:
    """Whether a name is an address of one of the kinds of :data:`PACKAGES`."""
    return isinstance(address, str) and scheme_of(address) in PACKAGES


def join(address: str, name: str) -> str:
    return f"{address.rstrip('/')}/{name}"


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """What a store's package raises in the block is an ``OSError`` that names the address, or a :class:`DataError`."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError, DataError):
        raise
    except Exception as exc:  # each package has errors of its own, also for a network that is down
        raise DataError(
            f"{short(address)}: expected to reach it, got {type(exc).__name__}: {exc}; check the address, the network "
            "and the credentials, and go on with the same command"
        ) from exc


def filesystem(address: str) -> tuple[Any, str]:
    """What reads and writes the files there, and the address as it calls it.

    Raises :class:`DataError` where its package is not installed.
    """
    import fsspec

    package, extra = PACKAGES[scheme_of(address)]
    try:
        with reaching(address):
            fs, path = fsspec.core.url_to_fs(address)
    except DataError as exc:
        if not isinstance(exc.__cause__, ImportError):
            raise
        how = f": pip install 'attrex[{extra}]'" if extra else ", and Hadoop's libhdfs"
        raise DataError(
            f"{short(address)}: expected the package {package}, which is not installed{how} ({exc.__cause__})"
        ) from None
    fs.invalidate_cache()  # of listings: others write there, too
    return fs, path


@dataclass(frozen=True)
class RemoteFile:
    """A file, as far as readers ask a ``Path``.

    :param version: what told it from others when it was first looked at; "" where nobody has.
    """

    address: str
    version: str = ""

    @classmethod
    def at(cls, address: str) -> RemoteFile:
        """The file as it is now. Raises :class:`DataError` where there is none."""
        return cls(address, cls(address)._version_now())

    @property
    def name(self) -> str:
        return PurePosixPath(self.address).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.address).suffix

    def open(self, mode: str = "rb") -> BinaryIO:
        """Raises :class:`DataError` where it is another one by now."""
        self._check()
        fs, path = filesystem(self.address)
        with reaching(self.address):
            return cast(BinaryIO, fs.open(path, mode, block_size=_AT_ONCE))

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A copy on this machine, of the same name, for what has to be read from its beginning, more than once."""
        self._check()
        fs, path = filesystem(self.address)
        with tempfile.TemporaryDirectory(prefix="attrex-") as folder:
            copy = Path(folder, self.name)
            with reaching(self.address):
                fs.get_file(path, str(copy))
            yield copy

    def _check(self) -> None:
        if self.version and self._version_now() != self.version:
            raise DataError(f"{short(self.address)} was changed while it was read; run the job again")

    def _version_now(self) -> str:
        fs, path = filesystem(self.address)
        try:
            with reaching(self.address):
                info = fs.info(path)
        except FileNotFoundError:
            raise DataError(
                f"{short(self.address)}: expected a file or a folder, found nothing there; check the address"
            ) from None
        return repr([(key, str(info[key])) for key in _VERSION if key in info])


def is_file(address: str) -> bool:
    fs, path = filesystem(address)
    with reaching(address):
        return bool(fs.isfile(path))


def publish(copy: Path, address: str) -> None:
    """Put a file of this machine at an address, where it is seen when all of it is there."""
    fs, path = filesystem(address)
    renamed = scheme_of(address) in _RENAMED
    there = f"{path}.{os.getpid()}.part" if renamed else path
    with reaching(address):
        if renamed:
            fs.makedirs(posixpath.dirname(path), exist_ok=True)
        fs.put_file(str(copy), there)
        if renamed:
            with suppress(FileNotFoundError):
                fs.rm_file(path)
            fs.mv(there, path)


def sizes(root: str, pattern: str = "") -> dict[str, int]:
    """The files below an address, by their names below it, in sorted order -> bytes.

    :param pattern: only those; else all. Objects that stand for folders are none.

    Raises :class:`DataError` where the store cannot be reached.
    """
    fs, path = filesystem(root)
    path = path.rstrip("/")
    try:
        with reaching(root):
            found: Mapping[str, Mapping[str, Any]] = (
                fs.glob(f"{path}/{pattern}", detail=True) if pattern else fs.find(path, detail=True)
            )
    except FileNotFoundError:
        return {}
    files = {n: i for n, i in found.items() if i.get("type") == "file" and not n.endswith("/") and n != path}
    return {name[len(path) + 1 :]: int(files[name].get("size") or 0) for name in sorted(files)}


def read_all(root: str, names: Sequence[str]) -> dict[str, bytes]:
    """The contents of the files below an address that are there; several are read at once, where the store can."""
    if not names:
        return {}
    fs, path = filesystem(root)
    of_path = {join(path, name): name for name in names}
    contents: dict[str, bytes] = {}
    with reaching(root):
        for place, content in fs.cat(list(of_path), on_error="return").items():
            if isinstance(content, bytes):
                contents[of_path[place]] = content
            elif not isinstance(content, FileNotFoundError):
                raise content
    return contents
