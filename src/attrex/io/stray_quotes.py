"""Rows that a stray quote has swallowed: a quote that opens by mistake makes one cell of what follows it."""

from __future__ import annotations

import re
from collections.abc import Sequence


def swallowed_rows(lines: Sequence[str], delimiter: str, width: int) -> int:
    """How many rows the lines of what was read as one row are; 0 where they are one, as a text with line breaks is.

    They are rows of their own where each has the header's number of cells, and they begin alike, as with the numbers of
    articles. Without a digit there the lines of a text could begin so, too, and are left as they are.

    :param lines: of the row, as they are in the file.
    :param width: cells in the header.
    """
    if len(lines) < 2 or width < 2 or any(line.count(delimiter) != width - 1 for line in lines):
        return 0
    shapes = {_shape(line.partition(delimiter)[0]) for line in lines}
    return len(lines) if len(shapes) == 1 and "0" in shapes.pop() else 0


def _shape(cell: str) -> str:
    """``SKU-017`` as ``a-0``."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", cell.strip().strip('"')))
