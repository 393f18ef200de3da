"""What a check tells: findings with their advice, and the page of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import RenderableType

Severity = Literal["error", "warning", "info"]
SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
"""The gravest first."""
SHOWN = 5
"""Examples in a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know: what it is, its numbers, and what to do about it."""

    check: str  #: a short stable name, such as "broken-images"
    severity: Severity
    what: str
    numbers: Mapping[str, Any]
    advice: str

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "severity": self.severity,
            "what": self.what,
            "numbers": dict(self.numbers),
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of :func:`check`: figures by section and findings, the gravest first."""

    splits: Mapping[str, Mapping[str, int]]
    attributes: Mapping[str, Mapping[str, Any]]
    lengths: Mapping[str, Mapping[str, float]]
    images: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True where no finding is an error."""
        return all(f.severity != "error" for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "splits": {k: dict(v) for k, v in self.splits.items()},
            "attributes": {k: dict(v) for k, v in self.attributes.items()},
            "lengths": {k: dict(v) for k, v in self.lengths.items()},
            "images": dict(self.images),
            "findings": [f.to_json() for f in self.findings],
        }

    def render(self) -> RenderableType:
        """The report for a terminal."""
        from rich.console import Group
        from rich.text import Text

        lines = []
        for f in self.findings:
            lines += [
                Text.assemble((f"{f.severity:>7} ", SEVERITY_STYLES[f.severity]), f.what),
                Text(f"        -> {f.advice}", "dim"),
            ]
        return Group(
            _numbers_table("Products", "split", self.splits),
            _numbers_table("Attributes", "attribute", self.attributes),
            _numbers_table("Text lengths", "unit", self.lengths),
            _numbers_table("Photos", "", {"products": self.images}),
            *(lines or [Text("Nothing to report.")]),
        )


def finding(check: str, severity: Severity, what: str, advice: str, **numbers: Any) -> Finding:
    return Finding(check, severity, what, numbers, advice)


def counted_list(counts: Mapping[str, int]) -> str:
    """``red (3), blue (1) and 2 more``"""
    shown = ", ".join(f"{k} ({n:,})" for k, n in list(counts.items())[:SHOWN])
    return shown if len(counts) <= SHOWN else f"{shown} and {len(counts) - SHOWN} more"


def _numbers_table(title: str, first: str, rows: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    from rich.table import Table

    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    table = Table(first, title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, row in rows.items():
        cells = (
            "" if row.get(c) is None else f"{row[c]:.1%}" if c.endswith("share") else f"{row[c]:,}" for c in columns
        )
        table.add_row(name, *cells)
    return table
