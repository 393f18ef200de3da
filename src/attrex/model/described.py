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
_LARGEST, _MOST_LAYERS = 2**24, 512
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
    for key in ("num_hidden_layers", "depths", "num_layers", "num_encoder_blocks", "hidden_sizes"):
        found = given.get(key)
        if len(found) > _MOST_LAYERS if isinstance(found, list) else isinstance(found, int) and found > _MOST_LAYERS:
            raise ConfigError(f"{where}: {key} should be {_MOST_LAYERS} at most, found {short(found)}")
    return AutoConfig.for_model(kind, **given)


_UNUSED = ("model_type", "architectures", "dtype", "torch_dtype", "transformers_version", "id2label", "label2id")


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
        if most is not None:
            with torch.device("meta"):
                count = sum(p.numel() for p in AutoModel.from_config(config, **options).parameters())
            if count > 2 * most:  # what a system does not use, such as a pooler, is not among its weights
                raise ConfigError(
                    f"the {config.model_type} that is described has {count:,} parameters, more than its weights"
                )
        return AutoModel.from_config(config, **options)
