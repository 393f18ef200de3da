"""The errors Attrex raises on purpose: one root, so that a caller can catch them all.

Every message says what was expected, what came, and what to do next. What came is somebody else's: :func:`short` cuts
and escapes a value, :func:`printable` a whole text. Every error and everything that the command line prints goes
through the second one.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

LONGEST_MESSAGE = 8000
"""Characters; of a longer message the middle is left out."""
# What a terminal obeys (C0 without tab and newline, DEL, C1), what turns the direction of a line or ends it, what hides
# (tags), and halves of characters, which no terminal can be sent.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str, most: int | None = None) -> str:
    """A text that only says something, and does nothing, where it is printed: control characters as ``\\u001b``.

    What is printable already stays as it is, so that a text may pass twice.

    :param most: of a longer text the middle is left out.
    """
    if most is not None and len(text) > most:
        text = f"{text[: most * 2 // 3]} ... {text[len(text) - most // 3 :]}"
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:  # a pair, as JSON has it
        return f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"


class AttrexError(Exception):
    """Root of all errors that are about the user's input rather than a defect of Attrex."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, LONGEST_MESSAGE))


class DataError(AttrexError):
    """A file, row, text or image that cannot be read as what it should be."""


class SchemaError(AttrexError):
    """An attribute table's description that is inconsistent or does not fit the data."""


class ConfigError(AttrexError):
    """A configuration with unknown keys, wrong values, or a combination that makes no sense."""


class CheckpointError(AttrexError):
    """A model directory that is incomplete, damaged, or of another version."""


class ReviewError(AttrexError):
    """What cannot be done to a reviewed cell as it is now: another reviewer has it, or it is decided already."""


class StoreUnavailableError(AttrexError):
    """A review store whose database does not answer now; it may later."""


class UnknownCellError(ReviewError):
    """A number that no cell, or no decision, of the review store has."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A clause such as ``; did you mean 'color'?``, or an empty string when nothing is near. Case does not count."""
    spelt = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), spelt, n=1, cutoff=0.6)
    return f"; did you mean {spelt[near[0]]!r}?" if near else ""


class _Bounded(reprlib.Repr):
    """``repr`` of the beginning of a value: one that refers to itself a thousand times costs no more than another."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.maxlevel, self.maxother = 6, most + 1
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = most

    def repr_str(self, value: str, level: int) -> str:
        return repr(value[: self.most + 1])

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value[: self.most + 1])

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() < 4 * self.most else f"a number of {value.bit_length():,} bits"

    def repr_dict(self, value: Any, level: int) -> str:  # in its own order, as Python shows it
        if level <= 0 and value:
            return "{...}"
        parts = (f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in value.items())
        return "{" + self._joined(parts) + "}"

    def repr_list(self, value: list[Any], level: int) -> str:
        return "[...]" if level <= 0 and value else f"[{self._joined(self.repr1(v, level - 1) for v in value)}]"

    def repr_tuple(self, value: tuple[Any, ...], level: int) -> str:
        if level <= 0 and value:
            return "(...)"
        return f"({self._joined(self.repr1(v, level - 1) for v in value)}{',' * (len(value) == 1)})"

    def _joined(self, parts: Iterable[str]) -> str:
        """As many parts as fit; a value of a million ones is not gone through."""
        told: list[str] = []
        for part in islice(parts, self.most):
            told.append(part)
            if sum(map(len, told)) > self.most:
                break
        return ", ".join(told)


def short(value: Any, most: int = 80) -> str:
    """What came, as Python writes it, without control characters and cut to so many characters."""
    bounded = _Bounded(most)
    try:
        text = bounded.repr(value)
    except Exception:  # a value's own repr may do anything
        text = f"something of type {type(value).__name__}"
    text = printable(text)
    return text if len(text) <= most else text[:most] + "..."


def short_path(path: Path | str, most: int = 100) -> str:
    """A path that data names, as much of it as a person needs to find the file: nothing of where the data lies."""
    parts = Path(path).parts
    told = str(path) if not Path(path).is_absolute() and len(parts) < 4 else str(Path("...", *parts[-2:]))
    return printable(told if len(told) <= most else f"...{told[-most:]}")


def kind_of(value: Any) -> str:
    """What came, in the words of JSON."""
    kind = float if isinstance(value, float) else type(value)
    return {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}.get(kind, kind.__name__)
