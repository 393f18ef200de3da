"""What a spreadsheet program makes of the cells of a CSV file."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet program may run (OWASP, CSV Injection), also in full width."""


def safe_for_spreadsheets(text: str) -> str:
    """A text that no spreadsheet program takes for a formula: an apostrophe in front, as WooCommerce's exporter does.

    ``WC_CSV_Exporter::escape_data`` in woocommerce/woocommerce, abstract-wc-csv-exporter.php, at commit 0a45979.
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def spreadsheet_text(cell: Any) -> Any:
    """The cell as text, whatever it begins with: an apostrophe before what would be a formula. Numbers stay numbers."""
    return safe_for_spreadsheets(cell) if isinstance(cell, str) else cell
