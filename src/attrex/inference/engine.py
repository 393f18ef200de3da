"""What runs a batch for the :class:`~attrex.inference.extractor.Extractor`: torch, or an export without torch.

Shape letters:
    B rows (one text window each)     S tokens     C attributes     R regions of all photos of a row
    V spans found     N pairs that a value head chose for     U units
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from attrex.encoding.batching import Arrays


@dataclass(frozen=True, slots=True)
class EngineChoices:
    """What a value head chose, as :class:`attrex.model.batch.Choices`."""

    rows: np.ndarray  #: (N,)
    attributes: np.ndarray  #: (N,)
    options: np.ndarray  #: (N, k) counted within the attribute, surest first; -1 where it has fewer
    probability: np.ndarray  #: (N, k)
    by_text: np.ndarray  #: (N, k) with the photo taken away
    by_photo: np.ndarray  #: (N, k) with the text taken away; 0 without a photo
    unit_weights: np.ndarray  #: (N, U)
    region_weights: np.ndarray | None  #: (N, R)


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """Spans decoded in a batch, values decoded without a place, and the range they were looked for in."""

    rows: np.ndarray  #: (V,)
    attributes: np.ndarray  #: (V,)
    starts: np.ndarray  #: (V,) first unit
    ends: np.ndarray  #: (V,) exclusive
    probability: np.ndarray  #: (V,) exact CRF probability of the span
    range_scores: np.ndarray | None  #: (B, C), None for the flat tagger
    selected: np.ndarray | None  #: (B, C) bool, the minimized range
    pairs: int  #: sequences decoded: the size of the range, or B for the flat tagger
    region_weights: np.ndarray | None  #: (B, S, R)
    values: Sequence[tuple[int, int, tuple[int, ...], float]] = ()
    """(row, attribute, token ids, probability 0..1) of values that the network names and does not place in the text."""
    choices: EngineChoices | None = None  #: of a value head
    value_scores: np.ndarray | None = None  #: (B, C) of having a value, said or not; of a value head


class Engine(Protocol):
    """Runs one batch of arrays (:func:`attrex.encoding.batching.collate`)."""

    name: str  #: torch, onnx ...
    length_step: int  #: rows run together only if their lengths, rounded up to a multiple of it, are equal; 0: any
    regions: tuple[int, int]  #: rows and columns of the regions of one photo; (0, 0) for a text-only model

    @property
    def chooses_values(self) -> bool:
        """Whether there is a value head, whose choices stand in the output."""
        ...

    @property
    def batch_invariant(self) -> bool:
        """Whether a product gets the same values alone as in any batch, and confidences but for the last digits."""
        ...

    def parallel(self, batches: int) -> AbstractContextManager[int]:
        """For as long as so many batches are run: how many of them to run at once, each from a thread of its own."""
        ...

    def image_weights_hash(self) -> str:
        """A name for what makes regions of photos: the same for the same weights in the same precision."""
        ...

    def encode_images(self, pixels: np.ndarray) -> np.ndarray:
        """Photos to regions, which stand in a batch as ``image_features`` instead of its ``pixels``.

        :param pixels: (M, H, W, 3) uint8.
        :return: (M, r, V)
        """
        ...

    def run(self, arrays: Arrays, *, threshold: float | None, region_weights: bool) -> EngineOutput:
        """``threshold`` replaces S_thr."""
        ...
