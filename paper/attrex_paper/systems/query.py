"""Systems that are told which attribute to look for: they read a text once per question, or compare it with one.

Trained on every gold (row, attribute) pair and on `query.negatives` attributes per row that the text has no value of.
In use they are asked for all attributes, or for those that are given.

Shape letters:
    B rows     U units     C attributes     T tokens of a name     N pairs     K = 3 tags
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from attrex.config import Config
from attrex.model.attribute_range import cap_pairs
from attrex.model.batch import LOCATED, Decoded, DecodedValue, Inputs, Losses, Targets
from attrex.model.build import Parts
from attrex.model.decode import DecodedSpans, no_spans
from attrex.model.system import System
from attrex.model.text_encoder import TextEncoder

Names = tuple[Tensor, Tensor]
"""Attribute names as tokens [CLS] name [SEP]: ids and mask, each (C, T)."""


class QuerySystem(System):
    """Asks (row, attribute) pairs, ``pairs_at_once`` of them together in extraction: memory stays bounded."""

    pairs_at_once = 512

    @abstractmethod
    def encode(self, inputs: Inputs) -> Any:
        """What is made once per row, whatever is asked of it."""

    @abstractmethod
    def pair_losses(self, encoded: Any, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor) -> Tensor:
        """Loss of each pair: (N,).

        :param encoded: what :meth:`encode` made.
        :param rows: (N,)
        :param attributes: (N,)
        """

    @abstractmethod
    def decode(self, encoded: Any, inputs: Inputs, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        """Spans that answer the pairs; their rows are those of the batch.

        :param encoded: what :meth:`encode` made.
        :param rows: (N,)
        :param attributes: (N,)
        """

    def values(self, encoded: Any, rows: Tensor, attributes: Tensor) -> list[DecodedValue]:
        """Values that answer the pairs and have no place in the text.

        :param encoded: what :meth:`encode` made.
        :param rows: (N,)
        :param attributes: (N,)
        """
        return []

    def losses(self, inputs: Inputs, targets: Targets) -> Losses:
        gold = targets.cells == LOCATED
        drawn = torch.rand(gold.shape, device=gold.device)
        pairs = cap_pairs(self._training_pairs(gold), gold, drawn, self.settings.query.max_pairs)
        rows, attributes = pairs.nonzero(as_tuple=True)
        if not len(rows):  # nothing is asked: a loss that teaches nothing
            nothing = sum((p.sum() for p in self.parameters() if p.requires_grad), torch.zeros(())) * 0
            return Losses(nothing, None, None, 0)
        losses = self.pair_losses(self.encode(inputs), inputs, targets, rows, attributes)
        return Losses(losses.mean(), None, losses.mean(), len(rows))

    def _training_pairs(self, gold: Tensor) -> Tensor:
        """(B, C) bool: the gold pairs, and as many others of each row as are wanted, drawn anew in every step."""
        drawn = torch.rand(gold.shape, device=gold.device).masked_fill(gold, -1)
        wanted = min(self.settings.query.negatives, self.attributes)
        least = drawn.topk(wanted, 1).values[:, -1:] if wanted else torch.full_like(drawn[:, :1], 2)
        return gold | ((drawn >= least) & (drawn >= 0))

    @torch.no_grad()
    def extract(self, inputs: Inputs, *, threshold: float | None = None, region_weights: bool = False) -> Decoded:
        """Answers for ``inputs.attributes``, or for all (that the category has, with `range.mask_by_category`)."""
        wanted = self.wanted(inputs)
        if wanted is None:
            shape = len(inputs.input_ids), self.attributes
            wanted = torch.ones(shape, dtype=torch.bool, device=inputs.input_ids.device)
        rows, attributes = wanted.nonzero(as_tuple=True)
        encoded = self.encode(inputs)
        pairs = list(zip(rows.split(self.pairs_at_once), attributes.split(self.pairs_at_once), strict=True))
        parts = [self.decode(encoded, inputs, r, a) if len(r) else no_spans(r, a) for r, a in pairs]
        values = [value for r, a in pairs if len(r) for value in self.values(encoded, r, a)]
        return Decoded(*DecodedSpans.concatenate(parts), None, None, len(rows), None, values)


class NameReader(QuerySystem):
    """A system that reads the attribute's name by the encoder that reads the texts."""

    text: TextEncoder
    name_ids: Tensor
    name_mask: Tensor

    def __init__(self, config: Config, attributes: int, text: TextEncoder, names: Names) -> None:
        super().__init__(config, attributes, text)
        self.register_buffer("name_ids", names[0], persistent=False)
        self.register_buffer("name_mask", names[1], persistent=False)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, parts.text, parts.name_tokens)
