"""The feature decoder shared by all attributes: BiLSTM -> dropout -> linear emissions for the CRF (paper section 4.2).

Eq. 8 concatenates a token's features with a *scaled copy* of themselves, so the BiLSTM's input projection splits:
W [f; s f] = W1 f + s (W2 f). Both products are computed once per row, and only scaled per selected attribute.

Shape letters:
    B rows     U units     D width     N pairs (N = B for the flat tagger)     H units per direction
    K tags
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class BiLSTM(nn.Module):
    """A bidirectional LSTM that takes its input projections ready made; both directions run in one batched product."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.recurrent = nn.Parameter(torch.empty(2, hidden, 4 * hidden).uniform_(-(hidden**-0.5), hidden**-0.5))

    def forward(self, steps: Iterable[Tensor], order: Tensor) -> Tensor:
        """States of both directions. The 4H are input, forget and output gates, then the candidate.

        :param steps: U projected inputs (2, N, 4H), as :func:`both_ways` lays them out.
        :param order: (N, U) the :func:`reversal`.
        :return: (N, U, 2H)
        """
        recurrent: Tensor | None = None
        states = []
        for step in steps:
            if recurrent is None:
                recurrent = self.recurrent.to(step.dtype)
                hidden = cell = step.new_zeros(2, len(order), self.hidden)
            gate = torch.baddbmm(step, hidden, recurrent)
            entry, keep, emit = gate[..., : 3 * self.hidden].sigmoid().chunk(3, -1)
            cell = torch.addcmul(keep * cell, entry, gate[..., 3 * self.hidden :].tanh())
            hidden = emit * cell.tanh()
            states.append(hidden)
        forward, backward = torch.stack(states, 2).unbind(0)  # each (N, U, H)
        return torch.cat([forward, reorder(backward, order)], -1)


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

    @torch.no_grad()
    def start_at_nothing(self) -> None:
        """Let the first emissions be 0."""
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def flat(self, features: Tensor, mask: Tensor) -> Tensor:
        """One sequence per row.

        :param features: (B, U, D)
        :param mask: (B, U) bool.
        :return: (B, U, K)
        """
        order = reversal(mask)
        return self._emissions(both_ways(self.own(features), order), order)

    def scaled(self, features: Tensor, scale: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """Eq. 8 by its algebra.

        :param features: (B, U, D)
        :param scale: (N, U) cosines.
        :param rows: (N,) the row of each pair.
        :param mask: (B, U) bool.
        :return: (N, U, K)
        """
        assert self.guided is not None
        order = reversal(mask)
        own, guided = both_ways(self.own(features), order), both_ways(self.guided(features), order)
        scales = both_ways(scale[..., None].expand(-1, -1, 2), order[rows]).to(own.dtype)
        # Spread from rows to pairs step by step: all steps at once would not fit the processor's cache, and takes twice
        # the time.
        steps = (
            torch.addcmul(a.index_select(1, rows), s, b.index_select(1, rows))
            for a, s, b in zip(own.unbind(), scales.unbind(), guided.unbind(), strict=True)
        )
        return self._emissions(steps, order[rows])

    def concatenated(self, features: Tensor, second: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """Any second half beside the features.

        :param features: (B, U, D)
        :param second: (N, U, D)
        :param rows: (N,) the row of each pair.
        :param mask: (B, U) bool.
        :return: (N, U, K)
        """
        assert self.guided is not None
        order = reversal(mask)[rows]
        return self._emissions(both_ways(self.own(features)[rows] + self.guided(second), order), order)

    def _emissions(self, steps: Iterable[Tensor], order: Tensor) -> Tensor:
        return self.output(self.dropout(self.lstm(steps, order)))


class DirectEmissions(nn.Module):
    """Emissions that each attribute reads off a unit by itself, by a vector per tag."""

    def __init__(self, attributes: int, width: int, tags: int) -> None:
        super().__init__()
        self.tags = tags
        self.vectors = nn.Embedding(attributes, tags * width)
        nn.init.normal_(self.vectors.weight, std=width**-0.5)

    def forward(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """Of pairs; each attribute's vectors are taken once, however many pairs need them.

        :param features: (B, U, D)
        :param rows: (N,) the row of each pair.
        :param attributes: (N,)
        :return: (N, U, K)
        """
        distinct, position = attributes.unique(return_inverse=True)
        vectors = self.vectors(distinct).view(len(distinct) * self.tags, features.shape[-1])
        scores = (features @ vectors.T).unflatten(-1, (len(distinct), self.tags))  # (B, U, A, K)
        return scores[rows, :, position]


def reversal(mask: Tensor) -> Tensor:
    """Positions that reverse each row's valid prefix and leave its padding in place: (N, U) bool -> (N, U) long."""
    position = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - position, position)


def both_ways(x: Tensor, order: Tensor) -> Tensor:
    """Step by step, each half in its own reading order: (N, U, 2G), forward and backward -> (U, 2, N, G)."""
    forward, backward = x.chunk(2, -1)
    return torch.stack([forward, reorder(backward, order)]).permute(2, 0, 1, 3)


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """Units in another order: x (N, U, D), order (N, U) -> (N, U, D)."""
    return x.gather(1, order[..., None].expand_as(x))
