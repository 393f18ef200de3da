"""The JSON that commands write beside what they print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrex.cli.console import note

_MODEL_FILES = ("architecture", "attrex", "calibration", "export", "image", "metrics", "run", "thresholds")


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
