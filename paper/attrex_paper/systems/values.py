"""Values as token ids: what labelled spans say, and where a text says one. For systems that name values, not places.

Shapes: B rows, U units, N pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from attrex.model.batch import Batch
from attrex.model.tags import spans_from_tags

Value = tuple[int, ...]
"""A value as its token ids."""


def unit_pieces(batch: Batch, row: int, reserved: Tensor) -> list[Value]:
    """The token ids of each unit of a row; ``reserved`` (n,) ids, which stand for no text, are left out."""
    ids = batch.input_ids[row][batch.token_mask[row]].tolist()
    starts = batch.unit_index[row][batch.unit_mask[row]].tolist()
    left_out = set(reserved.tolist())
    return [
        tuple(i for i in ids[start:stop] if i not in left_out)
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True)
    ]


def places(units: Sequence[Value], value: Value) -> Iterator[tuple[int, int]]:
    """Where whole units say a value: first unit, and last (exclusive)."""
    at = 0
    while at < len(units):
        said, end = units[at], at + 1
        while len(said) < len(value) and end < len(units):
            said, end = said + units[end], end + 1
        if said == value:
            yield at, end
        at = end if said == value else at + 1


def first_values(batch: Batch, rows: Tensor, attributes: Tensor, reserved: Tensor) -> list[Value]:
    """What the first labelled span of each pair (N,) says; nothing where there is none."""
    tags = batch.tags_of(rows, attributes, torch.zeros_like(batch.unit_index[0]))
    said: list[Value] = [()] * len(rows)
    for pair, start, end in zip(*(x.tolist() for x in spans_from_tags(tags, batch.unit_mask[rows])), strict=True):
        if not said[pair]:
            units = unit_pieces(batch, int(rows[pair]), reserved)[start:end]
            said[pair] = tuple(i for unit in units for i in unit)
    return said
