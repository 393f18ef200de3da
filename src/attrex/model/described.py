"""Encoders as they are described in files: a model directory comes from somebody else, and describes, no more.

What transformers is handed names no code, no other model and no kernel; while it works it neither asks nor connects.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch
from torch.nn.modules.module import register_module_module_registration_hook
from transformers import AutoConfig, AutoModel, PretrainedConfig

from attrex.errors import ConfigError, did_you_mean, short

TEXT_TYPES = (
    "bert",
    "bert-generation",
    "camembert",
    "data2vec-text",
    "electra",
    "ernie",
    "megatron-bert",
    "roberta",
    "roberta-prelayernorm",
    "splinter",
    "xlm-roberta",
    "xlm-roberta-xl",
)
IMAGE_TYPES = (
    "aimv2_vision_model",
    "beit",
    "bit",
    "clip_vision_model",
    "convnext",
    "convnextv2",
    "data2vec-vision",
    "deit",
    "dinov2",
    "dinov2_with_registers",
    "dinov3_convnext",
    "dinov3_vit",
    "efficientnet",
    "focalnet",
    "hiera",
    "ijepa",
    "metaclip_2_vision_model",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilevit",
    "mobilevitv2",
    "poolformer",
    "pvt",
    "pvt_v2",
    "regnet",
    "resnet",
    "siglip_vision_model",
    "swin",
    "swinv2",
    "vit",
    "vit_mae",
    "vit_msn",
)
"""Model types of transformers whose code is in transformers itself and builds nothing but layers. Others (timm's, those
with a `backbone`) fetch models that their description names."""
_REFUSED = re.compile(
    r"_.*|.*auto_map.*|.*attn_implementation.*|.*experts_implementation.*|.*kernel_config.*|.*quantization.*"
    r"|.*backbone.*|.*name_or_path.*|.*trust.*|.*revision.*|.*adapter.*|.*url.*"
)
"""Keys that make transformers run code, or look for something elsewhere."""
_WORD = re.compile(r"[\w.+-]{0,64}")  # no slash: no path and no name of the hub
_COUNTS_LAYERS = re.compile(r"layers|depth|blocks|stages|repeats")
_LARGEST, _MOST_LAYERS, _MOST_MODULES = 2**24, 512, 50_000
_lock = RLock()


@contextmanager
def sealed(*, offline: bool = True) -> Iterator[None]:
    """While it lasts transformers does not ask whether to run a model's code (the answer is no), and stays offline.

    :param offline: False where the user names a model of the hub.
    """
    from huggingface_hub import constants
    from transformers import dynamic_module_utils

    with _lock:  # the switches are the process's own
        before = constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE
        constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE or offline
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE = before


def description_of(config: PretrainedConfig) -> dict[str, Any]:
    """A model's configuration as JSON that :func:`read_description` takes: without what names other models or code."""
    told = {k: v for k, v in config.to_diff_dict().items() if not _REFUSED.fullmatch(k.casefold()) and k not in _UNUSED}
    return told | {"model_type": config.model_type}


def read_description(spec: Any, types: tuple[str, ...], where: str) -> PretrainedConfig:
    """A model's configuration from its JSON; keys that its type does not know are left out, for nothing reads them.

    :param types: the model types that are allowed.
    :param where: what the description is of, for messages.

    Raises :class:`ConfigError` for what is no description, or asks for code or for another model.
    """
    if not isinstance(spec, Mapping):
        raise ConfigError(f"{where} should be an object that describes an encoder, found {short(spec)}")
    kind = spec.get("model_type")
    if not isinstance(kind, str) or kind not in types:
        near = did_you_mean(kind, types) if isinstance(kind, str) else ""
        raise ConfigError(f"{where}: model_type should be one of {', '.join(types)}, found {short(kind)}{near}")
    for key, value in spec.items():
        if _REFUSED.fullmatch(str(key).casefold()) and value is not None:
            raise ConfigError(
                f"{where}: {short(key)} is {short(value)}, but a description may not name code, kernels or other "
                "models; take it out, or train from a model without it"
            )
    known = AutoConfig.for_model(kind).to_dict()
    given = {key: value for key, value in spec.items() if key in known and key not in _UNUSED}
    for key, value in given.items():
        _check_value(value, f"{where}: {key}")
    for key, value in given.items():
        if _COUNTS_LAYERS.search(key) and _sum(value) > _MOST_LAYERS:
            raise ConfigError(f"{where}: {key} should be {_MOST_LAYERS} layers at most, found {short(value)}")
    try:
        return AutoConfig.for_model(kind, **given)
    except Exception as exc:  # a type that transformers checks, or a calculation with what is none
        raise ConfigError(f"{where} is not one of a {kind}: {short(str(exc))}") from exc


_UNUSED = ("model_type", "architectures", "dtype", "torch_dtype", "transformers_version", "id2label", "label2id")


def _sum(value: Any) -> float:
    """The sum of all numbers of a value."""
    if isinstance(value, list | tuple):
        return max(sum(map(_sum, value)), len(value))
    return value if isinstance(value, int | float) else 0


def _check_value(value: Any, where: str, depth: int = 3) -> None:
    """Raise :class:`ConfigError` for what is no plain, short value: numbers, words, and lists and objects of these."""
    if isinstance(value, str) and _WORD.fullmatch(value):
        return
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) <= _LARGEST:
        return
    if value is None:
        return
    if isinstance(value, list | tuple | Mapping) and depth and len(value) <= 1000:
        for part in (*value, *value.values()) if isinstance(value, Mapping) else value:
            _check_value(part, where, depth - 1)
        return
    raise ConfigError(f"{where} should be a plain number, word or list of these, found {short(value)}")


def build_described(config: PretrainedConfig, most: int | None = None) -> Any:
    """The model of a configuration, with fresh weights.

    :param most: parameters; counted before any memory is taken.

    Raises :class:`ConfigError` where it has more.
    """
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": False, "attn_implementation": "eager"}
    with sealed():
        try:
            if most is not None:
                with torch.device("meta"), _few_modules(config.model_type):
                    parameters = AutoModel.from_config(config, **options).named_parameters()
                    # No encoder keeps the pooler, so that it is not among the weights.
                    count = sum(p.numel() for name, p in parameters if "pooler" not in name.split("."))
                if count > most:
                    raise ConfigError(
                        f"the {config.model_type} that is described has {count:,} parameters, more than its weights"
                    )
            return AutoModel.from_config(config, **options)
        except ConfigError:
            raise
        except Exception as exc:  # sizes that do not divide, a function that is not there: each type raises its own
            raise ConfigError(f"no {config.model_type} is as it is described: {short(str(exc))}") from exc


@contextmanager
def _few_modules(kind: str) -> Iterator[None]:
    """While it lasts, a network of very many parts is an error, before it is whole."""
    left = _MOST_MODULES

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConfigError(f"the {kind} that is described has more than {_MOST_MODULES:,} parts")

    hook = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()
