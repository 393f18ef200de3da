"""What a spreadsheet program makes of the cells of a CSV file."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet program may run (OWASP, CSV Injection)."""


def spreadsheet_text(cell: Any) -> Any:
    """The cell as text, whatever it begins with: an apostrophe before what would be a formula. Numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
