"""Attention scores as heat-maps."""

from __future__ import annotations

import numpy as np
import pytest

from attrex.inference.evidence import RegionScores, heatmaps


def test_scores_become_rows_and_columns_between_0_and_1() -> None:
    [one] = heatmaps(RegionScores(np.array([-1.0, 0.0, 1.0, 3.0, 2.0, 0.0]), photos=(0,), grid=(2, 3)))
    assert one.image == 0
    assert one.weights == ((0.0, 0.25, 0.5), (1.0, 0.75, 0.25))
    assert all(type(w) is float for row in one.weights for w in row)


def test_photos_of_a_value_share_their_scale() -> None:
    first, second = heatmaps(RegionScores(np.array([0.0, 1.0, 2.0, 4.0]), photos=(0, 2), grid=(1, 2)))
    assert (first.image, first.weights) == (0, ((0.0, 0.25),))
    assert (second.image, second.weights) == (2, ((0.5, 1.0),))


def test_regions_looked_at_alike_tell_nothing() -> None:
    [one] = heatmaps(RegionScores(np.full(4, 0.3), photos=(0,), grid=(2, 2)))
    assert one.weights == ((0.0, 0.0), (0.0, 0.0))


def test_regions_that_do_not_fill_the_grid() -> None:
    with pytest.raises(ValueError, match="reshape"):
        heatmaps(RegionScores(np.zeros(5), photos=(0,), grid=(2, 2)))
