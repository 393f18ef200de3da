"""The screen of `attrex fill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures, to_do

if TYPE_CHECKING:
    from attrex.filling.report import FillReport

UNKNOWN_WORD_EXAMPLES = 5
"""Words or attributes in a sentence."""


def fill_screen(report: FillReport, everything: bool = False) -> Group:
    """How many cells were filled and how far to trust them, what to look at, and the figures by attribute."""
    from attrex.filling.fill import Outcome

    read = max(report.rows - report.errors, 1)
    found = [a for a in report.attributes if report.outcomes[a]]
    shown = [o for o in Outcome if o != Outcome.FILLED and any(report.outcomes[a][o] for a in found)]
    rows = []
    for name in found:
        counts, agreement, before = report.outcomes[name], report.agreement(name), report.before[name]
        rows.append(
            [
                name,
                f"{counts[Outcome.FILLED]:,}",
                "-" if agreement is None else f"{agreement:.0%}",
                f"{before / read:.0%}",
                f"{(before + counts[Outcome.FILLED]) / read:.0%}",
                *(f"{counts[o]:,}" for o in shown),
            ]
        )
    headings = ("attribute", "filled", "agreement", "before", "now", *(o.value for o in shown))
    table = Figures(f"Cells of {report.rows:,} products", headings, rows, everything)
    return Group(
        Text(f"{report.filled:,} blank cells were filled{_estimate(report)}."), *to_do(_fill_advice(report)), table
    )


def _estimate(report: FillReport) -> str:
    """How many of the filled cells are as the shop would have them, as far as anything tells."""
    if not report.filled:
        return ""
    share = report.estimated_precision
    if share is None:
        return "; there is no estimate of how many are right: no value was found in a filled cell"
    right = f"{share:.0%} of them should be what the shop would have written"
    if report.cells_with_estimate == report.filled:
        return f"; {right}"
    return (
        f"; for {report.cells_with_estimate:,} of them there is an estimate: {share:.0%} should be what the shop would "
        f"have written. For the other {report.filled - report.cells_with_estimate:,} there is none: no value of these "
        "attributes was found in a filled cell"
    )


def _fill_advice(report: FillReport) -> list[str]:
    from attrex.filling.fill import Outcome

    advice = []
    if differs := sum(counts[Outcome.DIFFERS] for counts in report.outcomes.values()):
        advice.append(
            f"Filled cells that say something else than the texts: {differs:,}. Review them: --changes lists them"
        )
    if report.unknown:
        words = ", ".join(f"{a}: {v} ({n:,})" for (a, v), n in report.unknown.most_common(UNKNOWN_WORD_EXAMPLES))
        advice.append(
            f"Words that the table lacks: {len(report.unknown):,} (--known-only leaves them out), most often {words}"
        )
    if silent := [a for a in report.attributes if not report.outcomes[a]]:
        more = f" and {len(silent) - UNKNOWN_WORD_EXAMPLES:,} more" if len(silent) > UNKNOWN_WORD_EXAMPLES else ""
        advice.append(f"Attributes of which nothing was found: {', '.join(silent[:UNKNOWN_WORD_EXAMPLES])}{more}")
    if report.errors:
        advice.append(f"Rows that could not be read: {report.errors:,}; their cells are as they were")
    return advice
