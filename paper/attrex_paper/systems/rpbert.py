"""RpBERT (Sun et al., 2021): one BERT reads text and photo, twice; in between it says whether they belong together.

Word pieces and projected regions form one sequence (regions marked by a type vector of their own). First pass: [CLS]
-> two-way head -> gate = P(related). Second pass: the regions times the gate; a unit's state is the mean over its
pieces, beside a frozen word vector; BiLSTM of two layers; CRF. The relation is learned as a task of its own, 0.05 of
the loss.

Different here: the relation task's tweets cannot be had, so a product's own photo is related and another product's of
the same batch is not; the frozen word vectors are the text model's embeddings in place of Flair's.

Shapes: B rows, S tokens, U units, D width, R regions, V image width, E width of word vectors, K tags.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from attrex.config import Config
from attrex.model.batch import Batch, Losses
from attrex.model.build import Parts
from attrex.model.image_encoder import ImageEncoder
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.flat import FlatOutput, FlatTagger
from attrex_paper.systems.recurrent import Recurrent
from attrex_paper.systems.words import WordEmbeddings, mean_of_pieces

RELATION_WEIGHT = 0.05
HIDDEN, LAYERS = 256, 2


class RpBERT(FlatTagger):
    """Tags only; the photo counts as far as it is found to belong to the text."""

    text: TextEncoder
    image: ImageEncoder
    words: WordEmbeddings
    fusion_parts = ("project", "kind")

    def __init__(
        self, config: Config, attributes: int, text: TextEncoder, words: WordEmbeddings, image: ImageEncoder
    ) -> None:
        super().__init__(config, attributes, text, image, words=words.requires_grad_(False), crf=True)
        self.project = nn.Linear(image.width, text.width)
        self.kind = nn.Parameter(torch.zeros(text.width))  # what type embeddings are to the text: "this is image"
        self.relation = nn.Linear(text.width, 2)
        self.lstm = Recurrent(text.width + words.width, config.decoder.hidden or HIDDEN, LAYERS, config.decoder.dropout)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.output = nn.Linear(self.lstm.width, self.tags)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        text, words = parts.text, WordEmbeddings.of(parts)
        assert parts.image is not None  # Config has checked it
        return cls(config, attributes, text, words, parts.image)

    def read(self, batch: Batch) -> FlatOutput:
        regions, seen = self.regions(batch)
        return self._tag(batch, self.text.embed(batch.input_ids), self.project(regions), seen)

    def _tag(self, batch: Batch, text: Tensor, regions: Tensor, seen: Tensor) -> FlatOutput:
        """text (B, S, D), projected regions (B, R, D), seen (B, R)."""
        gate = self.related(batch, text, regions, seen).softmax(-1)[:, 1]
        states, joint, mask = self.joined(batch, text, regions * gate[:, None, None], seen)
        tokens = text.shape[1]
        units = mean_of_pieces(states[:, :tokens], batch, self.words.reserved)
        states = self.lstm(self.dropout(torch.cat([units, self.words(batch)], -1)), batch.unit_mask)
        weights = None if self.training else self.text.region_attention(joint, mask, tokens) * gate[:, None, None]
        return FlatOutput(self.output(self.dropout(states)), None, weights)

    def joined(self, batch: Batch, text: Tensor, regions: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One pass over text and regions: last states (B, S + R, D), and what went in with its mask."""
        joint, mask = torch.cat([text, regions + self.kind], 1), torch.cat([batch.token_mask, seen], 1)
        return self.text.encode(joint, mask)[0], joint, mask

    def related(self, batch: Batch, text: Tensor, regions: Tensor, seen: Tensor) -> Tensor:
        """Logits (B, 2) of text and photo not belonging, or belonging, together."""
        return self.relation(self.joined(batch, text, regions, seen)[0][:, 0])

    def forward(self, **tensors: Tensor) -> Losses:
        batch = Batch(**tensors)
        regions, seen = self.regions(batch)
        text, regions = self.text.embed(batch.input_ids), self.project(regions)
        tag_loss = self.tag_loss(self._tag(batch, text, regions, seen).emissions, batch)
        loss = tag_loss + RELATION_WEIGHT * self.relation_loss(batch, text, regions, seen)
        return Losses(loss, None, tag_loss, len(batch.input_ids))

    def relation_loss(self, batch: Batch, text: Tensor, regions: Tensor, seen: Tensor) -> Tensor:
        """Each row with its own photo, and with that of the row before it; rows without a photo say nothing."""
        other, other_seen = regions.roll(1, 0), seen.roll(1, 0)
        own = self.related(batch, text, regions, seen)
        swapped = self.related(batch, text, other, other_seen)
        pictured = seen.any(1)
        different = pictured & other_seen.any(1) & _other_photo(batch)
        answers = torch.cat([own, swapped]).float()
        truth = torch.arange(2, device=own.device).flip(0).repeat_interleave(len(own))
        counted = torch.cat([pictured, different]).to(answers.dtype)
        losses = cross_entropy(answers, truth, reduction="none")
        return (losses * counted).sum() / counted.sum().clamp(min=1)


def _other_photo(batch: Batch) -> Tensor:
    """Whether the row before shows another photo (B,): windows of one product share theirs."""
    if batch.image_index is None:
        return torch.zeros(len(batch.input_ids), dtype=torch.bool, device=batch.input_ids.device)
    first = batch.image_index[:, 0]
    return first != first.roll(1, 0)
