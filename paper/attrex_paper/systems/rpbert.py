"""RpBERT (Sun et al., 2021): one BERT reads text and photo, twice; in between it says whether they belong together.

Word pieces and projected regions form one sequence (regions marked by a type vector of their own). First pass: [CLS]
-> two-way head -> gate = P(related). Second pass: the regions times the gate; a unit's state is the mean over its
pieces, beside a frozen word vector; BiLSTM of two layers; CRF. The relation is learned as a task of its own, 0.05 of
the loss.

Different here: the relation task's tweets cannot be had, so a product's own photo is related and another product's of
the same batch is not; the frozen word vectors are the text model's embeddings in place of Flair's.

Shape letters:
    B rows     S tokens     U units     D width     R regions     V image width     E width of word vectors
    K tags
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from attrex.config import Config
from attrex.model.batch import Inputs, Losses, Targets
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

    def encode(self, inputs: Inputs) -> FlatOutput:
        regions, region_mask = self.regions(inputs)
        return self._tag(inputs, self.text.embed(inputs.input_ids), self.project(regions), region_mask)

    def _tag(self, inputs: Inputs, text: Tensor, regions: Tensor, region_mask: Tensor) -> FlatOutput:
        """Tags of texts beside the regions that belong to them.

        :param text: (B, S, D) embeddings.
        :param regions: (B, R, D) projected.
        :param region_mask: (B, R) bool.
        """
        gate = self.related(inputs, text, regions, region_mask).softmax(-1)[:, 1]
        states, joint, mask = self.joined(inputs, text, regions * gate[:, None, None], region_mask)
        tokens = text.shape[1]
        units = mean_of_pieces(states[:, :tokens], inputs, self.words.reserved)
        states = self.lstm(self.dropout(torch.cat([units, self.words(inputs)], -1)), inputs.unit_mask)
        weights = None if self.training else self.text.region_attention(joint, mask, tokens) * gate[:, None, None]
        return FlatOutput(self.output(self.dropout(states)), None, weights)

    def joined(
        self, inputs: Inputs, text: Tensor, regions: Tensor, region_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One pass over text and regions.

        :param text: (B, S, D) embeddings.
        :param regions: (B, R, D) projected.
        :param region_mask: (B, R) bool.
        :return: last states (B, S + R, D), what went in (B, S + R, D), and its mask (B, S + R).
        """
        joint, mask = torch.cat([text, regions + self.kind], 1), torch.cat([inputs.token_mask, region_mask], 1)
        return self.text.encode(joint, mask)[0], joint, mask

    def related(self, inputs: Inputs, text: Tensor, regions: Tensor, region_mask: Tensor) -> Tensor:
        """Logits (B, 2) of text and photo not belonging, or belonging, together; shapes as for :meth:`joined`."""
        return self.relation(self.joined(inputs, text, regions, region_mask)[0][:, 0])

    def losses(self, inputs: Inputs, targets: Targets) -> Losses:
        regions, region_mask = self.regions(inputs)
        text, regions = self.text.embed(inputs.input_ids), self.project(regions)
        tag_loss = self.tag_loss(self._tag(inputs, text, regions, region_mask).emissions, inputs, targets)
        loss = tag_loss + RELATION_WEIGHT * self.relation_loss(inputs, text, regions, region_mask)
        return Losses(loss, None, tag_loss, len(inputs.input_ids))

    def relation_loss(self, inputs: Inputs, text: Tensor, regions: Tensor, region_mask: Tensor) -> Tensor:
        """Each row with its own photo, and with that of the row before it; rows without a photo count nothing.

        Shapes as for :meth:`joined`.
        """
        other, other_mask = regions.roll(1, 0), region_mask.roll(1, 0)
        own = self.related(inputs, text, regions, region_mask)
        swapped = self.related(inputs, text, other, other_mask)
        pictured = region_mask.any(1)
        different = pictured & other_mask.any(1) & _other_photo(inputs)
        answers = torch.cat([own, swapped]).float()
        truth = torch.arange(2, device=own.device).flip(0).repeat_interleave(len(own))
        counted = torch.cat([pictured, different]).to(answers.dtype)
        losses = cross_entropy(answers, truth, reduction="none")
        return (losses * counted).sum() / counted.sum().clamp(min=1)


def _other_photo(inputs: Inputs) -> Tensor:
    """Whether the row before shows another photo (B,): windows of one product share theirs."""
    if inputs.image_index is None:
        return torch.zeros(len(inputs.input_ids), dtype=torch.bool, device=inputs.input_ids.device)
    first = inputs.image_index[:, 0]
    return first != first.roll(1, 0)
