"""Slot-Gated (Goo et al., 2018): what the whole text is about opens or closes the gate of every word's context.

Slot context c_t: additive attention over the states h_i, query h_t. Intent vector y = [c^I ; final state], c^I the
attention with the final state for its query. Gate g_t = sum v * tanh(c_t + W y), a number per word; slot logits =
Linear([g_t c_t ; h_t]). Intent only: no slot attention, h_t stands in for c_t.

Different here: one sigmoid per attribute in place of one intent; padding is hidden from the attentions; words start
from the text model's embeddings; the final state is the hidden one of both directions, without the cells; both losses
are added up for one update, where the published code makes two, in which the slot loss leaves the intent part alone.

Shape letters:
    B rows     U units     H units per direction     C attributes     K tags
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.batch import Inputs
from attrex.model.build import Parts
from attrex_paper.systems.flat import FlatOutput, FlatTagger
from attrex_paper.systems.recurrent import AdditiveAttention, Recurrent, final_state
from attrex_paper.systems.words import WordEmbeddings

HIDDEN = 64


class SlotGated(FlatTagger):
    """Tags by a softmax per word behind its gate; ``slot_attention`` False is the intent-only variant."""

    words: WordEmbeddings

    def __init__(self, config: Config, attributes: int, words: WordEmbeddings, *, slot_attention: bool) -> None:
        super().__init__(config, attributes, words=words, crf=False)
        self.lstm = Recurrent(words.width, config.decoder.hidden or HIDDEN)
        width = self.lstm.width
        self.slot_attention = AdditiveAttention(width, width, width) if slot_attention else None
        self.intent_attention = AdditiveAttention(width, width, width)
        self.gate = SlotGate(width, 2 * width)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.tag = nn.Linear(2 * width, self.tags)
        self.label = nn.Linear(2 * width, attributes)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        return cls(config, attributes, WordEmbeddings.of(parts), slot_attention=config.system != "slot-gated-intent")

    def encode(self, inputs: Inputs) -> FlatOutput:
        mask = inputs.unit_mask
        states = self.dropout(self.lstm(self.dropout(self.words(inputs)), mask))
        final = final_state(states, mask)
        about = self.intent_attention(states, final[:, None], mask)[:, 0]
        intent = torch.cat([about, final], -1)
        context = states
        if self.slot_attention is not None:
            context = self.slot_attention(states, states, mask)
        gated = self.gate(context, intent)[..., None] * context
        return FlatOutput(self.tag(torch.cat([gated, states], -1)), self.label(intent))


class SlotGate(nn.Module):
    """g = sum v * tanh(c + W y)."""

    def __init__(self, width: int, intent_width: int) -> None:
        super().__init__()
        self.intent = nn.Linear(intent_width, width, bias=False)  # W
        self.weight = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))  # v

    def forward(self, context: Tensor, intent: Tensor) -> Tensor:
        """context (B, U, 2H), intent (B, 4H) -> (B, U)."""
        return (self.weight * torch.tanh(context + self.intent(intent)[:, None])).sum(-1)
