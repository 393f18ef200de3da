"""Values as token ids: what labelled spans say, and where a text says one. For systems that name values, not places.

Shape letters:
    B rows     U units     N pairs
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from attrex.model.batch import Inputs, Targets
from attrex.model.tags import spans_from_tags

Value = tuple[int, ...]
"""A value as its token ids."""


def unit_pieces(inputs: Inputs, row: int, reserved: Tensor) -> list[Value]:
    """The token ids of each unit of a row; ``reserved`` (n,) ids, which stand for no text, are left out."""
    ids = inputs.input_ids[row][inputs.token_mask[row]].tolist()
    starts = inputs.unit_index[row][inputs.unit_mask[row]].tolist()
    left_out = set(reserved.tolist())
    return [
        tuple(i for i in ids[start:stop] if i not in left_out)
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True)
    ]


def places(units: Sequence[Value], value: Value) -> Iterator[tuple[int, int]]:
    """Where whole units spell a value: first unit, and last (exclusive)."""
    at = 0
    while at < len(units):
        spelled, end = units[at], at + 1
        while len(spelled) < len(value) and end < len(units):
            spelled, end = spelled + units[end], end + 1
        if spelled == value:
            yield at, end
        at = end if spelled == value else at + 1


def first_values(inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor, reserved: Tensor) -> list[Value]:
    """The value of each pair's first labelled span; empty where there is none.

    :param rows: (N,)
    :param attributes: (N,)
    :param reserved: (n,) ids that are left out.
    """
    tags = targets.tags_of(rows, attributes)
    values: list[Value] = [()] * len(rows)
    for pair, start, end in zip(*(x.tolist() for x in spans_from_tags(tags, inputs.unit_mask[rows])), strict=True):
        if not values[pair]:
            units = unit_pieces(inputs, int(rows[pair]), reserved)[start:end]
            values[pair] = tuple(i for unit in units for i in unit)
    return values
