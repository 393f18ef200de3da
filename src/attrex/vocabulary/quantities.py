"""Product measures in texts: 18¼″, 0.5 l, 10 × 20 × 30 cm, 5'11", 220-240 V, 10 mm ± 0.5, 6 x 330 ml, pack of 6.

A grammar of our own: general readers of units take "1,5 kg" for 15 kg, `5'11"` for 55 and "2XL" for two litres. What is
read here is only ever compared with what is read here: the same quantity folds to the same word, another one does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from attrex.vocabulary.numbers import DEFAULT_STYLE, HAS_NUMBER, NumberStyle, written
from attrex.vocabulary.units import LETTER, Unit, unit_after

MARK = "\u2261"
"""What the folded word of a measure begins with, and no other word does."""
DIMENSIONS = 4
"""Numbers of one measure at most."""
_SHARE_UNIT = ("mm", "px")
"""Quantities of dimensions: 10 x 20 cm. Of others the first number counts: 6 x 330 ml."""
_PAIRS = (("304.8", "25.4"), ("453592.37", "28349.523125"), ("3600", "60"), ("60", "1"), ("1000", "10"))
"""Units, by their factors, that make one measure of two numbers: 5 ft 11 in, 2 lb 3 oz, 1 h 30 min, 1 m 80 cm."""
_LABEL = r"(?:[ \u00a0]?\(?(?:[LlWwHhDdBbTt]|Ø|wide|width|high|height|deep|depth|long|length|breit|hoch|tief)\)?[.:]?)"
_AFTER_LETTER = re.compile(f"(?<={LETTER})")
_DIMENSION = re.compile(r"(?<=\W[LWHDBTØxX])|(?<=\A[LWHDBTØxX])|(?<=\d[xX])")
_CROSS = re.compile(
    rf"{_LABEL}?[ \u00a0]?(?:[xX×✕✖*]|(?<=[ \u00a0])(?:by|mal|por)(?=[ \u00a0]))[ \u00a0]?(?:{_LABEL}[ \u00a0]?)?"
)
_DASH = re.compile("[-\u2010\u2011\u2013\u2014\u2212]|[ \u00a0]?(?:\\.{2,3}|…|~|～)[ \u00a0]?\\+?")
_SPACED_DASH = re.compile("[ \u00a0][-\u2013\u2014\u2212][ \u00a0]?")
_TO = re.compile(r"[ \u00a0](?:to|up to|bis|à|a|al|hasta|jusqu'à|ila)[ \u00a0](?:\+)?", re.IGNORECASE)
_TOLERANCE = re.compile(r"[ \u00a0]?(?:\+[ ]?/?[ ]?[-\u2212])[ \u00a0]?|[ \u00a0]?")
_BETWEEN_PAIR = re.compile("[ \u00a0]?,?[ \u00a0]?")
_BEFORE = {
    re.compile(r"(?:\bpacks?|\blot|\bpaquete|\bpackung)[ \u00a0](?:of|de|à|mit)[ \u00a0]$", re.IGNORECASE): "pack",
    re.compile(r"\bthread[ \u00a0-]?counts?(?:[ \u00a0]of|:)?[ \u00a0]$", re.IGNORECASE): "thread count",
    re.compile(r"(?<!\d)(?<!\d[ \u00a0])%[ \u00a0]?$"): "%",  # Turkish: %100
}
"""Quantities that are named in front of the number."""
_OPENS_QUOTE = re.compile("(?:(?<=[\\s(\\[])|^)[\"'„“”‘’](?=\\S)")
_FOOT, _INCH = Unit("mm", Fraction("304.8")), Unit("mm", Fraction("25.4"))
_QUOTES = {'"': '"“”', "”": '"“”', "“": '"“”', "'": "'’‘", "’": "'’‘"}


QUOTATION = 200
"""Characters of a quotation at most."""


SIZE = (  # as a regular expression without groups
    "(?=[\\dxXeE])(?<![^\\W_])(?i:\\d{1,2}[ -]?x(?:l|s|[ -]?(?:large|small))|x{1,6}[ -]?(?:large|small)|x{2,6}[ls]"
    "|(?:extra[ -]){1,3}(?:large|small))(?![^\\W_])"
)
"""A clothing size that can be written in several ways: XXL, 2XL, 2X-Large, XX-Large. Of it, XL is no part."""


def fold_size(size: str) -> str | None:
    """One spelling of a :data:`SIZE`; None for what is none."""
    match = _SIZE.fullmatch(size)
    if match is None:
        return None
    letters = size.casefold()
    times = int(match[1]) if match[1] else letters.count("extra") or letters.count("x")
    return f"{times if times > 1 else ''}x{'s' if 's' in letters else 'l'}"


_SIZE = re.compile(r"(?:(\d+)[ -]?)?(?:x+|(?:extra[ -])+)[ -]?(?:l|s|large|small)", re.IGNORECASE)


class Part(NamedTuple):
    """A measure of its own within a longer one: 20 cm in 10 × 20 cm. The 10 is none: alone it says no unit."""

    folded: str
    start: int
    end: int


class Measure(NamedTuple):
    """Characters ``start`` to ``end`` of a text are one measure."""

    folded: str  #: the same for all that are equal
    start: int
    end: int
    parts: tuple[Part, ...] = ()


class _Atom(NamedTuple):
    """One number, with the unit behind it if there is one."""

    value: Fraction
    start: int
    number_end: int
    end: int
    unit: Unit | None
    sign: str


def measures(text: str, style: NumberStyle = DEFAULT_STYLE) -> list[Measure]:
    """The measures of a text from left to right, none over another."""
    if HAS_NUMBER.search(text) is None:
        return []
    atoms = list(_atoms(text, style))
    found: list[Measure] = []
    first = 0
    while first < len(atoms):
        after = atoms[first - 1].end if first else 0
        size, measure = _longest(text, atoms[first : first + DIMENSIONS], after)
        if measure is not None:
            found.append(measure)
        first += size
    return found


def whole_number(text: str, start: int, end: int, style: NumberStyle = DEFAULT_STYLE) -> tuple[int, int]:
    """The characters ``start`` to ``end``, grown by what they cut of a number: 18 °C is a part of -18 °C."""
    if not HAS_NUMBER.search(text, max(0, start - 2), end + 2):
        return start, end
    line = text.rfind("\n", 0, start) + 1
    until = text.find("\n", end)
    part = text[line : until if until >= 0 else len(text)]
    start, end = start - line, end - line
    for number in _number(style.token).finditer(part):
        start = number.start() if number.start() < start < number.end() else start
        end = number.end() if number.start() < end < number.end() else end
    for measure in measures(part, style):
        crossed = _CROSS.search(part, measure.start, start) if measure.start < start < measure.end else True
        if not measure.parts and not crossed:  # of 13 x 19 either is a number of its own
            start = measure.start
    return start + line, end + line


@cache
def _number(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _atoms(text: str, style: NumberStyle) -> Iterator[_Atom]:
    for match in _number(style.signed).finditer(text):
        value = style.parse(match[0])
        if value is None:
            continue
        sign = match[0][0] if match[0][0] in "-\u2013\u2212±" else ""
        found = unit_after(text, match.end(), value)
        if found is not None and (found[0] is None or _closes_quote(text, match.start(), found[1])):
            found = None
        unit, end = found or (None, match.end())
        yield _Atom(value, match.start(), match.end(), end, unit, sign)


def _closes_quote(text: str, start: int, end: int) -> bool:
    """Whether what looks like inches or feet ends a quotation: the "Model 5" case."""
    marks = _QUOTES.get(text[end - 1])
    if marks is None:
        return False
    if text[end - 1] in "'’" and text[end : end + 1].isalpha():
        return True
    line = max(text.rfind("\n", 0, start) + 1, start - QUOTATION)
    opened = [m.start() for m in _OPENS_QUOTE.finditer(text, line, end) if m[0] in marks + "„" and m.start() < start]
    return bool(opened) and not any(mark in text[opened[-1] + 1 : end - 1] for mark in marks)


def _longest(text: str, atoms: Sequence[_Atom], after: int) -> tuple[int, Measure | None]:
    """How many of the atoms the first measure takes, and the measure; None: the first number is no measure.

    ``after``: where the number before them, or its unit, ends: what belongs to it names no other one.
    """
    first = atoms[0]
    if _AFTER_LETTER.match(text, first.start) and not _DIMENSION.match(text, first.start):
        return 1, None  # M8, iPhone13
    dimensions = _dimensions(text, atoms)
    if len(dimensions) > 1:
        return len(dimensions), _cross(dimensions)
    if len(atoms) > 1:
        between, second = text[first.end : atoms[1].start], atoms[1]
        if _is_pair(between, first, second):
            return 2, _pair(first, second)
        if _is_range(between, first, second):
            unit = first.unit or second.unit
            low, high = (_folded(a, a.unit or unit) for a in (first, second))
            return 2, Measure(f"{MARK}{low}~{high}", first.start, second.end) if unit else None
        tolerance = _TOLERANCE.fullmatch(between) if second.sign == "±" or "+" in between else None
        if tolerance and (first.unit or second.unit):
            unit = first.unit or second.unit
            whole = f"{MARK}{_folded(first, unit)}±{_folded(second, second.unit or unit).lstrip('±')}"
            return 2, Measure(whole, first.start, second.end, _parts([first]))
    if first.unit is not None:
        return 1, Measure(MARK + _folded(first, first.unit), first.start, first.end)
    for pattern, quantity in _BEFORE.items():
        if before := pattern.search(text, max(after, first.start - 30), first.start):
            folded = MARK + _folded(first, Unit(quantity, Fraction(1)))
            return 1, Measure(folded, before.start(), first.end)
    return 1, None


def _parts(atoms: Sequence[_Atom]) -> tuple[Part, ...]:
    return tuple(Part(MARK + _folded(a, a.unit), a.start, a.end) for a in atoms if a.unit)


def _folded(atom: _Atom, unit: Unit | None) -> str:
    value = atom.value * (unit.factor if unit else 1)
    return ("±" if atom.sign == "±" else "") + written(value) + (unit.quantity if unit else "")


def _dimensions(text: str, atoms: Sequence[_Atom]) -> list[_Atom]:
    """The first atoms that have a cross between them."""
    found = [atoms[0]]
    for atom in atoms[1:]:
        if not _CROSS.fullmatch(text, found[-1].end, atom.start):
            break
        found.append(atom)
    return found


def _cross(atoms: Sequence[_Atom]) -> Measure:
    """Dimensions, or a number of packs."""
    ahead = [next((a.unit for a in atoms[i:] if a.unit), None) for i in range(len(atoms))]
    behind = [next((a.unit for a in reversed(atoms[: i + 1]) if a.unit), None) for i in range(len(atoms))]
    shared = [a.unit or f or b for a, f, b in zip(atoms, ahead, behind, strict=True)]
    sizes = all(unit is None or unit.quantity in _SHARE_UNIT for unit in shared)
    units = shared if sizes else [a.unit for a in atoms]
    words = [_folded(atom, unit) for atom, unit in zip(atoms, units, strict=True)]
    return Measure(MARK + "x".join(words), atoms[0].start, atoms[-1].end, _parts(atoms))


def _is_range(between: str, low: _Atom, high: _Atom) -> bool:
    """Whether two numbers are the ends of one range; between two measures a spaced dash is a dash: 8 GB - 256 GB."""
    alike = low.unit is None or high.unit is None or low.unit.quantity == high.unit.quantity
    if not alike or not (low.unit or high.unit):
        return False
    if not between.strip(" \u00a0"):
        return bool(between) and low.unit is None and high.sign in tuple("-\u2013")
    spaced = _SPACED_DASH.fullmatch(between) and low.unit is None
    return bool(_DASH.fullmatch(between) or spaced or (_TO.fullmatch(between) and high.unit))


def _is_pair(between: str, large: _Atom, small: _Atom) -> bool:
    primes = large.end - large.number_end == 1 and large.unit == _FOOT
    if large.unit is None or small.sign or not (_BETWEEN_PAIR.fullmatch(between) or (primes and between == "-")):
        return False
    unit = small.unit
    if unit is None:  # 5'11
        return primes and not between and small.value < 12
    factors = [(Fraction(a), Fraction(b)) for a, b in _PAIRS]
    known = large.unit.quantity == unit.quantity and (large.unit.factor, unit.factor) in factors
    return known and small.value * unit.factor < large.unit.factor


def _pair(large: _Atom, small: _Atom) -> Measure:
    assert large.unit is not None
    unit = small.unit or _INCH
    total = large.value * large.unit.factor + small.value * unit.factor
    return Measure(f"{MARK}{written(total)}{unit.quantity}", large.start, small.end)
