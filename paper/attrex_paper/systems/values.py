"""Values as token ids, and what systems share that name a value and no place in the text.

Shape letters:
    B rows     U units     N pairs
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from attrex.model.batch import DecodedValue, Inputs, Targets
from attrex.model.decode import DecodedSpans, no_spans
from attrex.model.tags import spans_from_tags
from attrex_paper.systems.query import QuerySystem

ValueIds = tuple[int, ...]
"""A value as its token ids."""


class ValueSystem(QuerySystem):
    """Answers a (row, attribute) pair with a value and its probability."""

    @abstractmethod
    def answers(self, encoded: Any, rows: Tensor, attributes: Tensor) -> tuple[list[ValueIds], Tensor]:
        """The value of each pair, empty where it has none, and their probabilities (N,).

        :param encoded: what :meth:`encode` made.
        :param rows: (N,)
        :param attributes: (N,)
        """

    def decode(self, encoded: Any, inputs: Inputs, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        return no_spans(rows[:0], attributes[:0])

    def values(self, encoded: Any, rows: Tensor, attributes: Tensor) -> list[DecodedValue]:
        values, probability = self.answers(encoded, rows, attributes)
        answers = zip(rows.tolist(), attributes.tolist(), values, probability.float().tolist(), strict=True)
        return [DecodedValue(row, attribute, ids, p) for row, attribute, ids, p in answers if ids]


def unit_pieces(inputs: Inputs, row: int, reserved: Tensor) -> list[ValueIds]:
    """The token ids of each unit of a row; ``reserved`` (n,) ids, which stand for no text, are left out."""
    ids = inputs.input_ids[row][inputs.token_mask[row]].tolist()
    starts = inputs.unit_index[row][inputs.unit_mask[row]].tolist()
    left_out = set(reserved.tolist())
    return [
        tuple(i for i in ids[start:stop] if i not in left_out)
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True)
    ]


def first_values(
    inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor, reserved: Tensor
) -> list[ValueIds]:
    """The value of each pair's first labelled span; empty where there is none.

    :param rows: (N,)
    :param attributes: (N,)
    :param reserved: (n,) ids that are left out.
    """
    tags = targets.tags_of(rows, attributes)
    values: list[ValueIds] = [()] * len(rows)
    for pair, start, end in zip(*(x.tolist() for x in spans_from_tags(tags, inputs.unit_mask[rows])), strict=True):
        if not values[pair]:
            units = unit_pieces(inputs, int(rows[pair]), reserved)[start:end]
            values[pair] = tuple(i for unit in units for i in unit)
    return values
