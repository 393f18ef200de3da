"""What a check tells: findings with their advice, and the page of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
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


def finding(check: str, severity: Severity, what: str, advice: str, **numbers: Any) -> Finding:
    return Finding(check, severity, what, numbers, advice)


def counted_list(counts: Mapping[str, int]) -> str:
    """``red (3), blue (1) and 2 more``"""
    shown = ", ".join(f"{k} ({n:,})" for k, n in list(counts.items())[:SHOWN])
    return shown if len(counts) <= SHOWN else f"{shown} and {len(counts) - SHOWN} more"
