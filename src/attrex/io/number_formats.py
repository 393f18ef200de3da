"""What a spreadsheet program shows of a number or a text: number formats, such as ``00000``, ``0 %`` or ``dd.mm.yyyy``.

Stands on ECMA-376 part 1, 18.8.30 (numFmt, built-in formats) and 18.8.31 (number formats). What differs from machine
to machine is shown in one way: a point before decimals, a comma between thousands, months in English; dates whose
order is the machine's (built-in format 14, ``[$-F800]``, months in another language) in that of ISO 8601.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

BUILT_IN = {
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??"},
    **{14: "[$-F800]yyyy/mm/dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM"},
    **{20: "h:mm", 21: "h:mm:ss", 22: "[$-F800]yyyy/mm/dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)"},
    **{39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0"},
    **{48: "##0.0E+0", 49: "@"},
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "[$-F800]yyyy/mm/dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}
"""Number of a format -> its code; the dates of East Asian ones (27 to 36, 50 to 58) are the machine's."""
_LAST_DAY = 2_958_466  # the day after the end of the year 9999
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<space>_.)|(?P<fill>\*.)|\[(?P<bracket>[^\]]*)\]|(?P<general>General)'
    r"|(?P<exponent>E[+-])|(?P<half>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+)|(?P<digit>[0#?]|(?<=/)\d+)|(?P<text>@)"
    r"|(?P<sign>[.,%/])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_EXACT = Context(prec=400)  # digits of the largest number, and more
_ENGLISH = {"", "409", "809", "c09", "1009", "1409", "1809"}


class _Part(NamedTuple):
    kind: str  #: a group of the tokens; ``literal``: as it is
    text: str


class _Section(NamedTuple):
    parts: Sequence[_Part]
    condition: tuple[str, float] | None
    locale: str  #: hexadecimal, without the calendar; "" for none

    @property
    def is_date(self) -> bool:
        return any(part.kind in ("date", "elapsed", "half") for part in self.parts)


def number_shown(value: float, code: str, since: datetime) -> str:
    """What is shown of a number in a format.

    :param code: the format, e.g. ``0.00%``.
    :param since: the day that is number 0.
    """
    sections = [s for s in _sections(code) if not any(p.kind == "text" for p in s.parts)]
    texts = [s for s in _sections(code) if any(p.kind == "text" for p in s.parts)]
    if not sections:
        return _text(texts[0], plain_number(value))
    section, value = _section_of(value, sections)
    if section.is_date:
        return _date(section, value, since)
    kinds = {part.kind for part in section.parts}
    if "general" in kinds:
        return _joined([plain_number(value) if p.kind == "general" else p.text for p in section.parts if _seen(p)])
    if "digit" not in kinds:
        return _joined([p.text for p in section.parts if _seen(p)])
    return _number(section, value)


def text_shown(text: str, code: str) -> str:
    """What is shown of a text in a format: the text, or what the format's part for texts makes of it."""
    sections = _sections(code)
    own = next((s for s in sections if any(p.kind == "text" for p in s.parts)), None)
    if own is None and len(sections) == 4:
        own = sections[3]
    return text if own is None or [p.kind for p in own.parts] == ["text"] else _text(own, text)


def plain_number(value: float) -> str:
    """A number with no more digits than it takes, of those that a spreadsheet keeps."""
    value = float(f"{value:.15g}")
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[_Section, ...]:
    parts, found = list[_Part](), list[_Section]()
    condition: tuple[str, float] | None = None
    locale = ""
    for match in [*_TOKEN.finditer(code), None]:
        if match is None or (match["other"] == ";"):
            found.append(_Section(tuple(parts), condition, locale))
            parts, condition, locale = [], None, ""
            continue
        kind, text = next((k, v) for k, v in match.groupdict().items() if v is not None)
        if kind == "bracket":
            if compared := re.fullmatch(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+)", text):
                condition = compared[1], float(compared[2])
            elif re.fullmatch("h+|m+|s+", text, re.IGNORECASE):
                parts.append(_Part("elapsed", text.lower()))
            elif text.startswith("$"):
                symbol, _, language = text[1:].rpartition("-") if "-" in text else (text[1:], "", "")
                locale = language.lower()[-4:].lstrip("0") or locale
                parts += [_Part("literal", symbol)] if symbol else []
        elif kind == "space":
            parts.append(_Part("literal", " "))
        elif kind != "fill":
            plain = kind in ("quoted", "escaped", "other")
            parts.append(_Part("literal", text) if plain else _Part(kind, text.lower()))
    return tuple(found)


def _section_of(value: float, sections: Sequence[_Section]) -> tuple[_Section, float]:
    """The section for a value, and the value without the sign that the section says itself."""
    if any(s.condition for s in sections):
        for section in sections:
            if section.condition is None or _holds(value, *section.condition):
                return section, value
        return sections[-1], value
    if value < 0 and len(sections) > 1:
        return sections[1], -value
    return sections[2 if value == 0 and len(sections) > 2 else 0], value


def _holds(value: float, how: str, than: float) -> bool:
    match how:
        case "<":
            return value < than
        case "<=":
            return value <= than
        case ">":
            return value > than
        case ">=":
            return value >= than
        case "=":
            return value == than
        case _:
            return value != than


def _seen(part: _Part) -> bool:
    return part.kind in ("literal", "general", "sign")


def _joined(texts: Sequence[str]) -> str:
    return "".join(texts).strip()


def _text(section: _Section, text: str) -> str:
    return "".join(text if p.kind == "text" else p.text for p in section.parts if p.kind == "text" or _seen(p))


def _number(section: _Section, value: float) -> str:
    parts = list(section.parts)
    kinds = [p.kind for p in parts]
    signs = [p.text if p.kind == "sign" else "" for p in parts]
    last = max(n for n, kind in enumerate(kinds) if kind == "digit")
    first = kinds.index("digit")
    number = Decimal(repr(float(f"{value:.15g}"))) * 100 ** signs.count("%")
    if "/" in signs[first : last + 1]:
        return _fraction(parts, number)
    after = last + 1
    while after < len(parts) and signs[after] == ",":  # each divides by a thousand
        number, after = number / 1000, after + 1
    power = kinds.index("exponent") if "exponent" in kinds else len(parts)
    point = next((n for n in range(min(power, len(parts))) if signs[n] == "."), power)
    whole = [n for n in range(point) if kinds[n] == "digit"]
    decimals = [n for n in range(point, power) if kinds[n] == "digit"]
    exponent = 0
    if power < len(parts) and number:
        width = max(len(whole), 1)
        exponent = number.adjusted() // width * width if width > 1 else number.adjusted()
        number = number.scaleb(-exponent)
    rounded = abs(number).quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP, _EXACT)
    if power < len(parts) and rounded.adjusted() >= max(len(whole), 1):
        rounded, exponent = rounded.scaleb(-max(len(whole), 1)), exponent + max(len(whole), 1)
    digits, _, fraction = f"{rounded:f}".partition(".")
    grouped = any(signs[n] == "," for n in range(whole[0], whole[-1])) if whole else False
    shown: dict[int, str] = dict(_whole(parts, whole, digits.lstrip("0"), grouped=grouped))
    zeros = max((i + 1 for i, n in enumerate(decimals) if parts[n].text == "0"), default=0)
    needed = max(zeros, len(fraction.rstrip("0")))
    for i, n in enumerate(decimals):
        shown[n] = fraction[i] if i < needed else ""
    if point < power:
        shown[point] = "."
    if power < len(parts):
        places = [n for n in range(power, len(parts)) if kinds[n] == "digit"]
        sign = "-" if exponent < 0 else "+" if parts[power].text == "e+" else ""
        shown |= dict.fromkeys(places, "") | {power: f"E{sign}{abs(exponent):0{len(places)}d}"}
    said = [shown.get(n, p.text if p.kind == "literal" or p.text == "%" else "") for n, p in enumerate(parts)]
    return _joined(["-" if number < 0 and rounded else "", *said])


def _whole(parts: Sequence[_Part], places: Sequence[int], digits: str, *, grouped: bool) -> dict[int, str]:
    """The digits before the point by their places, the first of which takes all that are left."""
    shown: dict[int, str] = {}
    for behind, place in enumerate(reversed(places)):
        first = behind == len(places) - 1
        digit = (
            (digits[:-behind] if behind else digits) if first else digits[-1 - behind :][:1] * (behind < len(digits))
        )
        if not digit and parts[place].text == "0":
            digit = "0"
        if grouped:
            rest = range(behind + len(digit) - 1, behind - 1, -1)  # digits that follow each
            digit = "".join(d + ("," if n and n % 3 == 0 else "") for d, n in zip(digit, rest, strict=True))
        shown[place] = digit
    return shown


def _fraction(parts: Sequence[_Part], number: Decimal) -> str:
    slash = next(n for n, p in enumerate(parts) if p.text == "/")
    below = "".join(p.text for p in parts[slash + 1 :] if p.kind == "digit")
    top = slash - 1
    while top >= 0 and parts[top].kind == "digit":
        top -= 1
    has_whole = any(p.kind == "digit" for p in parts[: top + 1])
    exact = Fraction(abs(number))
    whole = int(exact) if has_whole else 0
    if below.isdigit() and int(below):
        rest = Fraction(round((exact - whole) * int(below)), int(below))
        numerator, denominator = int(rest * int(below)), int(below)
    else:
        rest = (exact - whole).limit_denominator(10 ** max(len(below), 1) - 1)
        numerator, denominator = rest.numerator, rest.denominator
    if has_whole and rest == 1:
        whole, numerator = whole + 1, 0
    before = "".join(p.text for p in parts[: top + 1] if p.kind == "literal" and p.text.strip())
    after = "".join(p.text for p in parts[slash + 1 :] if p.kind == "literal")
    says_zero = any(p.text == "0" for p in parts[: top + 1])
    said = [str(whole)] if whole or says_zero or (not numerator and has_whole) else []
    said += [f"{numerator}/{denominator}"] if numerator or not has_whole else []
    return ("-" if number < 0 else "") + before + " ".join(said) + after.rstrip()


def _date(section: _Section, value: float, since: datetime) -> str:
    if not 0 <= value < _LAST_DAY:
        return plain_number(value)
    parts = section.parts
    names = any(p.kind == "date" and p.text[0] in "md" and len(p.text) >= 3 for p in parts)
    places = [n for n, p in enumerate(parts) if p.kind == "digit" and n][:6]  # of a second
    ticks = round(value * 86_400 * 10 ** len(places))
    moment = since + timedelta(microseconds=ticks * 10 ** (6 - len(places)))
    if section.locale in ("f800", "f400") or (names and section.locale not in _ENGLISH):
        time = f"{moment:%H:%M:%S}"
        return time if value < 1 else f"{moment:%Y-%m-%d}" + ("" if value == int(value) else f" {time}")
    half = any(p.kind == "half" for p in parts)
    seconds = ticks // 10 ** len(places)
    said, of_time = [], [n for n, p in enumerate(parts) if p.kind in ("date", "elapsed")]
    for n, part in enumerate(parts):
        match part.kind:
            case "date":
                at = of_time.index(n)
                before = parts[of_time[at - 1]].text[0] if at else ""
                behind = parts[of_time[at + 1]].text[0] if at + 1 < len(of_time) else ""
                minutes = part.text[0] == "m" and len(part.text) < 3 and (before == "h" or behind == "s")
                said.append(_of_date(moment, part.text, minutes=minutes, half=half))
            case "elapsed":
                unit = {"h": 3600, "m": 60, "s": 1}[part.text[0]]
                said.append(f"{seconds // unit:0{len(part.text)}d}")
            case "half":
                name = "AM" if moment.hour < 12 else "PM"
                said.append(name if "m" in part.text else name[0])
            case "digit":
                said.append(f"{moment.microsecond:06d}"[places.index(n)] if n in places else "")
            case "literal" | "sign":
                said.append(part.text)
    return "".join(said).strip()


def _of_date(moment: datetime, code: str, *, minutes: bool, half: bool) -> str:
    hour = moment.hour % 12 or 12 if half else moment.hour
    match code[0], len(code):
        case "y", length:
            return f"{moment.year % 100:02d}" if length < 3 else f"{moment.year:04d}"
        case "m", 1 | 2 as length:
            return f"{moment.minute if minutes else moment.month:0{length}d}"
        case "m", length:
            name = _MONTHS[moment.month - 1]
            return name[:3] if length == 3 else name[:1] if length == 5 else name
        case "d", 1 | 2 as length:
            return f"{moment.day:0{length}d}"
        case "d", length:
            name = _DAYS[moment.weekday()]
            return name[:3] if length == 3 else name
        case "h", length:
            return f"{hour:0{min(length, 2)}d}"
        case _, length:
            return f"{moment.second:0{min(length, 2)}d}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
