"""The units that shops write (`units.yaml`): what each is called, and how many of the smallest of its kind it is."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from attrex.plain_yaml import load_words


class Unit(NamedTuple):
    """One unit of a quantity."""

    quantity: str  #: its name: that of its smallest unit
    factor: Fraction  #: how many of the smallest unit it is


LETTER = "[^\\W\\d_\u00bc-\u00be\u2150-\u215e\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A letter of a script that has words, as a regular expression."""
_END = f"(?!{LETTER}|\\d)"
_SYMBOL = re.compile("''|’’|′′|[\"”“″'’′%％﹪‰℃℉Ω]|[°º][ \u00a0]?[CcFf]" + _END + "|[°º]")
_NAMES = [
    re.compile(f"{LETTER}+\\.?[ \u00a0-]{LETTER}+{_END}"),  # fl oz, sq. ft, thread-count
    re.compile(f"{LETTER}+[²³23]?/{LETTER}+[²³23]?{_END}"),  # g/m², km/h
    re.compile(f"{LETTER}+(?:[²³]|[23](?!\\d))?{_END}"),
    re.compile(f"{LETTER}+(?=[xX]\\d)"),  # 10cmx20cm
]
_IDEOGRAPHS = re.compile("[\u3400-\u9fff]{1,3}")
_GAP = re.compile("-|[ \u00a0\u202f\u2009]{0,2}")
_REST_OF_WORD = re.compile(f"[-\u2010\u2011]{LETTER}")
_NUMBER_AHEAD = re.compile(r"[ \u00a0-]?(?:\d|one\b)")
_GOLD = range(8, 25)
"""Carats of gold, as 18K; thousands of K are the colour of light, and a screen of 4K is neither."""
_GENERATIONS = range(2, 7)
"""Of mobile networks: 5G is no weight."""


def unit_after(text: str, end: int, number: Fraction) -> tuple[Unit, int] | None:
    """The unit that stands behind a number, and where it ends; None: there is none.

    :param end: where the number ends
    """
    gap = _GAP.match(text, end)
    at = gap.end() if gap else end
    symbol = _SYMBOL.match(text, at)
    if symbol is not None:
        return _units()[_key(symbol[0])], symbol.end()
    if ideographs := _IDEOGRAPHS.match(text, at):
        names = (ideographs[0][:n] for n in range(len(ideographs[0]), 0, -1))
        return next(((_units()[name], at + len(name)) for name in names if name in _units()), None)
    for pattern in _NAMES:
        name = pattern.match(text, at)
        unit = _known(name[0], number, attached=at == end) if name else None
        if name is None or unit is None or _is_preposition(name[0], text, name.end()):
            continue
        if at == end or not _begins_word(name[0], text, name.end()):
            return unit, name.end()
    return None


def _known(name: str, number: Fraction, attached: bool) -> Unit | None:
    if name == "K":
        carats = attached and number in _GOLD
        return Unit("K", Fraction(1)) if number >= 1000 else _units()["ct"] if carats else None
    if name == "G" and attached and number in _GENERATIONS:
        return None
    found = _units().get(f"={name}") or _units().get(_key(name))
    if found is None and "/" in name:  # of two units that are known: mg/ml is no weight
        parts = [_units().get(_key(part)) for part in name.split("/")]
        return Unit(_key(name), Fraction(1)) if all(parts) else None
    return found


def _is_preposition(name: str, text: str, end: int) -> bool:
    """A jacket that is 2 in 1 has no inches."""
    return name.casefold() == "in" and _NUMBER_AHEAD.match(text, end) is not None


def _begins_word(name: str, text: str, end: int) -> bool:
    """2 t-shirts weigh no two tonnes, 3 V-necks have no volts, and 2 in-ear plugs no inches."""
    return (len(name) == 1 or name.casefold() == "in") and _REST_OF_WORD.match(text, end) is not None


@lru_cache(100_000)
def _key(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name.replace("º", "°")).casefold()
    return re.sub(r"[\s.-]", "", folded)


@cache
def _units() -> dict[str, Unit]:
    """Folded name -> its unit; behind "=" the names whose case counts."""
    body = load_words((files("attrex.vocabulary") / "units.yaml").read_text(encoding="utf-8"))
    return {
        name if name[0] == "=" else _key(name): Unit(quantity, Fraction(factor))
        for quantity, by_factor in body.items()
        for factor, names in by_factor.items()
        for name in names
    }
