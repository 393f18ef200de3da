"""What commands read, besides the options in :mod:`attrex.cli.options`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.cli.console import complain, note

if TYPE_CHECKING:
    from attrex.io.bad_rows import BadRowLimit, RowTally
    from attrex.io.readers import Products

allowed: list[str] = []
"""The classes that `attrex --allow-code NAME` names before the command."""


def part_of(source: str, split: str) -> str | None:
    """The split to take from a source that has several; a file has none."""
    return split if source.startswith("hf:") or Path(source).is_dir() else None


def tell_bad_rows(opened: Iterable[Products], limit: BadRowLimit) -> bool:
    """Say of each source how many of its rows could not be read, and why; True where they are too many."""
    tallies: dict[tuple[str, str | None], RowTally] = {}
    for products in opened:
        place = (str(products.source), products.split)
        tallies[place] = max(products.tally, tallies.get(place, products.tally), key=lambda tally: tally.rows)
    exceeded = False
    for (source, _), tally in tallies.items():
        if tally.unreadable:
            too_many = limit.is_exceeded(tally)
            exceeded = exceeded or too_many
            (complain if too_many else note)(_bad_rows_message(source, tally, limit, too_many))
    return exceeded


def _bad_rows_message(source: str, tally: RowTally, limit: BadRowLimit, too_many: bool) -> str:
    reasons, more = "".join(f"\n  {reason}" for reason in tally.reasons), tally.unreadable > len(tally.reasons)
    rows = f"{tally.unreadable:,} of {tally.rows:,} rows of {source} could not be read"
    if not too_many:
        return f"{rows}, which --max-bad-rows allows ({limit}):{reasons}" + ("\n  ..." if more else "")
    why = "a part of the file is damaged" if tally.damaged else f"more than {limit}"
    way_on = "; correct them, or set --max-bad-rows" if not tally.damaged else "; make the file again"
    return f"{rows} ({why}){way_on}:{reasons}" + ("\n  ..." if more else "")
