"""Systems that are told which attribute to look for: they read a text once per question, or compare it with one.

Trained on every gold (row, attribute) pair and on `query.negatives` attributes per row that the text has no value of.
In use they are asked for all attributes, or for those that are given.

Shapes: B rows, U units, C attributes, T tokens of a name, N pairs, K = 3 tags.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from attrex.config import Config
from attrex.model.attribute_range import cap_pairs
from attrex.model.batch import LOCATED, Batch, Decoded, Losses
from attrex.model.build import Parts
from attrex.model.flat import DecodedSpans
from attrex.model.system import System
from attrex.model.text_encoder import TextEncoder

Names = tuple[Tensor, Tensor]
"""Attribute names as tokens [CLS] name [SEP]: ids and mask, each (C, T)."""


class QuerySystem(System):
    """Asks (row, attribute) pairs, ``pairs_at_once`` of them together in extraction: memory stays bounded."""

    pairs_at_once = 512

    @abstractmethod
    def read(self, batch: Batch) -> Any:
        """What is made once per row, whatever is asked of it."""

    @abstractmethod
    def loss(self, reading: Any, batch: Batch, rows: Tensor, attributes: Tensor) -> Tensor:
        """Loss of each pair (N,)."""

    @abstractmethod
    def find(self, reading: Any, batch: Batch, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        """Spans that answer the pairs; the rows that come back are those of the batch."""

    def forward(self, **tensors: Tensor) -> Losses:
        batch = Batch(**tensors)
        assert batch.cells is not None
        gold = batch.cells == LOCATED
        drawn = torch.rand(gold.shape, device=gold.device)
        pairs = cap_pairs(self._training_pairs(gold), gold, drawn, self.settings.query.max_pairs)
        rows, attributes = pairs.nonzero(as_tuple=True)
        if not len(rows):  # nothing is asked: a loss that teaches nothing
            nothing = sum((p.sum() for p in self.parameters() if p.requires_grad), torch.zeros(())) * 0
            return Losses(nothing, None, None, 0)
        losses = self.loss(self.read(batch), batch, rows, attributes)
        return Losses(losses.mean(), None, losses.mean(), len(rows))

    def _training_pairs(self, gold: Tensor) -> Tensor:
        """(B, C) bool: the gold pairs, and as many others of each row as are wanted, drawn anew in every step."""
        drawn = torch.rand(gold.shape, device=gold.device).masked_fill(gold, -1)
        wanted = min(self.settings.query.negatives, self.attributes)
        least = drawn.topk(wanted, 1).values[:, -1:] if wanted else torch.full_like(drawn[:, :1], 2)
        return gold | ((drawn >= least) & (drawn >= 0))

    @torch.no_grad()
    def extract(
        self, batch: Batch, *, threshold: float | None = None, region_weights: bool = False, only: Tensor | None = None
    ) -> Decoded:
        """Answers for ``only`` (B, C), or for all attributes (that the category has, with `range.mask_by_category`)."""
        asked = self.asked(batch, only)
        if asked is None:
            asked = torch.ones(len(batch.input_ids), self.attributes, dtype=torch.bool, device=batch.input_ids.device)
        rows, attributes = asked.nonzero(as_tuple=True)
        reading = self.read(batch)
        parts = [
            self.find(reading, batch, r, a) if len(r) else (r, a, r, r, r.float())
            for r, a in zip(rows.split(self.pairs_at_once), attributes.split(self.pairs_at_once), strict=True)
        ]
        found, about, starts, ends, probability = (torch.cat(column) for column in zip(*parts, strict=True))
        return Decoded(found, about, starts, ends, probability, None, None, len(rows), None)


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
