from __future__ import annotations

import pytest

from attrex.labels.headings import compositions, key_value_lines


def test_a_text_of_nothing_but_percentages_takes_no_longer_each(growth) -> None:
    assert len([*compositions("0% a " * 2_000)]) == 2_000
    assert growth(lambda n: [*compositions("0% a " * n)], 2_000) < 9, "each is added to all behind it"


def under(text: str) -> list[tuple[str, str]]:
    return [(h.heading, text[h.start : h.end]) for h in key_value_lines(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fit: Regular", [("Fit", "Regular")]),
        ("Fit : Regular \n", [("Fit", "Regular")]),
        ("Sleeve - Full", [("Sleeve", "Full")]),
        ("* Fabric: 100% cotton", [("Fabric", "100% cotton")]),
        ("版型：修身", [("版型", "修身")]),
        ("Fitting\nRegular", [("Fitting", "Regular")]),
        ("Fitting:\r\n- Regular\r\n", [("Fitting", "Regular")]),
        ("Material and care\n\nPure wool\n", [("Material and care", "Pure wool")]),
        ("One line alone", []),
        ("A whole sentence is no heading.\nNeither is what follows it", []),
        ("The well-known maker of this shirt says: wear it", []),
        ("", []),
    ],
)
def test_what_stands_under_a_heading(text: str, expected: list[tuple[str, str]]) -> None:
    assert under(text) == expected


def parts(text: str) -> list[tuple[str, bool]]:
    return [(text[p.start : p.end], p.whole) for p in compositions(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("82% polyamide, 18% elastane", [("polyamide", True), ("elastane", True)]),
        ("made of 60% cotton 40% polyester blend", [("cotton", True), ("polyester blend", True)]),
        ("65.5 % wool and 34.5 % silk", [("wool", True), ("silk", True)]),
        ("100% cotton with a lace trim", [("cotton", False)]),
        ("100% UV protection", [("UV protection", False)]),
        ("Lining 100% silk; 70% wool/30% linen", [("silk", False), ("wool", True), ("linen", True)]),
        ("50% wool\n50% silk", [("wool", False), ("silk", False)]),
        ("80%棉，20%涤纶", [("棉", True), ("涤纶", True)]),
        ("20% off", [("off", False)]),
        ("50 % of the cotton", [("the cotton", False)]),
        ("100%", []),
    ],
)
def test_the_parts_of_a_composition(text: str, expected: list[tuple[str, bool]]) -> None:
    assert parts(text) == expected
