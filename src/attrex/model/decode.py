"""From emissions to spans with their probabilities: one sequence per (row, attribute) pair, or one per row.

Shape letters:
    N sequences     U units     K tags     C attributes     S spans
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from attrex.model.crf import CRF
from attrex.model.tags import flat_spans_from_tags, spans_from_tags


class DecodedSpans(NamedTuple):
    """Spans as in :class:`~attrex.model.batch.Decoded`.

    :param rows: (S,) long.
    :param attributes: (S,) long.
    :param starts: (S,) long, first unit.
    :param ends: (S,) long, exclusive.
    :param probability: (S,)
    """

    rows: Tensor
    attributes: Tensor
    starts: Tensor
    ends: Tensor
    probability: Tensor

    @classmethod
    def concatenate(cls, parts: list[DecodedSpans]) -> DecodedSpans:
        return cls(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


class TagLayer(Protocol):
    """A layer of tags over emissions: a :class:`~attrex.model.crf.CRF`, or one that tags each unit by itself."""

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor: ...

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
    ) -> Tensor: ...


def no_spans(rows: Tensor, attributes: Tensor) -> DecodedSpans:
    """The spans of no pairs at all: ``rows`` and ``attributes`` (0,)."""
    return DecodedSpans(rows, attributes, rows, rows, rows.float())


def decode_pairs(crf: CRF, emissions: Tensor, mask: Tensor, rows: Tensor, attributes: Tensor) -> DecodedSpans:
    """Spans of sequences that each tag one attribute (O, B, I).

    :param emissions: (N, U, 3)
    :param mask: (N, U) bool.
    :param rows: (N,) the row of each sequence.
    :param attributes: (N,) the attribute of each sequence.
    """
    pairs, starts, ends = spans_from_tags(crf.viterbi(emissions, mask), mask)
    probability = crf.segment_log_probability(emissions, mask, pairs, starts, ends).exp()
    return DecodedSpans(rows[pairs], attributes[pairs], starts, ends, probability)


LONGEST = 16
"""Units of the longest segment that :func:`surest_pairs` considers."""


def surest_pairs(crf: CRF, emissions: Tensor, mask: Tensor, rows: Tensor, attributes: Tensor) -> DecodedSpans:
    """Of each sequence the most probable segment, however improbable, in place of those of the best path.

    For who knows that there is a value: the best path has none where none is more probable than any one. Parameters as
    for :func:`decode_pairs`; up to :data:`LONGEST` units.
    """
    starts, lengths = (
        x.flatten()
        for x in torch.meshgrid(
            torch.arange(mask.shape[1], device=mask.device),
            torch.arange(1, LONGEST + 1, device=mask.device),
            indexing="ij",
        )
    )
    pairs, segments = (starts + lengths <= mask.sum(1, keepdim=True)).nonzero(as_tuple=True)
    log = crf.segment_log_probability(emissions, mask, pairs, starts[segments], starts[segments] + lengths[segments])
    best = log.new_full((len(mask), len(starts)), -torch.inf).index_put((pairs, segments), log).max(1)
    chosen = best.indices
    return DecodedSpans(rows, attributes, starts[chosen], starts[chosen] + lengths[chosen], best.values.exp())


def decode_flat(layer: TagLayer, emissions: Tensor, mask: Tensor, wanted: Tensor | None = None) -> DecodedSpans:
    """Spans of sequences that tag all attributes at once: 0 = O, 2a + 1 = B, 2a + 2 = I of attribute a.

    :param emissions: (N, U, 2C + 1)
    :param mask: (N, U) bool.
    :param wanted: (N, C) bool, the attributes whose spans are kept; None for all.
    """
    rows, attributes, starts, ends = flat_spans_from_tags(layer.viterbi(emissions, mask), mask)
    if wanted is not None:
        kept = wanted[rows, attributes]
        rows, attributes, starts, ends = rows[kept], attributes[kept], starts[kept], ends[kept]
    begin, inside = 2 * attributes + 1, 2 * attributes + 2
    log = layer.segment_log_probability(emissions, mask, rows, starts, ends, begin_tag=begin, inside_tag=inside)
    return DecodedSpans(rows, attributes, starts, ends, log.exp())
