"""Files that may be packed with gzip, by their names."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from attrex.io.atomic import atomic_path


def open_binary(path: Path) -> io.BufferedReader:
    """A file to read bytes from, unpacked where its name ends in .gz."""
    return cast(io.BufferedReader, (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb"))


@contextmanager
def rewritten(out: Path) -> Iterator[BinaryIO]:
    """Bytes to write, packed where the name ends in .gz; the file is there when they all are."""
    with atomic_path(out) as part, part.open("wb") as raw:
        if out.suffix.lower() != ".gz":
            yield raw
            return
        with gzip.GzipFile(out.name.removesuffix(".gz"), "wb", fileobj=raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def kind_of_file(path: Path) -> str:
    """Its suffix without that of the packing, lower case: ``.csv`` of `Shop.CSV.gz`."""
    return Path(path.name.lower().removesuffix(".gz")).suffix
