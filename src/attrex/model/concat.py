"""ULS-VL: image regions appended to the text as further positions (paper 3.1, Table 1 "Vanilla" and "Self-Attn").

What the models that are built so differ in is how a region becomes a position (:meth:`Concat.positions`):

concat      LN(W v) + kind, LN's weight starting at 0: regions start silent (VL-BERT, Su et al., 2020)
uniter      LN(LN(W v) + LN(W' box) + kind), box = x1, y1, x2, y2, width, height, area (UNITER, Chen et al., 2020)
pixel_bert  W v + kind; in training at most 100 of them, drawn at random (Pixel-BERT, Huang et al., 2020)
vilt        W v + place + kind, v being the pixels of a patch: `image.model: patches` (ViLT, Kim et al., 2021)

They differ from the paper's own models in their weights: the text encoder is `text.model`, and was not pretrained with
photos.

Shape letters:
    B rows     S tokens     R regions     r regions of one photo     D text width     V image width
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Style = Literal["concat", "uniter", "pixel_bert", "vilt"]
STYLES: dict[str, Style] = {"uniter": "uniter", "pixel_bert": "pixel_bert", "vilt": "vilt"}
"""By `fusion.kind`; of all others it is concat."""
SAMPLED = 100
"""Regions that Pixel-BERT keeps of a row in a training step."""


class Concat(nn.Module):
    """Regions made positions and appended to the embeddings; ``grid``: rows and columns of a photo's regions."""

    boxes: Tensor

    def __init__(
        self,
        text_width: int,
        image_width: int,
        *,
        self_attention: bool,
        heads: int,
        style: Style = "concat",
        grid: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.style = style
        self.project = nn.Linear(image_width, text_width)
        self.kind = nn.Parameter(torch.zeros(text_width))  # what type embeddings are to the text: "this is image"
        if style in ("concat", "uniter"):
            self.norm = nn.LayerNorm(text_width)
        if style == "concat":
            nn.init.zeros_(self.norm.weight)  # regions start silent, as in the published release
        if style == "uniter":
            self.register_buffer("boxes", region_boxes(*grid), persistent=False)
            self.box = nn.Linear(7, text_width)
            self.box_norm, self.joint_norm = nn.LayerNorm(text_width), nn.LayerNorm(text_width)
        if style == "vilt":
            self.place = nn.Parameter(torch.empty(grid[0] * grid[1], text_width).normal_(std=0.02))
        self.attention = (
            nn.TransformerEncoderLayer(text_width, heads, 4 * text_width, activation="gelu", batch_first=True)
            if self_attention
            else None
        )

    def forward(self, text: Tensor, text_mask: Tensor, regions: Tensor, region_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The joint sequence and its mask.

        :param text: (B, S, D)
        :param text_mask: (B, S) bool.
        :param regions: (B, R, V)
        :param region_mask: (B, R) bool.
        :return: (B, S + R, D) and (B, S + R) bool.
        """
        if self.style == "pixel_bert" and self.training and regions.shape[1] > SAMPLED:
            kept = torch.randperm(regions.shape[1], device=regions.device)[:SAMPLED].sort().values
            regions, region_mask = regions[:, kept], region_mask[:, kept]
        joint = torch.cat([text, self.positions(regions)], 1)
        mask = torch.cat([text_mask, region_mask], 1)
        if self.attention is not None:
            joint = self.attention(joint, src_key_padding_mask=~mask)
        return joint, mask

    def positions(self, regions: Tensor) -> Tensor:
        """Regions as positions, as the style says; the regions of several photos follow each other.

        :param regions: (B, R, V)
        :return: (B, R, D)
        """
        projected = self.project(regions)
        match self.style:
            case "concat":
                return self.norm(projected) + self.kind
            case "uniter":
                boxes = self.box_norm(self.box(_repeated_rows(self.boxes, regions.shape[1])))
                return self.joint_norm(self.norm(projected) + boxes + self.kind)
            case "pixel_bert":
                return projected + self.kind
            case "vilt":
                return projected + _repeated_rows(self.place, regions.shape[1]) + self.kind


def region_boxes(rows: int, columns: int) -> Tensor:
    """x1, y1, x2, y2, width, height, area of each region as shares of the photo: (r, 7)."""
    row = torch.arange(rows).repeat_interleave(columns)
    column = torch.arange(columns).repeat(rows)
    width, height = torch.full((2, rows * columns), 1.0)
    width, height = width / columns, height / rows
    left, top = column / columns, row / rows
    return torch.stack([left, top, left + width, top + height, width, height, width * height], 1)


def _repeated_rows(places: Tensor, regions: int) -> Tensor:
    """What belongs to the regions of one photo (r, ...), for those of several: (R, ...)."""
    return places[torch.arange(regions, device=places.device) % len(places)]
