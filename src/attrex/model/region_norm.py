"""Image regions centred and scaled by what is usual for the shop's photos.

Pretrained image features share a large constant: every channel is positive on every photo. TIR's attention is not
normalised (Eq. 2), so at learning rates that finish within a few epochs this constant grows until it drowns the
words. The statistics are measured once, before training, and then fixed: they depend on no batch, so one photo alone
gives the same regions as in a batch, and training sees what extraction will see.

Shape letters:
    M photos     R regions     V channels
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUIET = 0.1
"""Share of the typical spread that is added to every channel's: a channel that is silent on nearly all photos must not
turn its few answers into huge ones."""


class RegionNorm(nn.Module):
    """(x - mean) / spread per channel, with fixed statistics; the identity until it is calibrated."""

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    @torch.no_grad()
    def calibrate(self, regions: Tensor) -> None:
        """Take the statistics of regions (M, R, V) of some hundred photos."""
        flat = regions.flatten(0, 1).float()
        self.mean.copy_(flat.mean(0))
        spread = flat.std(0, correction=0)
        self.spread.copy_((spread + QUIET * spread.mean()).clamp(min=torch.finfo(spread.dtype).tiny))

    def forward(self, regions: Tensor) -> Tensor:
        """(M, R, V) -> (M, R, V)"""
        return (regions - self.mean) / self.spread
