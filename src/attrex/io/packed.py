"""Files that may be packed with gzip, by their names."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from attrex.io.atomic import atomic_path
from attrex.io.remote import RemoteFile


def open_binary(path: Path | RemoteFile) -> io.BufferedReader:
    """A file to read bytes from, unpacked where its name ends in .gz."""
    packed = path.suffix.lower() == ".gz"
    if isinstance(path, Path):
        return cast(io.BufferedReader, (gzip.open if packed else open)(path, "rb"))
    file = path.open()
    return cast(io.BufferedReader, gzip.GzipFile(fileobj=file) if packed else file)


@contextmanager
def rewritten(out: Path) -> Iterator[BinaryIO]:
    """Bytes to write, packed where the name ends in .gz; the file is there when they all are."""
    with atomic_path(out) as part, part.open("wb") as raw:
        if out.suffix.lower() != ".gz":
            yield raw
            return
        with gzip.GzipFile(out.name.removesuffix(".gz"), "wb", fileobj=raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def kind_of_file(path: PurePath) -> str:
    """Its suffix without that of the packing, lower case: ``.csv`` of `Shop.CSV.gz`."""
    return Path(path.name.lower().removesuffix(".gz")).suffix
