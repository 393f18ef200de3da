"""PAM (Lin et al., 2021): given an attribute, its value is written word by word, from the text or from a vocabulary.

Text, words read off the photo (`attrex ocr`: a field of the product) and image regions are one sequence for one
transformer. A decoder then writes the value: in every step each word piece that values of this attribute are made of
has a score w_i . z_t + b_i, and each token of the text q(z_t) . k(h_j); one softmax over both, and over the end. A
piece that can be had in several ways has the sum of their probabilities. Loss: -log of the right pieces' probability.

As for MAE-model, the value is given out where the text says it, at every place; one that it does not say is no span.
Confidence is the probability of what was written. A pair without a value is one whose first step is the end.

Different here: the decoder has layers of its own, which attend to the joint sequence, so that texts and photos are
encoded once for all attributes; words of the photo come without their boxes, and regions are those of a grid; the
product's category is not predicted, and the vocabulary is the attribute's in all categories.

Shape letters:
    B rows     S tokens     R regions     D width     N pairs     T steps     V pieces of the vocabulary
    C attributes
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.batch import Inputs, Targets
from attrex.model.build import Parts
from attrex.model.concat import Concat
from attrex.model.image_encoder import ImageEncoder
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.values import ValueIds, ValueSystem, first_values

LAYERS = 2
"""Of the decoder."""
END = -1
"""What ends a value; no token has this id."""


class PamOutput(NamedTuple):
    """What is encoded once per row.

    :param states: (B, S + R, D)
    :param mask: (B, S + R) bool.
    :param keys: (B, S, D), what a step points at.
    :param pointed: (B, S) token ids, END where there is nothing to point at.
    """

    states: Tensor
    mask: Tensor
    keys: Tensor
    pointed: Tensor


class PAM(ValueSystem):
    """``pieces`` in the vocabulary, ``longest`` value in pieces: what :meth:`build_vocabulary` found in training."""

    pairs_at_once = 256
    text: TextEncoder
    image: ImageEncoder
    reserved: Tensor
    piece_ids: Tensor
    known: Tensor

    def __init__(
        self,
        config: Config,
        attributes: int,
        text: TextEncoder,
        image: ImageEncoder,
        reserved: Tensor,
        pieces: int = 1,
        longest: int = 1,
    ) -> None:
        super().__init__(config, attributes, text, image)
        width, heads = text.width, text.hf_config.num_attention_heads
        self.register_buffer("reserved", reserved, persistent=False)
        self.joint = Concat(width, image.width, self_attention=False, heads=heads)
        self.attribute = nn.Embedding(attributes, width)
        self.written = nn.Linear(self._words().embedding_dim, width)
        layer = nn.TransformerDecoderLayer(
            width, heads, 4 * width, config.decoder.dropout, activation="gelu", batch_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, LAYERS)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self._make_vocabulary(pieces, longest)

    @classmethod
    def build(cls, config: Config, attributes: int, parts: Parts) -> Self:
        text = parts.text
        assert parts.image is not None  # Config has checked it
        return cls(config, attributes, text, parts.image, parts.reserved, *parts.saved.get("values", ()))

    def _words(self) -> nn.Embedding:
        return self.text.embeddings.word_embeddings  # type: ignore[return-value]

    def _make_vocabulary(self, pieces: int, longest: int) -> None:
        width = self.text.width
        self.longest = longest
        self.step = nn.Embedding(longest + 1, width)
        self.choose = nn.Linear(width, pieces + 1)  # the last one is the end
        self.register_buffer("piece_ids", torch.zeros(pieces, dtype=torch.long))
        self.register_buffer("known", torch.zeros(self.attributes, pieces, dtype=torch.bool))

    def build_vocabulary(self, values: Iterable[tuple[int, ValueIds]]) -> None:
        known = set(values)
        pieces = sorted({i for _, ids in known for i in ids})
        self._make_vocabulary(max(1, len(pieces)), max((len(ids) for _, ids in known), default=1))
        self.piece_ids[: len(pieces)] = torch.tensor(pieces, dtype=torch.long)
        column = {piece: n for n, piece in enumerate(pieces)}
        for attribute, ids in known:
            self.known[attribute, [column[i] for i in ids]] = True

    def architecture(self) -> dict[str, Any]:
        return super().architecture() | {"values": [len(self.piece_ids), self.longest]}

    # ---- encoding -------------------------------------------------------------------------------------------------

    def encode(self, inputs: Inputs) -> PamOutput:
        sequence, mask = self.joint(self.text.embed(inputs.input_ids), inputs.token_mask, *self.regions(inputs))
        states, _ = self.text.encode(sequence, mask)
        is_text = inputs.token_mask & ~torch.isin(inputs.input_ids, self.reserved)
        tokens = inputs.input_ids.shape[1]
        return PamOutput(states, mask, self.key(states[:, :tokens]), inputs.input_ids.masked_fill(~is_text, END))

    # ---- writing --------------------------------------------------------------------------------------------------

    def choices(self, encoded: PamOutput, rows: Tensor, attributes: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """What each step can write, and how likely.

        :param rows: (N,)
        :param attributes: (N,)
        :param before: (N, T - 1) pieces written in the steps before, END where none was.
        :return: ids (N, V + 1 + S), log-probabilities (N, T, V + 1 + S).
        """
        pieces = self.written(self._words()(before.clamp(min=0)))
        steps = torch.cat([self.attribute(attributes)[:, None], pieces], 1)  # (N, T, D)
        steps = steps + self.step.weight[: steps.shape[1]]
        later = torch.ones(steps.shape[1], steps.shape[1], dtype=torch.bool, device=rows.device).triu(1)
        written = self.decoder(steps, encoded.states[rows], tgt_mask=later, memory_key_padding_mask=~encoded.mask[rows])
        chosen = self.choose(written)  # (N, T, V + 1)
        end = torch.ones_like(self.known[:, :1])
        chosen = chosen.masked_fill(~torch.cat([self.known, end], 1)[attributes][:, None], -torch.inf)
        pointed = encoded.pointed[rows]  # (N, S)
        scores = self.query(written) @ encoded.keys[rows].transpose(1, 2) / self.text.width**0.5
        scores = scores.masked_fill((pointed == END)[:, None], -torch.inf)
        own = torch.cat([self.piece_ids, self.piece_ids.new_tensor([END])])
        ids = torch.cat([own.expand(len(rows), -1), pointed], 1)
        return ids, torch.cat([chosen, scores], -1).float().log_softmax(-1)

    def pair_losses(
        self, encoded: PamOutput, inputs: Inputs, targets: Targets, rows: Tensor, attributes: Tensor
    ) -> Tensor:
        values = [v[: self.longest] for v in first_values(inputs, targets, rows, attributes, self.reserved)]
        steps = max(map(len, values)) + 1
        target = torch.full((len(rows), steps), END, device=rows.device)
        for pair, value in enumerate(values):
            target[pair, : len(value)] = torch.tensor(value, device=rows.device)
        lengths = torch.tensor([len(value) for value in values], device=rows.device)
        ids, log_p = self.choices(encoded, rows, attributes, target[:, :-1])
        right = ids[:, None] == target[..., None]  # (N, T, V + 1 + S)
        nll = -log_p.masked_fill(~right, -torch.inf).logsumexp(-1)
        written = torch.arange(steps, device=rows.device) <= lengths[:, None]
        return nll.where(written, 0).sum(1)

    # ---- extracting -----------------------------------------------------------------------------------------------

    def answers(self, encoded: PamOutput, rows: Tensor, attributes: Tensor) -> tuple[list[ValueIds], Tensor]:
        """The most likely piece, step after step: the values of pairs (N,), and their probabilities."""
        values = torch.full((len(rows), self.longest + 1), END, device=rows.device)
        probability = torch.ones(len(rows), device=rows.device)
        going = torch.arange(len(rows), device=rows.device)  # most pairs end at once: only the others go on
        for step in range(self.longest + 1):
            ids, log_p = self.choices(encoded, rows[going], attributes[going], values[going, :step])
            piece, likely = _best_piece(ids, log_p[:, -1].exp())
            probability[going] *= likely
            values[going, step] = piece
            going = going[piece != END]
            if not len(going):
                break
        return [tuple(i for i in value if i != END) for value in values[:, : self.longest].tolist()], probability


def _best_piece(ids: Tensor, probability: Tensor) -> tuple[Tensor, Tensor]:
    """Of choices (N, M) the id with the most probability, summed over all ways to it: (N,) ids, (N,)."""
    distinct, position = ids.unique(return_inverse=True)
    mass = probability.new_zeros(len(ids), len(distinct)).scatter_add(1, position, probability)
    best = mass.max(1)
    return distinct[best.indices], best.values
