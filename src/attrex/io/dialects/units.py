"""Units as platforms code them, and the symbols that texts use for them."""

from __future__ import annotations

COMMON_CODES = {
    **{"MMT": "mm", "CMT": "cm", "DMT": "dm", "MTR": "m", "KMT": "km", "INH": "in", "FOT": "ft", "YRD": "yd"},
    **{"MGM": "mg", "GRM": "g", "KGM": "kg", "TNE": "t", "ONZ": "oz", "LBR": "lb"},
    **{"MLT": "ml", "CLT": "cl", "DLT": "dl", "LTR": "l", "MTQ": "m³", "CMQ": "cm³", "MMQ": "mm³", "DMQ": "dm³"},
    **{"MMK": "mm²", "CMK": "cm²", "MTK": "m²", "INK": "in²", "FTK": "ft²"},
    **{"VLT": "V", "2Z": "mV", "KVT": "kV", "AMP": "A", "4K": "mA", "WTT": "W", "KWT": "kW", "MAW": "MW", "D46": "VA"},
    **{"OHM": "Ω", "WHR": "Wh", "KWH": "kWh", "AMH": "Ah", "E09": "mAh", "FAR": "F", "4O": "µF"},
    **{"HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz", "A86": "GHz"},
    **{"CEL": "°C", "FAH": "°F", "KEL": "K", "DD": "°", "P1": "%", "2N": "dB", "LUM": "lm", "CDL": "cd", "LUX": "lx"},
    **{"C26": "ms", "SEC": "s", "MIN": "min", "HUR": "h", "DAY": "d", "ANN": "a"},
    **{"BAR": "bar", "PAL": "Pa", "KPA": "kPa", "MPA": "MPa", "NEW": "N", "NU": "Nm", "JOU": "J", "KJO": "kJ"},
    **{"MTS": "m/s", "KMH": "km/h", "RPM": "1/min", "GM": "g/m²", "AD": "B", "2P": "kB", "4L": "MB", "E34": "GB"},
    **{"C62": "", "H87": "", "PCE": "", "PCS": "", "EA": ""},  # pieces: a number alone
}
"""UN/ECE Recommendation 20 (2021, annexes II and III): common code -> symbol. BMEcat's FUNIT and JSON-LD's unitCode."""


def with_unit(number: str, unit: str) -> str:
    """A number and its unit as a text says them; a unit that is no common code is one already."""
    symbol = COMMON_CODES.get(unit.strip().upper(), unit.strip())
    return f"{number} {symbol}".strip() if number else ""
