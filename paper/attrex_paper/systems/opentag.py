"""OpenTag (Zheng et al., 2018): BiLSTM, attention between all pairs of words, CRF over the tags of all attributes.

g_tt' = tanh(A h_t + B h_t' + b), a_tt' = sigmoid(w . g_tt' + c), l_t = sum over t' of a_tt' h_t': a sigmoid and no
softmax, so that a word may look at many others or at none.

Different here: words start from the text model's embeddings (:mod:`attrex_paper.systems.words`) in place of GloVe, tags
are BIO in place of BIOE, and padded words are hidden. The paper's active learning is not part of it.

Shape letters:
    B rows     U units     H units per direction     K tags
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.batch import Inputs
from attrex.model.build import Parts
from attrex_paper.systems.flat import FlatOutput, FlatTagger
from attrex_paper.systems.recurrent import Recurrent
from attrex_paper.systems.words import WordEmbeddings

HIDDEN = 100  # units per direction


class OpenTag(FlatTagger):
    """Tags only: the method has no attribute classifier."""

    words: WordEmbeddings

    def __init__(self, config: Config, attributes: int, words: WordEmbeddings) -> None:
        super().__init__(config, attributes, words=words, crf=True)
        self.lstm = Recurrent(words.width, config.decoder.hidden or HIDDEN)
        self.attention = PairAttention(self.lstm.width)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.output = nn.Linear(self.lstm.width, self.tags)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, WordEmbeddings.of(parts))

    def encode(self, inputs: Inputs) -> FlatOutput:
        states = self.lstm(self.dropout(self.words(inputs)), inputs.unit_mask)
        return FlatOutput(self.output(self.dropout(self.attention(states, inputs.unit_mask))))


class PairAttention(nn.Module):
    """Each word's sum over all words, weighted by a sigmoid of the pair."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)  # A, with b
        self.other = nn.Linear(width, width, bias=False)  # B
        self.score = nn.Linear(width, 1)  # w, with c

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """states (B, U, 2H), mask (B, U) -> (B, U, 2H)."""
        pairs = torch.tanh(self.own(states)[:, :, None] + self.other(states)[:, None])  # (B, U, U, 2H)
        weights = self.score(pairs)[..., 0].sigmoid() * mask[:, None]
        return weights.to(states.dtype) @ states
