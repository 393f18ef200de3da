"""A model on disk: one directory with everything that extracting needs, and nothing that runs code when it is read.

model.safetensors   weights            shop.yaml        the shop: its files, cells, attributes, editable
config.yaml         every switch       thresholds.json  S_thr and the least confidence of a value
architecture.json   the backbones      metrics.json     what was measured on the validation set
tokenizer files     (tokenizer/)       image.json       how photos are prepared
README.md           the model card     attrex.json      format version
normalizer.json     what the shop calls its values
calibration.json    of a value head: how sure is how right
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from attrex.config import Config
from attrex.errors import CheckpointError, ConfigError, short
from attrex.inference.calibration import Calibration, read_calibration
from attrex.inference.directory import (
    MODEL_FORMAT,
    check_complete,
    check_format,
    locate_model,
    named_after,
    read_json,
    read_thresholds,
)
from attrex.inference.selection import CALIBRATION_FILE
from attrex.io.atomic import atomic_path, write_json, write_text
from attrex.io.images import ImageTransform
from attrex.model.build import build_system, pretrained_text, read_names
from attrex.model.described import sealed
from attrex.model.network import Network
from attrex.model.system import System
from attrex.model.text_encoder import IN_WHEELS
from attrex.plain_yaml import load_plain
from attrex.shop.schema import Schema
from attrex.shop.shop import SHOP_FILE, Shop
from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

MODEL_FILES = (
    "attrex.json",
    "config.yaml",
    SHOP_FILE,
    "architecture.json",
    "image.json",
    "thresholds.json",
    "tokenizer/tokenizer.json",
    "model.safetensors",
)
_PRIVATE = ("checkpoints/*", "logs/*", "run.json", "*.part")  # what stays at home when a model is pushed


@dataclass
class Model:
    """A network with all that belongs to it: what training makes, checkpoints hold and extraction uses."""

    network: System
    tokenizer: Any
    config: Config
    shop: Shop
    transform: ImageTransform | None = None  #: None for a text-only model
    thresholds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    normalizer: ValueNormalizer = field(default_factory=ValueNormalizer.fit)  #: what the shop calls its values
    calibration: Calibration | None = None  #: one confidence for tags and options; None without a value head

    @property
    def schema(self) -> Schema:
        """The attributes, in the order of the network's outputs."""
        return self.shop.schema

    def save(self, directory: str | Path, card: str | None = None) -> Path:
        """Write the directory; each file is complete or absent, whenever the process is killed."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save_pretrained(directory / "tokenizer")
        write_text(directory / "config.yaml", self.config.to_yaml())
        write_text(directory / SHOP_FILE, self.shop.to_yaml())
        options = {"options": [list(a.options) for a in self.schema.attributes]} if self.network.chooses_values else {}
        write_json(directory / "architecture.json", self.network.architecture() | options)
        write_json(directory / "image.json", self.transform.to_json() if self.transform else {})
        write_json(directory / "thresholds.json", self.thresholds)
        write_json(directory / "metrics.json", self.metrics)
        write_json(directory / NORMALIZER_FILE, self.normalizer.to_json())
        if self.calibration is not None:
            write_json(directory / CALIBRATION_FILE, self.calibration.to_json())
        if card is not None:
            write_text(directory / "README.md", card)
        weights = {k: v.contiguous() for k, v in self.network.state_dict().items()}
        with atomic_path(directory / "model.safetensors") as part:
            save_file(weights, part, metadata={"format": "pt"})
        write_json(directory / "attrex.json", {"format": MODEL_FORMAT, "system": self.config.system_name})
        return directory


def load_model(source: str | Path, *, allow_code: Iterable[str | type] = (), calibrated: bool = True) -> Model:
    """Read a model directory, or fetch one from the Hugging Face hub where `source` is a name such as ``shop/model``.

    :param allow_code: classes that its config.yaml may name as ``package.module:Class``, or these names; nothing else
        that it names is imported, but for systems that installed packages register.
    :param calibrated: False: its calibration is not read, whatever it is.

    Raises :class:`CheckpointError` that names what is missing or damaged, or the code that is not allowed.
    """
    directory = locate_model(source)
    check_format(directory, "attrex.json", MODEL_FORMAT)
    check_complete(directory, MODEL_FILES)
    thresholds = read_thresholds(directory)
    architecture = read_json(directory / "architecture.json")
    metrics, weights = directory / "metrics.json", directory / "model.safetensors"
    elements = _count_elements(weights)
    with named_after(directory), sealed():
        raw = load_plain((directory / "config.yaml").read_text(encoding="utf-8"))
        config = Config.parse(raw, allow_code=allow_code)
        shop = Shop.load(directory / SHOP_FILE)
        tokenizer = _saved_tokenizer(directory / "tokenizer")
        schema = _trained_schema(shop.schema, architecture)
        network = build_system(config, schema, tokenizer, architecture, most=elements)
        transform = ImageTransform.from_json(read_json(directory / "image.json")) if network.image else None
        words = directory / NORMALIZER_FILE  # older models have none, and know the values of their schema
        normalizer = ValueNormalizer.load(words) if words.exists() else ValueNormalizer.fit(shop=shop)
        normalizer.know_names(shop.schema)  # which may have been edited since
        calibration = read_calibration(directory) if calibrated else None
    _load_weights(network, weights)
    found = read_json(metrics) if metrics.exists() else {}
    model = Model(network.eval(), tokenizer, config, shop, transform, thresholds, found, normalizer, calibration)
    with sealed():
        _take_edited_options(model, architecture)
    return model


def _trained_schema(schema: Schema, architecture: Mapping[str, Any]) -> Schema:
    """The schema with the options that the network was trained on, whatever was edited since."""
    trained = architecture.get("options")
    lists = isinstance(trained, list) and all(isinstance(options, list) for options in trained)
    if trained is not None and not (lists and all(isinstance(o, str) for options in trained for o in options)):
        raise ConfigError(f"architecture.json: options should be lists of words, found {short(trained)}")
    if trained is None or len(trained) != len(schema.attributes):  # of another number of attributes the weights say
        return schema
    attributes = (replace(a, options=tuple(o)) for a, o in zip(schema.attributes, trained, strict=True))
    return replace(schema, attributes=tuple(attributes))


def _take_edited_options(model: Model, architecture: Mapping[str, Any]) -> None:
    """Options that were added to the schema by hand, or taken out of it, as the value head's own.

    An added one starts from what the pretrained text encoder reads in its name, which is needed for that; raises
    :class:`CheckpointError` where it is not there.
    """
    trained, network = architecture.get("options"), model.network
    wanted = [list(a.options) for a in model.schema.attributes]
    if not isinstance(network, Network) or network.values is None or trained in (None, wanted):
        return
    pairs = list(zip(trained, wanted, strict=True))
    sources = [[old.index(o) if o in old else -1 for o in new] for old, new in pairs]
    names = [o for old, new in pairs for o in new if o not in old]
    readings = network.values.readings[:0]
    if names:
        name = model.config.text.model
        try:
            if name not in IN_WHEELS and not Path(name).is_dir():
                raise ConfigError(f"no text model {name!r} here, and none is fetched because a model names it")
            readings = read_names(names, pretrained_text(model.config), model.tokenizer)
        except ConfigError as exc:
            raise CheckpointError(
                f"shop.yaml has options that the model was not trained on, such as {names[0]!r}; to read their names "
                f"the pretrained text encoder is needed: {exc}; put it there, or take these options out again"
            ) from exc
        for attribute, (old, new) in zip(model.schema.names, pairs, strict=True):
            if added := [o for o in new if o not in old]:
                model.normalizer.know(attribute, added)
    network.values = network.values.with_options(sources, readings)


def push_model(directory: str | Path, name: str, *, private: bool = True) -> str:
    """Upload a model directory to the Hugging Face hub under `name` (``owner/model``); returns its address.

    Raises :class:`CheckpointError` for an incomplete directory, or when the hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    directory = locate_model(Path(directory))
    check_complete(directory, MODEL_FILES)
    try:
        api = HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=str(directory), ignore_patterns=list(_PRIVATE))
    except (HfHubHTTPError, HFValidationError, OSError) as exc:
        raise CheckpointError(
            f"the Hugging Face hub did not take {name}: {exc}; the name should be owner/model, "
            "and `hf auth login` says who you are"
        ) from exc
    return f"https://huggingface.co/{name}"


def load_tokenizer(name: str | Path) -> Any:
    """The fast tokenizer of a text model; :class:`ConfigError` where there is none."""
    try:
        return _quiet_tokenizer(name)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"no tokenizer for text.model={name}: {exc}; give a directory, or a Hugging Face name that can be fetched"
        ) from exc


_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_MORE_TOKENS = ("additional_special_tokens", "extra_special_tokens")


def _saved_tokenizer(directory: Path) -> Any:
    """The tokenizer of a model directory: ``tokenizer.json``, and which of its tokens are special.

    No class of transformers reads the directory: what such a class does depends on files, and some of them name code.
    """
    told: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        told |= read_json(directory / name) if (directory / name).is_file() else {}
    special = {key: _token(told[key], key) for key in _SPECIAL_TOKENS if told.get(key) is not None}
    more = [t for key in _MORE_TOKENS if isinstance(told.get(key), list) for t in told[key]]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(directory / "tokenizer.json")),
        extra_special_tokens=[_token(token, _MORE_TOKENS[1]) for token in more],
        **special,
    )
    for key in ("cls_token_id", "sep_token_id", "pad_token_id", "unk_token_id"):
        if getattr(tokenizer, key) is None:
            raise ConfigError(f"tokenizer/tokenizer_config.json names no {key.removesuffix('_id')}")
    return tokenizer


def _token(given: Any, key: str) -> str:
    """A special token: a word, or an object that says how it is matched, which ``tokenizer.json`` knows, too."""
    token = given.get("content") if isinstance(given, dict) else given
    if not isinstance(token, str):
        raise ConfigError(f"tokenizer: {key} should be a word, found {short(given)}")
    return token


def _quiet_tokenizer(name: str | Path) -> Any:
    """A tokenizer without its warning about long texts: windows take care of those."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with sealed(offline=Path(name).is_dir()):
            return AutoTokenizer.from_pretrained(str(name), use_fast=True, trust_remote_code=False)
    finally:
        transformers_logging.set_verbosity(verbosity)


def _count_elements(path: Path) -> int:
    """How many numbers a file of weights has, of which only its header is read."""
    try:
        with safe_open(path, "pt") as weights:
            return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as exc:
        raise CheckpointError(f"{path} is damaged: {exc}; copy the model again") from exc


def _load_weights(network: System, path: Path) -> None:
    try:
        weights: Mapping[str, Any] = load_file(path)
    except (SafetensorError, OSError) as exc:
        raise CheckpointError(f"{path} is damaged: {exc}; copy the model again") from exc
    try:
        network.load_state_dict(weights)
    except RuntimeError as exc:
        raise CheckpointError(
            f"{path} does not fit its own config.yaml and shop.yaml; undo what was changed there by hand "
            f"(attributes may be described, not added or removed): {exc}"
        ) from exc
