"""JAVE and M-JAVE (Zhu et al., 2020): attributes and values predicted together, the photo behind two gates.

U = (H Wq)(H Wk)^T / sqrt(d) H Wv         text attention, no softmax
M = (H W'q)(V W'k)^T / sqrt(d), P = V W'v  scores and values of the regions, no softmax
g_i = s(w1.h_i + w2.v_g + b)               global gate: does this word concern the photo at all?
Q_i = U_i + g_i (M P)_i
a = s(W (A sum h_i + B sum Q_i + E h_0))   attributes, from sums over the words
r_k = s(w3.a + w4.v_k)                     regional gate: does this region concern the attributes?
tags_i = Wo (A'h_i + B'Q_i + E'a + ((M r) P)_i)   a softmax per word
loss = CE + BCE + 0.5 KL: attributes and tags should say the same of each attribute

JAVE is M-JAVE without the photo. The BERT versions read an encoder that stays as it was pretrained
(`training.scheme: fixed`, as published) or is fine-tuned with the rest (`uls`); the LSTM versions read words by a
BiLSTM of two layers, with h_0 = 0.

Different here: no outputs for [PAD] and [UNK]; v_g is the mean of the regions; `fusion.init_std` and
`fusion.region_norm` say how loudly photos speak at the start, as for TIR.

Shape letters:
    B rows     U units     D text width     R regions     V image width     d attention width     C attributes
    K = 2C + 1 tags
"""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.batch import Inputs, Losses, Targets
from attrex.model.build import Parts
from attrex.model.image_encoder import ImageEncoder
from attrex.model.text_encoder import TextEncoder
from attrex.model.tir import Attention
from attrex.systems import system_info
from attrex_paper.systems.flat import FlatOutput, FlatTagger
from attrex_paper.systems.joint_bert import encode_units
from attrex_paper.systems.recurrent import Recurrent
from attrex_paper.systems.words import WordEmbeddings

KL_WEIGHT = 0.5
HIDDEN, LAYERS = 128, 2  # of the LSTM version


class JAVE(FlatTagger):
    """JAVE, or M-JAVE where there is an image encoder; on ``text`` (BERT) or on ``words`` (LSTM)."""

    def __init__(
        self,
        config: Config,
        attributes: int,
        *,
        text: TextEncoder | None = None,
        words: WordEmbeddings | None = None,
        image: ImageEncoder | None = None,
    ) -> None:
        super().__init__(config, attributes, text, image, words=words, crf=False)
        self.lstm: Recurrent | None = None
        if words is not None:
            self.lstm = Recurrent(words.width, config.decoder.hidden or HIDDEN, LAYERS, config.decoder.dropout)
            width = self.lstm.width
        else:
            assert text is not None
            width = text.width
        self.head = JAVEHead(
            width,
            image.width if image is not None else None,
            attributes,
            config.fusion.width,
            config.fusion.init_std,
        )

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        if system_info(config.system).words:
            return cls(config, attributes, words=WordEmbeddings.of(parts), image=parts.image)
        return cls(config, attributes, text=parts.text, image=parts.image)

    def encode(self, inputs: Inputs) -> FlatOutput:
        first, states = self._encode_text(inputs)
        states = states * inputs.unit_mask[..., None]
        if self.image is None:
            return self.head(first, states, inputs.unit_mask, None, None)
        output = self.head(first, states, inputs.unit_mask, *self.regions(inputs))
        return replace(output, region_weights=at_tokens(output.region_weights, inputs))

    def _encode_text(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """h_0 (B, D) and H (B, U, D)."""
        if self.words is not None and self.lstm is not None:
            states = self.lstm(self.words(inputs), inputs.unit_mask)
            return torch.zeros_like(states[:, 0]), states
        return encode_units(self.text, inputs)  # type: ignore[arg-type]

    def losses(self, inputs: Inputs, targets: Targets) -> Losses:
        output = self.encode(inputs)
        labels: Tensor = output.labels  # type: ignore[assignment]
        tag_loss = self.tag_loss(output.emissions, inputs, targets)
        label_loss = self.label_loss(labels, targets)
        agreement = disagreement(labels, output.emissions, inputs.unit_mask)
        return Losses(tag_loss + label_loss + KL_WEIGHT * agreement, label_loss, tag_loss, len(inputs.input_ids))


class JAVEHead(nn.Module):
    """All of JAVE behind the encoders; ``image_width`` None leaves the photo out."""

    def __init__(self, width: int, image_width: int | None, attributes: int, attention: int, init_std: float) -> None:
        super().__init__()
        self.text_attention = Attention(width, width, attention, 1, False, init_std)
        self.image_attention: Attention | None = None
        if image_width is not None:
            self.image_attention = Attention(width, image_width, attention, 1, False, init_std)
            self.global_word = nn.Linear(width, 1)  # w1, with b
            self.global_image = nn.Linear(image_width, 1, bias=False)  # w2
            self.regional_attributes = nn.Linear(attributes, 1, bias=False)  # w3
            self.regional_image = nn.Linear(image_width, 1, bias=False)  # w4
        self.label_words = nn.Linear(width, attention, bias=False)  # A
        self.label_states = nn.Linear(attention, attention, bias=False)  # B
        self.label_first = nn.Linear(width, attention, bias=False)  # E
        self.label = nn.Linear(attention, attributes)  # W
        self.tag_words = nn.Linear(width, attention, bias=False)  # A'
        self.tag_states = nn.Linear(attention, attention, bias=False)  # B'
        self.tag_labels = nn.Linear(attributes, attention, bias=False)  # E'
        self.tag = nn.Linear(attention, 2 * attributes + 1)  # W_o

    def forward(
        self, first: Tensor, words: Tensor, mask: Tensor, regions: Tensor | None, region_mask: Tensor | None
    ) -> FlatOutput:
        """Tags and labels; their region weights are the gated scores M r of each unit, (B, U, R).

        :param first: (B, D)
        :param words: (B, U, D)
        :param mask: (B, U) bool.
        :param regions: (B, R, V), None without photos.
        :param region_mask: (B, R) bool, None without photos.
        """
        states, _ = self.text_attention(words, words, mask)  # U
        scores = values = None
        if self.image_attention is not None and regions is not None and region_mask is not None:
            scores = self.image_attention.scores(words, regions, region_mask)[:, 0]  # M (B, U, R)
            values = self.image_attention.value(regions)  # P (B, R, d)
            whole = (regions * region_mask[..., None]).sum(1) / region_mask.sum(1, keepdim=True).clamp(min=1)
            gate = (self.global_word(words) + self.global_image(whole)[:, None]).sigmoid()
            states = states + gate * (scores @ values)
        states = states * mask[..., None]
        summed = self.label_words(words.sum(1)) + self.label_states(states.sum(1)) + self.label_first(first)
        labels = self.label(summed)
        probabilities = labels.sigmoid()
        both = self.tag_words(words) + self.tag_states(states) + self.tag_labels(probabilities)[:, None]
        if scores is not None and values is not None:
            regional = self.regional_attributes(probabilities)[:, None] + self.regional_image(regions)  # (B, R, 1)
            scores = scores * regional[..., 0].sigmoid()[:, None]
            both = both + scores @ values
        return FlatOutput(self.tag(both), labels, scores)


def disagreement(labels: Tensor, emissions: Tensor, mask: Tensor) -> Tensor:
    """JAVE's KL term, a scalar: mean over attributes of p ln p - p ln q.

    p is the attribute's probability, q the mean of the highest probabilities of its B and its I over the words.
    One-sided and not normalised: it can be negative.

    :param labels: (B, C) logits.
    :param emissions: (B, U, K)
    :param mask: (B, U) bool.
    """
    p = labels.float().sigmoid().clamp(1e-8, 1)
    highest = (emissions.float().softmax(-1) * mask[..., None]).amax(1)[:, 1:]  # (B, 2C): B and I in turn
    q = highest.unflatten(1, (-1, 2)).mean(-1).clamp(1e-8, 1)
    return (p * p.log() - p * q.log()).mean()


def at_tokens(weights: Tensor | None, inputs: Inputs) -> Tensor | None:
    """Region weights of units (B, U, R) at their first tokens: (B, S, R)."""
    if weights is None:
        return None
    spread = weights.new_zeros(*inputs.input_ids.shape, weights.shape[-1])
    index = inputs.unit_index[..., None].expand_as(weights)
    return spread.scatter_add(1, index, weights * inputs.unit_mask[..., None])
