from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attrex.errors import DataError, printable
from attrex.io.products import write_products, write_rows
from attrex.io.readers import read_products
from attrex.io.resumable import ResumableWriter
from attrex.types import Product, Span

words = st.text(max_size=20)
names = st.text(min_size=1, max_size=8)
cells = st.from_regex(r"[a-m]{1,6}( [a-m]{1,6})?", fullmatch=True).filter(lambda w: w != "na")


@st.composite
def drawn_products(draw) -> Product:
    texts = draw(st.dictionaries(names, words, max_size=3))
    spans = []
    for field in (f for f, t in texts.items() if t):
        start = draw(st.integers(0, len(texts[field]) - 1))
        end = draw(st.integers(start + 1, len(texts[field])))
        spans.append(Span(draw(names), start, end, texts[field][start:end], field, draw(st.none() | words)))
    return Product(
        id=draw(names),
        fields=texts,
        images=tuple(draw(st.lists(st.binary(min_size=1, max_size=5), max_size=2))),
        category=draw(st.none() | cells),
        table=draw(st.dictionaries(names, st.lists(cells, max_size=3, unique=True).map(tuple), max_size=3)),
        spans=draw(st.sampled_from([None, tuple(spans)])),
        complete=draw(st.booleans()),
        group=draw(st.none() | names),
        warnings=tuple(map(printable, draw(st.lists(words, max_size=2)))),
        error=draw(st.none() | names),
    )


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(drawn_products(), min_size=1, max_size=3, unique_by=lambda p: p.id))
def test_what_is_written_reads_back_equal(tmp_path, products):
    assert write_products(tmp_path / "out.jsonl", products) == len(products)
    assert list(read_products(tmp_path / "out.jsonl", allow_outside=True)) == products


def test_image_paths_are_relative_to_the_file_where_they_can_be(tmp_path):
    path = tmp_path / "out" / "a.jsonl"
    inside, outside = tmp_path / "out" / "images" / "1.jpg", tmp_path / "2.jpg"
    product = Product("1", {"text": "a"}, (inside, outside))
    write_products(path, [product])
    row = json.loads(path.read_text(encoding="utf-8"))
    assert row == {"id": "1", "text": "a", "images": ["images/1.jpg", str(outside)], "attributes": {}}
    assert list(read_products(path, allow_outside=True)) == [product]


def test_half_a_character_can_be_written(tmp_path):
    write_products(tmp_path / "a.jsonl", [Product("1", {"text": "x\ud83d"})])
    assert next(read_products(tmp_path / "a.jsonl")).fields["text"] == "x\ufffd"


# --- a file is whole or not there ----------------------------------------------------------------------------------


def interrupted_rows() -> Iterator[dict[str, str]]:
    yield {"id": "1", "text": "x" * 100_000}  # more than any buffer holds
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_an_interrupt_leaves_no_half_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_rows(tmp_path / name, interrupted_rows())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_rows(path, [{"id": "0"}])
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, interrupted_rows())
    assert path.read_text(encoding="utf-8") == '{"id": "0"}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_may_be_written_over_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    products = [Product(str(i), {"text": "a"}) for i in range(300)]
    write_products(path, products)
    write_products(path, read_products(path))
    assert list(read_products(path)) == products


def test_a_packed_file_knows_its_own_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl.gz", [])
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == b""
    assert b"a.jsonl\0" in packed  # what `gunzip -N` calls it


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "real.jsonl")
    write_rows(link, [{"id": "1"}])
    assert link.is_symlink()
    assert (tmp_path / "real.jsonl").read_text(encoding="utf-8") == '{"id": "1"}\n'


def test_a_directory_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a file to write, got a directory; name a file in it"):
        write_rows(tmp_path, [])


# --- rows that are kept when a job is killed -----------------------------------------------------------------------


def row_file(path: Path, **options: object) -> ResumableWriter:
    return ResumableWriter(path, what="reading", key="attributes", **options)  # type: ignore[arg-type]


def row(name: str) -> dict[str, object]:
    return {"id": name, "attributes": {}, "text": "cut \ud83d emoji"}


def products(*names: str) -> list[Product]:
    return [Product(n, {"title": "a"}) for n in names]


@pytest.mark.parametrize("name", ["new/a.jsonl", "new/a.jsonl.gz"])
def test_rows_of_an_interrupted_job_are_kept_and_the_file_ends_the_same(tmp_path: Path, name: str) -> None:
    def interrupted() -> Iterator[dict[str, object]]:
        yield row("1")
        raise KeyboardInterrupt

    path = tmp_path / name
    with pytest.raises(KeyboardInterrupt):
        row_file(path).append(interrupted())
    part = path.with_name(f"{path.name}.part")
    with part.open("ab") as stream:
        stream.write(b'{"id": "2", "attr')  # as a kill may leave it
    with pytest.raises(DataError, match=r"\.part is an unfinished reading; resume it, or delete it"):
        row_file(path)
    counted: list[object] = []
    file = row_file(path, resume=True, count=lambda r: counted.append(r["id"]))
    assert [p.id for p in file.remaining(products("1", "2", "3"))] == ["2", "3"]
    file.append([row("2"), row("3")])
    assert counted == ["1", "2", "3"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    write_rows(tmp_path / f"whole-{path.name}", map(row, "123"))
    unpack = gzip.decompress if path.suffix == ".gz" else bytes
    assert unpack(path.read_bytes()) == unpack((tmp_path / f"whole-{path.name}").read_bytes())
    assert row_file(path, resume=True).finished
    assert not row_file(path).finished  # without resume it is made again


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([row("1"), row("x")], r"made from other products: its row 2 is 'x', but the input has product '2' there"),
        ([row("1"), row("2"), row("3")], r"its row 3 is '3', but the input has the end there; resume with the same"),
        (
            [{"id": "1", "values": []}],
            r"line 1: expected a row of an unfinished reading, with the key 'attributes', got",
        ),
        ([row("1"), 5], r"line 2: expected a row .* got b'5\\n'; delete the file to start again"),
    ],
)
def test_kept_rows_that_do_not_fit_are_refused(tmp_path: Path, lines: list[object], said: str) -> None:
    (tmp_path / "a.jsonl.part").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        row_file(tmp_path / "a.jsonl", resume=True).remaining(products("1", "2"))


def test_kept_rows_finish_what_a_link_points_to_as_the_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl.gz").symlink_to(tmp_path / "real")
    row_file(tmp_path / "link.jsonl.gz").append([{"id": "1"}])
    assert (tmp_path / "link.jsonl.gz").is_symlink()
    assert gzip.decompress((tmp_path / "real").read_bytes()) == b'{"id": "1"}\n'
