"""Where a value phrase begins and ends: modifiers that belong to the value are part of it ("royal blue")."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

_BEFORE = re.compile(r"([^\W\d_]+)[ \u00a0-]\Z")
_FIRST = re.compile(r"[^\W\d_]+")
_LAST = re.compile(r"[^\W\d_]+\Z")
_AFTER = re.compile(r"[ \u00a0-]([^\W\d_]+)")
MODIFIERS = 2
"""Modifiers of one value at most."""


class _PhrasePlace(Protocol):
    @property
    def attribute(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    def _replace(self: P, *, start: int = ..., end: int = ...) -> P: ...


P = TypeVar("P", bound=_PhrasePlace)


def with_modifiers(
    text: str, places: Sequence[P], modifies: Callable[[str, str], bool], is_value: Callable[[str, str], bool]
) -> list[P]:
    """The places grown by the modifiers before them, and by the value that a modifier at their end stands before.

    ``places`` come from left to right and do not overlap. ``modifies(attribute, word)``: the word belongs to a value
    behind it; ``is_value(attribute, word)``: the word is a value. Words of another place are never taken, but two
    places of one attribute become one where the first is the modifier of the second ("floral print").
    """
    grown: list[P] = []
    for i, place in enumerate(places):
        ahead = places[i + 1].start if i + 1 < len(places) else len(text)
        start, end = place.start, _end(text, place, ahead, modifies, is_value)
        for _ in range(MODIFIERS):
            word = _BEFORE.search(text, max(0, start - 40), start)
            if word is None or not modifies(place.attribute, word[1]):
                break
            left = next((g for g in reversed(grown) if word.start() < g.end), None)
            if left is not None and (left.attribute != place.attribute or left.end != word.end(1)):
                break
            if left is not None:
                grown.remove(left)
            start = left.start if left is not None else word.start()
        grown.append(place._replace(start=start, end=end))
    return grown


def _end(
    text: str,
    place: P,
    ahead: int,
    modifies: Callable[[str, str], bool],
    is_value: Callable[[str, str], bool],
) -> int:
    """Where the place ends when the value behind its last word belongs to it: "olive green", found by "olive"."""
    last, following = _LAST.search(text, place.start, place.end), _AFTER.match(text, place.end, ahead)
    if last is None or following is None or not modifies(place.attribute, last[0]):
        return place.end
    return following.end() if is_value(place.attribute, following[1]) else place.end
