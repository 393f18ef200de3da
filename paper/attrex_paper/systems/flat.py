"""What all taggers of all attributes at once have in common: they tag units and, most of them, label the whole text.

MEPAVE asks for several labels per text, where the papers on spoken language know one intent: each attribute has a
sigmoid of its own, trained with binary cross entropy (as JAVE's head is).

Shape letters:
    B rows     U units     C attributes     K = 2C + 1 tags     S tokens     R regions
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from attrex.config import Config
from attrex.model.batch import LOCATED, Decoded, Inputs, Losses, Targets
from attrex.model.crf import CRF
from attrex.model.decode import decode_flat
from attrex.model.image_encoder import ImageEncoder
from attrex.model.system import System
from attrex.model.tags import forbidden_transitions
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.independent import Independent
from attrex_paper.systems.words import WordEmbeddings

LABEL_THRESHOLD = 0.5
"""An attribute is predicted above it: what CLS-F1 counts."""


@dataclass
class FlatOutput:
    """What a tagger makes of a batch.

    :param emissions: (B, U, K)
    :param labels: (B, C) logits of whether the text has the attribute; None for a system without them.
    :param region_weights: (B, S, R), None without photos.
    """

    emissions: Tensor
    labels: Tensor | None = None
    region_weights: Tensor | None = None


class FlatTagger(System):
    """A system that :meth:`encode` defines; ``crf`` tags by a CRF, otherwise each unit has a softmax of its own."""

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
    def encode(self, inputs: Inputs) -> FlatOutput:
        """Tag scores and attribute scores of a batch."""

    def losses(self, inputs: Inputs, targets: Targets) -> Losses:
        """Tag loss and attribute loss, added 1:1: both means, over sequences for a CRF, over units without one."""
        output = self.encode(inputs)
        tag_loss = self.tag_loss(output.emissions, inputs, targets)
        if output.labels is None:
            return Losses(tag_loss, None, tag_loss, len(inputs.input_ids))
        label_loss = self.label_loss(output.labels, targets)
        return Losses(tag_loss + label_loss, label_loss, tag_loss, len(inputs.input_ids))

    def tag_loss(self, emissions: Tensor, inputs: Inputs, targets: Targets) -> Tensor:
        """A scalar; ``emissions`` (B, U, K)."""
        nll = self.layer.nll(emissions, targets.flat_tags, inputs.unit_mask)
        return nll.mean() if isinstance(self.layer, CRF) else nll.sum() / inputs.unit_mask.sum().clamp(min=1)

    def label_loss(self, logits: Tensor, targets: Targets) -> Tensor:
        """A scalar; ``logits`` (B, C)."""
        return binary_cross_entropy_with_logits(logits, (targets.cells == LOCATED).to(logits.dtype))

    @torch.no_grad()
    def extract(self, inputs: Inputs, *, threshold: float | None = None, region_weights: bool = False) -> Decoded:
        """Spans of a batch. Attribute scores choose no spans: they are reported, and weigh the confidence.

        ``inputs.attributes`` leaves the other attributes' spans out; ``threshold`` is of no use here.
        """
        output = self.encode(inputs)
        wanted = self.wanted(inputs)
        spans = decode_flat(self.layer, output.emissions, inputs.unit_mask, wanted)
        scores = selected = None
        if output.labels is not None:
            scores = output.labels.float().sigmoid()
            selected = scores > LABEL_THRESHOLD if wanted is None else (scores > LABEL_THRESHOLD) & wanted
            selected[spans.rows, spans.attributes] = True  # so that every value's confidence has its attribute's score
        weights = output.region_weights if region_weights else None
        return Decoded(*spans, scores, selected, len(inputs.input_ids), weights)
