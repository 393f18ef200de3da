"""Headings and compositions: two ways in which a text itself names the attribute of the next words.

``Fit: Regular``, ``Fitting`` over a line ``Regular``, ``Sleeve - Full``; ``82% polyamide, 18% elastane``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from attrex.vocabulary.word_lists import ENGLISH

HEADING_WORDS = 4
"""Words of a heading at most: a longer line is a sentence."""
_KEY = r"(?P<key>[^\W\d][^\n:：]{0,40}?)"
_KEY_VALUE = re.compile(rf"^[\W_]*{_KEY}(?:\s*[:：]\s*|\s+[-–—]\s+)(?P<value>\S.*)$")
_BULLET = re.compile(r"[\s•*·▪●–—-]*")
_PERCENT = re.compile(
    r"(?P<number>\d{1,3}(?:[.,]\d+)?)\s*[%％]\s*(?:of\s+)?"
    r"(?P<words>[^\W\d][^\n\d%％,;:，；。、.()/|+&]*)"
)
COMPOSITION_PARTS = 12
"""Percentages of one composition at most."""


class KeyValueLine(NamedTuple):
    """Characters ``start`` to ``end`` of a text stand under ``heading``."""

    heading: str
    start: int
    end: int


class Part(NamedTuple):
    """Characters ``start`` to ``end`` of a text begin with the name of one part of a composition."""

    start: int
    end: int
    whole: bool  #: one of several that add up to 100 %: what they name is a material, known or not


def key_value_lines(text: str) -> Iterator[KeyValueLine]:
    """What may stand under a heading: the rest of the line after ``key:`` or ``key -``, the line under a short line.

    Whether the heading is one, and of which attribute, is for the caller to know.
    """
    lines = [(m.start(), m.group().rstrip()) for m in re.finditer(r"[^\n\r]+", text) if m.group().strip()]
    for (at, line), (below, content) in zip(lines, [*lines[1:], (0, "")], strict=False):
        pair = _KEY_VALUE.match(line)
        if pair and len(pair["key"].split()) <= HEADING_WORDS:
            yield KeyValueLine(pair["key"], at + pair.start("value"), at + len(line))
        elif content and len(line.split()) <= HEADING_WORDS:
            skipped = len(_BULLET.match(content)[0])  # type: ignore[index]
            if skipped < len(content):
                yield KeyValueLine(line.strip().rstrip(":：-–— "), below + skipped, below + len(content))


def compositions(text: str, conjunctions: tuple[str, ...] = ENGLISH.conjunctions) -> Iterator[Part]:
    """The parts of every composition such as ``60% cotton 40% polyester``, without their percentages.

    :param conjunctions: words that end the name of a part
    """
    next_part = _next_part(conjunctions)
    for line in re.finditer(r"[^\n\r]+", text):
        found = list(_PERCENT.finditer(line.group()))
        for group in _sum_to_hundred(found):
            for part in group:
                words = next_part.split(part["words"])[0].rstrip()
                start = line.start() + part.start("words")
                yield Part(start, start + len(words), len(group) > 1)


@cache
def _next_part(conjunctions: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(map(re.escape, conjunctions))
    return re.compile(rf"\s(?:{words})\s" if words else r"(?!)")


def _sum_to_hundred(found: list[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """Runs of percentages that add up to 100; what is left over comes one by one."""
    first = 0
    while first < len(found):
        total, size = 0.0, 1
        for n, part in enumerate(found[first : first + COMPOSITION_PARTS], 1):
            total += float(part["number"].replace(",", "."))
            if 99 <= total <= 101:
                size = n
            if total >= 99:
                break
        yield found[first : first + size]
        first += size
