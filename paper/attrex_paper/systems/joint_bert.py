"""Joint-BERT (Chen et al., 2019): a linear layer on each word's first piece, another one on the pooled [CLS].

With a CRF on top where it is asked for. K-PLUG's tagger (Xu et al., 2021) is the same idea without the labels and with
one dense layer more; what made it strong is its encoder's pretraining on product texts, which `attrex pretrain` is for.

Different here: one sigmoid per attribute in place of one intent. BERT's pooler is not among the weights that are read,
so the one on [CLS] (dense, tanh) is new. K-PLUG's sequence-to-sequence weights cannot be had: its head sits on
`text.model`.

Shape letters:
    B rows     U units     D width     C attributes     K tags
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.batch import Inputs
from attrex.model.build import Parts
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.flat import FlatOutput, FlatTagger


class JointBERT(FlatTagger):
    """Tags and attributes from one encoder."""

    text: TextEncoder

    def __init__(self, config: Config, attributes: int, text: TextEncoder, *, crf: bool) -> None:
        super().__init__(config, attributes, text, crf=crf)
        self.pooler = nn.Linear(text.width, text.width)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.tag = nn.Linear(text.width, self.tags)
        self.label = nn.Linear(text.width, attributes)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, parts.text, crf=config.system == "joint-bert-crf")

    def encode(self, inputs: Inputs) -> FlatOutput:
        first, states = encode_units(self.text, inputs)
        pooled = torch.tanh(self.pooler(first))
        return FlatOutput(self.tag(self.dropout(states)), self.label(self.dropout(pooled)))


class KPlug(FlatTagger):
    """K-PLUG's tagger: dropout, dense, activation, dropout, linear; cross entropy per unit."""

    text: TextEncoder

    def __init__(self, config: Config, attributes: int, text: TextEncoder) -> None:
        super().__init__(config, attributes, text, crf=False)
        dropout = config.decoder.dropout
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(text.width, text.width),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(text.width, self.tags),
        )

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, parts.text)

    def encode(self, inputs: Inputs) -> FlatOutput:
        return FlatOutput(self.head(encode_units(self.text, inputs)[1]))


def encode_units(text: TextEncoder, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """The encoder's last states: of [CLS] (B, D), and of each unit's first piece (B, U, D)."""
    last, _ = text.encode(text.embed(inputs.input_ids), inputs.token_mask)
    return last[:, 0], last.gather(1, inputs.unit_index[..., None].expand(-1, -1, last.shape[-1]))
