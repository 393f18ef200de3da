"""The errors Attrex raises on purpose: one root, so that a caller can catch them all.

Every message says what was expected, what came, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class AttrexError(Exception):
    """Root of all errors that are about the user's input rather than a defect of Attrex."""


class DataError(AttrexError):
    """A file, row, text or image that cannot be read as what it should be."""


class SchemaError(AttrexError):
    """An attribute table's description that is inconsistent or does not fit the data."""


class ConfigError(AttrexError):
    """A configuration with unknown keys, wrong values, or a combination that makes no sense."""


class CheckpointError(AttrexError):
    """A model directory that is incomplete, damaged, or of another version."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A clause such as ``; did you mean 'color'?``, or an empty string when nothing is near. Case does not count."""
    spelt = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), spelt, n=1, cutoff=0.6)
    return f"; did you mean {spelt[near[0]]!r}?" if near else ""


def short(value: Any, most: int = 40) -> str:
    """What came, cut to so many characters."""
    try:
        text = repr(value)
    except RecursionError:
        text = "nested too deep to be shown"
    return text if len(text) <= most else text[:most] + "..."


def kind_of(value: Any) -> str:
    """What came, in the words of JSON."""
    kind = float if isinstance(value, float) else type(value)
    return {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}.get(kind, kind.__name__)
