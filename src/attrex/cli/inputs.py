"""What commands read, besides the options in :mod:`attrex.cli.options`."""

from __future__ import annotations

from pathlib import Path

import click


def part_of(source: str, split: str) -> str | None:
    """The split to take from a source that has several; a file has none."""
    return split if source.startswith("hf:") or Path(source).is_dir() else None


def allowed_code() -> list[str]:
    """The classes that `attrex --allow-code NAME` names before the command."""
    context = click.get_current_context(silent=True)
    return [*(context.find_root().params.get("allow_code") or ())] if context else []
