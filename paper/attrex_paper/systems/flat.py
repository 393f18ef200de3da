"""What all taggers of all attributes at once have in common: they tag units and, most of them, label the whole text.

MEPAVE asks for several labels per text, where the papers on spoken language know one intent: each attribute has a
sigmoid of its own, trained with binary cross entropy (as JAVE's head is).

Shapes: B rows, U units, C attributes, K = 2C + 1 tags, S tokens, R regions.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from attrex.config import Config
from attrex.model.batch import LOCATED, Batch, Decoded, Losses
from attrex.model.crf import CRF
from attrex.model.flat import Independent, flat_spans
from attrex.model.image_encoder import ImageEncoder
from attrex.model.system import System
from attrex.model.tags import forbidden_transitions
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.words import WordEmbeddings

LABEL_THRESHOLD = 0.5
"""An attribute is predicted above it: what CLS-F1 counts."""


@dataclass
class FlatOutput:
    """What a tagger makes of a batch."""

    emissions: Tensor  #: (B, U, K)
    labels: Tensor | None = None  #: (B, C) logits: does the text have the attribute?
    region_weights: Tensor | None = None  #: (B, S, R)


class FlatTagger(System):
    """A system that :meth:`read` says all of; ``crf`` tags by a CRF, otherwise each unit has a softmax of its own."""

    def __init__(
        self,
        config: Config,
        attributes: int,
        text: TextEncoder | None = None,
        image: ImageEncoder | None = None,
        *,
        words: WordEmbeddings | None = None,
        crf: bool,
    ) -> None:
        super().__init__(config, attributes, text, image)
        self.words = words
        self.tags = 2 * attributes + 1
        forbidden = forbidden_transitions(attributes) if config.decoder.constrained else ()
        self.layer = CRF(self.tags, forbidden) if crf else Independent()

    def architecture(self) -> dict[str, Any]:
        return super().architecture() | {"words": self.words.spec() if self.words is not None else None}

    @abstractmethod
    def read(self, batch: Batch) -> FlatOutput:
        """Tag scores and attribute scores of a batch."""

    def forward(self, **tensors: Tensor) -> Losses:
        """Tag loss and attribute loss, added 1:1: both means, over sequences for a CRF, over units without one."""
        batch = Batch(**tensors)
        reading = self.read(batch)
        tag_loss = self.tag_loss(reading.emissions, batch)
        if reading.labels is None:
            return Losses(tag_loss, None, tag_loss, len(batch.input_ids))
        label_loss = self.label_loss(reading.labels, batch)
        return Losses(tag_loss + label_loss, label_loss, tag_loss, len(batch.input_ids))

    def tag_loss(self, emissions: Tensor, batch: Batch) -> Tensor:
        assert batch.flat_tags is not None
        nll = self.layer.nll(emissions, batch.flat_tags, batch.unit_mask)
        return nll.mean() if isinstance(self.layer, CRF) else nll.sum() / batch.unit_mask.sum().clamp(min=1)

    def label_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        assert batch.cells is not None
        return binary_cross_entropy_with_logits(logits, (batch.cells == LOCATED).to(logits.dtype))

    @torch.no_grad()
    def extract(
        self, batch: Batch, *, threshold: float | None = None, region_weights: bool = False, only: Tensor | None = None
    ) -> Decoded:
        """Spans of a batch. Attribute scores choose no spans: they are reported, and weigh the confidence.

        ``only`` (B, C) leaves the other attributes' spans out; ``threshold`` is of no use here.
        """
        reading = self.read(batch)
        asked = self.asked(batch, only)
        found = flat_spans(self.layer, reading.emissions, batch.unit_mask, asked)
        scores = selected = None
        if reading.labels is not None:
            scores = reading.labels.float().sigmoid()
            selected = scores > LABEL_THRESHOLD if asked is None else (scores > LABEL_THRESHOLD) & asked
            selected[found[0], found[1]] = True  # so that every value's confidence has its attribute's score in it
        weights = reading.region_weights if region_weights else None
        return Decoded(*found, scores, selected, len(batch.input_ids), weights)
