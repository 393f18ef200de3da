"""What tells the shared decoder which attribute it looks for (paper section 3.3, Figure 5, Eq. 8).

Prototype and BERT guidance scale a token's features by their cosine with the attribute's vector; DyNet applies the
attribute's own matrix. Each returns the second half of Eq. 8's concatenation, for N selected (row, attribute) pairs.

Shapes: B rows, U units, D width, C attributes, N pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from attrex.model.text_encoder import TextEncoder

EPSILON = 1e-8


def cosine(features: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 8's fraction: cos(P^a, f_j) for (N, U, D) and (N, D) -> (N, U). Zero vectors give 0, never NaN."""
    return (normalize(features, dim=-1, eps=EPSILON) @ normalize(vectors, dim=-1, eps=EPSILON)[..., None]).squeeze(-1)


def guide(features: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 8 as it is printed: (N, U, D), (N, D) -> (N, U, 2D). The reference; see :class:`SpanDecoder` for the fast way."""
    return torch.cat([features, cosine(features, vectors)[..., None] * features], -1)


class PrototypeGuidance(nn.Module):
    """One learned vector per attribute."""

    def __init__(self, attributes: int, width: int) -> None:
        super().__init__()
        self.prototypes = nn.Embedding(attributes, width)

    def vectors(self) -> Tensor:
        """(C, D)"""
        return self.prototypes.weight

    def scale(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """cos(P^a, f_j) of the selected pairs: features (B, U, D) -> (N, U). Features are normalised once per row."""
        return pair_cosine(features, self.vectors(), rows, attributes)


class TextGuidance(nn.Module):
    """The attribute's name, read by a text encoder of its own; its first state is the vector ("BERT-AR")."""

    def __init__(self, encoder: TextEncoder, name_ids: Tensor, name_mask: Tensor) -> None:
        """name_ids, name_mask: (C, T) tokens of the attribute names."""
        super().__init__()
        self.encoder = encoder
        self.register_buffer("name_ids", name_ids)
        self.register_buffer("name_mask", name_mask)

    def vectors(self, attributes: Tensor) -> Tensor:
        """(n,) -> (n, D), only for the attributes asked for."""
        ids, mask = self.name_ids[attributes], self.name_mask[attributes]  # type: ignore[index]
        return self.encoder.encode(self.encoder.embed(ids), mask)[0][:, 0]

    def scale(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """As :meth:`PrototypeGuidance.scale`; each attribute name is read once, however many pairs ask for it."""
        distinct, position = attributes.unique(return_inverse=True)
        return pair_cosine(features, self.vectors(distinct), rows, position)


class DyNetGuidance(nn.Module):
    """One D x D matrix per attribute, applied to the features ("DyNet-AR")."""

    def __init__(self, attributes: int, width: int) -> None:
        super().__init__()
        self.matrices = nn.Embedding(attributes, width * width)
        nn.init.normal_(self.matrices.weight, std=width**-0.5)

    def transform(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """F M_a of the selected pairs: (B, U, D) -> (N, U, D)."""
        width = features.shape[-1]
        return features[rows] @ self.matrices(attributes).view(-1, width, width)


def pair_cosine(features: Tensor, vectors: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
    """Cosine of selected (row, attribute) pairs: features (B, U, D), vectors (C, D) -> (N, U)."""
    unit = normalize(features, dim=-1, eps=EPSILON)
    return (unit[rows] @ normalize(vectors, dim=-1, eps=EPSILON)[attributes][..., None]).squeeze(-1)
