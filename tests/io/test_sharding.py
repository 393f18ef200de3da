"""Shards of a source are its products, each once and in order, wherever they are cut."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrex.errors import DataError
from attrex.io.readers import Products
from attrex.io.sharding import Shard, ShardedSource, sources_of
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.types import Product

SHOP = Shop(columns=ColumnMapping(attributes=("Color",)))
TABLE = 'id,title,Color\r\n1,"a cap\r\nof ""wool""",Red\r\n\r\n2,Ärmel,\r\n3,Mütze,Blau\r\n'


def read_both(path: Path, size: int, shop: Shop = SHOP) -> tuple[list[Product], list[Product], list[Shard]]:
    """The products of the whole file, those of its shards, and the shards."""
    source = ShardedSource.open(Products(path, shop=shop))
    shards = source.shards(0, size)
    return list(source.products), [p for shard in shards for p in source.read(shard)], shards


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_cut_where_a_row_ends(tmp_path: Path, encoding: str, size: int) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(TABLE.encode(encoding))
    whole, parts, shards = read_both(path, size)
    assert [(p.id, p.fields["title"], dict(p.table)) for p in parts] == [
        ("1", 'a cap\r\nof "wool"', {"Color": ("Red",)}),
        ("2", "Ärmel", {}),
        ("3", "Mütze", {"Color": ("Blau",)}),
    ]
    assert [p.number for p in parts] == [2, 5, 6]  # the lines in the file
    assert parts == whole
    assert [s.rows for s in shards] == {1: [1, 1, 1], 2: [2, 1], 3: [3]}[size]
    assert shards[-1].end == path.stat().st_size
    assert all(one.end == other.begin for one, other in pairwise(shards))


def test_rows_that_are_broken_are_marked_as_in_the_whole_table(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(
        b'id,title,Color\n1,c\xc3\xa4p\xc3\xb6,Red\n2,"open,Blue\n3,hat,Red\n4,too,many,cells\n5,\xff,Red\n6,short\n7,"a""b",Red'
    )
    whole, parts, _ = read_both(path, 1)
    assert [p.error is None for p in whole] == [True, False, True, False, False, True, True]
    said = [(p.id, (p.error or "").partition(", got")[0], p.warnings) for p in whole]
    assert [(p.id, (p.error or "").partition(", got")[0], p.warnings) for p in parts] == said


def test_a_row_that_is_too_long_takes_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrex.io.csv_cells.LONGEST_ROW", 100)
    path = tmp_path / "shop.csv"
    path.write_text("id,title,Color\n1," + "ä" * 500 + ",Red\n2,hat,Blue\n")
    whole, parts, shards = read_both(path, 1)
    assert [p.error is None for p in parts] == [False, True]
    assert [(p.id, p.error) for p in parts] == [(p.id, p.error) for p in whole]
    assert shards[-1].end == path.stat().st_size


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_json_are_cut_at_their_ends(tmp_path: Path, packed: bool) -> None:
    rows = ['{"id": 1, "title": "cap"}', "", "{broken", '{"title": "no id"}', '{"id": 1, "title": "twice"}']
    content = "\ufeff" + "\n".join(rows)
    path = tmp_path / ("shop.jsonl" + ".gz" * packed)
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    whole, parts, shards = read_both(path, 2, Shop())
    assert [p.id for p in parts] == ["1", "row-3", "row-4", "1"]
    assert [(p.id, p.fields, p.error, p.number) for p in parts] == [(p.id, p.fields, p.error, p.number) for p in whole]
    assert [s.rows for s in shards] == [2, 2]


def test_a_column_that_only_the_first_shard_has_is_no_fault_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text('{"id": 1, "title": "cap", "Color": "Red"}\n{"id": 2, "title": "hat"}\n')
    _, parts, _ = read_both(path, 1)
    assert [dict(p.table) for p in parts] == [{"Color": ("Red",)}, {}]


@pytest.mark.parametrize(
    ("groups", "size", "rows"),
    [
        ([3, 3, 3], 3, [3, 3, 3]),
        ([2, 2, 2], 4, [4, 2]),
        ([5], 2, [2, 2, 1]),
        ([1, 40], 2, [1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1]),  # sixteen pieces of a group at most
    ],
)
def test_parquet_is_cut_by_row_groups(tmp_path: Path, groups: list[int], size: int, rows: list[int]) -> None:
    path = tmp_path / "shop.parquet"
    number = iter(range(1, 100))
    schema = pa.schema([("id", pa.int64()), ("title", pa.string()), ("Color", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for count in groups:
            ids = [next(number) for _ in range(count)]
            writer.write_table(pa.table({"id": ids, "title": ["cap"] * count, "Color": ["Red"] * count}, schema))
    whole, parts, shards = read_both(path, size)
    assert [p.id for p in parts] == [str(n) for n in range(1, sum(groups) + 1)]
    assert parts == whole
    assert [s.rows for s in shards] == rows


def test_what_cannot_be_entered_in_its_middle_is_cut_by_products(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    path.write_text(json.dumps([{"id": n, "title": f"cap {n}", "Color": "Red"} for n in range(5)]))
    whole, parts, shards = read_both(path, 2)
    assert parts == whole
    assert [(s.begin, s.end) for s in shards] == [(0, 2), (2, 4), (4, 5)]


def test_a_packed_file_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl.gz"
    lines = "".join(json.dumps({"id": n, "title": f"cap {n * 7919}"}) + "\n" for n in range(300))
    path.write_bytes(gzip.compress(lines.encode())[:-300])
    whole, parts, _ = read_both(path, 60, Shop())
    assert whole[-1].error is not None
    assert [(p.id, p.error) for p in parts] == [(p.id, p.error) for p in whole]


def test_a_table_of_unknown_columns_is_read_by_them_in_every_shard(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("sku,name,material\n" + "".join(f"{n},cap {n},wool\n" for n in range(5)))
    whole, parts, shards = read_both(path, 2, Shop())
    assert [(p.id, p.fields, dict(p.table)) for p in parts] == [
        (str(n), {"title": f"cap {n}"}, {"material": ("wool",)}) for n in range(5)
    ]
    assert parts == whole
    assert len(shards) == 3


def test_a_shard_has_another_hash_when_its_rows_change_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"

    def hashes(text: str) -> list[str]:
        path.write_text(text)
        return [s.content for s in ShardedSource.open(Products(path, shop=SHOP)).shards(0, 1)]

    before = hashes("id,title,Color\n1,cap,Red\n2,hat,Red\n")
    assert hashes("id,title,Color\n1,cap,Red\n2,hat,Red\n3,new,Red\n")[:2] == before
    assert [a == b for a, b in zip(hashes("id,title,Color\n1,cap,Red\n2,hut,Red\n"), before, strict=True)] == [
        True,
        False,
    ]
    assert not set(hashes("id,Color,title\n1,cap,Red\n2,hat,Red\n")) & set(before)  # the same bytes mean something else


def test_files_of_a_folder_and_of_a_pattern_come_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "deep/c.jsonl", ".hidden.csv", "_SUCCESS", "notes.md", "part.csv.crc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("id,title\n")
    (tmp_path / "empty.csv").touch()
    names = [Path(n).relative_to(tmp_path).as_posix() for n in sources_of(tmp_path)]
    assert names == ["a.csv", "b.csv", "deep/c.jsonl"]
    assert [Path(n).name for n in sources_of(f"{tmp_path}/*.csv")] == [".hidden.csv", "a.csv", "b.csv"]
    assert [Path(n).name for n in sources_of(tmp_path, tmp_path / "deep")] == ["a.csv", "b.csv"]  # results are no input
    with pytest.raises(DataError, match=r"expected files that .*x\*\.csv matches, found none; check the path"):
        sources_of(f"{tmp_path}/x*.csv")


CELLS = st.text(st.sampled_from("a\",\n\r' ä"), max_size=6)


@settings(max_examples=25, deadline=None)
@given(lines=st.lists(CELLS, min_size=1, max_size=12), size=st.integers(1, 4), end=st.sampled_from(["\n", "\r\n", ""]))
def test_any_text_is_cut_into_the_rows_that_it_has(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, end: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "shop.csv"
    path.write_text(
        "id,title,Color\n1,cap,Red\n" + "\n".join(f"{n},{line}" for n, line in enumerate(lines)) + end, newline=""
    )
    whole, parts, shards = read_both(path, size)
    assert [(p.id, p.fields, p.table, p.number) for p in parts] == [(p.id, p.fields, p.table, p.number) for p in whole]
    assert [p.error is None for p in parts] == [p.error is None for p in whole]
    assert sum(s.rows for s in shards) == len(whole)
