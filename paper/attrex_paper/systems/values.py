"""Values as token ids, and what systems share that name a value and no place in the text.

Shapes: B rows, U units, N pairs.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from attrex.model.batch import Batch, DecodedValue
from attrex.model.flat import DecodedSpans
from attrex.model.tags import spans_from_tags
from attrex_paper.systems.query import QuerySystem

ValueIds = tuple[int, ...]
"""A value as its token ids."""


class ValueSystem(QuerySystem):
    """Answers a (row, attribute) pair with a value and its probability."""

    @abstractmethod
    def answers(self, reading: Any, rows: Tensor, attributes: Tensor) -> tuple[list[ValueIds], Tensor]:
        """The value of each pair (N,), nothing where it has none, and their probabilities (N,)."""

    def find(self, reading: Any, batch: Batch, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        return rows[:0], attributes[:0], rows[:0], rows[:0], rows[:0].float()

    def values(self, reading: Any, rows: Tensor, attributes: Tensor) -> list[DecodedValue]:
        values, probability = self.answers(reading, rows, attributes)
        answers = zip(rows.tolist(), attributes.tolist(), values, probability.float().tolist(), strict=True)
        return [DecodedValue(row, attribute, ids, p) for row, attribute, ids, p in answers if ids]


def unit_pieces(batch: Batch, row: int, reserved: Tensor) -> list[ValueIds]:
    """The token ids of each unit of a row; ``reserved`` (n,) ids, which stand for no text, are left out."""
    ids = batch.input_ids[row][batch.token_mask[row]].tolist()
    starts = batch.unit_index[row][batch.unit_mask[row]].tolist()
    left_out = set(reserved.tolist())
    return [
        tuple(i for i in ids[start:stop] if i not in left_out)
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True)
    ]


def first_values(batch: Batch, rows: Tensor, attributes: Tensor, reserved: Tensor) -> list[ValueIds]:
    """What the first labelled span of each pair (N,) says; nothing where there is none."""
    tags = batch.tags_of(rows, attributes, torch.zeros_like(batch.unit_index[0]))
    said: list[ValueIds] = [()] * len(rows)
    for pair, start, end in zip(*(x.tolist() for x in spans_from_tags(tags, batch.unit_mask[rows])), strict=True):
        if not said[pair]:
            units = unit_pieces(batch, int(rows[pair]), reserved)[start:end]
            said[pair] = tuple(i for unit in units for i in unit)
    return said
