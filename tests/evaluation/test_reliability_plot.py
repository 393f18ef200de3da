"""The reliability plot: a dot per bin at its place, on a page without any script."""

from __future__ import annotations

from xml.etree import ElementTree

from attrex.evaluation.reliability_plot import MARGIN, SIDE, reliability_svg
from attrex.evaluation.table import ReliabilityBin


def test_each_bin_is_a_dot_at_its_confidence_and_accuracy() -> None:
    bins = (ReliabilityBin(0.25, 0.5, 10), ReliabilityBin(1.0, 0.75, 40))
    svg = ElementTree.fromstring(reliability_svg(bins))
    dots = [
        (float(c.get("cx", 0)), float(c.get("cy", 0)), float(c.get("r", 0))) for c in svg.iter() if "circle" in c.tag
    ]
    assert [(x, y) for x, y, _ in dots] == [
        (MARGIN + SIDE / 4, MARGIN + SIDE / 2),
        (MARGIN + SIDE, MARGIN + SIDE / 4),
    ]
    assert dots[0][2] < dots[1][2]  # of more cells
    titles = [t.text for t in svg.iter() if "title" in t.tag]
    assert titles == ["confidence 0.250, right 0.500, 10 cells", "confidence 1.000, right 0.750, 40 cells"]


def test_without_any_bin_there_is_an_empty_plot() -> None:
    assert ElementTree.fromstring(reliability_svg(())).tag.endswith("svg")
