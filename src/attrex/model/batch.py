"""What goes into a system, and what comes out of it: tensors with names.

Shape letters:
    B rows of a batch, one text window each     S tokens of a window           U tagged units of a window
    M distinct photos of a batch                I photos of a row              H, W pixels of a photo
    r regions of one photo                      R regions of all photos of a row
    V width of the image features               D width of the text features
    C attributes                                P labelled pairs               N decoded spans, or pairs
    Q cells with known options
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

BLANK, ABSENT, LOCATED = 0, 1, 2
"""Cell states as in :class:`attrex.types.CellState`, which the model does not import."""


@dataclass
class NamedTensors:
    """Tensors by name, as the Trainer and the collator pass them around."""

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Those of ``tensors`` that have a field here."""
        return cls(**{f.name: tensors[f.name] for f in fields(cls) if f.name in tensors})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], device: torch.device | str = "cpu") -> Self:
        """As :meth:`from_tensors`, from :func:`attrex.encoding.batching.collate`, moved to ``device``."""
        return cls.from_tensors({k: torch.from_numpy(v).to(device, non_blocking=True) for k, v in arrays.items()})

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that are there, by name."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}


@dataclass
class Inputs(NamedTensors):
    """What extraction reads. A row is one window of one product's text; products with long texts have several rows.

    :param input_ids: (B, S) long.
    :param token_mask: (B, S) bool, False at padding.
    :param unit_index: (B, U) long, position of each unit's first token.
    :param unit_mask: (B, U) bool, a prefix of each row.
    :param pixels: (M, H, W, 3) uint8 RGB, or None without photos.
    :param image_features: (M, r, V) regions of photos that were encoded before; stands in for ``pixels``.
    :param image_index: (B, I) long into ``pixels`` or ``image_features``, -1 for no photo.
    :param allowed: (B, C) bool, attributes that the product's category can have; None for all.
    :param attributes: (B, C) bool, attributes to extract in place of those that the system would choose; None: its own.
    """

    input_ids: Tensor
    token_mask: Tensor
    unit_index: Tensor
    unit_mask: Tensor
    pixels: Tensor | None = None
    image_features: Tensor | None = None
    image_index: Tensor | None = None
    allowed: Tensor | None = None
    attributes: Tensor | None = None


@dataclass
class Targets(NamedTensors):
    """What training compares with. A pair is a (row, attribute) with located, pseudo-labelled or uncertain units.

    :param cells: (B, C) uint8, `CellState` of each cell.
    :param flat_tags: (B, U) long, 0 = O, 2a + 1 = B, 2a + 2 = I of attribute a.
    :param pair_rows: (P,) long.
    :param pair_attributes: (P,) long.
    :param pair_tags: (P, U) long, UNKNOWN (-1) where a unit may have any tag.
    :param pair_weights: (P,) float, a teacher's confidence in the pairs that it labelled, 0 for all others.
    :param range_targets: (B, C) float, a teacher's range scores of unknown cells, 0 where it has none.
    :param value_cells: (B, C) uint8, `CellState` of each cell of the product as a whole; None: as ``cells``.
    :param choice_rows: (Q,) long, of each cell whose value is one of its attribute's options, said in the text or not.
    :param choice_attributes: (Q,) long.
    :param choice_options: (Q, o) long, the options it has, counted within the attribute; -1 is padding.
    :param choice_weights: (Q,) float, how much each counts: less than 1 where a teacher named them; None: fully.
    """

    cells: Tensor
    flat_tags: Tensor
    pair_rows: Tensor
    pair_attributes: Tensor
    pair_tags: Tensor
    pair_weights: Tensor
    range_targets: Tensor
    value_cells: Tensor | None = None
    choice_rows: Tensor | None = None
    choice_attributes: Tensor | None = None
    choice_options: Tensor | None = None
    choice_weights: Tensor | None = None

    @property
    def choices(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """Rows (Q,), attributes (Q,) and options (Q, o) of the cells with known options; None where there are none."""
        if self.choice_rows is None or self.choice_attributes is None or self.choice_options is None:
            return None
        return (self.choice_rows, self.choice_attributes, self.choice_options) if len(self.choice_rows) else None

    def tags_of(self, rows: Tensor, attributes: Tensor) -> Tensor:
        """The tags of any pairs: those of the labelled ones, O for all others.

        :param rows: (N,) long.
        :param attributes: (N,) long.
        :return: (N, U) long.
        """
        position = torch.zeros(self.cells.shape, dtype=torch.long, device=rows.device)
        position[self.pair_rows, self.pair_attributes] = 1 + torch.arange(len(self.pair_rows), device=rows.device)
        outside = self.pair_tags.new_zeros(1, self.pair_tags.shape[1])
        return torch.cat([outside, self.pair_tags])[position[rows, attributes]]


@dataclass
class Batch:
    """A labelled batch."""

    inputs: Inputs
    targets: Targets

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Batch:
        """From the tensors of both, by name."""
        return cls(Inputs.from_tensors(tensors), Targets.from_tensors(tensors))

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of both, by name."""
        return self.inputs.tensors() | self.targets.tensors()


@dataclass
class Encoded:
    """What one pass of the encoders gives; everything after it is proportional to the selected pairs.

    :param features: (B, U, D)
    :param unit_mask: (B, U) bool.
    :param range_logits: (B, C), None for the flat tagger.
    :param region_weights: (B, S, R) attention of text tokens to regions, None without photos or where not wanted.
    :param state: (B, D) of the first position.
    :param value_logits: (B, C) of having a value, said or not; None without a value head.
    :param regions: (B, R, V) and
    :param region_mask: (B, R) bool, for the value head; None without photos.
    """

    features: Tensor
    unit_mask: Tensor
    range_logits: Tensor | None
    region_weights: Tensor | None
    state: Tensor | None = None
    value_logits: Tensor | None = None
    regions: Tensor | None = None
    region_mask: Tensor | None = None


@dataclass
class Losses:
    """A training step. The Trainer reads ``loss``.

    :param loss: scalar, the weighted sum of the others.
    :param range_loss: scalar, or None where no range is learned.
    :param tag_loss: scalar, or None where no sequence was decoded.
    :param pairs: sequences decoded.
    :param value_loss: scalar, or None without a value head.
    """

    loss: Tensor
    range_loss: Tensor | None
    tag_loss: Tensor | None
    pairs: int
    value_loss: Tensor | None = None

    def __getitem__(self, key: Any) -> Any:  # the Trainer indexes its model's outputs
        return getattr(self, key) if isinstance(key, str) else self.loss


class DecodedValue(NamedTuple):
    """A value that a network names and does not place in the text.

    :param ids: its words as token ids.
    :param probability: 0..1.
    """

    row: int
    attribute: int
    ids: tuple[int, ...]
    probability: float


@dataclass
class Choices:
    """What the value head chose for N pairs, surest options first.

    :param rows: (N,) long.
    :param attributes: (N,) long.
    :param options: (N, k) long, counted within the attribute; -1 where it has fewer.
    :param probability: (N, k), 0 there.
    :param by_text: (N, k) their probability with the photo taken away.
    :param by_photo: (N, k) with the text taken away; 0 for rows without a photo.
    :param unit_weights: (N, U) where in the text the prototype looked.
    :param region_weights: (N, R) where in the photos; None without.
    """

    rows: Tensor
    attributes: Tensor
    options: Tensor
    probability: Tensor
    by_text: Tensor
    by_photo: Tensor
    unit_weights: Tensor
    region_weights: Tensor | None


@dataclass
class Decoded:
    """Spans decoded from a batch, values without a place, and the range that they were decoded in.

    :param rows: (N,) long.
    :param attributes: (N,) long.
    :param starts: (N,) long, first unit.
    :param ends: (N,) long, exclusive.
    :param probability: (N,) exact CRF probability of the span.
    :param range_scores: (B, C), None for a system without a range.
    :param selected: (B, C) bool, the minimized range; None likewise.
    :param pairs: sequences decoded: the size of the range, or B for the flat tagger.
    :param region_weights: (B, S, R), None without photos or where not wanted.
    :param values: of systems that name values without a place.
    :param choices: of a value head, None without one.
    :param value_scores: (B, C) of having a value, said or not; None likewise.
    """

    rows: Tensor
    attributes: Tensor
    starts: Tensor
    ends: Tensor
    probability: Tensor
    range_scores: Tensor | None
    selected: Tensor | None
    pairs: int
    region_weights: Tensor | None
    values: Sequence[DecodedValue] = ()
    choices: Choices | None = None
    value_scores: Tensor | None = None
