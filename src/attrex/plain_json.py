"""JSON that others wrote: numbers keep their spelling, and whatever is wrong with it is a :class:`ValueError`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

_INTEGER_DIGITS = 4000
"""Python refuses to make an integer of more than 4,300; a longer one stays text."""
_EXACT = 1e16
"""Floating-point numbers below it are told apart from the integers beside them."""


class SpelledNumber(float):
    """A floating-point number that knows how the file spells it: 7.50, 1e5."""

    spelling: str

    def __new__(cls, spelling: str) -> SpelledNumber:
        number = super().__new__(cls, spelling)
        number.spelling = spelling
        return number


def load_json(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """As ``json.loads``, with :class:`SpelledNumber` for floats, and integers that are too long as text.

    :param pairs: makes an object of its keys and values.

    Raises :class:`ValueError` also for lists and objects in too many levels.
    """
    try:
        return json.loads(text, parse_float=SpelledNumber, object_pairs_hook=pairs)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("lists and objects nested too deep to be read") from None
    except UnicodeDecodeError:
        raise
    except ValueError:  # an integer that is too long, and Python's slower way with integers
        return json.loads(text, parse_float=SpelledNumber, parse_int=_integer, object_pairs_hook=pairs)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _INTEGER_DIGITS else digits


def number_text(value: Any) -> str:
    """A value of JSON, Parquet or Python as text: a number that is an integer as one, others as the file spells them.

    A column of integers with gaps is one of floating-point numbers to pandas: 417.0 is 417.
    """
    if isinstance(value, bool) or not isinstance(value, float | Decimal):
        return str(value)
    if math.isfinite(value) and value == int(value) and (isinstance(value, Decimal) or abs(value) < _EXACT):
        return str(int(value))
    if isinstance(value, SpelledNumber):
        return value.spelling
    return format(value, "f") if isinstance(value, Decimal) else repr(float(value))


def whole_characters(value: Any) -> Any:
    """JSON with U+FFFD in place of half of a surrogate pair, as a cut emoji has; nothing can be written with one."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {whole_characters(key): whole_characters(part) for key, part in value.items()}
    return [whole_characters(part) for part in value] if isinstance(value, list) else value
