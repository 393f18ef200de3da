"""Taggers of all attributes at once: from tag scores to spans with their probabilities.

Tags are 0 = O, 2a + 1 = B and 2a + 2 = I of attribute a. A tag layer is a :class:`~attrex.model.crf.CRF`, or
:class:`Independent`, in which every unit is tagged by itself.

Shapes: N sequences, U units, K = 2C + 1 tags, M segments.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attrex.model.crf import CRF
from attrex.model.tags import flat_spans_from_tags

DecodedSpans = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Rows, attributes, starts, ends and probabilities of spans, as in :class:`~attrex.model.batch.Decoded`."""


class Independent(nn.Module):
    """A softmax over the tags of each unit, whatever its neighbours are."""

    def nll(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of ``tags`` (N, U) under ``emissions`` (N, U, K): (N,)."""
        losses = F.cross_entropy(emissions.float().flatten(0, 1), tags.flatten(), reduction="none").view_as(tags)
        return (losses * mask).sum(1)

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tag of each unit: (N, U), 0 at padded positions."""
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


def flat_spans(layer: CRF | Independent, emissions: Tensor, mask: Tensor, only: Tensor | None = None) -> DecodedSpans:
    """Spans under ``emissions`` (N, U, K), of all attributes or of ``only`` (N, C), with the probability of each."""
    rows, attributes, starts, ends = flat_spans_from_tags(layer.viterbi(emissions, mask), mask)
    if only is not None:
        asked = only[rows, attributes]
        rows, attributes, starts, ends = rows[asked], attributes[asked], starts[asked], ends[asked]
    begin, inside = 2 * attributes + 1, 2 * attributes + 2
    log = layer.segment_log_probability(emissions, mask, rows, starts, ends, begin_tag=begin, inside_tag=inside)
    return rows, attributes, starts, ends, log.exp()
