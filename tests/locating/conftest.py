"""How time grows with what there is to read."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest


@pytest.fixture
def growth() -> Callable[[Callable[[int], object], int], float]:
    """How many times as long four times as much takes, by the quickest of three: 4 if linear, 16 if quadratic."""

    def measure(run: Callable[[int], object], size: int) -> float:
        def seconds(n: int) -> float:
            start = process_time()
            run(n)
            return process_time() - start

        return min(seconds(4 * size) for _ in range(3)) / min(seconds(size) for _ in range(3))

    return measure
