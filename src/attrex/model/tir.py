"""Text-guided information range minimization (paper section 3.2, Eq. 1-5).

Text tokens query the text itself and the image's regions; what they find is added to their embeddings *before* the text
encoder. As in the paper's Eq. 2 the attention is not normalised by a softmax (a switch adds one).

Shape letters:
    B rows     S tokens     R regions     D text width     V image width     W = D' attention width
    H heads
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Eq. 1-4: queries from the text, keys and values from ``source`` (the text itself, or the regions)."""

    def __init__(
        self, text_width: int, source_width: int, width: int, heads: int, softmax: bool, init_std: float
    ) -> None:
        super().__init__()
        self.heads, self.softmax = heads, softmax
        self.query = nn.Linear(text_width, width, bias=False)
        self.key = nn.Linear(source_width, width, bias=False)
        self.value = nn.Linear(source_width, width, bias=False)
        for projection in (self.query, self.key, self.value):
            # Un-normalised attention grows with the number of keys; a usual 1/sqrt(D) start would swamp the embeddings.
            nn.init.normal_(projection.weight, std=init_std)

    def scores(self, text: Tensor, source: Tensor, source_mask: Tensor | None) -> Tensor:
        """Q K^T / sqrt(D'), zero (or softmax-hidden) at masked keys.

        :param text: (B, S, D)
        :param source: (B, R, V), or the text itself.
        :param source_mask: (B, R) bool, None where nothing is masked.
        :return: (B, H, S, R)
        """
        query, key = (self._split(f(x)) for f, x in ((self.query, text), (self.key, source)))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if self.softmax:
            if source_mask is not None:
                scores = scores.masked_fill(~source_mask[:, None, None, :], torch.finfo(scores.dtype).min)
            scores = scores.softmax(-1)
        if source_mask is not None:
            # Also after the softmax: a product without any photo must get exactly nothing from its regions.
            scores = scores * source_mask[:, None, None, :]
        return scores

    def forward(self, text: Tensor, source: Tensor, source_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Attended values, and the scores' mean over heads; parameters as for :meth:`scores`.

        :return: (B, S, W) and (B, S, R).
        """
        scores = self.scores(text, source, source_mask)
        attended = scores @ self._split(self.value(source))  # (B, H, S, W / H)
        return attended.transpose(1, 2).flatten(2), scores.mean(1)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class TIR(nn.Module):
    """Eq. 5: E_m = x^t + (SelfAtt(x^t) + CrossAtt(x^t, x^v)) W^m."""

    def __init__(
        self,
        text_width: int,
        image_width: int,
        *,
        width: int,
        heads: int = 1,
        softmax: bool = False,
        init_std: float = 0.01,
        output_std: float = 0.02,
        bounded: bool = False,
    ) -> None:
        super().__init__()
        self.bounded = bounded
        self.self_attention = Attention(text_width, text_width, width, heads, softmax, init_std)
        self.cross_attention = Attention(text_width, image_width, width, heads, softmax, init_std)
        self.output = nn.Linear(width, text_width)  # W^m, with bias as in the published release
        nn.init.normal_(self.output.weight, std=output_std)
        nn.init.zeros_(self.output.bias)

    def forward(self, text: Tensor, text_mask: Tensor, regions: Tensor, region_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings E_m, and how tokens weigh regions.

        :param text: (B, S, D)
        :param text_mask: (B, S) bool.
        :param regions: (B, R, V)
        :param region_mask: (B, R) bool, all False for a product without a photo.
        :return: (B, S, D) and (B, S, R).
        """
        from_text, _ = self.self_attention(text, text, text_mask)
        from_image, weights = self.cross_attention(text, regions, region_mask)
        if self.bounded:
            from_text, from_image = bound(from_text), bound(from_image)
        return text + self.output(from_text + from_image), weights


def bound(attended: Tensor) -> Tensor:
    """Nearly itself while small, at most 1 in root mean square: (..., W) -> (..., W).

    The size of what was found says how well word and region match, so it is limited, not normalised away.
    """
    return attended * torch.rsqrt(1 + attended.square().mean(-1, keepdim=True))
