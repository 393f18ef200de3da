"""From BIO tags to spans, for whole batches at once.

An ill-formed I (after O, or after another attribute's tag) opens a span: the rule of conlleval and of seqeval's default
mode.

Shape letters:
    N sequences     U units     S spans
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from attrex.types import BEGIN, INSIDE, OUTSIDE

NUM_TAGS = 3
"""Of one attribute: O, B, I."""


def spans_from_tags(
    tags: Tensor, mask: Tensor, begin: int = BEGIN, inside: int = INSIDE
) -> tuple[Tensor, Tensor, Tensor]:
    """Spans of sequences that each tag one attribute; every tag but ``begin`` and ``inside`` is outside.

    :param tags: (N, U) long.
    :param mask: (N, U) bool, a prefix of each row.
    :return: rows, starts, ends, (S,) long each, ends exclusive, in reading order.
    """
    bio = torch.where(tags == begin, BEGIN, torch.where(tags == inside, INSIDE, OUTSIDE))
    rows, _, starts, ends = flat_spans_from_tags(bio, mask)
    return rows, starts, ends


def flat_spans_from_tags(tags: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spans of sequences that tag all attributes at once: 0 is O, 2a + 1 is B and 2a + 2 is I of attribute a.

    :param tags: (N, U) long.
    :param mask: (N, U) bool, a prefix of each row.
    :return: rows, attributes, starts, ends, (S,) long each, ends exclusive, in reading order.
    """
    tags = tags.masked_fill(~mask, OUTSIDE)
    attribute = torch.where(tags > OUTSIDE, (tags - 1) // 2, -1)
    continues = (tags > OUTSIDE) & (tags % 2 == 0) & (attribute == F.pad(attribute, (1, 0), value=-1)[:, :-1])
    begins = (tags > OUTSIDE) & ~continues
    finishes = (tags > OUTSIDE) & ~F.pad(continues, (0, 1))[:, 1:]
    # Spans do not overlap, so the n-th begin and the n-th finish, both in reading order, belong to the same span.
    rows, starts = begins.nonzero(as_tuple=True)
    ends = finishes.nonzero(as_tuple=True)[1] + 1
    return rows, attribute[rows, starts], starts, ends


def forbidden_transitions(attributes: int) -> Iterator[tuple[int | None, int]]:
    """Transitions that make no sense in (flat) BIO: an I that continues nothing, or another attribute."""
    for attribute in range(attributes):
        begin, inside = 2 * attribute + BEGIN, 2 * attribute + INSIDE
        tags = (None, *range(2 * attributes + 1))
        yield from ((before, inside) for before in tags if before not in (begin, inside))
