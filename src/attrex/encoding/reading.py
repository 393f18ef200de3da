"""What a tokenizer is given in place of a text, with the way back to the text's characters.

A tokenizer knows the words of its corpus. It takes ``✔Velmora``, ``Ｖｅｌｍｏｒａ`` and a line of Thai for one unknown
word each; a zero-width space within a word does the same, and so does a letter that is written in parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from attrex.characters import CLUSTER, FOOTNOTE, IGNORABLE, SYLLABLE, composed, symbol_pattern

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SMALL, _CAPITAL = "a-z\u00df-\u00f6\u00f8-\u00ff", "A-Z\u00c0-\u00d6\u00d8-\u00de"
_GLUED = re.compile(
    f"(?<=[{_SMALL}]{{2}})(?=[{_CAPITAL}])|(?<=[{_CAPITAL}]{{2}})(?=[{_CAPITAL}][{_SMALL}]{{2}})"
    f"|(?<=[{_SMALL}{_CAPITAL}])(?=[0-9])|(?<=[0-9])(?=[{_SMALL}{_CAPITAL}])"
)
"""Borders of words that are written as one. Not before a small letter alone: iPhone, eBook."""
_SAME_LETTER = ("<wide>", "<narrow>", "<font>", "<isolated>", "<initial>", "<medial>", "<final>")
"""Compatibility characters (UnicodeData.txt) that are a letter in another width, face or place in the word."""


class ReadableText(NamedTuple):
    """A text as a tokenizer gets it."""

    text: str
    places: list[int] | None  #: of each character its place in the composed text; None: both are the same
    begins: list[int] | None = None  #: of :func:`composed`

    @property
    def unchanged(self) -> bool:
        """Whether all characters are at their places of the original."""
        return self.places is None and self.begins is None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Characters start..end (exclusive, not empty) as those of the original."""
        if self.places is not None:
            start, end = self.places[start], self.places[end - 1] + 1
        return (start, end) if self.begins is None else (self.begins[start], self.begins[end])


def readable(text: str, *, words: bool) -> ReadableText:
    """A text without ignorable characters, with a space between a word and a symbol, its letters whole and in one face.

    :param words: part scripts that put no space between words, too: into the smallest parts that can be read
    """
    text = _LONE_SURROGATE.sub("\ufffd", text)  # half of a character, from broken JSON; tokenizers refuse it
    if text.isascii() and not IGNORABLE.search(text):
        return ReadableText(text, None)
    text, begins = composed(text.translate(_plain_letters()))
    pattern = _parts(words)
    if not pattern.search(text):
        return ReadableText(text, None, begins)
    pieces: list[str] = []
    places: list[int] = []

    def add(start: int, end: int, apart: bool) -> None:
        if apart and pieces and not pieces[-1][-1].isspace() and not text[start].isspace():
            pieces.append(" ")
            places.append(start)
        pieces.append(text[start:end])
        places.extend(range(start, end))

    at, apart = 0, False
    for part in pattern.finditer(text):
        start, end = part.span()
        if at < start:
            add(at, start, apart)
            apart = False
        if part.lastgroup == "own":
            add(start, end, True)
            apart = True
        at = end
    if at < len(text):
        add(at, len(text), apart)
    return ReadableText("".join(pieces), places, begins)


def without_glue(read: ReadableText) -> ReadableText:
    """The same with a space where words are glued together: "Hard DriveIn", "SATAPart", "1.00UPC", "29h"."""
    borders = [m.start() for m in _GLUED.finditer(read.text)]
    if not borders:
        return read
    places = range(len(read.text)) if read.places is None else read.places
    cuts = [0, *borders, len(read.text)]
    pieces = [read.text[start:end] for start, end in pairwise(cuts)]
    moved = [place for start, end in pairwise(cuts) for place in (*places[start:end], places[end - 1])]
    return ReadableText(" ".join(pieces), moved[:-1], read.begins)


@cache
def _parts(words: bool) -> re.Pattern[str]:
    """What is a part of its own in a text; and what is unseen, unless it belongs to a symbol in front of it."""
    own = "|".join((symbol_pattern(), FOOTNOTE, *((CLUSTER, SYLLABLE) if words else ())))
    return re.compile(f"(?P<own>{own})|{IGNORABLE.pattern}")


@cache
def _plain_letters() -> Mapping[int, str]:
    """Letters and digits of another width, face or place in the word -> the plain ones, one for one."""
    plain = {}
    for code in (*range(0xFB50, 0xFF00), *range(0xFF01, 0xFFEF), *range(0x1D400, 0x1D800)):
        tag, *letters = unicodedata.decomposition(chr(code)).split()[:3] or ("",)
        if tag in _SAME_LETTER and len(letters) == 1:
            plain[code] = chr(int(letters[0], 16))
    return plain
