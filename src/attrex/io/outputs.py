"""Where results are written: never over what is read, nor under a wrong name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrex.errors import DataError, short

MAX_NAME = 255
"""Characters of a file's name, on Linux and macOS."""
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)")


def check_local(source: str | Path, what: str = "a file") -> None:
    """Raise :class:`DataError` for an address (`s3://...`), and for a text that is no path but meant to be read."""
    name = str(source)
    if address := _ADDRESS.match(name):  # a Path keeps only one of an address's slashes
        full = name.replace(address[0], f"{address[1]}://", 1)
        raise DataError(
            f"expected {what} on this machine, got the address {short(full)}; "
            "Attrex fetches nothing: copy it here and give its path"
        )
    if _is_no_path(name):
        raise DataError(
            f"expected the path of {what}, got a text of {len(name):,} characters; to read texts themselves, put them "
            "into a list"
        )


def _is_no_path(name: str) -> bool:
    longest = max(map(len, re.split(r"[/\\]", name)))
    return bool(_ADDRESS.match(name)) or longest > MAX_NAME or "\0" in name or "\n" in name


def check_out(out: str | Path | None, suffixes: Sequence[str], *others: Any, option: str = "out") -> None:
    """Nothing is written over ``others``, which are read or written, nor under a name that says it is something else.

    :param out: None: nothing is written, so that there is nothing to check.
    :param others: paths; what is none cannot be written over.
    :param option: what the caller names ``out``, for the error.
    """
    if out is None:
        return
    check_local(out)
    out = Path(out)
    if suffixes and not out.name.lower().endswith(tuple(suffixes)):
        raise DataError(f"{option} should end in {' or '.join(suffixes)}, got {out.name!r}")
    if out.is_dir():
        raise DataError(f"{option} should be a file, but {out} is a directory; name a file in it")
    paths = [Path(other) for other in others if isinstance(other, str | Path) and not _is_no_path(str(other))]
    if any(out.resolve() == path.resolve() for path in paths):
        raise DataError(f"{option} {out} is read or written already, and would be written over; choose another name")
