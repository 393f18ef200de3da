"""Files that may be packed with gzip, as their name says."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import cast


def kind_of_file(path: Path) -> str:
    """The ending that says what a file holds: that before .gz, in small letters."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def open_binary(path: Path) -> io.BufferedReader:
    """A file to read bytes from, unpacked where its name ends in .gz."""
    return cast(io.BufferedReader, (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb"))
