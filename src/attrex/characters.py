"""What characters are to a reader: unseen, symbols, or letters that stand without spaces.

One list each for reading texts, matching words in them, and writing values. Not for the texts themselves, whose offsets
are the file's: what is read or matched skips what is unseen, and what is written to a table lacks it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

UNSEEN = (
    "\\x00-\\x08\\x0e-\\x1b\\x7f-\\x84\\x86-\\x9f"  # controls that are no space
    "\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164"
    "\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"
    "\\ufdd0-\\ufdef\\ufffe\\uffff"  # noncharacters of the first plane, which XML forbids
)
"""The ignorable characters, for a class in a regular expression: controls, and what Unicode says to show nothing for
(Default_Ignorable_Code_Point, DerivedCoreProperties 16.0: zero-width, bidi, soft hyphen, fillers, selectors)."""
_ESCAPE = "(?:\\x1b\\[|\\x9b)[0-?]{0,40}[ -/]{0,8}[@-~]|\\x1b\\][^\\x07\\x1b\\n]{0,2000}(?:\\x07|\\x1b\\\\)"
"""What a terminal obeys (ECMA-48, a control sequence; OSC, xterm): its letters are no words."""
IGNORABLE = re.compile(f"(?:{_ESCAPE}|[{UNSEEN}])+")
"""A run of what is ignored, with whole escape sequences of terminals."""
_CONTROL_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_LINE_BREAK = re.compile(r"\s*[\t\r\n]\s*")
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """A text as it is written to a table: without ignorable characters, and with no spaces but those of a keyboard.

    Joiners stay where they change what is seen: between letters of scripts that join, and in an emoji. Edges lose
    their space.
    """
    if text.isprintable():  # nearly always: nothing in it is ignorable but selectors and fillers
        return _without_unseen(text) if not text.isascii() else text.strip()
    return _CONTROL_SPACE.sub(" ", _without_unseen(text)).strip()


def _without_unseen(text: str) -> str:
    def kept(run: re.Match[str]) -> str:
        before, after = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
        if run[0] in _JOINERS and _joins(before) and _joins(after):
            return run[0]
        emoji = before and unicodedata.category(before) in ("So", "Sk")
        return run[0] if emoji and run[0] in ("\ufe0f", "\ufe0f\u200d", "\u200d") else ""

    return IGNORABLE.sub(kept, text).strip()


def _joins(character: str) -> bool:
    """Whether a joiner beside it changes what is seen: Arabic and Indic letters and signs, to Mongolian."""
    return "\u0600" <= character <= "\u18af"


def word_of(text: str) -> str:
    """A value's word for the characters that say it: visible, on one line, and without trade marks."""
    if text.isascii() and text.isprintable():
        return text
    return _LINE_BREAK.sub(" ", _TRADE_MARKS.sub("", visible(text))).strip() or text


def without_unseen(text: str) -> tuple[str, list[int] | None]:
    """A text without ignorable characters, and of each that is left its place in the text; None: all are left."""
    runs = [run.span() for run in IGNORABLE.finditer(text)]
    if not runs:
        return text, None
    begins, ends = [0, *(end for _, end in runs)], [*(start for start, _ in runs), len(text)]
    kept = list(zip(begins, ends, strict=True))
    return "".join(text[a:b] for a, b in kept), [place for a, b in kept for place in range(a, b)]


def caseless(text: str) -> str:
    """A text without case. Turkish has two letters i, and capitals do not say which in other languages: they are one.

    The dot above (U+0307) that casefolding makes of ``İ`` goes; all else is :meth:`str.casefold`.
    """
    return text.casefold().replace("i\u0307", "i").replace("ı", "i")


# --- what a tokenizer reads ----------------------------------------------------------------------------------------

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9df\uaa60-\uaa7f"
"""Scripts that put no space between words, but for the Chinese and Japanese: from Thai and Lao to Javanese."""
CLUSTER = "|".join(
    (
        "[\u0e40-\u0e44]*[\u0e01-\u0e2e][\u0e2f-\u0e3a\u0e45-\u0e4e]*",  # Thai: vowels before, marks and vowels behind
        "[\u0ec0-\u0ec4]*[\u0e81-\u0eae\u0edc-\u0edf][\u0eaf-\u0ebd\u0ec6-\u0ece]*",  # Lao
        "[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17d7\u17dd])*",  # Khmer: coeng joins
        "[\u1000-\u102a\u103f\u1050-\u1055\uaa60-\uaa6f](?:\u1039[\u1000-\u1021]|[\u102b-\u1038\u103a-\u103e\u1056-\u1059])*"
        "(?:[\u1000-\u1021]\u103a(?!\u1039)[\u1037\u1038]*)*",  # Burmese: a consonant that is killed ends the syllable
        f"(?!\\d)[{UNSPACED}]",
    )
)
"""What cannot be parted in these: a letter with its signs."""


SYLLABLE = "[\u3041-\u3096\u30a1-\u30fa][ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー\u3099\u309a]*"
"""The same of Japanese kana."""
IDEOGRAPH = "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
"""A Chinese character."""


def composed(text: str) -> tuple[str, list[int] | None]:
    """A text whose letters are whole: "o" with a circumflex and a grave is "ồ", three letters of Korean are one (NFC).

    Letters that NFC writes with more characters than they have stay as they are.

    :return: the text, and where each of its characters begins in the one that was given, and where that ends; None:
        nothing was composed.
    """
    if unicodedata.is_normalized("NFC", text):
        return text, None
    pieces, begins = [], []
    for letter in _letter().finditer(text):
        start, end = letter.span()
        whole = unicodedata.normalize("NFC", letter[0])
        if len(whole) > end - start:
            whole = letter[0]
        pieces.append(whole)
        begins += [start, *range(end - len(whole) + 1, end)]  # the marks that are left belong to the first
    return "".join(pieces), [*begins, len(text)]


@cache
def _letter() -> re.Pattern[str]:
    """A character with all behind it that NFC may make one with it: marks, vowels and finals of Korean."""
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(0xC0, 0x20000))
    seconds = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"}
    marks = {c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(c)}
    return re.compile(f"(?s:.)[{_classes(seconds | marks)}\u1161-\u1175\u11a8-\u11c2]*")


# --- symbols -------------------------------------------------------------------------------------------------------

EMOJI_GLUE = "\u200d\ufe0e\ufe0f\U000e0020-\U000e007f"
"""What makes one emoji of several characters; part of the symbol that it stands behind."""
TRADE_MARKS = "\u00a9\u00ae\u2117\u2120\u2122\u24b8\u24c7"  # © ® ℗ ℠ ™ Ⓒ Ⓡ
_TRADE_MARKS = re.compile(f"[{TRADE_MARKS}]\ufe0f?")
_BULLETS = "\u2022\u2023\u203b\u2043\u2055"  # • ‣ ※ ⁃ ⁕: punctuation by name
_AT_EDGES = "\u2020\u2021\u00b7\u2e31"  # † ‡ · ⸱: within a word they may belong to it
_OF_MEASURES = "\u00b0\u00b1\u2205\u2212\u2213\u221e\u2248\u2264\u2265\u2300"  # ° ± ∅ − ∓ ∞ ≈ ≤ ≥ ⌀
OTHER_NUMBERS = "".join(c for c in map(chr, range(0x20000)) if unicodedata.category(c) == "No")
"""Numbers that are no digits: ², ½, ①. Part of no word."""
_OF_LISTS = re.compile("CIRCLED|PARENTHESIZED|FULL STOP$|COMMA$")
FOOTNOTE = (
    r"(?<=[^\W\d_]{3})(?<!inch|Inch|foot|feet|yard|zoll|Zoll|eter|etre)[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]+(?!\w)"
)
"""The number of a footnote: raised, behind a word that is no unit (m², cm³, inch²)."""
_KEYCAP = "[0-9#*] ?\u20e3"  # its selector is blanked
_PICTURES = range(0x1F000, 0x1FB00)
"""Blocks of emoji; those that this Python does not know yet count as well."""


def _classes(wanted: Iterable[str]) -> str:
    """Characters as ranges for a class in a regular expression."""
    ranges: list[list[int]] = []
    for code in sorted(map(ord, wanted)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


@cache
def _symbols() -> list[tuple[str, str]]:
    """(character, category) of every symbol beyond ASCII.

    Private characters, which icon fonts use, are symbols, and so are the numbers of lists (①, ❷, ⑶, ⒋).
    """
    codes = (*range(0x80, 0xFFFD), *range(0x10000, 0x20000))
    kinds = ((code, unicodedata.category(chr(code))) for code in codes)
    symbols = [(chr(code), kind) for code, kind in kinds if kind[0] == "S" or kind == "Co" or code in _PICTURES]
    return symbols + [(number, "So") for number in OTHER_NUMBERS if _OF_LISTS.search(unicodedata.name(number))]


def _says_a_unit(symbol: str) -> bool:
    """Whether a symbol is letters in one character, as ℃ and ㎏ are."""
    letters = unicodedata.decomposition(symbol).startswith(("<compat>", "<square>"))
    return letters and symbol not in OTHER_NUMBERS


@cache
def symbol_pattern() -> str:
    """A run of symbols beyond ASCII; signs of money stand alone, and a keycap is one."""
    of_money = _classes(s for s, kind in _symbols() if kind == "Sc")
    others = _classes(s for s, kind in _symbols() if kind != "Sc")
    return f"[0-9#*]\ufe0f?\u20e3|[{of_money}]|[{others}](?:[{EMOJI_GLUE}]*[{others}])*[{EMOJI_GLUE}]*"


@cache
def _breaks() -> str:
    """Symbols that stand between values and in none: pictures, boxes, bullets, arrows."""
    arrows = "\u2190-\u21ff\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff"
    drawn = (s for s, kind in _symbols() if kind in ("So", "Co", "Cn") or ord(s) in _PICTURES)
    kept = re.compile(f"[{TRADE_MARKS}{_OF_MEASURES}]")
    return _classes(s for s in drawn if not kept.match(s) and not _says_a_unit(s)) + arrows + _BULLETS


@cache
def _break_pattern() -> re.Pattern[str]:
    return re.compile(f"{_KEYCAP}|[{_breaks()}]")


@cache
def _edge_pattern() -> re.Pattern[str]:
    mathematical = (s for s, kind in _symbols() if kind == "Sm" and not re.match(f"[{_OF_MEASURES}]", s))
    return re.compile(rf"[\s{TRADE_MARKS}{_AT_EDGES}{_classes(mathematical)}]|{FOOTNOTE}")


_OPENING = {")": "(", "]": "[", "}": "{", "）": "（", "】": "【"}


def with_closing(text: str, start: int, end: int) -> int:
    """The end of what stands from ``start`` to ``end``, moved behind a bracket that was opened in it and closes there.

    Of "Bag (5 pound)" a model finds "Bag (5 pound", for in a text as a whole most closing brackets end no value.
    """
    opening = _OPENING.get(text[end : end + 1])
    opened = opening is not None and text.count(opening, start, end) > text.count(text[end], start, end)
    return end + 1 if opened else end


def without_symbols(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What may be a value of the characters start..end (exclusive) of a text: from symbol to symbol.

    Without pictures, arrows and bullets, in it or beside it, and without trade marks, signs of mathematics and unseen
    characters at its ends; measures keep theirs (10×15, 40°, ±5). What has neither letter nor digit is no value.
    """
    said = IGNORABLE.sub(lambda unseen: " " * len(unseen[0]), text[start:end])
    edge = _edge_pattern()
    low = 0
    for stop, after in (*(m.span() for m in _break_pattern().finditer(said)), (len(said), len(said))):
        high = stop
        while low < high and edge.match(said, low):
            low += 1
        while low < high and edge.match(said, high - 1):
            high -= 1
        if any(map(str.isalnum, said[low:high])):
            yield start + low, start + high
        low = after
