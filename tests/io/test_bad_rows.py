"""Rows that cannot be read are counted, also those that a damaged part of a file has lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrex.errors import ConfigError
from attrex.io.bad_rows import BadRowLimit, RowTally
from attrex.io.readers import Products


def lines(count: int, *bad: int) -> bytes:
    return b"".join(
        b"{broken\n" if n in bad else json.dumps({"id": str(n), "title": f"Boots {n}"}).encode() + b"\n"
        for n in range(1, count + 1)
    )


def tally(path: Path, **options: int) -> RowTally:
    products = Products(path, **options)  # type: ignore[arg-type]
    list(products)
    return products.tally


def test_rows_are_counted_with_the_first_three_reasons(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(200, 7, 110, 120, 130))
    found = tally(path)
    assert (found.rows, found.unreadable, found.damaged) == (200, 4, 0)
    assert [reason.split(":")[0] for reason in found.reasons] == [f"a.jsonl line {n}" for n in (7, 110, 120)]


def test_a_row_without_text_cannot_be_read_either(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,title,color\n1,Boots,red\n2,,\n")
    path = tmp_path / "b.jsonl"
    path.write_text('{"id": "1", "title": "Boots"}\n{"id": "2"}\n')
    assert (tally(path).rows, tally(path).unreadable) == (2, 1)


def test_only_what_is_read_is_counted_and_every_pass_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(50, 20))
    assert tally(path, limit=19) == RowTally(19)
    products = Products(path)
    list(products)
    list(products)
    assert (products.tally.rows, products.tally.unreadable) == (50, 1)


@pytest.mark.parametrize("end", [0.5, 0.99])
def test_a_cut_gzip_is_a_damaged_part(tmp_path: Path, end: float) -> None:
    packed = gzip.compress(lines(20_000))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed[: int(len(packed) * end)])
    found = tally(path)
    assert found.damaged == 1
    assert "the file is damaged here and cannot be read further" in found.reasons[0]
    assert BadRowLimit().is_exceeded(found)


def test_json_lines_that_end_within_a_line_are_a_damaged_part(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(1000)[:-5])
    found = tally(path)
    assert (found.rows, found.unreadable, found.damaged) == (1000, 1, 1)
    path.write_bytes(lines(1000).removesuffix(b"\n"))  # this one is whole
    assert tally(path) == RowTally(1000)


def damage(path: Path, group: int) -> None:
    """Overwrite the pages of a row group."""
    column = pq.read_metadata(path).row_group(group).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


def parquet(path: Path) -> Path:
    table = pa.table({"id": [str(n) for n in range(1, 1001)], "title": [f"Boots {n}" for n in range(1, 1001)]})
    pq.write_table(table, path, row_group_size=400)
    return path


def test_a_damaged_row_group_of_parquet_counts_as_its_rows_and_the_others_are_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    assert tally(path) == RowTally(1000)
    damage(path, 1)
    products = Products(path)
    read = list(products)
    assert [p.id for p in read] == [
        *map(str, range(1, 401)),
        "row-401",
        *map(str, range(801, 1001)),
    ]
    assert read[400].error.startswith("a.parquet row 401: expected rows up to 800, got: ")
    found = products.tally
    assert (found.rows, found.unreadable, found.damaged) == (1000, 400, 1)


def test_damage_in_the_last_row_group_is_counted_too(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    damage(path, 2)
    found = tally(path)
    assert (found.rows, found.unreadable, found.damaged) == (1000, 200, 1)


def test_a_page_of_parquet_whose_checksum_is_wrong_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    titles = [f"Boots {n}" for n in range(1000)]
    table = pa.table({"id": titles, "title": titles})
    pq.write_table(table, path, row_group_size=500, compression="none", use_dictionary=False, write_page_checksum=True)
    path.write_bytes(path.read_bytes().replace(b"Boots 600", b"Boots 6OO"))  # a bit or two; still text
    found = tally(path)
    assert (found.rows, found.unreadable, found.damaged) == (1000, 500, 1)


@pytest.mark.parametrize(
    ("rows", "unreadable", "ids"),
    [
        (['1,"Boots,red', '2,Hat 10",blue', "3,Cap,green"], 2, ["row-2", "3"]),  # a quote left open, and an inch
        (['1,"Boots,red', "2,Hat,blue", "3,Cap,green"], 1, ["row-2", "2", "3"]),  # never closed: its line is lost
        (['1,Boots,"soft, warm', 'and dry"', "2,Hat,blue"], 0, ["1", "2"]),  # a text with a line break
        (['1,Boots,"soft, warm', 'light, cheap, dry"', "2,Hat,blue"], 0, ["1", "2"]),
    ],
)
def test_the_rows_that_a_stray_quote_swallows_are_counted(
    tmp_path: Path, rows: list[str], unreadable: int, ids: list[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["id,title,text", *rows]) + "\n")
    products = Products(path)
    assert [p.id for p in products] == ids
    assert products.tally.unreadable == unreadable


# --- the limit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "tally", "exceeded"),
    [
        (None, RowTally(100, 1), False),
        (None, RowTally(100, 2), True),
        (None, RowTally(1_000_000, 1, 1), True),
        (None, RowTally(0), False),
        ("0", RowTally(1000, 1), True),
        ("0", RowTally(1000, 0), False),
        (3, RowTally(10, 3), False),
        ("3", RowTally(1000, 4), True),
        ("3", RowTally(1000, 1, 1), True),
        ("50%", RowTally(10, 5), False),
        ("50 %", RowTally(10, 6), True),
        ("0.5%", RowTally(1000, 5), False),
        ("0.5%", RowTally(1000, 6), True),
        ("99%", RowTally(1000, 1, 1), True),
        ("100%", RowTally(10, 10, 1), False),
    ],
)
def test_the_limit(limit: str | int | None, tally: RowTally, exceeded: bool) -> None:
    assert BadRowLimit.parse(limit).is_exceeded(tally) is exceeded


@pytest.mark.parametrize("text", ["", "many", "-1", "5 rows", "101%", "1.5", "%", "1e3", "nan", "١"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(ConfigError, match="max_bad_rows should be a number of rows such as 20, or a share such as 5%"):
        BadRowLimit.parse(text)
