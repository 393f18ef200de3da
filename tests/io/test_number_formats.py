"""What a spreadsheet program shows (ECMA-376 part 1, 18.8.31)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from attrex.io.number_formats import BUILT_IN, number_shown, text_shown

SINCE = datetime(1899, 12, 30, tzinfo=UTC)
ACCOUNTING = '_-* #,##0.00\\ [$€-407]_-;\\-* #,##0.00\\ [$€-407]_-;_-* "-"??\\ [$€-407]_-;_-@_-'


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (42, "00000", "00042"),
        (123456789, "000-00-0000", "123-45-6789"),
        (0.25, "0%", "25%"),
        (0.2567, "0.0 %", "25.7 %"),
        (2.5, "0", "3"),
        (3.1, "0.0##", "3.1"),
        (1234567, "#,##0", "1,234,567"),
        (1500000, '0.0,,"M"', "1.5M"),
        (1234.5, ACCOUNTING, "1,234.50 €"),
        (0, ACCOUNTING, "- €"),
        (1234.5, "[$$-409]#,##0.00", "$1,234.50"),
        (-3, "0.00;[Red](0.00)", "(3.00)"),
        (1.25, BUILT_IN[12], "1 1/4"),
        (18.25, '# ??/??"″"', "18 1/4″"),
        (0.375, "# ?/8", "3/8"),
        (2, "# ?/?", "2"),
        (12345, "0.00E+00", "1.23E+04"),
        (12345, "##0.0E+0", "12.3E+3"),
        (38, '"EU "0', "EU 38"),
        (7, '[<10]"low" 0;"high" 0', "low 7"),
        (45413, "dd.mm.yyyy", "01.05.2024"),
        (45413.375, "yyyy-mm-dd hh:mm", "2024-05-01 09:00"),
        (45413, "d-mmm-yy", "1-May-24"),
        (0.375, "h:mm AM/PM", "9:00 AM"),
        (1.5, "[h]:mm", "36:00"),
        (0.0004, "mm:ss.00", "00:34.56"),
        # The machine's order of a date, and months in another language
        (45413, BUILT_IN[14], "2024-05-01"),
        (45413.5, BUILT_IN[22], "2024-05-01 12:00:00"),
        (45413, "[$-407]d. mmmm yyyy", "2024-05-01"),
        (-1, "dd.mm.yyyy", "-1"),  # shown as #### in a cell
        (5, ";;;", ""),
        (5, '@" cm"', "5 cm"),
    ],
)
def test_a_number_is_shown_as_its_format_says(value: float, code: str, shown: str) -> None:
    assert number_shown(value, code, SINCE) == shown


def test_a_text_is_shown_as_the_formats_part_for_texts_says() -> None:
    assert [text_shown("x", code) for code in ("0.00", "@", '0;0;0;"Art. "@', '@" cm"', ";;;")] == [
        *("x", "x", "Art. x", "x cm", "")
    ]
