"""Attn-BiRNN (Liu and Lane, 2016): every step of a BiLSTM attends to all of its states before it is tagged.

d_t = attention over all h_i with query h_t; tag logits = Linear([d_t ; h_t]). The text's labels come from the same
attention with a linear map of the final state for its query.

Different here: one sigmoid per attribute in place of one intent, padding is hidden from the attention, and words start
from the text model's embeddings. As in the authors' code, a tag does not see the tag before it.

Shape letters:
    B rows     U units     H units per direction     C attributes     K tags
"""

from __future__ import annotations

from typing import Self

import torch
from torch import nn

from attrex.config import Config
from attrex.model.batch import Inputs
from attrex.model.build import Parts
from attrex_paper.systems.flat import FlatOutput, FlatTagger
from attrex_paper.systems.recurrent import AdditiveAttention, Recurrent, final_state
from attrex_paper.systems.words import WordEmbeddings

HIDDEN = 128


class AttnBiRNN(FlatTagger):
    """Tags by a softmax per word, attributes from what the final state attends to."""

    words: WordEmbeddings

    def __init__(self, config: Config, attributes: int, words: WordEmbeddings) -> None:
        super().__init__(config, attributes, words=words, crf=False)
        self.lstm = Recurrent(words.width, config.decoder.hidden or HIDDEN)
        width = self.lstm.width
        self.attention = AdditiveAttention(width, width, width)
        self.final = nn.Linear(width, width)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.tag = nn.Linear(2 * width, self.tags)
        self.label = nn.Linear(width, attributes)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, WordEmbeddings.of(parts))

    def encode(self, inputs: Inputs) -> FlatOutput:
        mask = inputs.unit_mask
        states = self.dropout(self.lstm(self.dropout(self.words(inputs)), mask))
        summary = self.final(final_state(states, mask))
        attended = self.attention(states, torch.cat([summary[:, None], states], 1), mask)
        whole, each = attended[:, 0], attended[:, 1:]
        return FlatOutput(self.tag(torch.cat([each, states], -1)), self.label(whole))
