"""Which of an attribute's known values a product has, said in its text or not (the table's side of the paper's PAR).

Eq. 8's prototype P^a of each attribute in the product's range asks the text's units and the photo's regions; what it
finds chooses among the attribute's options. One encoder pass serves tagging and choosing, and what follows is
proportional to the selected pairs, not to the number of attributes.

An option is a vector: the text encoder's reading of its name, mapped by a matrix that all options share, and a part of
its own that starts at zero. So rare options, and those that are added later, share what frequent ones learn.

Shape letters:
    B rows     U units     R regions of a row     D text width     V image width     E width of a reading
    C attributes     O options of all attributes     N selected (row, attribute) pairs     A distinct attributes
    H heads
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

HEADS = 4
"""Of the prototype's attention, over units and over regions alike."""


@dataclass
class Found:
    """What the prototypes of N pairs found.

    :param text: (N, D) from the text alone.
    :param photo: (N, D) from the photos alone, zero for rows without.
    :param unit_weights: (N, U) attention over units, mean over heads.
    :param region_weights: (N, R) attention over regions likewise; None without photos.
    """

    text: Tensor
    photo: Tensor
    unit_weights: Tensor
    region_weights: Tensor | None


class Look(nn.Module):
    """Queries of attributes over a row's units or regions: softmax attention, whose keys and values are the source."""

    def __init__(self, query_width: int, source_width: int, out: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, HEADS * source_width, bias=False)
        nn.init.normal_(self.query.weight, std=0.02 * query_width**-0.5)  # every place counts alike at the start
        self.output = nn.Linear(HEADS * source_width, out)

    def forward(
        self, vectors: Tensor, source: Tensor, mask: Tensor, rows: Tensor, position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What each pair found, and where.

        :param vectors: (A, query width) of the distinct attributes.
        :param source: (B, L, source width)
        :param mask: (B, L) bool.
        :param rows: (N,) long, the row of each pair.
        :param position: (N,) long, its attribute among the A distinct ones.
        :return: (N, out) and (N, L), the weights' mean over heads.
        """
        queries = self.query(vectors).unflatten(-1, (HEADS, -1))  # (A, H, source width)
        scores = torch.einsum("bld,ahd->bahl", source, queries)
        scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1) * mask[:, None, None, :]  # a row without any place finds nothing
        found = torch.einsum("bahl,bld->bahd", weights, source)
        return self.output(found[rows, position].flatten(1)), weights.mean(2)[rows, position]


class ValueHead(nn.Module):
    """Chooses among each attribute's options.

    :param sizes: options of each of the C attributes, in order; O in all.
    :param readings: (O, E) what a text encoder reads in the options' names.
    """

    readings: Tensor
    sizes: Tensor
    first: Tensor

    def __init__(
        self, width: int, image_width: int | None, sizes: Sequence[int], readings: Tensor, *, dropout: float
    ) -> None:
        super().__init__()
        self.text_look = Look(width, width, width)
        self.row = nn.Linear(width, width, bias=False)  # the first position's state, which every attribute shares
        self.see = self.photo_look = None
        if image_width is not None:
            self.see = nn.Sequential(nn.Linear(image_width, width), nn.GELU(), nn.LayerNorm(width))
            self.photo_look = Look(width, width, width)
        self.attribute = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.option = nn.Linear(readings.shape[1], width, bias=False)
        nn.init.normal_(self.option.weight, std=0.02)
        self.own = nn.Parameter(torch.zeros(len(readings), width))
        self.bias = nn.Parameter(torch.zeros(len(readings)))
        self.register_buffer("readings", readings)
        self.register_buffer("sizes", torch.tensor(sizes), persistent=False)
        self.register_buffer("first", torch.tensor([0, *sizes]).cumsum(0), persistent=False)

    def find(
        self,
        vectors: Tensor,
        rows: Tensor,
        position: Tensor,
        features: Tensor,
        unit_mask: Tensor,
        state: Tensor,
        regions: Tensor | None,
        region_mask: Tensor | None,
    ) -> Found:
        """Ask text and photos of the rows.

        :param vectors: (A, D) prototypes of the distinct attributes.
        :param rows: (N,) long.
        :param position: (N,) long into ``vectors``.
        :param features: (B, U, D)
        :param unit_mask: (B, U) bool.
        :param state: (B, D) of the first position.
        :param regions: (B, R, V) or None.
        :param region_mask: (B, R) bool or None.
        """
        text, unit_weights = self.text_look(vectors, features, unit_mask, rows, position)
        text = text + self.row(state)[rows]
        photo, region_weights = torch.zeros_like(text), None
        if self.see is not None and self.photo_look is not None and regions is not None and region_mask is not None:
            seen, region_weights = self.photo_look(vectors, self.see(regions), region_mask, rows, position)
            photo = seen * region_mask.any(1)[rows, None]
        return Found(text, photo, unit_weights, region_weights)

    def combine(self, vectors: Tensor, text: Tensor, photo: Tensor) -> Tensor:
        """What was found, as one vector to compare options with.

        :param vectors: (N, D) prototypes of the pairs.
        :param text: (N, D), zero where the text is taken away.
        :param photo: (N, D), zero where the photo is taken away.
        :return: (N, D)
        """
        return self.norm(self.dropout(gelu(text + photo + self.attribute(vectors))))

    def compare(self, vectors: Tensor, found: Found) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`combine` of both, of the text with the photo taken away, and of the photo with the text taken away.

        :param vectors: (N, D) prototypes of the pairs.
        :return: three times (N, D)
        """
        nothing = torch.zeros_like(found.text)
        sources = (found.text, found.photo), (found.text, nothing), (nothing, found.photo)
        both, by_text, by_photo = (self.combine(vectors, *source) for source in sources)
        return both, by_text, by_photo

    def all_options(self) -> tuple[Tensor, Tensor]:
        """The vectors (O, D) and biases (O,) of all options."""
        return self.option(self.readings) + self.own, self.bias

    def options(self, attribute: int) -> tuple[Tensor, Tensor]:
        """The vectors (K, D) and biases (K,) of one attribute's options."""
        first, last = int(self.first[attribute]), int(self.first[attribute + 1])
        return self.option(self.readings[first:last]) + self.own[first:last], self.bias[first:last]

    def choose(self, found: Tensor, attributes: Tensor) -> list[tuple[int, Tensor, Tensor]]:
        """Scores of the options, attribute by attribute.

        :param found: (N, D) of :meth:`combine`.
        :param attributes: (N,) long.
        :return: for each distinct attribute with options: its number, its pairs (n,) and their logits (n, K).
        """
        chosen = []
        for attribute in attributes.unique().tolist():
            if self.sizes[attribute]:
                pairs = (attributes == attribute).nonzero()[:, 0]
                vectors, bias = self.options(attribute)
                chosen.append((attribute, pairs, found[pairs] @ vectors.T + bias))
        return chosen

    @torch.no_grad()
    def with_options(self, sources: Sequence[Sequence[int]], readings: Tensor) -> ValueHead:
        """The same head with other options, some of its own and some that are new.

        A new option starts from what its name shares with others, and from its attribute's mean bias.

        :param sources: of each attribute, for each option its number among the present ones; -1: it is new.
        :param readings: (n, E) of the names of all new ones, in their order.
        """
        head = copy(self)
        head._parameters, head._buffers = dict(self._parameters), dict(self._buffers)
        head.sizes = torch.tensor([len(options) for options in sources])
        head.first = torch.cat([torch.zeros(1, dtype=torch.long), head.sizes]).cumsum(0)
        numbers = torch.tensor([number for options in sources for number in options], dtype=torch.long)
        new, old = numbers < 0, numbers + self.first[:-1].repeat_interleave(head.sizes)
        usual = torch.stack([part.mean() for part in self.bias.split(self.sizes.tolist())]).nan_to_num()
        own, bias = self.own.new_zeros(len(numbers), self.own.shape[1]), usual.repeat_interleave(head.sizes)
        read = self.readings.new_zeros(len(numbers), self.readings.shape[1])
        own[~new], bias[~new], read[~new] = self.own[old[~new]], self.bias[old[~new]], self.readings[old[~new]]
        read[new] = readings
        head.own, head.bias, head.readings = nn.Parameter(own), nn.Parameter(bias), read
        return head

    @torch.no_grad()
    def init_bias(self, counts: Tensor) -> None:
        """Start at how often each option is met: (O,) counts."""
        self.bias.copy_((counts + 0.5).log() - (counts + 0.5).log().mean())
