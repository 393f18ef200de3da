"""Region weights of a value as heat-maps, one per photo (the paper's Figures 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attrex.types import RegionWeights


@dataclass(frozen=True, slots=True)
class RegionScores:
    """How a value's tokens looked at the regions of a product's photos."""

    values: np.ndarray  #: (R,) raw attention scores, all photos one after the other
    photos: tuple[int, ...]  #: numbers of the photos in `Product.images`
    grid: tuple[int, int]  #: rows and columns of the regions of one photo


def heatmaps(weights: RegionScores) -> tuple[RegionWeights, ...]:
    """Scores moved to 0..1 over all photos of the value, in rows and columns.

    TIR's scores are not normalised and may be negative; what a reader can compare is their place between the least and
    the most looked-at region. Where all regions are looked at alike, all weights are 0.
    """
    regions = weights.values
    low, high = float(regions.min()), float(regions.max())
    scaled = (regions - low) / (high - low) if high > low else np.zeros_like(regions)
    maps = scaled.reshape(len(weights.photos), *weights.grid).tolist()
    return tuple(RegionWeights(n, tuple(map(tuple, rows))) for n, rows in zip(weights.photos, maps, strict=True))
