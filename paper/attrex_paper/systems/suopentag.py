"""SUOpenTag (Xu et al., 2019): the attribute's name is read as the title is, and compared with each of its words.

Title and name go through one BERT and a BiLSTM each; h_a is the two final states of the name. s_j = cos(h_j, h_a);
[h_j ; s_j h_j] -> dropout -> linear -> CRF over {O, B, I}, one sequence per attribute. ULS-DRAM's Eq. 8 is this with a
learned vector in place of h_a.

Different here: one dropout for both halves, so that W [h ; s h] = W1 h + s W2 h is computed once per row and scaled.

Shape letters:
    B rows     U units     H units per direction     A distinct attributes     N pairs     K = 3 tags
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize

from attrex.config import Config
from attrex.model.batch import Inputs, Targets
from attrex.model.crf import CRF
from attrex.model.decode import DecodedSpans, decode_flat
from attrex.model.guidance import EPSILON
from attrex.model.tags import NUM_TAGS, forbidden_transitions
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.joint_bert import encode_units
from attrex_paper.systems.query import NameReader, Names
from attrex_paper.systems.recurrent import Recurrent, final_state


class SUOpenTag(NameReader):
    """One CRF for all attributes; which one is meant enters through the cosine."""

    def __init__(self, config: Config, attributes: int, text: TextEncoder, names: Names) -> None:
        super().__init__(config, attributes, text, names)
        hidden = config.decoder.hidden or text.width // 2
        self.title_lstm = Recurrent(text.width, hidden)
        self.name_lstm = Recurrent(text.width, hidden)
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.own = nn.Linear(2 * hidden, NUM_TAGS)  # W1, with the bias
        self.compared = nn.Linear(2 * hidden, NUM_TAGS, bias=False)  # W2
        self.crf = CRF(NUM_TAGS, forbidden_transitions(1) if config.decoder.constrained else ())

    def encode(self, inputs: Inputs) -> Tensor:
        """h (B, U, 2H)."""
        return self.title_lstm(encode_units(self.text, inputs)[1], inputs.unit_mask)

    def names(self, attributes: Tensor) -> Tensor:
        """h_a of attributes (A,): (A, 2H)."""
        mask = self.name_mask[attributes]
        states, _ = self.text.encode(self.text.embed(self.name_ids[attributes]), mask)
        return final_state(self.name_lstm(states, mask), mask)

    def emissions(self, states: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """Tag scores of pairs.

        :param states: (B, U, 2H)
        :param rows: (N,)
        :param attributes: (N,)
        :return: (N, U, K)
        """
        distinct, position = attributes.unique(return_inverse=True)
        names = normalize(self.names(distinct), dim=-1, eps=EPSILON)
        cosines = normalize(states, dim=-1, eps=EPSILON) @ names.t()  # (B, U, A)
        scale = cosines[rows, :, position][..., None]
        states = self.dropout(states)
        return self.own(states)[rows] + scale * self.compared(states)[rows]

    def pair_losses(
        self, encoded: Tensor, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor
    ) -> Tensor:
        emissions = self.emissions(encoded, rows, attributes)
        return self.crf.nll(emissions, targets.tags_of(rows, attributes), inputs.unit_mask[rows])

    def decode(self, encoded: Tensor, inputs: Inputs, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        spans = decode_flat(self.crf, self.emissions(encoded, rows, attributes), inputs.unit_mask[rows])
        return spans._replace(rows=rows[spans.rows], attributes=attributes[spans.rows])
