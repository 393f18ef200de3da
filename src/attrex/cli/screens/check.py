"""The screen of `attrex check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from attrex.cli.screens.figures import Figures, to_do

if TYPE_CHECKING:
    from attrex.quality.report import CheckReport

SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
"""The style of each severity."""
ATTRIBUTE_COLUMNS = {
    "fill_share": "filled",
    "located_share": "in the\ntext",
    "filled": "filled\ncells",
    "absent": "absent",
    "blank": "blank",
    "spans": "labels",
    "located": "located\ncells",
}
"""Figure of an attribute -> heading."""


def check_screen(report: CheckReport, everything: bool = False) -> Group:
    """The findings, the gravest first, each with its advice; then the figures."""
    findings = [
        (Text(f"{f.severity:>7}", SEVERITY_STYLES[f.severity]), Text.assemble(f.what, (f"\n-> {f.advice}", "dim")))
        for f in report.findings
    ]
    counts = ", ".join(f"{name} {n:,}" for name, n in report.images.items())
    return Group(
        *(to_do(findings, everything) if findings else [Text("Nothing to report.")]),
        _table("Products", "split", report.splits, everything, what="splits"),
        _table("Attributes", "attribute", report.attributes, everything, ATTRIBUTE_COLUMNS),
        _table("Text lengths", "unit", report.lengths, everything, what="units"),
        *([Text(f"\nProducts by their photos, and photos: {counts}")] if counts else []),
    )


def _table(
    title: str,
    first: str,
    rows: Mapping[str, Mapping[str, Any]],
    everything: bool,
    headings: Mapping[str, str] | None = None,
    what: str = "attributes",
) -> Figures:
    headings = headings or {c: c.replace("_", "\n") for row in rows.values() for c in row}

    def cell(name: str, value: Any) -> str:
        return "" if value is None else f"{value:.1%}" if name.endswith("share") else f"{value:,}"

    cells = [[row_name, *(cell(name, row.get(name)) for name in headings)] for row_name, row in rows.items()]
    return Figures(title, [first, *headings.values()], cells, everything, what=what)
