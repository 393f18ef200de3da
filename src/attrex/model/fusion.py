"""What a fusion of the user's own is: how image regions reach the text encoder.

The built-in ones are :mod:`attrex.model.tir` and :mod:`attrex.model.concat`. Another one is named by `fusion.kind` as
``package.module:Class`` (docs/extending.md).

Shapes: B rows, S tokens, R regions of all photos of a row, L positions for the text encoder, D text width, V image
width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

from torch import Tensor, nn

from attrex.config import Config
from attrex.model.image_encoder import ImageEncoder


class Fused(NamedTuple):
    """What the text encoder reads."""

    embeddings: Tensor  #: (B, L, D); the first S positions are the tokens, further ones may follow
    mask: Tensor  #: (B, L) bool, False where nothing is to be attended to
    region_weights: Tensor | None  #: (B, S, R) how tokens look at regions, for heat-maps; None: there are none


class Fusion(nn.Module, ABC):
    """Text embeddings and image regions before the text encoder."""

    @classmethod
    def build(cls, config: Config, width: int, image: ImageEncoder) -> Self:
        """A fusion for embeddings of ``width`` D; override it for other arguments than D and V."""
        return cls(width, image.width)

    @abstractmethod
    def forward(self, text: Tensor, text_mask: Tensor, regions: Tensor, region_mask: Tensor) -> Fused:
        """Bring the regions to the text.

        :param text: (B, S, D) embeddings of the tokens, before the text encoder
        :param text_mask: (B, S) bool, False at padding
        :param regions: (B, R, V)
        :param region_mask: (B, R) bool, all False for a row without a photo, whose text should stay as it is
        """
