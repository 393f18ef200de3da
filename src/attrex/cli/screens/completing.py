"""The screen of `attrex complete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures, to_do

if TYPE_CHECKING:
    from attrex.pipeline import Completion


def completion_screen(found: Completion, everything: bool = False) -> Group:
    """How long it took, the cells before and after, what was left to people."""
    cells = found.cells
    read, attributes = max(cells["products"] - cells["errors"], 1), cells["attributes"]
    rows = []
    for name, counts in attributes.items():
        agreement = found.agreement(name)
        rows.append(
            [
                name,
                f"{counts['before']:,}",
                f"{counts['after']:,}",
                f"{counts['before'] / read:.0%} -> {counts['after'] / read:.0%}",
                "-" if agreement is None else f"{agreement:.0%}",
                f"{counts['left']:,}",
                f"{counts['blank'] - counts['filled']:,}",
            ]
        )
    headings = (
        "attribute",
        "before",
        "after",
        "filled",
        "right in\nheld-out\ncells",
        "left to\npeople",
        "still\nblank",
    )
    left, conflicts, no_column = (
        sum(counts[key] for counts in attributes.values()) for key in ("left", "conflicts", "no_column")
    )
    people = {
        "Blank cells of which something was found, but nothing sure enough": left,
        "Blank cells of which something was found, and the file has no place for it": no_column,
        "Filled cells that say something else than texts or photos; they are as they were": conflicts,
    }
    steps = ", ".join(f"{step} {minutes:.1f}" for step, minutes in found.minutes.items())
    return Group(
        Text(f"{cells['filled']:,} blank cells were filled in {sum(found.minutes.values()):.1f} minutes ({steps})."),
        Figures(f"Cells of {cells['products']:,} products", headings, rows, everything),
        Text("\nLeft to people", "bold"),
        *(
            to_do([f"{what}: {n:,}" for what, n in people.items() if n])
            if any(people.values())
            else [Text("- nothing")]
        ),
        Text(),
    )
