"""Numbers as shops write them: 1,500 and 1.500, 1 500, 0,5, ¾, 18-1/4, -5, 10-20, 16:9; each read as a whole."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from math import prod
from typing import Final

_VULGAR = "[\u00bc-\u00be\u2150-\u215e]"
_BAR = "[/\u2044]"
_PROPER = (  # what is no pair of sizes (4/5, 38/40): halves and their halves, thirds, and one of so many
    f"(?:(?:1{_BAR}(?:[2-9]\\d?|1\\d{{1,2}})|2{_BAR}3|3{_BAR}4|[357]{_BAR}8|(?:[3579]|1[135]){_BAR}16"
    f"|(?:[3579]|[12][13579]|31){_BAR}32|(?:[3579]|[1-6][13579]){_BAR}64)(?![\\d/\u2044]))"
)
_THIN = "\u202f\u2009"
_DASHES = "-\u2010\u2011\u2013\u2212"
HAS_NUMBER = re.compile(rf"\d|{_VULGAR}")
LONGEST: Final = 40
"""Characters of a number at most; a longer run of digits is no quantity."""


@dataclass(frozen=True)
class NumberStyle:
    """How a language writes numbers.

    :param thousands: what stands between thousands: "," in English, "." in German, " " in French
    :param decimal: what stands before the first decimal
    """

    thousands: str = ","
    decimal: str = "."

    @classmethod
    def of(cls, example: str) -> NumberStyle:
        """From the number 1234.5 as the language writes it: "1,234.5"; raises :class:`ValueError` for another one."""
        match = re.fullmatch(r"1(\D)234([.,])5", example)
        if match is None or match[1] == match[2]:
            raise ValueError(f"expected the number 1234.5 as a language writes it, such as '1,234.5', got {example!r}")
        return cls(match[1], match[2])

    @property
    def example(self) -> str:
        return f"1{self.thousands}234{self.decimal}5"

    @cached_property
    def number(self) -> str:
        """One number without its sign, as a regular expression without groups."""
        spaces = _THIN + ("\u00a0" if self.decimal == "," else "") + (" " if self.thousands == " " else "")
        whole = (
            rf"\d{{1,3}}(?:['’{spaces}]\d{{3}})+(?!\d)(?:[.,]\d+)?",
            r"\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])(?:\.\d+)?",  # lakhs
            r"\d{1,3}(?:,\d{3})+(?!\d|,\d)(?:\.\d+)?",
            r"\d+(?:\.\d+)+(?:,\d+)?",
            r"(?<!\d,)\d+,\d+(?!\d|,\d)",  # 36,37,38 is a list
            r"(?<![\w.,])\.\d+",
            r"\d+",
        )
        mixed = rf"\d{{1,4}}(?:[ \u00a0\u2009]?{_VULGAR}|[ \u00a0\u2009-]{_PROPER})"
        return rf"(?:{mixed}|{_VULGAR}|\d+\u2044\d+|(?<!\d/){_PROPER}|{'|'.join(whole)})"

    @cached_property
    def signed(self) -> str:
        """The same with its minus: not a hyphen (UV-400), a range (10-20), or the bullet of a list (-5 pockets)."""
        degrees = r"(?:[ \u00a0\d.,…+\-\u2013\u2212~CF]|to|bis|à){0,12}[°º℃℉]"
        alone = rf"(?={self.number}(?:{degrees}|[^\S\r\n]?[^\s\d]{{0,3}}[^\S\r\n]*(?:[\r\n]|\Z)))"
        within = r"(?:(?<=[^\S\r\n])|(?<=[(\[:=~<>|]))"
        first = r"(?:(?<=[\r\n])|(?<![\s\S]))"
        begins = rf"(?=[-\u2013\u2212±.\d{_VULGAR[1:-1]}])"  # what else there is is passed over fast
        after = rf"(?=\.?[\d{_VULGAR[1:-1]}])"
        minus = rf"(?:{within}[-\u2013\u2212]|{first}(?:[-\u2013]{alone}|\u2212))"
        return rf"(?:{begins}(?:(?:{minus}|±[ \u00a0]?){after})?{self.number})"

    @cached_property
    def token(self) -> str:
        """What a text has of numbers as one word: also ranges and proportions, of which no part is the number."""
        return rf"(?:{self.signed}(?:(?:[{_DASHES}]{self.number})+|(?::\d+)+)?)"

    def parse(self, number: str) -> Fraction | None:
        """The value of what :attr:`number` or :attr:`signed` matches; None: it is none (a version, a date)."""
        return _parse(number, self.decimal)

    def fold(self, token: str) -> str:
        """One spelling for all of a number: 1,500 and 1500, 8½ and 8.5; an article number keeps its zeros."""
        return _core(self.number).sub(lambda m: self._canonical(m[0]), re.sub(f"[{_DASHES}]", "-", token))

    def _canonical(self, number: str) -> str:
        value = self.parse(number)
        literal = unicodedata.normalize("NFKC", number)
        return literal if value is None or (literal.isdigit() and literal[0] == "0") else written(value)


DEFAULT_STYLE = NumberStyle()


@cache
def _core(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(100_000)
def written(value: Fraction) -> str:
    """A value as decimals where they end, else as a fraction."""
    twos, fives, rest = 0, 0, value.denominator
    while rest % 2 == 0:
        twos, rest = twos + 1, rest // 2
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    if rest > 1 or max(twos, fives) > 6:
        return f"{value.numerator}\u2044{value.denominator}"
    places = max(twos, fives)
    if not places:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


@lru_cache(100_000)
def _parse(number: str, decimal: str) -> Fraction | None:
    text = unicodedata.normalize("NFKC", re.sub(f"(?<=\\d)({_VULGAR})", r" \1", number)).replace("\u2044", "/")
    text = text.removeprefix("±").lstrip()
    negative = text[:1] in tuple("-\u2013\u2212")
    text = text.lstrip("-\u2013\u2212")
    if len(text) > LONGEST:
        return None
    mixed = re.fullmatch(r"(?:(\d+)[\s-]+)?(\d+)/(\d+)", text)
    if mixed:
        whole, top, bottom = (int(part or 0) for part in mixed.groups())
        value = whole + Fraction(top, bottom) if bottom else None
    else:
        value = _decimal(re.sub(r"['’\s]", "", text), decimal)
    return -value if negative and value is not None else value


def _decimal(text: str, decimal: str) -> Fraction | None:
    marks = re.findall("[.,]", text)
    if not marks:
        return Fraction(int(text))
    last, kinds = marks[-1], set(marks)
    whole, _, part = text.rpartition(last)
    groups = re.split("[.,]", text)
    thousands = 1 <= len(groups[0]) <= 3 and groups[0].lstrip("0") != "" and all(len(g) == 3 for g in groups[1:])
    if len(kinds) == 2 and marks.count(last) == 1:
        value = re.sub("[.,]", "", whole) + "." + part
    elif len(kinds) == 1 and len(marks) == 1 and not (thousands and last != decimal):
        value = f"{whole or 0}.{part}"
    elif len(kinds) == 1 and (thousands or (last == "," and len(groups[-1]) == 3)):
        value = "".join(groups)
    else:
        return None
    whole, _, part = value.partition(".")
    return Fraction(int(whole or 0)) + Fraction(int(part or 0), prod([10] * len(part)))
