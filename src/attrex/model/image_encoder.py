"""Photos to regions: any image backbone behind one interface.

A backbone is a module that takes normalised pixels (M, 3, H, W) to a feature map (M, V, rows, columns). Regions are in
spatial order: row by row from the top left.

Shape letters:
    M photos     H, W pixels     V backbone width     R = rows * columns regions of a photo
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from attrex.errors import ConfigError, short
from attrex.model import efficientnet_lite as lite
from attrex.model.described import IMAGE_TYPES, build_described, description_of, read_description, sealed

LITE0 = "efficientnet-lite0"
_STRIDES = {LITE0: 32, f"{LITE0}-s16": 16, f"{LITE0}-s8": 8}
"""Name -> pixels a side of a region. The others are the first one without its last stages."""
PATCHES = "patches"
MAX_SIDE = 4096
"""Pixels a side that a backbone may ask for."""
PATCH = 32
"""Pixels a side of a region of `patches`."""


class ImageEncoder(nn.Module):
    """A backbone and the order of its regions; made by :func:`build_image_encoder`.

    ``width`` is V; ``default_mean``, ``default_std`` (for values in 0..1) and ``default_size`` (pixels) are what the
    backbone was pretrained with. The statistics of batch norm layers stay as they were pretrained, for small batches
    spoil them; their scale and shift are trained.
    """

    def __init__(self, backbone: nn.Module, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.backbone = backbone
        self.default_mean: tuple[float, float, float] = tuple(spec["mean"])
        self.default_std: tuple[float, float, float] = tuple(spec["std"])
        self.default_size: int = spec["size"]
        self._spec = dict(spec)
        self._maps: dict[tuple[int, int], torch.Size] = {}
        self.width = self._map_shape(self.default_size, self.default_size)[1]
        self.train(self.training)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (M, 3, H, W) -> regions (M, R, V)."""
        return self.backbone(pixels).flatten(2).transpose(1, 2)

    def grid(self, size: int | tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) of the regions of a photo of ``size`` pixels: a side, or (height, width)."""
        height, width = (size, size) if isinstance(size, int) else size
        shape = self._map_shape(height, width)
        return shape[2], shape[3]

    def spec(self) -> dict[str, Any]:
        """What :func:`build_image_encoder` needs to build the same architecture without a download. JSON."""
        return dict(self._spec)

    def train(self, mode: bool = True) -> ImageEncoder:
        """As for every module, but frozen batch norm layers, and a frozen encoder, stay in evaluation mode."""
        super().train(mode and any(parameter.requires_grad for parameter in self.parameters()))
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def _map_shape(self, height: int, width: int) -> torch.Size:
        """Shape of the feature map of one photo, found on the meta device, where nothing is computed."""
        if (height, width) not in self._maps:
            state = {name: value.to("meta") for name, value in self.backbone.state_dict(keep_vars=True).items()}
            pixels = torch.empty(1, 3, height, width, device="meta")
            with torch.no_grad():
                self._maps[height, width] = functional_call(self.backbone, state, (pixels,)).shape
        return self._maps[height, width]


class HuggingFaceBackbone(nn.Module):
    """A vision model of transformers as a backbone: a CNN (ResNet, ConvNeXt) or a ViT (also DeiT, DINOv2, SigLIP).

    A ViT's class, distillation and register tokens are dropped; its position embeddings are interpolated to the size of
    the photo. Raises ConfigError for a model whose output is neither a feature map nor one token per patch.
    """

    def __init__(self, model: Any) -> None:  # a transformers.PreTrainedModel
        super().__init__()
        self.model = model
        self.config = model.config
        accepted = inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in accepted else {}

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.model(pixels, **self.options).last_hidden_state
        if features.dim() == 4:
            return features
        patch = getattr(self.config, "patch_size", None)
        rows, columns = (pixels.shape[2] // patch, pixels.shape[3] // patch) if isinstance(patch, int) else (0, 0)
        if not 0 < rows * columns <= features.shape[1]:
            raise ConfigError(
                f"image model of type {self.config.model_type!r} gives {tuple(features.shape)} for "
                f"{pixels.shape[2]} x {pixels.shape[3]} pixels: expected a feature map, or a token for each of its "
                f"patches (patch_size={patch}); use larger photos, or a ResNet, ConvNeXt, ViT, DINOv2 or SigLIP model"
            )
        patches = features[:, features.shape[1] - rows * columns :]  # other tokens come first
        return patches.transpose(1, 2).unflatten(2, (rows, columns))


class Patches(nn.Module):
    """No network at all: a region is the pixels of its patch, as ViLT projects them. There is nothing to pretrain."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(M, 3, H, W) -> (M, 3 * PATCH ** 2, H / PATCH, W / PATCH)"""
        if pixels.shape[2] % PATCH or pixels.shape[3] % PATCH:
            raise ConfigError(
                f"image.model={PATCHES} cuts photos into patches of {PATCH} pixels a side; "
                f"set image.size to a multiple of {PATCH}, not {pixels.shape[2]}"
            )
        return nn.functional.pixel_unshuffle(pixels, PATCH)


def build_image_encoder(
    model: str | Mapping[str, Any], *, pretrained: bool = True, most: int | None = None
) -> ImageEncoder:
    """An image encoder from a name or from a :meth:`ImageEncoder.spec`.

    ``model`` is "efficientnet-lite0", "efficientnet-lite0-s16", "efficientnet-lite0-s8", "patches", the name or
    directory of a Hugging Face vision model (loaded with its weights, unless ``pretrained`` is False), or a spec
    (random weights, nothing is downloaded; with more than ``most`` parameters it is refused).
    Raises ConfigError if there is no such model or its weights cannot be had.
    """
    if isinstance(model, str):
        backbone, spec = _named(model, pretrained)
    else:
        backbone, spec = _specified(model, most)
    return ImageEncoder(backbone, spec)


def _named(name: str, pretrained: bool) -> tuple[nn.Module, dict[str, Any]]:
    if name in _STRIDES:
        backbone, spec = _specified({"kind": LITE0} | ({} if name == LITE0 else {"stride": _STRIDES[name]}))
        if pretrained:
            lite.load_imagenet(backbone, lite.imagenet_weights())
        return backbone, spec
    if name == PATCHES:
        return _specified({"kind": PATCHES})
    from transformers import AutoConfig, AutoModel

    try:
        with sealed(offline=Path(name).is_dir()):
            config = AutoConfig.from_pretrained(name, trust_remote_code=False)
            config = getattr(config, "vision_config", config)  # of a text-image model take the image side
            spec = {"kind": "hf", "config": description_of(config)} | _preprocessing(name)
            if not pretrained:
                return _specified(spec)
            model = AutoModel.from_pretrained(
                name,
                config=config,
                dtype=torch.float32,
                trust_remote_code=False,
                attn_implementation="eager",  # the file may name a kernel of somebody's
            )
    except (OSError, ValueError, ImportError) as exc:
        raise ConfigError(
            f"no image model {name!r}: expected {LITE0!r}, {PATCHES!r}, a Hugging Face model name, or a directory with "
            f"config.json and model.safetensors ({type(exc).__name__}: {str(exc).splitlines()[0]})"
        ) from exc
    backbone = _checked(model)
    read_description(spec["config"], IMAGE_TYPES, f"image.model={name}")  # what is trained can be read again
    return backbone, spec


def _specified(spec: Mapping[str, Any], most: int | None = None) -> tuple[nn.Module, dict[str, Any]]:
    _check_spec(spec)
    match spec.get("kind"):
        case "efficientnet-lite0":
            preprocessing = {"mean": list(lite.MEAN), "std": list(lite.STD), "size": lite.SIZE}
            return lite.EfficientNetLite0(spec.get("stride", 32)), preprocessing | dict(spec)
        case "patches":
            return Patches(), {"mean": [0.5] * 3, "std": [0.5] * 3, "size": 384} | dict(spec)
        case "hf":
            config = read_description(spec.get("config"), IMAGE_TYPES, "image encoder")
            return _checked(build_described(config, most)), _preprocessing(None) | dict(spec)
        case kind:
            raise ConfigError(
                f"unknown kind {short(kind)} of image encoder: expected {LITE0!r}, {PATCHES!r} or 'hf' in its "
                "specification"
            )


def _check_spec(spec: Any) -> None:
    """Raise :class:`ConfigError` where a specification's own keys are not what a backbone's are."""
    if not isinstance(spec, Mapping):
        raise ConfigError(f"image encoder should be an object that describes it, found {short(spec)}")
    size, stride = spec.get("size", 224), spec.get("stride", 32)
    if type(size) is not int or not 1 <= size <= MAX_SIDE:
        raise ConfigError(f"image encoder: size should be a number of pixels up to {MAX_SIDE:,}, found {short(size)}")
    if stride not in _STRIDES.values():
        raise ConfigError(f"image encoder: stride should be 8, 16 or 32, found {short(stride)}")
    for key in ("mean", "std"):
        found = spec.get(key, [0.5] * 3)
        if not isinstance(found, list | tuple) or len(found) != 3 or not all(type(v) in (int, float) for v in found):
            raise ConfigError(f"image encoder: {key} should be three numbers, found {short(found)}")


def _checked(model: Any) -> nn.Module:
    if getattr(model, "main_input_name", None) != "pixel_values":
        raise ConfigError(
            f"image.model is of type {model.config.model_type!r}, which does not read photos; name a vision model such "
            f"as {LITE0!r}, a ResNet, ConvNeXt, ViT or DINOv2"
        )
    return HuggingFaceBackbone(model)


def _preprocessing(name: str | None) -> dict[str, Any]:
    """mean, std and size that a model was pretrained with, where it says so; else ImageNet's."""
    processor: dict[str, Any] = {}
    if name is not None:
        from transformers.image_processing_base import ImageProcessingMixin

        try:
            processor, _ = ImageProcessingMixin.get_image_processor_dict(name)
        except OSError:
            processor = {}
    crop = processor.get("crop_size") if processor.get("do_center_crop") else None
    size = crop or processor.get("size") or 224
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge") or 224
    return {
        "mean": list(processor.get("image_mean") or (0.485, 0.456, 0.406)),
        "std": list(processor.get("image_std") or (0.229, 0.224, 0.225)),
        "size": int(size),
    }
