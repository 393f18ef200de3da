"""RNN-LSTM (Hakkani-Tür et al., 2016): one BiLSTM tags every word and labels the text at an end token.

The tag of a word is a softmax over its two states; the text's label is the tag of an added end token.

Different here: the end token's label is one sigmoid per attribute (several attributes per text), and words start from
the text model's embeddings.

Shape letters:
    B rows     U units     E width of the embeddings     H units per direction     C attributes     K tags
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from attrex.config import Config
from attrex.model.batch import Inputs
from attrex.model.build import Parts
from attrex_paper.systems.flat import FlatOutput, FlatTagger
from attrex_paper.systems.recurrent import Recurrent
from attrex_paper.systems.words import WordEmbeddings

HIDDEN = 100


class RNNLSTM(FlatTagger):
    """Tags by a softmax per word, attributes at the end token."""

    words: WordEmbeddings

    def __init__(self, config: Config, attributes: int, words: WordEmbeddings) -> None:
        super().__init__(config, attributes, words=words, crf=False)
        self.end = nn.Parameter(torch.empty(words.width).normal_(std=0.02))
        self.lstm = Recurrent(words.width, config.decoder.hidden or HIDDEN)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.tag = nn.Linear(self.lstm.width, self.tags)
        self.label = nn.Linear(self.lstm.width, attributes)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, WordEmbeddings.of(parts))

    def encode(self, inputs: Inputs) -> FlatOutput:
        words, mask, at = self._with_end(self.words(inputs), inputs.unit_mask)
        states = self.dropout(self.lstm(self.dropout(words), mask))
        rows = torch.arange(len(at), device=at.device)
        return FlatOutput(self.tag(states[:, :-1]), self.label(states[rows, at]))

    def _with_end(self, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """An end token behind each text: words (B, U, E), mask (B, U) -> (B, U + 1, E), (B, U + 1), its place (B,)."""
        at = mask.sum(1)
        rows = torch.arange(len(at), device=at.device)
        longer = pad(words, (0, 0, 0, 1))
        longer[rows, at] = self.end.to(words.dtype)
        mask = pad(mask, (0, 1))
        mask[rows, at] = True
        return longer, mask, at
