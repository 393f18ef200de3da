"""Word embeddings for the systems that read words and not a pretrained encoder's states.

The papers start from GloVe or the like. Here the start is the embedding matrix of `text.model`, so that no further
download is needed and every system knows the same words before it is trained: a unit's vector is the mean over its
word pieces, which lets rare words have a vector too. They are trained whatever `training.scheme` says of encoders.

Shape letters:
    B rows     S tokens     U units     E width of the embeddings
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attrex.model.batch import Inputs
from attrex.model.build import Parts


class WordEmbeddings(nn.Module):
    """A trained vector per word piece, averaged over the pieces of a unit.

    ``reserved`` (n,) are the ids that stand for no text, such as the separator between two fields.
    """

    reserved: Tensor

    def __init__(self, pieces: nn.Embedding, reserved: Tensor) -> None:
        super().__init__()
        self.pieces = pieces
        self.width = pieces.embedding_dim
        self.register_buffer("reserved", reserved, persistent=False)

    @classmethod
    def of(cls, parts: Parts) -> WordEmbeddings:
        """From a copy of the text encoder's embedding matrix."""
        return cls(parts.word_pieces, parts.reserved)

    def spec(self) -> dict[str, int]:
        """What building the same matrix takes. JSON."""
        return {"pieces": self.pieces.num_embeddings, "width": self.width}

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, U, E)"""
        return mean_of_pieces(self.pieces(inputs.input_ids), inputs, self.reserved)


def mean_of_pieces(vectors: Tensor, inputs: Inputs, reserved: Tensor) -> Tensor:
    """The mean over each unit's tokens.

    :param vectors: (B, S, E)
    :param reserved: (n,) ids that are left out.
    :return: (B, U, E)
    """
    first = torch.zeros_like(inputs.input_ids).scatter_add(1, inputs.unit_index, inputs.unit_mask.long())
    unit = first.cumsum(1) - 1  # of which unit each token is a piece; -1 before the first one
    part = (unit >= 0) & inputs.token_mask & ~torch.isin(inputs.input_ids, reserved)
    unit = unit.clamp(min=0)
    vectors = vectors * part[..., None]
    shape = (*inputs.unit_mask.shape, vectors.shape[-1])
    total = vectors.new_zeros(shape).scatter_add(1, unit[..., None].expand_as(vectors), vectors)
    count = vectors.new_zeros(shape[:2]).scatter_add(1, unit, part.to(vectors.dtype))
    return total / count.clamp(min=1)[..., None]
