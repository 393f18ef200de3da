"""What tells the shared decoder which attribute it looks for (paper section 3.3, Figure 5, Eq. 8).

Prototype and BERT guidance give a vector per attribute, by whose cosine a token's features are scaled; DyNet applies a
matrix per attribute. Either way it is the second half of Eq. 8's concatenation, for N selected (row, attribute) pairs.

Shape letters:
    B rows     U units     D width     C attributes     A distinct ones among the pairs     N pairs
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from attrex.config import Config
from attrex.model.text_encoder import TextEncoder

if TYPE_CHECKING:
    from attrex.model.build import Parts

EPSILON = 1e-8


def cosine(features: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 8's fraction, cos(P^a, f_j). Zero vectors give 0, never NaN.

    :param features: (N, U, D)
    :param vectors: (N, D)
    :return: (N, U)
    """
    return (normalize(features, dim=-1, eps=EPSILON) @ normalize(vectors, dim=-1, eps=EPSILON)[..., None]).squeeze(-1)


def guide(features: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 8 as it is printed. The reference; `SpanDecoder.scaled` is the fast way.

    :param features: (N, U, D)
    :param vectors: (N, D)
    :return: (N, U, 2D)
    """
    return torch.cat([features, cosine(features, vectors)[..., None] * features], -1)


class Guidance(nn.Module, ABC):
    """What tells the decoder which attribute it looks for: the second half of Eq. 8's concatenation.

    One of your own is named by `guidance.kind` as ``package.module:Class`` (docs/extending.md).
    """

    @classmethod
    def build(cls, config: Config, attributes: int, width: int, parts: Parts) -> Self:
        """A guidance of ``attributes`` many attributes for features of ``width`` D; override it to use other parts."""
        return cls(attributes, width)

    @abstractmethod
    def forward(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """What stands beside the features of the selected pairs.

        :param features: (B, U, D) of each row's units
        :param rows: (N,) long, the row of each pair
        :param attributes: (N,) long, the attribute of each pair
        :return: (N, U, D)
        """


class VectorGuidance(Guidance):
    """A guidance by a vector per attribute: features are scaled by their cosine with it, as Eq. 8 says."""

    @abstractmethod
    def vectors(self, attributes: Tensor) -> Tensor:
        """The vectors P^a of attributes.

        :param attributes: (A,) long
        :return: (A, D)
        """

    def forward(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """As :meth:`Guidance.forward`; the network takes the fast way of `SpanDecoder.scaled` instead."""
        return pair_cosine(features, self, rows, attributes)[..., None] * features[rows]


class PrototypeGuidance(VectorGuidance):
    """One learned vector per attribute."""

    def __init__(self, attributes: int, width: int) -> None:
        super().__init__()
        self.prototypes = nn.Embedding(attributes, width)

    def vectors(self, attributes: Tensor) -> Tensor:
        """(A,) -> (A, D)"""
        return self.prototypes(attributes)


class TextGuidance(VectorGuidance):
    """The attribute's name, read by a text encoder of its own; its first state is the vector ("BERT-AR")."""

    name_ids: Tensor
    name_mask: Tensor

    def __init__(self, encoder: TextEncoder, name_ids: Tensor, name_mask: Tensor) -> None:
        """
        :param name_ids: (C, T) tokens of the attribute names.
        :param name_mask: (C, T) bool.
        """
        super().__init__()
        self.encoder = encoder
        self.register_buffer("name_ids", name_ids)
        self.register_buffer("name_mask", name_mask)

    def vectors(self, attributes: Tensor) -> Tensor:
        """(A,) -> (A, D)"""
        ids, mask = self.name_ids[attributes], self.name_mask[attributes]
        return self.encoder.encode(self.encoder.embed(ids), mask)[0][:, 0]


class DyNetGuidance(Guidance):
    """One D x D matrix per attribute, applied to the features ("DyNet-AR")."""

    def __init__(self, attributes: int, width: int) -> None:
        super().__init__()
        self.matrices = nn.Embedding(attributes, width * width)
        nn.init.normal_(self.matrices.weight, std=width**-0.5)

    def forward(self, features: Tensor, rows: Tensor, attributes: Tensor) -> Tensor:
        """F M_a of the selected pairs.

        :param features: (B, U, D)
        :param rows: (N,)
        :param attributes: (N,)
        :return: (N, U, D)
        """
        width = features.shape[-1]
        # Pair after pair of one attribute: a matrix for each pair would take N D^2 numbers, gigabytes in a large range.
        order = attributes.argsort(stable=True)
        distinct, counts = attributes[order].unique_consecutive(return_counts=True)
        matrices = self.matrices(distinct).view(-1, width, width)
        parts = rows[order].split(counts.tolist())
        transformed = [features[part] @ matrix for part, matrix in zip(parts, matrices.unbind(), strict=True)]
        return torch.cat(transformed)[order.argsort()]


def pair_cosine(features: Tensor, guidance: VectorGuidance, rows: Tensor, attributes: Tensor) -> Tensor:
    """cos(P^a, f_j) of the selected pairs. Each attribute's vector is made once, however many pairs need it.

    :param features: (B, U, D)
    :param rows: (N,)
    :param attributes: (N,)
    :return: (N, U)
    """
    distinct, position = attributes.unique(return_inverse=True)
    vectors = normalize(guidance.vectors(distinct), dim=-1, eps=EPSILON)
    cosines = vectors @ normalize(features, dim=-1, eps=EPSILON).transpose(1, 2)  # (B, A, U)
    return cosines[rows, position]
