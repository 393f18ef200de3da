"""The feature decoder shared by all attributes: BiLSTM -> dropout -> linear emissions for the CRF (paper section 4.2).

Eq. 8 concatenates a token's features with a *scaled copy* of themselves, so the BiLSTM's input projection splits in two:
W [f; s f] = W1 f + s (W2 f). Both products are computed once per row, and only scaled per selected attribute.

Shapes: B rows, U units, D width, N pairs (N = B for the flat tagger), H units per direction, K tags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BiLSTM(nn.Module):
    """A bidirectional LSTM that takes its input projections ready made; both directions run in one batched product."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.recurrent = nn.Parameter(torch.empty(2, hidden, 4 * hidden).uniform_(-(hidden**-0.5), hidden**-0.5))

    def forward(self, gates: Tensor, mask: Tensor) -> Tensor:
        """gates (N, U, 8H): projected inputs, both directions; mask (N, U), a prefix of each row -> states (N, U, 2H)."""
        order = _reversal(mask)
        forward, backward = gates.chunk(2, -1)  # each (N, U, 4H): input, forget, output gates and candidate
        backward = backward.gather(1, order[..., None].expand_as(backward))
        steps = torch.stack([forward, backward]).permute(2, 0, 1, 3).contiguous()  # (U, 2, N, 4H)
        hidden = cell = steps.new_zeros(2, len(mask), self.hidden)
        states = []
        for step in steps.unbind(0):
            gate = torch.baddbmm(step, hidden, self.recurrent.to(step.dtype))
            entry, keep, emit = gate[..., : 3 * self.hidden].sigmoid().chunk(3, -1)
            cell = torch.addcmul(keep * cell, entry, gate[..., 3 * self.hidden :].tanh())
            hidden = emit * cell.tanh()
            states.append(hidden)
        forward, backward = torch.stack(states, 2).unbind(0)  # each (N, U, H)
        return torch.cat([forward, backward.gather(1, order[..., None].expand_as(backward))], -1)


class SpanDecoder(nn.Module):
    """Emissions (N, U, K) of every selected pair, or of every row for the flat tagger."""

    def __init__(self, width: int, hidden: int, tags: int, *, guided: bool, dropout: float) -> None:
        super().__init__()
        bound = hidden**-0.5
        self.own = nn.Linear(width, 8 * hidden)  # W1, with the LSTM's bias
        self.guided = nn.Linear(width, 8 * hidden, bias=False) if guided else None  # W2
        for projection in filter(None, (self.own, self.guided)):
            nn.init.uniform_(projection.weight, -bound, bound)
        nn.init.zeros_(self.own.bias)
        self.lstm = BiLSTM(hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, tags)

    def flat(self, features: Tensor, mask: Tensor) -> Tensor:
        """features (B, U, D), mask (B, U) -> (B, U, K)."""
        return self._emissions(self.own(features), mask)

    def scaled(self, features: Tensor, scale: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """Eq. 8 by its algebra: features (B, U, D), scale (N, U), rows (N,), mask (B, U) -> (N, U, K)."""
        assert self.guided is not None
        own, guided = self.own(features), self.guided(features)
        return self._emissions(torch.addcmul(own[rows], scale[..., None], guided[rows]), mask[rows])

    def concatenated(self, features: Tensor, second: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """Any second half: features (B, U, D), second (N, U, D), rows (N,), mask (B, U) -> (N, U, K)."""
        assert self.guided is not None
        return self._emissions(self.own(features)[rows] + self.guided(second), mask[rows])

    def _emissions(self, gates: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.dropout(self.lstm(gates, mask)))


def _reversal(mask: Tensor) -> Tensor:
    """Positions that reverse each row's valid prefix and leave its padding in place: (N, U) bool -> (N, U) long."""
    position = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - position, position)
