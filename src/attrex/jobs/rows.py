"""What a job writes of a product: a row of JSON."""

from __future__ import annotations

from typing import Any

from attrex.filling.fill import PLACE_COLUMNS, FilledRow
from attrex.types import Prediction

FORMAT_VERSION = 1
"""Of the rows and of the manifest; a higher one has other columns."""


def json_row(row: FilledRow, prediction: Prediction) -> dict[str, Any]:
    """The prediction as `attrex extract` writes it, the cells of the table afterwards, and why they are so.

    A row that is marked keeps the cells that it had.
    """
    left_out = ("id", *PLACE_COLUMNS)  # the values say where they are from
    changes = [{key: cell for key, cell in entry.to_json().items() if key not in left_out} for entry in row.entries]
    table = {attribute: list(values) for attribute, values in row.table.items()}
    return {**prediction.to_json(), "table": table, "changes": changes}
