"""AdaTag (Yan et al., 2021): one encoder for all attributes, and for each of them a decoder that its embedding makes.

The attribute's embedding r is mapped to the weights and the bias of the emission layer (a hypernetwork), and to the
mixture of K experts that is its CRF: T_r = sum_k softmax(G r)_k T_k.

Different here: r starts as the mean of the name's word-piece embeddings (the paper pretrains it on names and values),
and tags are BIO in place of BIOE. Pairs are decoded attribute after attribute, as each has transitions of its own.

Shape letters:
    B rows     U units     H units per direction     E embedding width     N pairs     K = 3 tags
    X experts
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from attrex.config import Config
from attrex.model.batch import Inputs, Targets
from attrex.model.crf import CRF
from attrex.model.decode import DecodedSpans, decode_flat
from attrex.model.tags import NUM_TAGS, forbidden_transitions
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.joint_bert import encode_units
from attrex_paper.systems.query import NameReader, Names
from attrex_paper.systems.recurrent import Recurrent

EXPERTS = 3
HIDDEN = 200


class AdaTag(NameReader):
    """A decoder per attribute, none of which has parameters of its own but the attribute's embedding."""

    def __init__(self, config: Config, attributes: int, text: TextEncoder, names: Names) -> None:
        super().__init__(config, attributes, text, names)
        self.lstm = Recurrent(text.width, config.decoder.hidden or HIDDEN)
        self.dropout = nn.Dropout(config.decoder.dropout)
        embeddings: nn.Embedding = text.embeddings.word_embeddings  # type: ignore[assignment]
        self.embedding = nn.Embedding(attributes, embeddings.embedding_dim)
        with torch.no_grad():
            name = pad(self.name_mask[:, 2:], (1, 1))  # without [CLS] and [SEP]
            pieces = embeddings(self.name_ids) * name[..., None]
            self.embedding.weight.copy_(pieces.sum(1) / name.sum(1, keepdim=True).clamp(min=1))
        self.emission = nn.Linear(self.embedding.embedding_dim, NUM_TAGS * (self.lstm.width + 1))
        self.mixture = nn.Linear(self.embedding.embedding_dim, EXPERTS)
        self.experts = nn.ModuleList(
            CRF(NUM_TAGS, forbidden_transitions(1) if config.decoder.constrained else ()) for _ in range(EXPERTS)
        )

    def encode(self, inputs: Inputs) -> Tensor:
        """States (B, U, 2H)."""
        return self.dropout(self.lstm(encode_units(self.text, inputs)[1], inputs.unit_mask))

    def emissions(self, states: Tensor, attribute: Tensor) -> Tensor:
        """Tag scores of one attribute.

        :param states: (N, U, 2H)
        :param attribute: ()
        :return: (N, U, K)
        """
        made = self.emission(self.embedding(attribute)).view(NUM_TAGS, -1)
        return states @ made[:, :-1].t() + made[:, -1]

    def crf(self, attribute: Tensor) -> CRF:
        """The attribute's mixture of the experts' transitions; attribute ()."""
        return _Mixture(self.experts, self.mixture(self.embedding(attribute)).softmax(-1))

    def pair_losses(
        self, encoded: Tensor, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor
    ) -> Tensor:
        tags, mask = targets.tags_of(rows, attributes), inputs.unit_mask
        out = encoded.new_zeros(len(rows), dtype=torch.float32)
        for attribute, pairs in _by_attribute(attributes):
            emissions = self.emissions(encoded[rows[pairs]], attribute)
            out = out.index_add(0, pairs, self.crf(attribute).nll(emissions, tags[pairs], mask[rows[pairs]]))
        return out

    def decode(self, encoded: Tensor, inputs: Inputs, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        parts = []
        for attribute, pairs in _by_attribute(attributes):
            here = rows[pairs]
            emissions = self.emissions(encoded[here], attribute)
            spans = decode_flat(self.crf(attribute), emissions, inputs.unit_mask[here])
            parts.append(spans._replace(rows=here[spans.rows], attributes=attribute.expand_as(spans.rows)))
        return DecodedSpans.concatenate(parts)


class _Mixture(CRF):
    """A CRF whose scores are made of others'; it has no parameters."""

    def __init__(self, experts: nn.ModuleList, weights: Tensor) -> None:
        nn.Module.__init__(self)
        self.num_tags = NUM_TAGS
        self.made = [(expert._transition_scores, weight) for expert, weight in zip(experts, weights, strict=True)]

    def _transition_scores(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = [[part * weight.to(like) for part in scores(like)] for scores, weight in self.made]  # type: ignore[operator]
        start, between, end = (torch.stack(column).sum(0) for column in zip(*parts, strict=True))
        return start, between, end


def _by_attribute(attributes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each distinct attribute () with the numbers of its pairs."""
    for attribute in attributes.unique():
        yield attribute, (attributes == attribute).nonzero()[:, 0]
