"""Photos that lie below an address: what data name there is fetched, and nothing that lies elsewhere."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from attrex.errors import DataError, short
from attrex.io.confinement import PhotoFolders
from attrex.io.images import MAX_BYTES
from attrex.io.photo_addresses import INDEX_FILE, AddressedPhoto, index_of, indexed_photo
from attrex.io.remote import filesystem, is_remote, join, reaching
from attrex.types import ImageSource

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 16
"""Rows whose photos are fetched at the same time."""


@dataclass(frozen=True)
class RemotePhotos(PhotoFolders):
    """The photos below an address; nothing lifts the confinement to it.

    :param root: where relative paths start.
    :param fetched: False: a photo is known by its address, and is not read.
    """

    root: str = ""
    fetched: bool = True
    _index: dict[str, AddressedPhoto] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def below(cls, root: str, source: str = "the data") -> RemotePhotos:
        return cls([Path()], True, source, root=root.rstrip("/"))

    def find(self, name: str) -> ImageSource:
        """The bytes of a photo; raises :class:`OutsideError` where its name leads elsewhere."""
        scheme, _, start = self.root.partition("://")
        path = posixpath.normpath(posixpath.join(f"/{start}", name))
        if not path.startswith(f"/{start}/") or "\0" in name:
            raise self.outside(name)
        return self._read(f"{scheme}://{path[1:]}")

    def at_address(self, address: str) -> ImageSource:
        if is_remote(address):
            start = f"{self.root}/"
            if not address.startswith(start):
                raise self.outside(address)
            return self.find(address.removeprefix(start))
        if not self.fetched:
            return Path(address)
        return self.find(indexed_photo(self._addresses(), address))

    def _addresses(self) -> dict[str, AddressedPhoto]:
        if not self._index:
            fs, path = filesystem(join(self.root, INDEX_FILE))
            try:
                with reaching(self.root):
                    self._index.update(index_of(fs.cat_file(path)))
            except (FileNotFoundError, PermissionError):
                self._index[""] = AddressedPhoto()  # there is none
        return self._index

    def _read(self, address: str) -> ImageSource:
        if not self.fetched:
            return Path(address)
        fs, path = filesystem(address)
        try:
            with reaching(address):
                try:
                    return bytes(fs.cat_file(path, start=0, end=MAX_BYTES + 1))  # one more tells that it is too long
                except OSError:
                    if fs.info(path).get("size") == 0:  # of which no store gives a part
                        return b""
                    raise
        except (FileNotFoundError, IsADirectoryError):
            raise DataError(
                f"{short(address)}: expected a file, but there is none; check the path, and the address that "
                "relative paths start from"
            ) from None
        except PermissionError as exc:
            raise DataError(f"{short(address)}: expected a readable file, came: {exc}") from None


def ahead(function: Callable[[T], R], items: Iterable[T], count: int = AT_ONCE) -> Iterator[R]:
    """``map`` in order, with so many at the same time: for what waits for others."""
    items = iter(items)
    with ThreadPoolExecutor(count) as threads:
        waiting: deque[Future[R]] = deque(threads.submit(function, item) for item in islice(items, count))
        while waiting:
            found = waiting.popleft().result()
            waiting.extend(threads.submit(function, item) for item in islice(items, 1))
            yield found
