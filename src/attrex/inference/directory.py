"""Model directories as files: finding them, checking that they are whole, reading and writing their parts.

Needs no torch, for an exported model is read without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrex.errors import AttrexError, CheckpointError, DataError, printable, short
from attrex.io.outputs import check_local
from attrex.shop.shop import SHOP_FILE, Shop

MODEL_FORMAT, EXPORT_FORMAT = 2, 2
_SHARED = ("*.json", "*.yaml", "*.safetensors", "*.onnx", "*.txt", "README.md")  # what a hub repository is asked for


def locate_model(source: str | Path) -> Path:
    """A directory on this machine. Only what cannot be a path is asked for at the hub."""
    path, name = Path(source), str(source)
    try:
        check_local(source, "a model directory")
    except DataError as exc:
        raise CheckpointError(str(exc)) from None
    if path.is_dir():
        return path
    # `runs/shop` looks like a hub name, too: where there is a directory `runs`, it is a path with a typo.
    named = isinstance(source, str) and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name, re.ASCII)
    if not named or path.exists() or path.parent.is_dir():
        raise CheckpointError(
            f"no model directory {name}; expected what `attrex train --out DIR` writes, or a hub name owner/model"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_SHARED)))
    except (HfHubHTTPError, HFValidationError, OSError) as exc:
        raise CheckpointError(
            f"no directory {name}, and the Hugging Face hub did not give it either: {exc}; check the name or the path"
        ) from exc


def check_complete(directory: Path, required: Iterable[str]) -> None:
    """Raise :class:`CheckpointError` naming what a model directory lacks."""
    missing = [name for name in required if not (directory / name).is_file()]  # a pipe would be waited for
    if missing:
        if (directory / "attrex.json").exists():  # the last file that training writes
            raise CheckpointError(f"{directory} is damaged: {', '.join(missing)} missing; copy the model again")
        going = "; its training is not finished, resume it" if (directory / "run.json").exists() else ""
        raise CheckpointError(
            f"{directory} is not an Attrex model: {', '.join(missing)} missing{going}; "
            "expected the directory that `attrex train --out DIR` writes"
        )


def check_format(directory: Path, file: str, expected: int) -> None:
    """Raise :class:`CheckpointError` for a model or export of another format, which `file` names; with what to do."""
    if not (directory / file).exists():
        return  # whoever asks for all files knows more
    found = read_json(directory / file).get("format")
    if found == expected - 1:
        raise CheckpointError(
            f"{directory} has format {found}, this version reads {expected}; convert it: "
            f"python -m attrex.tools.convert {directory}"
        )
    if found != expected:
        raise CheckpointError(
            f"{directory} has format {short(found)}, this version reads {expected}; train or export it again, "
            "or upgrade"
        )


def model_shop(source: str | Path) -> Shop:
    """The shop that a model or an export was made for; raises :class:`CheckpointError` where there is none."""
    directory = locate_model(source)
    exported = (directory / "export.json").exists()
    about, format_ = ("export.json", EXPORT_FORMAT) if exported else ("attrex.json", MODEL_FORMAT)
    check_format(directory, about, format_)
    check_complete(directory, (about, SHOP_FILE))
    with named_after(directory):
        return Shop.load(directory)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; :class:`CheckpointError` where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise CheckpointError(f"{path} is damaged: {exc}; copy the model again") from exc
    if not isinstance(found, dict):
        raise CheckpointError(
            f"{path} is damaged: it should hold a JSON object, found {short(found)}; copy the model again"
        )
    return found


def read_thresholds(directory: Path) -> dict[str, float]:
    """S_thr and the like, each between 0 and 1; :class:`CheckpointError` for what is none."""
    path = directory / "thresholds.json"
    found = read_json(path)
    for name, value in found.items():
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise CheckpointError(
                f"{path}: {name} should be a number between 0 and 1, found {short(value)}; correct it"
            )
    return found


@contextmanager
def named_after(directory: Path) -> Iterator[None]:
    """Put the directory's name before what its files are accused of."""
    try:
        yield
    except CheckpointError:
        raise
    except AttrexError as exc:
        raise CheckpointError(f"{directory}: {exc}") from exc
    except BaseException as exc:  # damaged descriptions make transformers raise nearly anything
        if not isinstance(exc, Exception) and type(exc).__name__ != "PanicException":  # of tokenizers, in Rust
            raise
        raise CheckpointError(
            f"{directory} is damaged: its network cannot be built from config.yaml, architecture.json and tokenizer/ "
            f"({type(exc).__name__}: {printable(str(exc), 300)}); copy the model again"
        ) from exc
