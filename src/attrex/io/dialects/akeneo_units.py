"""Akeneo's measurement units: code, symbol in texts, and how many of the family's first unit one of it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from attrex.io.dialects.dialect import NoPlace


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of ``measure.yml`` (akeneo/pim-community-dev, commit 2c72941)."""

    code: str
    symbol: str
    family: str
    factor: Decimal | None = None  #: None: not converted, as temperatures


_FAMILIES: dict[str, dict[str, tuple[str, str | None]]] = {
    "length": {
        "METER": ("m", "1"),
        "MILLIMETER": ("mm", "0.001"),
        "CENTIMETER": ("cm", "0.01"),
        "DECIMETER": ("dm", "0.1"),
        "KILOMETER": ("km", "1000"),
        "INCH": ("in", "0.0254"),
        "FEET": ("ft", "0.3048"),
        "YARD": ("yd", "0.9144"),
    },
    "weight": {
        "KILOGRAM": ("kg", "1"),
        "MILLIGRAM": ("mg", "0.000001"),
        "GRAM": ("g", "0.001"),
        "TON": ("t", "1000"),
        "OUNCE": ("oz", "0.028349523125"),
        "POUND": ("lb", "0.45359237"),
    },
    "volume": {
        "LITER": ("l", "1"),
        "MILLILITER": ("ml", "0.001"),
        "CENTILITER": ("cl", "0.01"),
        "DECILITER": ("dl", "0.1"),
        "CUBIC_METER": ("m³", "1000"),
        "CUBIC_DECIMETER": ("dm³", "1"),
        "CUBIC_CENTIMETER": ("cm³", "0.001"),
        "CUBIC_MILLIMETER": ("mm³", "0.000001"),
    },
    "area": {
        "SQUARE_METER": ("m²", "1"),
        "SQUARE_CENTIMETER": ("cm²", "0.0001"),
        "SQUARE_MILLIMETER": ("mm²", "0.000001"),
        "SQUARE_FOOT": ("ft²", "0.09290304"),
        "SQUARE_INCH": ("in²", "0.00064516"),
    },
    "frequency": {
        "HERTZ": ("Hz", "1"),
        "KILOHERTZ": ("kHz", "1000"),
        "MEGAHERTZ": ("MHz", "1000000"),
        "GIGAHERTZ": ("GHz", "1000000000"),
    },
    "power": {"WATT": ("W", "1"), "KILOWATT": ("kW", "1000"), "MEGAWATT": ("MW", "1000000")},
    "voltage": {"VOLT": ("V", "1"), "MILLIVOLT": ("mV", "0.001"), "KILOVOLT": ("kV", "1000")},
    "intensity": {"AMPERE": ("A", "1"), "MILLIAMPERE": ("mA", "0.001")},
    "charge": {"AMPEREHOUR": ("Ah", "1"), "MILLIAMPEREHOUR": ("mAh", "0.001")},
    "binary": {
        "BYTE": ("B", "1"),
        "KILOBYTE": ("kB", "1024"),
        "MEGABYTE": ("MB", "1048576"),
        "GIGABYTE": ("GB", "1073741824"),
        "TERABYTE": ("TB", "1099511627776"),
    },
    "duration": {
        "SECOND": ("s", "1"),
        "MILLISECOND": ("ms", "0.001"),
        "MINUTE": ("min", "60"),
        "HOUR": ("h", "3600"),
        "DAY": ("d", "86400"),
    },
    "energy": {
        "JOULE": ("J", "1"),
        "KILOJOULE": ("kJ", "1000"),
        "CALORIE": ("cal", "4.184"),
        "KILOCALORIE": ("kcal", "4184"),
    },
    "pressure": {"BAR": ("bar", "1"), "MILLIBAR": ("mbar", "0.001"), "PASCAL": ("Pa", None), "PSI": ("psi", None)},
    "temperature": {"CELSIUS": ("°C", None), "FAHRENHEIT": ("°F", None), "KELVIN": ("K", None)},
    "decibel": {"DECIBEL": ("dB", "1")},
    "resistance": {"OHM": ("Ω", "1"), "KILOHM": ("kΩ", "1000"), "MEGOHM": ("MΩ", "1000000")},
    "case": {"PIECE": ("", "1")},
}
UNITS = {
    code: Unit(code, symbol, family, None if factor is None else Decimal(factor))
    for family, units in _FAMILIES.items()
    for code, (symbol, factor) in units.items()
}
_BY_SYMBOL = {unit.symbol.casefold(): unit for unit in reversed(UNITS.values())}
_MEASURE = re.compile(r"([+-]?\d+(?:[.,]\d+)?)\s*(.*)", re.DOTALL)


def measure(amount: str, code: str) -> str:
    """A metric as a text says it: ``500.0000`` and ``GRAM`` are ``500 g``. A unit of the shop's own keeps its code."""
    unit = UNITS.get(code)
    symbol = unit.symbol if unit else code.replace("_", " ").lower()
    return f"{_plain(amount)} {symbol}".strip()


def amount_in(value: str, code: str) -> tuple[str, str]:
    """A measure's amount and the code of its unit, converted to ``code`` where that is given.

    Raises :class:`NoPlace` for what is no measure, or one of another kind than ``code``.
    """
    match = _MEASURE.fullmatch(value.strip())
    found = match and _BY_SYMBOL.get(match[2].strip().casefold())
    if not match or (not found and match[2].strip()):
        raise NoPlace(f"{value!r} is no measure with a unit that Akeneo has by default; enter it by hand")
    amount = match[1].replace(",", ".")
    if not match[2].strip():
        return amount, code
    if not code or (found and found.code == code):
        return amount, found.code if found else code
    wanted = UNITS.get(code)
    if not (found and wanted and found.family == wanted.family and found.factor and wanted.factor):
        raise NoPlace(f"{value!r} cannot be written in {code}; enter it by hand")
    return _plain(str(Decimal(amount) * found.factor / wanted.factor)), code


def _plain(amount: str) -> str:
    """A number without the zeros that the export puts behind it (``500.0000``)."""
    try:
        number = Decimal(amount.strip())
    except InvalidOperation:
        return amount.strip()
    return f"{number.normalize():f}" if number.is_finite() else amount.strip()
