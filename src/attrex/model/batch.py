"""What goes into the network, and what comes out of it: tensors with names.

Shapes: B rows (one text window each), S tokens, U tagged units, M photos, I photos per row, P labelled pairs, N
decoded pairs, R regions of all photos of a row, C attributes, V spans found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

BLANK, ABSENT, LOCATED = 0, 1, 2
"""Cell states as in :class:`attrex.types.CellState`, which the model does not import."""


@dataclass
class Batch:
    """Rows of a batch. A row is one window of one product's text; products with long texts have several rows."""

    input_ids: Tensor  #: (B, S) long
    token_mask: Tensor  #: (B, S) bool, False at padding
    unit_index: Tensor  #: (B, U) long, position of each unit's first token
    unit_mask: Tensor  #: (B, U) bool, a prefix of each row
    pixels: Tensor | None = None  #: (M, H, W, 3) uint8 RGB
    seen: Tensor | None = None  #: (M, r, V) regions of photos that were encoded before; stands in for `pixels`
    image_index: Tensor | None = None  #: (B, I) long into `pixels` or `seen`, -1: no photo
    allowed: Tensor | None = None  #: (B, C) bool, attributes that the product's category can have
    asked: Tensor | None = None  #: (B, C) bool, attributes to look for where the caller says which
    cells: Tensor | None = None  #: (B, C) uint8, `CellState` of each cell
    pair_rows: Tensor | None = None  #: (P,) long, rows of the pairs that have a value, or units in doubt
    pair_attributes: Tensor | None = None  #: (P,) long
    pair_tags: Tensor | None = None  #: (P, U) long, UNKNOWN (-1) where a unit may have any tag
    pair_weights: Tensor | None = None  #: (P,) confidence of pairs that a teacher labelled, 0 for all others
    range_targets: Tensor | None = None  #: (B, C) a teacher's range scores of unknown cells, 0 where it has none
    flat_tags: Tensor | None = None  #: (B, U) long, 0 = O, 2a + 1 = B, 2a + 2 = I of attribute a

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], device: torch.device | str = "cpu") -> Batch:
        """From arrays of the same names (:func:`attrex.encoding.batching.collate`)."""
        return cls(**{k: torch.from_numpy(v).to(device, non_blocking=True) for k, v in arrays.items()})

    def to(self, device: torch.device | str) -> Batch:
        return Batch(**{k: v.to(device, non_blocking=True) for k, v in self.tensors().items()})

    def tags_of(self, rows: Tensor, attributes: Tensor, nothing: Tensor) -> Tensor:
        """The gold tags (N, U) of pairs (N,); ``nothing`` (U,) where an attribute has no value in the row."""
        assert self.pair_rows is not None
        assert self.pair_attributes is not None
        assert self.pair_tags is not None
        assert self.cells is not None
        position = torch.zeros(self.cells.shape, dtype=torch.long, device=rows.device)
        position[self.pair_rows, self.pair_attributes] = 1 + torch.arange(len(self.pair_rows), device=rows.device)
        return torch.cat([nothing[None], self.pair_tags])[position[rows, attributes]]

    def tensors(self) -> dict[str, Tensor]:
        """The fields that are there, as keyword arguments."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}


@dataclass
class Encoded:
    """What one pass of the encoders gives; everything after it is proportional to the selected pairs."""

    features: Tensor  #: (B, U, D)
    unit_mask: Tensor  #: (B, U)
    range_logits: Tensor | None  #: (B, C), None for the flat tagger
    region_weights: (
        Tensor | None
    )  #: (B, S, R) how text tokens look at regions, None without photos or when not asked for


@dataclass
class Losses:
    """A training step. The Trainer reads ``loss``."""

    loss: Tensor
    range_loss: Tensor | None
    tag_loss: Tensor | None
    pairs: int  #: sequences decoded

    def __getitem__(self, key: Any) -> Any:  # the Trainer indexes its model's outputs
        return getattr(self, key) if isinstance(key, str) else self.loss


class DecodedValue(NamedTuple):
    """A value that a network names and does not place in the text."""

    row: int
    attribute: int
    ids: tuple[int, ...]  #: its words as token ids
    probability: float  #: 0..1


@dataclass
class Decoded:
    """Spans found in a batch, values named without a place, and the range they were looked for in."""

    rows: Tensor  #: (V,) long
    attributes: Tensor  #: (V,) long
    starts: Tensor  #: (V,) long, first unit
    ends: Tensor  #: (V,) long, exclusive
    probability: Tensor  #: (V,) exact CRF probability of the span
    range_scores: Tensor | None  #: (B, C)
    selected: Tensor | None  #: (B, C) bool, the minimized range
    pairs: int  #: sequences decoded: the size of the range, or B for the flat tagger
    region_weights: Tensor | None  #: (B, S, R)
    values: Sequence[DecodedValue] = ()
