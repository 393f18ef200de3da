"""Where commands write: never over what is read, nor under a wrong name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrex.cli.console import note
from attrex.errors import DataError


def check_out(out: Path | None, suffixes: Sequence[str], *others: str | Path | None, option: str = "--out") -> None:
    """Nothing is written over ``others``, which are read or written, nor under a name that says it is something else.

    Nothing is asked for: nothing to check.
    """
    if out is None:
        return
    if suffixes and not out.name.lower().endswith(tuple(suffixes)):
        raise DataError(f"{option} should end in {' or '.join(suffixes)}, got {out.name!r}")
    if out.is_dir():
        raise DataError(f"{option} should be a file, but {out} is a directory; name a file in it")
    if any(name is not None and out.resolve() == Path(name).resolve() for name in others):
        raise DataError(
            f"{option} {out} is a file that this command reads or writes already, and would be written over; choose "
            "another name"
        )


_MODEL_FILES = ("architecture", "attrex", "export", "image", "metrics", "run", "thresholds")


def files_of(model: str) -> list[Path]:
    """What a model directory or an export has under names that a person could give a JSON file, too."""
    return [Path(model) / f"{name}.json" for name in _MODEL_FILES]


def save_json(path: Path | None, content: Any, what: str) -> None:
    """Where a file is asked for; says where it is."""
    from attrex.io.atomic import write_json

    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
        note(f"{what}: {path}")
