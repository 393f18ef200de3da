"""The attribute range of a product: which attributes to decode at all (paper section 3.3, Eq. 6-7).

Shape letters:
    B rows     D width     C attributes (outputs)     N selected (row, attribute) pairs
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RangeClassifier(nn.Module):
    """Eq. 6: scores of all attributes from one encoder pass.

    As in the published release the input is the first position's state in the last two layers, and W_cls an MLP.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, outputs)

    def forward(self, last: Tensor, before: Tensor) -> Tensor:
        """Range logits from the states of the first position.

        :param last: (B, D) of the last layer.
        :param before: (B, D) of the layer before.
        :return: (B, C)
        """
        return self.output(torch.relu(self.hidden(torch.cat([last, before], -1))))

    @torch.no_grad()
    def init_bias(self, frequency: Tensor) -> None:
        """Set the bias to the log-odds of each attribute's training frequency (C,): few are selected at first."""
        p = frequency.clamp(1e-4, 1 - 1e-4)
        self.output.bias.copy_((p / (1 - p)).log())


def select(scores: Tensor, threshold: float) -> Tensor:
    """Eq. 7: the minimized range, strictly above S_thr: (B, C) probabilities -> (B, C) bool."""
    return scores > threshold


def cap_pairs(selected: Tensor, gold: Tensor, scores: Tensor, most: int) -> Tensor:
    """At most ``most`` of the selected pairs: gold ones first, then by score. Bounds the memory of a step.

    :param selected: (B, C) bool.
    :param gold: (B, C) bool.
    :param scores: (B, C)
    :return: (B, C) bool.
    """
    if int(selected.sum()) <= most:
        return selected
    rank = torch.where(selected, scores.detach() + gold.to(scores.dtype) * 2, float("-inf")).flatten()
    kept = torch.zeros_like(rank, dtype=torch.bool)
    kept[rank.topk(most).indices] = True
    return kept.view_as(selected)
