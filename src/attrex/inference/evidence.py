"""Region weights of a value as heat-maps, one per photo (the paper's Figures 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attrex.types import Evidence


@dataclass(frozen=True, slots=True)
class Weights:
    """How a value's tokens looked at the regions of a product's photos."""

    values: np.ndarray  #: (R,) raw attention scores, all photos one after the other
    photos: tuple[int, ...]  #: numbers of the photos in `Product.images`


def heatmaps(weights: Weights) -> tuple[Evidence, ...]:
    """Scores moved to 0..1 over all photos of the value, in rows and columns.

    TIR's scores are not normalised and may be negative; what a reader can compare is their place between the least and the
    most looked-at region. A photo's regions are square in number (its image is resized to a square).
    """
    regions = weights.values
    low, high = float(regions.min()), float(regions.max())
    scaled = (regions - low) / (high - low) if high > low else np.zeros_like(regions)
    maps = []
    for number, part in zip(weights.photos, np.split(scaled, len(weights.photos)), strict=True):
        side = round(len(part) ** 0.5)
        maps.append(Evidence(number, tuple(tuple(map(float, row)) for row in part.reshape(side, side))))
    return tuple(maps)
