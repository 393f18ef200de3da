"""What the recurrent systems are made of: a BiLSTM over units, its final states, and additive attention.

Shape letters:
    B rows     U units     D width of the input     H units per direction     A attention width
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attrex.model.decoder import BiLSTM, both_ways, reversal


class Recurrent(nn.Module):
    """A BiLSTM with its input projection, of one or more layers; ``width`` is that of its states, 2H."""

    def __init__(self, width: int, hidden: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(nn.Linear(2 * hidden if i else width, 8 * hidden) for i in range(layers))
        self.lstms = nn.ModuleList(BiLSTM(hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.width = 2 * hidden
        for projection in self.inputs:
            assert isinstance(projection, nn.Linear)
            nn.init.uniform_(projection.weight, -(hidden**-0.5), hidden**-0.5)
            nn.init.zeros_(projection.bias)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """States of both directions, zero at padding.

        :param features: (B, U, D)
        :param mask: (B, U) bool.
        :return: (B, U, 2H)
        """
        order = reversal(mask)
        for number, (projection, lstm) in enumerate(zip(self.inputs, self.lstms, strict=True)):
            features = lstm(both_ways(projection(self.dropout(features) if number else features), order), order)
        return features * mask[..., None]


def final_state(states: Tensor, mask: Tensor) -> Tensor:
    """Where each direction ends: the forward half at the last unit, the backward half at the first: (B, 2H)."""
    last = (mask.sum(1) - 1).clamp(min=0)
    forward, backward = states.chunk(2, -1)
    return torch.cat([forward[torch.arange(len(last), device=last.device), last], backward[:, 0]], -1)


class AdditiveAttention(nn.Module):
    """e_ti = v . tanh(W h_i + U q_t), softmax over i (Bahdanau et al., 2015)."""

    def __init__(self, width: int, query_width: int, attention_width: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, attention_width)
        self.query = nn.Linear(query_width, attention_width, bias=False)
        self.score = nn.Linear(attention_width, 1, bias=False)

    def forward(self, states: Tensor, queries: Tensor, mask: Tensor) -> Tensor:
        """What each query attends to.

        :param states: (B, U, D)
        :param queries: (B, T, Q)
        :param mask: (B, U) bool, of the states.
        :return: (B, T, D)
        """
        pairs = torch.tanh(self.key(states)[:, None] + self.query(queries)[:, :, None])  # (B, T, U, A)
        scores = self.score(pairs)[..., 0].masked_fill(~mask[:, None], torch.finfo(pairs.dtype).min)
        return scores.softmax(-1).to(states.dtype) @ states
