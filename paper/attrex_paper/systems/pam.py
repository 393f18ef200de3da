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

Shapes: B rows, S tokens, R regions, D width, N pairs, T steps, V pieces of the vocabulary, C attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from attrex.config import Config
from attrex.model.batch import Batch
from attrex.model.build import Parts
from attrex.model.concat import Concat
from attrex.model.flat import DecodedSpans
from attrex.model.image_encoder import ImageEncoder
from attrex.model.text_encoder import TextEncoder
from attrex_paper.systems.query import QuerySystem
from attrex_paper.systems.values import Value, first_values, places, unit_pieces

LAYERS = 2
"""Of the decoder."""
END = -1
"""What ends a value; no token has this id."""


class PamOutput(NamedTuple):
    """What is read once per row."""

    states: Tensor  #: (B, S + R, D)
    mask: Tensor  #: (B, S + R) bool
    keys: Tensor  #: (B, S, D), what a step points at
    pointed: Tensor  #: (B, S) token ids, END where there is nothing to point at


class PAM(QuerySystem):
    """``pieces`` in the vocabulary, ``longest`` value in pieces: what :meth:`learn_values` found in training."""

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

    def learn_values(self, said: Iterable[tuple[int, Value]]) -> None:
        values = set(said)
        pieces = sorted({i for _, ids in values for i in ids})
        self._make_vocabulary(max(1, len(pieces)), max((len(ids) for _, ids in values), default=1))
        self.piece_ids[: len(pieces)] = torch.tensor(pieces, dtype=torch.long)
        column = {piece: n for n, piece in enumerate(pieces)}
        for attribute, ids in values:
            self.known[attribute, [column[i] for i in ids]] = True

    def architecture(self) -> dict[str, Any]:
        return super().architecture() | {"values": [len(self.piece_ids), self.longest]}

    # ---- reading --------------------------------------------------------------------------------------------------

    def read(self, batch: Batch) -> PamOutput:
        sequence, mask = self.joint(self.text.embed(batch.input_ids), batch.token_mask, *self.regions(batch))
        states, _ = self.text.encode(sequence, mask)
        says = batch.token_mask & ~torch.isin(batch.input_ids, self.reserved)
        tokens = batch.input_ids.shape[1]
        return PamOutput(states, mask, self.key(states[:, :tokens]), batch.input_ids.masked_fill(~says, END))

    # ---- writing --------------------------------------------------------------------------------------------------

    def choices(self, reading: PamOutput, rows: Tensor, attributes: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """What each step can write, as ids (N, V + 1 + S), and the log-probabilities of that, (N, T, V + 1 + S).

        ``before`` (N, T - 1): the pieces written in the steps before, END where none was.
        """
        said = self.written(self._words()(before.clamp(min=0)))
        steps = torch.cat([self.attribute(attributes)[:, None], said], 1)  # (N, T, D)
        steps = steps + self.step.weight[: steps.shape[1]]
        later = torch.ones(steps.shape[1], steps.shape[1], dtype=torch.bool, device=rows.device).triu(1)
        written = self.decoder(steps, reading.states[rows], tgt_mask=later, memory_key_padding_mask=~reading.mask[rows])
        chosen = self.choose(written)  # (N, T, V + 1)
        end = torch.ones_like(self.known[:, :1])
        chosen = chosen.masked_fill(~torch.cat([self.known, end], 1)[attributes][:, None], -torch.inf)
        pointed = reading.pointed[rows]  # (N, S)
        scores = self.query(written) @ reading.keys[rows].transpose(1, 2) / self.text.width**0.5
        scores = scores.masked_fill((pointed == END)[:, None], -torch.inf)
        own = torch.cat([self.piece_ids, self.piece_ids.new_tensor([END])])
        ids = torch.cat([own.expand(len(rows), -1), pointed], 1)
        return ids, torch.cat([chosen, scores], -1).float().log_softmax(-1)

    def loss(self, reading: PamOutput, batch: Batch, rows: Tensor, attributes: Tensor) -> Tensor:
        said = [value[: self.longest] for value in first_values(batch, rows, attributes, self.reserved)]
        steps = max(map(len, said)) + 1
        target = torch.full((len(rows), steps), END, device=rows.device)
        for pair, value in enumerate(said):
            target[pair, : len(value)] = torch.tensor(value, device=rows.device)
        lengths = torch.tensor([len(value) for value in said], device=rows.device)
        ids, log_p = self.choices(reading, rows, attributes, target[:, :-1])
        right = ids[:, None] == target[..., None]  # (N, T, V + 1 + S)
        nll = -log_p.masked_fill(~right, -torch.inf).logsumexp(-1)
        written = torch.arange(steps, device=rows.device) <= lengths[:, None]
        return nll.where(written, 0).sum(1)

    # ---- extracting -----------------------------------------------------------------------------------------------

    def find(self, reading: PamOutput, batch: Batch, rows: Tensor, attributes: Tensor) -> DecodedSpans:
        values, probability = self.write(reading, rows, attributes)
        pieces = {row: unit_pieces(batch, row, self.reserved) for row in rows.unique().tolist()}
        found = [
            (pair, start, end)
            for pair, (row, value) in enumerate(zip(rows.tolist(), values, strict=True))
            if value
            for start, end in places(pieces[row], value)
        ]
        table = torch.tensor(found, dtype=torch.long, device=rows.device).view(-1, 3)
        pairs, starts, ends = table.unbind(1)
        return rows[pairs], attributes[pairs], starts, ends, probability[pairs]

    def write(self, reading: PamOutput, rows: Tensor, attributes: Tensor) -> tuple[list[Value], Tensor]:
        """The most likely piece, step after step: the values of pairs (N,), and their probabilities."""
        values = torch.full((len(rows), self.longest + 1), END, device=rows.device)
        probability = torch.ones(len(rows), device=rows.device)
        going = torch.arange(len(rows), device=rows.device)  # most pairs end at once: only the others go on
        for step in range(self.longest + 1):
            ids, log_p = self.choices(reading, rows[going], attributes[going], values[going, :step])
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
