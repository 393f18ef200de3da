"""A softmax over the tags of each unit, in the place of a CRF.

Tags are 0 = O, 2a + 1 = B and 2a + 2 = I of attribute a.

Shape letters:
    N sequences     U units     K = 2C + 1 tags     M segments
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Independent(nn.Module):
    """A softmax over the tags of each unit, whatever its neighbours are."""

    def nll(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of tags: (N,).

        :param emissions: (N, U, K)
        :param tags: (N, U) long.
        :param mask: (N, U) bool.
        """
        losses = F.cross_entropy(emissions.float().flatten(0, 1), tags.flatten(), reduction="none").view_as(tags)
        return (losses * mask).sum(1)

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tag of each unit: (N, U), 0 at padded positions.

        :param emissions: (N, U, K)
        :param mask: (N, U) bool.
        """
        return emissions.argmax(-1).masked_fill(~mask, 0)

    def segment_log_probability(
        self,
        emissions: Tensor,
        mask: Tensor,
        rows: Tensor,
        starts: Tensor,
        ends: Tensor,
        *,
        begin_tag: Tensor,
        inside_tag: Tensor,
    ) -> Tensor:
        """log of the probability that exactly this segment is read off the tags: (M,).

        Its first unit opens a span (B, or an I that continues nothing of the attribute), the others are I, and the unit
        after it is not.

        :param emissions: (N, U, K)
        :param mask: (N, U) bool.
        :param rows: (M,) the sequence of each segment.
        :param starts: (M,) first unit.
        :param ends: (M,) exclusive.
        :param begin_tag: (M,)
        :param inside_tag: (M,)
        """
        log = emissions.float().log_softmax(-1)
        begins, insides = log[rows, :, begin_tag], log[rows, :, inside_tag]  # (M, U)
        number = torch.arange(len(rows), device=rows.device)
        before = starts.clamp(min=1) - 1
        same = begins[number, before].exp() + insides[number, before].exp()
        fresh = torch.where(starts > 0, 1 - same, 1.0).clamp(min=1e-12).log()
        opened = torch.logaddexp(begins[number, starts], insides[number, starts] + fresh)

        running = F.pad(insides.double().cumsum(1), (1, 0))
        run = (running[number, ends] - running[number, starts + 1]).to(log.dtype)

        last = mask.shape[1] - 1
        onward = (1 - insides[number, ends.clamp(max=last)].exp()).clamp(min=1e-12).log()
        return opened + run + torch.where(ends < mask.sum(1)[rows], onward, 0.0)
