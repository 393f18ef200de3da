"""A model on disk: one directory with everything that extracting needs, and nothing that runs code when it is read.

model.safetensors   weights            schema.yaml      attributes in the model's order, editable
config.yaml         every switch       thresholds.json  S_thr and the least confidence of a value
architecture.json   the backbones      metrics.json     what was measured on the validation set
tokenizer files     (tokenizer/)       image.json       how photos are prepared
README.md           the model card     attrex.json      format version
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from attrex.config import Config
from attrex.data.images import ImageTransform
from attrex.errors import AttrexError, CheckpointError
from attrex.model.build import architecture, network_from
from attrex.model.network import Network
from attrex.schema import Schema

FORMAT = 1
REQUIRED = ("attrex.json", "config.yaml", "architecture.json", "schema.yaml", "model.safetensors", "tokenizer")


@dataclass
class Model:
    """A network with all that belongs to it: what training makes, checkpoints hold and extraction uses."""

    network: Network
    tokenizer: Any
    config: Config
    schema: Schema
    transform: ImageTransform | None = None  #: None for a text-only model
    thresholds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def save(self, directory: str | Path, card: str | None = None) -> Path:
        """Write the directory; each file is complete or absent, whenever the process is killed."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save_pretrained(directory / "tokenizer")
        write_text(directory / "config.yaml", self.config.to_yaml())
        write_text(directory / "schema.yaml", self.schema.to_yaml())
        write_json(directory / "architecture.json", architecture(self.network))
        write_json(directory / "image.json", self.transform.to_json() if self.transform else None)
        write_json(directory / "thresholds.json", self.thresholds)
        write_json(directory / "metrics.json", self.metrics)
        if card is not None:
            write_text(directory / "README.md", card)
        weights = {k: v.contiguous() for k, v in self.network.state_dict().items()}
        save_file(weights, directory / "model.safetensors.part", metadata={"format": "pt"})
        os.replace(directory / "model.safetensors.part", directory / "model.safetensors")
        write_json(directory / "attrex.json", {"format": FORMAT, "system": self.config.system})
        return directory


def load_model(source: str | Path) -> Model:
    """Read a model directory, or fetch one from the Hugging Face hub where `source` is a name such as ``shop/model``.

    Raises :class:`CheckpointError` that names what is missing or damaged.
    """
    directory = _locate(source)
    missing = [name for name in REQUIRED if not (directory / name).exists()]
    if missing:
        raise CheckpointError(
            f"{directory} is not an Attrex model: {', '.join(missing)} missing; "
            "expected the directory that `attrex train --out DIR` writes"
        )
    version = _read_json(directory / "attrex.json").get("format")
    if version != FORMAT:
        raise CheckpointError(
            f"{directory} has format {version!r}, this version reads {FORMAT}; train it again or upgrade"
        )
    try:
        config = Config.parse(yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8")))
        schema = Schema.load(directory / "schema.yaml")
    except (AttrexError, yaml.YAMLError) as exc:
        raise CheckpointError(f"{directory}: {exc}") from exc
    tokenizer = load_tokenizer(directory / "tokenizer")
    network = network_from(config, schema.names, tokenizer, _read_json(directory / "architecture.json"))
    _load_weights(network, directory / "model.safetensors")
    transform = _read_json(directory / "image.json") if (directory / "image.json").exists() else None
    return Model(
        network=network.eval(),
        tokenizer=tokenizer,
        config=config,
        schema=schema,
        transform=ImageTransform.from_json(transform) if transform else None,
        thresholds=_read_json(directory / "thresholds.json") if (directory / "thresholds.json").exists() else {},
        metrics=_read_json(directory / "metrics.json") if (directory / "metrics.json").exists() else {},
    )


def push_model(directory: str | Path, name: str, *, private: bool = True) -> str:
    """Upload a model directory to the Hugging Face hub under `name` (``owner/model``); returns its address."""
    from huggingface_hub import HfApi

    directory = _locate(directory)
    api = HfApi()
    api.create_repo(name, private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=name, folder_path=str(directory), ignore_patterns=["checkpoints/*", "logs/*", "*.part"]
    )
    return str(commit)


def load_tokenizer(name: str | Path) -> Any:
    """A fast tokenizer without its warning about long texts: windows take care of those."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        return AutoTokenizer.from_pretrained(str(name), use_fast=True)
    finally:
        transformers_logging.set_verbosity(verbosity)


def write_text(path: Path, text: str) -> None:
    """Write a file so that a kill leaves the old one or the new one, never half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def write_json(path: Path, content: Any) -> None:
    """As :func:`write_text`, for JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _locate(source: str | Path) -> Path:
    path = Path(source)
    if path.is_dir():
        return path
    name = str(source)
    if name.count("/") == 1 and not name.startswith((".", "/")) and not path.exists():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return Path(
                snapshot_download(
                    name, allow_patterns=["*.json", "*.yaml", "*.safetensors", "*.txt", "*.md", "tokenizer/*"]
                )
            )
        except (HfHubHTTPError, HFValidationError, OSError) as exc:
            raise CheckpointError(
                f"no directory {name}, and the Hugging Face hub did not give it either: {exc}"
            ) from exc
    raise CheckpointError(
        f"no model directory {name}; expected what `attrex train --out DIR` writes, or a hub name owner/model"
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as exc:
        raise CheckpointError(f"{path} is damaged: {exc}; copy the model again") from exc


def _load_weights(network: Network, path: Path) -> None:
    try:
        weights: Mapping[str, Any] = load_file(path)
    except (SafetensorError, OSError) as exc:
        raise CheckpointError(f"{path} is damaged: {exc}; copy the model again") from exc
    try:
        network.load_state_dict(weights)
    except RuntimeError as exc:
        raise CheckpointError(
            f"{path} does not fit its own config.yaml and schema.yaml (were attributes added or removed by hand?): {exc}"
        ) from exc
