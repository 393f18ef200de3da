"""ULS-VL: image regions appended to the text as further positions (paper 3.1, Table 1 "Vanilla" and "Self-Attn").

Shapes: B rows, S tokens, R regions, D text width, V image width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Concat(nn.Module):
    """Regions projected to the text's width, marked as image, and appended to the embeddings."""

    def __init__(self, text_width: int, image_width: int, *, self_attention: bool, heads: int) -> None:
        super().__init__()
        self.project = nn.Linear(image_width, text_width)
        self.norm = nn.LayerNorm(text_width)
        nn.init.zeros_(self.norm.weight)  # regions start silent, as in the published release
        self.kind = nn.Parameter(torch.zeros(text_width))  # what type embeddings are to the text: "this is image"
        self.attention = (
            nn.TransformerEncoderLayer(text_width, heads, 4 * text_width, activation="gelu", batch_first=True)
            if self_attention
            else None
        )

    def forward(self, text: Tensor, text_mask: Tensor, regions: Tensor, region_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The joint sequence (B, S + R, D) and its mask (B, S + R)."""
        joint = torch.cat([text, self.norm(self.project(regions)) + self.kind], 1)
        mask = torch.cat([text_mask, region_mask], 1)
        if self.attention is not None:
            joint = self.attention(joint, src_key_padding_mask=~mask)
        return joint, mask
