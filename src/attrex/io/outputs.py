"""Where results are written: never over what is read, nor under a wrong name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrex.errors import DataError


def check_out(out: str | Path | None, suffixes: Sequence[str], *others: Any, option: str = "out") -> None:
    """Nothing is written over ``others``, which are read or written, nor under a name that says it is something else.

    :param out: None: nothing is written, so that there is nothing to check.
    :param others: paths; what is none cannot be written over.
    :param option: what the caller names ``out``, for the error.
    """
    if out is None:
        return
    out = Path(out)
    if suffixes and not out.name.lower().endswith(tuple(suffixes)):
        raise DataError(f"{option} should end in {' or '.join(suffixes)}, got {out.name!r}")
    if out.is_dir():
        raise DataError(f"{option} should be a file, but {out} is a directory; name a file in it")
    if any(isinstance(other, str | Path) and out.resolve() == Path(other).resolve() for other in others):
        raise DataError(f"{option} {out} is read or written already, and would be written over; choose another name")
