"""How sure is how right, as a picture (SVG): confidence to the right, accuracy upwards, a dot per bin."""

from __future__ import annotations

from collections.abc import Sequence

from attrex.evaluation.table import ReliabilityBin

SIDE, MARGIN = 260, 40
"""Pixels a side of the square that is plotted in, and around it."""


def reliability_svg(bins: Sequence[ReliabilityBin]) -> str:
    """A reliability plot; dots grow with the cells of their bins. On the diagonal confidences hold."""
    most = max((b.cells for b in bins), default=1)
    width = SIDE + 2 * MARGIN
    grid = "".join(
        f'<path d="M{_x(t):.1f} {_y(0)} V{_y(1)} M{_x(0)} {_y(t):.1f} H{_x(1)}" stroke="currentColor" opacity=".15"/>'
        f'<text x="{_x(t):.1f}" y="{_y(0) + 16}" text-anchor="middle">{t:g}</text>'
        f'<text x="{_x(0) - 6}" y="{_y(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    line = " ".join(f"{_x(b.confidence):.1f},{_y(b.accuracy):.1f}" for b in bins)
    dots = "".join(
        f'<circle cx="{_x(b.confidence):.1f}" cy="{_y(b.accuracy):.1f}" r="{2 + 4 * (b.cells / most) ** 0.5:.1f}">'
        f"<title>confidence {b.confidence:.3f}, right {b.accuracy:.3f}, {b.cells:,} cells</title></circle>"
        for b in bins
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {width}" width="{width}" height="{width}" '
        f'role="img" aria-label="Reliability: confidence against the share that is right" fill="currentColor" '
        f'color="#5b6470" font-family="sans-serif" font-size="11">{grid}'
        f'<path d="M{_x(0)} {_y(0)} L{_x(1)} {_y(1)}" stroke="currentColor" stroke-dasharray="4 4"/>'
        f'<polyline points="{line}" fill="none" stroke="#2f6fde"/><g fill="#2f6fde">{dots}</g>'
        f'<text x="{_x(0.5):.0f}" y="{width - 6}" text-anchor="middle">confidence</text>'
        f'<text transform="translate(10 {_y(0.5):.0f}) rotate(-90)" text-anchor="middle">share that is right</text>'
        "</svg>\n"
    )


def _x(share: float) -> float:
    return MARGIN + SIDE * share


def _y(share: float) -> float:
    return MARGIN + SIDE * (1 - share)
