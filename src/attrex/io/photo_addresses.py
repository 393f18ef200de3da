"""Photos that a file names by their web addresses, and where `attrex photos` has put them.

A directory of downloaded photos has an index, `addresses.jsonl`, a line per address: the file with its content, or why
there is none. The last line of an address counts, so that a run only ever appends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short

INDEX_FILE = "addresses.jsonl"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|//[^/\\\s]+\.[^/\\\s]+/", re.IGNORECASE)
_NEXT = re.compile(r"[\s,;|]+(?=(?:https?:)?//)", re.IGNORECASE)
_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,5}")  # nothing else is looked for, whatever an index says


@dataclass(frozen=True, slots=True)
class AddressedPhoto:
    """What is known of an address: where its photo is, below the directory, or why it is not there."""

    file: str = ""
    length: int = 0  #: bytes
    error: str = ""


_asked: ContextVar[list[str] | None] = ContextVar("_asked", default=None)


@contextmanager
def asked_addresses() -> Iterator[list[str]]:
    """Gets every address that is looked for in the block, also those whose photo is there."""
    asked: list[str] = []
    token = _asked.set(asked)
    try:
        yield asked
    finally:
        _asked.reset(token)


def photo_at(directory: Path, address: str) -> Path:
    """The file that `attrex photos` put the photo of an address in, below ``directory``.

    Raises :class:`DataError` where there is none, with the reason.
    """
    return directory / indexed_photo(_index_of(directory / INDEX_FILE), address)


def indexed_photo(index: Mapping[str, AddressedPhoto], address: str) -> str:
    """The file that an index names for an address; errors as for :func:`photo_at`."""
    address = normal_address(address)
    if (asked := _asked.get()) is not None:
        asked.append(address)
    found = index.get(address)
    if found is None:
        raise DataError(
            f"expected a file, got the address {short(address, 80)}; download it with attrex photos, and name the "
            "directory of its photos with --images"
        )
    if found.error:
        raise DataError(f"expected the photo of {short(address, 80)}, which could not be downloaded: {found.error}")
    return found.file


def is_address(cell: str) -> bool:
    """Whether a photo's cell names a web address (or one of another kind, such as `s3://`), not a path."""
    return _ADDRESS.match(cell.strip()) is not None


def split_addresses(cell: str) -> list[str]:
    """The addresses in a cell that has several, parted by commas, semicolons, bars or spaces; a single one as it is."""
    return [part.strip(" \t\r\n,;|") for part in _NEXT.split(cell.strip())]


def normal_address(address: str) -> str:
    """An address as the index has it: ``//host/photo`` leaves it to the page where it stands, which is HTTPS today."""
    address = address.strip()
    return f"https:{address}" if address.startswith("//") else address


def _index_of(path: Path) -> Mapping[str, AddressedPhoto]:
    """The index as it is now, which many products ask one after the other."""
    try:
        status = path.stat()
    except OSError:
        return {}
    return _read_once(path, status.st_mtime_ns, status.st_size)


@lru_cache(4)
def _read_once(path: Path, mtime_ns: int, size: int) -> Mapping[str, AddressedPhoto]:
    return read_index(path)


def read_index(path: Path) -> dict[str, AddressedPhoto]:
    """Address -> what is known of it; empty without an index. Lines that are none, as after a kill, are left out."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return index_of(content)


def index_of(content: bytes) -> dict[str, AddressedPhoto]:
    """As :func:`read_index`, of the content of an index."""
    return {address: photo for line in content.splitlines() for address, photo in _entry(line)}


def _entry(line: bytes) -> Iterator[tuple[str, AddressedPhoto]]:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        return
    match row:
        case {"address": str(address), "error": str(error)}:
            yield address, AddressedPhoto(error=error)
        case {"address": str(address), "file": str(file), "bytes": int(length)} if _FILE.fullmatch(file):
            yield address, AddressedPhoto(file, length)
