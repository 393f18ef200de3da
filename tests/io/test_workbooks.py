"""Tables in XLSX files, as a person sees them."""

from __future__ import annotations

from datetime import datetime

import openpyxl
import pytest

from attrex.io.files import file_rows
from attrex.io.workbooks import sheet_form, shown


def test_the_first_sheet_with_a_header_is_read_below_its_title(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["Read me"])
    sheet = book.create_sheet("Products")
    for row in (["Products of 2026"], [], ["sku", "title", "ean", "text"], ["A1", "Cap", 4006381333931, None]):
        sheet.append(row)
    sheet.append([None, None, None, None])
    sheet.append([12, "Hat", "x", "two_x000D_\nlines"])
    book.save(tmp_path / "a.xlsx")
    form = sheet_form(tmp_path / "a.xlsx")
    assert (form.sheet, form.passed, form.others) == ("Products", "Products of 2026", ("Notes",))
    first, second = file_rows(tmp_path / "a.xlsx")
    assert (first.number, first.values) == (4, {"sku": "A1", "title": "Cap", "ean": "4006381333931", "text": ""})
    assert (second.number, second.values) == (6, {"sku": "12", "title": "Hat", "ean": "x", "text": "two\r\nlines"})


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (5.0, "General", "5"),
        (0.1 + 0.2, "General", "0.3"),
        (4006381333931.0, "General", "4006381333931"),
        (1e21, "General", "1000000000000000000000"),
        (1.5, "0.00", "1.50"),
        (42, "00000", "00042"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0.25, "0%", "25%"),
        (12.5, '0.0 "cm"', "12.5 cm"),
        (-3, "0;[Red]-0", "-3"),
        (True, "General", "TRUE"),
        (None, "General", ""),
        (datetime(2026, 1, 2), "dd.mm.yyyy", "02.01.2026"),
        (datetime(2026, 1, 2), "mmm yy", "2026-01-02"),
    ],
)
def test_a_cell_is_the_text_that_it_shows(value, number_format, text):
    assert shown(value, number_format) == text


def test_a_cell_with_an_error_is_blank_and_told(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["id", "title"])
    book.active.append(["1", "#N/A"])
    book.active["B2"].data_type = "e"
    book.save(tmp_path / "a.xlsx")
    (row,) = file_rows(tmp_path / "a.xlsx")
    assert row.values == {"id": "1", "title": ""}
    assert row.warnings == ("a.xlsx row 2: a cell shows #N/A; it is read as blank",)
