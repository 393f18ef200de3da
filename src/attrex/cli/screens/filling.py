"""The screen of `attrex fill`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures, to_do

if TYPE_CHECKING:
    from attrex.filling.report import FillReport
    from attrex.filling.undo import Undone

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
        Text(f"{report.filled:,} blank cells were filled{_estimate(report)}."),
        *to_do([*_held_back(report), *_promise(report), *_fill_advice(report)]),
        table,
        *_blank_table(report, everything),
        *_cutoff_table(report, everything),
    )


def undo_screen(undone: Undone) -> Group:
    """What became of the fills of a run that was taken back."""
    left = {
        "Cells that somebody has changed since, left as they are": undone.changed,
        "Cells whose row or column is no longer there": undone.missing,
    }
    removed = f" Columns that it had added, removed: {', '.join(undone.columns)}." if undone.columns else ""
    return Group(
        Text(f"{undone.cells:,} cells are blank again, as they were.{removed}"),
        *to_do([f"{what}: {cells:,}" for what, cells in left.items() if cells]),
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


BLANK_HEADINGS = {
    "filled": "filled",
    "unknown": "unknown\nword",
    "left": "below\nthe limit",
    "no_column": "no\ncolumn",
    "does_not_apply": "does not\napply",
    "no_evidence": "no\nevidence",
}
"""Of what became of blank cells (:meth:`~attrex.filling.report.FillReport.blank_cells`)."""


def _blank_table(report: FillReport, everything: bool) -> Iterator[Figures]:
    """What became of the blank cells, by attribute; nothing where there is none. A blank cell is in one column."""
    blank = {name: report.blank_cells(name) for name in report.attributes if report.blank(name)}
    shown = [key for key in BLANK_HEADINGS if any(cells[key] for cells in blank.values())]
    rows = [[name, f"{report.blank(name):,}", *(f"{cells[key]:,}" for key in shown)] for name, cells in blank.items()]
    headings = ("attribute", "blank", *(BLANK_HEADINGS[key] for key in shown))
    if rows:
        yield Figures("What became of the blank cells", headings, rows, everything)


def _cutoff_table(report: FillReport, everything: bool) -> Iterator[Figures]:
    """What a precision costs and buys, by attribute; nothing where none was asked for."""
    if not report.cutoffs:
        return
    rows = []
    for name in report.attributes:
        cutoff, share, left = report.cutoffs.get(name), report.filled_share(name), f"{report.left[name]:,}"
        of_blank = "-" if share is None else f"{share:.0%}"
        if cutoff is None:
            rows.append([name, "none", "-", of_blank, left, "-", "-"])
            continue
        reached, right = cutoff.threshold is not None, cutoff.observed
        rows.append(
            [
                name + (" *" if cutoff.pool else ""),
                f"{cutoff.threshold:.4f}" if reached else "none",
                f"{cutoff.share:.0%}",
                of_blank,
                left,
                "-" if right is None else f"{right:.1%}",
                "-" if reached else f"{cutoff.missing:,}",
            ]
        )
    headings = (
        "attribute",
        "limit",
        "finds\nkept",
        "blank\nfilled",
        "left to\npeople",
        "of them\nright",
        "right finds\nmissing",
    )
    one = next(iter(report.cutoffs.values()))
    yield Figures(f"Limits for a precision of {one.precision:g}, on held-out finds", headings, rows, everything)


def _held_back(report: FillReport) -> Iterator[str]:
    """What was found and not filled in for its confidence."""
    below, found, left = report.below.total(), report.finds.total(), report.left.total()
    asked = f"your limit of {report.min_confidence:g} (--min-confidence)"
    if below:
        yield (
            f"{below:,} of {found:,} finds are below {asked if report.cutoffs is None else 'the limits'} and were not "
            f"filled in: {left:,} blank cells are left to people. --changes lists them with value and confidence"
        )


def _promise(report: FillReport) -> Iterator[str]:
    """What the limits of a precision promise, and what can be done for attributes that have none."""
    from attrex.inference.selection import POOLED_FROM, least_finds

    if not report.cutoffs:
        return
    cutoff = next(iter(report.cutoffs.values()))
    yield (
        f"Each limit below keeps a precision of {cutoff.precision:g} with a probability of {cutoff.level:.0%}, in "
        "cells like the held-out ones"
    )
    groups = {c.pool or (a,): c for a, c in report.cutoffs.items()}
    if missed := sorted((c.missing, group) for group, c in groups.items() if c.threshold is None):
        named = [f"{_some(group)}{' together' * (len(group) > 1)} ({n:,})" for n, group in missed]
        yield (
            "Attributes that cannot reach it, and how many more right finds in held-out cells it would take at least: "
            f"{_some(named)}"
        )
    few = [g for g, c in groups.items() if POOLED_FROM <= c.finds < least_finds(c.precision, c.level)]
    if len(few) > 1:
        yield f"{len(few):,} of them have few held-out cells: --pool gives them one limit together"
    for pool in (g for g, c in groups.items() if len(g) > 1 and c.threshold is not None):
        yield (
            f"One limit together (*) have {_some(pool)}: the promise is for what is filled in of all of them as one, "
            "not of each"
        )
    if unproven := [a for a in report.attributes if a not in report.cutoffs and report.finds[a]]:
        yield f"Attributes without held-out cells, of which nothing was filled in: {_some(unproven)}"


def _some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - UNKNOWN_WORD_EXAMPLES:,} more" if len(names) > UNKNOWN_WORD_EXAMPLES else ""
    return ", ".join(names[:UNKNOWN_WORD_EXAMPLES]) + more


def _fill_advice(report: FillReport) -> list[str]:
    from attrex.filling.fill import Outcome

    advice = []
    if conflicts := report.conflicts.total():
        advice.append(
            f"Filled cells that say something else than texts or photos: {conflicts:,}. Review them: --conflicts lists "
            "them, most probably wrong first"
        )
    differs = sum(counts[Outcome.DIFFERS] for counts in report.outcomes.values())
    if differs > conflicts:
        advice.append(
            f"Cells that say that there is no value, of which one was found: {differs - conflicts:,}. Review them: "
            "--changes lists them"
        )
    if report.unknown:
        words = ", ".join(f"{a}: {v} ({n:,})" for (a, v), n in report.unknown.most_common(UNKNOWN_WORD_EXAMPLES))
        advice.append(
            f"Words that the table lacks: {len(report.unknown):,} (--known-only leaves them out), most often {words}"
        )
    if silent := [a for a in report.attributes if not report.outcomes[a]]:
        advice.append(f"Attributes of which nothing was found: {_some(silent)}")
    kept = sum(counts[Outcome.KEPT] for counts in report.outcomes.values())
    if kept:
        advice.append(
            f"Cells that hold no value, and yet something, such as N/A, left as they are: {kept:,}. Make them empty to "
            "have them filled; --changes lists them"
        )
    if lacking := [a for a in report.attributes if report.outcomes[a][Outcome.NO_COLUMN]]:
        advice.append(f"Attributes that the file has no column for (--new-columns adds them): {_some(lacking)}")
    if unwritable := sum(counts[Outcome.UNWRITABLE] for counts in report.outcomes.values()):
        advice.append(f"Values that the file cannot hold, in its encoding or its columns' types: {unwritable:,}")
    if report.errors:
        advice.append(f"Rows that could not be read: {report.errors:,}; their cells are as they were")
    return advice
