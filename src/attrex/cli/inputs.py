"""What commands read, besides the options in :mod:`attrex.cli.options`."""

from __future__ import annotations

from pathlib import Path

allowed: list[str] = []
"""The classes that `attrex --allow-code NAME` names before the command."""


def part_of(source: str, split: str) -> str | None:
    """The split to take from a source that has several; a file has none."""
    return split if source.startswith("hf:") or Path(source).is_dir() else None
