"""Characters that nobody sees: one list for reading texts, matching words in them, and writing values.

Not for texts themselves, whose offsets are the file's: what is read or matched skips them, and what is written to a
table lacks them.
"""

from __future__ import annotations

import re
import unicodedata

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
_CONTROL_SPACE = re.compile("\r\n|[\t-\r\x1c-\x1f\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """A word as it is written to a table: without ignorable characters, and on one line.

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
