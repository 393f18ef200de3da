from __future__ import annotations

from typing import NamedTuple

from attrex.vocabulary.folding import FoldedText, Folder
from attrex.vocabulary.matcher import PhraseMatcher, longest_first


class Range(NamedTuple):
    start: int
    end: int
    key: str = "a"


def test_the_longest_of_overlapping_matches_is_kept() -> None:
    ranges = [Range(0, 2), Range(1, 4), Range(4, 5), Range(3, 5)]
    assert longest_first(ranges, key=lambda r: r.key) == [Range(1, 4), Range(4, 5)]


def test_of_equally_long_ones_the_first_stays() -> None:
    assert longest_first([Range(1, 3), Range(0, 2)], key=lambda r: r.key) == [Range(1, 3)]


def test_only_matches_of_one_key_rule_each_other_out() -> None:
    ranges = [Range(0, 3), Range(0, 2, "b")]
    assert longest_first(ranges, key=lambda r: r.key) == ranges
    assert longest_first(ranges, key=lambda r: "") == ranges[:1]


def test_another_order_than_the_length_can_decide() -> None:
    assert longest_first([Range(0, 3), Range(1, 2)], key=lambda r: "", order=lambda r: -r.start) == [Range(1, 2)]
    assert longest_first([], key=str) == []


def test_forms_of_several_attributes_are_found_with_what_they_are() -> None:
    folder, matcher = Folder(), PhraseMatcher()
    for form, attribute in (("navy blue", "Color"), ("blue", "Color"), ("blue", "Brand"), ("x", "Size")):
        matcher.add(folder.fold(form), attribute, form)
    text = FoldedText("Navy-Blue x", folder)
    assert [(m.attribute, m.start, m.end, m.form) for m in matcher.search(text)] == [
        ("Color", 0, 9, "navyblue"),
        ("Color", 5, 9, "blue"),
        ("Brand", 5, 9, "blue"),
    ]
    assert [(m.attribute, m.form) for m in matcher.find(text)] == [("Color", "navyblue"), ("Brand", "blue")]
