"""Jobs whose files lie in a store: a local S3 server, which keeps them in memory."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import attrex
from attrex.demo.catalogue import DrawnProduct
from attrex.errors import ConfigError, DataError
from attrex.io import remote
from attrex.io.confinement import OutsideError
from attrex.io.remote_photos import RemotePhotos, ahead
from attrex.jobs.folder import folder_of

pytestmark = pytest.mark.usefixtures("quick_to_load")
OPTIONS: dict[str, Any] = {"workers": 0, "shard_rows": 3, "min_confidence": 0.0}
SHOP = "s3://shop/catalogue"


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'attrex[s3]'")
    moto = pytest.importorskip("moto.server", reason="moto's server is not installed: pip install 'attrex[dev]'")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
        running.stop()


@pytest.fixture
def store(server: None) -> Iterator[Any]:
    """An empty bucket `shop`, as fsspec sees it."""
    import s3fs

    fs = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    fs.mkdir("shop")
    yield fs
    fs.rm("shop", recursive=True)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, drawn: list[DrawnProduct]) -> Path:
    """A file of each way to be cut, and photos; one photo lies outside of them."""
    folder = tmp_path_factory.mktemp("shop") / "catalogue"
    (folder / "photos").mkdir(parents=True)
    rows = []
    for n, product in enumerate(d.product for d in drawn[:12]):
        (photo,) = product.images[:1]
        (folder / "photos" / f"{n}.png").write_bytes(photo if isinstance(photo, bytes) else photo.read_bytes())
        rows.append({"id": product.id, **product.fields, "image": f"photos/{n}.png"})
    rows[1]["image"] = "photos/none.png"
    rows[2]["image"] = "../secret.png"
    (folder.parent / "secret.png").write_bytes((folder / "photos" / "0.png").read_bytes())
    lines = [json.dumps(row) for row in rows]
    (folder / "1.jsonl").write_text("\n".join([*lines[:4], "{broken"]) + "\n")
    (folder / "2.json").write_text(json.dumps(rows[4:8]))
    pq.write_table(pa.Table.from_pylist(rows[8:]), folder / "3.parquet", row_group_size=2)
    (folder / "_SUCCESS.csv").write_text("not,data\n1,2\n")
    return folder


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("here") / "results"


def files_of(store: Any) -> dict[str, bytes]:
    found = store.cat(store.glob("shop/results/part-*") + store.glob("shop/results/errors/*"))
    return {name.removeprefix("shop/results/"): content for name, content in found.items()}


def found_in(part: bytes) -> list[dict[str, Any]]:
    """The rows of a part, but for what names a photo: its path, or its bytes."""
    return [json.loads(line) | {"warnings": None, "content": None} for line in part.splitlines()]


def test_a_job_in_a_store_is_the_same_as_on_this_machine(
    store: Any, catalogue: Path, here: Path, model_dir: Path, tmp_path: Path
) -> None:
    if not here.exists():
        attrex.run(model_dir, catalogue, here, **OPTIONS)
    store.put(str(catalogue), "shop", recursive=True)
    store.pipe_file("shop/catalogue/empty.csv", b"")
    store.pipe_file("shop/catalogue/", b"")  # as consoles make a folder
    store.cp_file("shop/catalogue/photos/0.png", "shop/secret.png")
    result = attrex.run(model_dir, SHOP, "s3://shop/results", **OPTIONS)
    assert (result.shards, result.rows, result.tally.unreadable) == (6, 13, 1)
    of_here = {p.relative_to(here).as_posix(): p.read_bytes() for p in [*here.glob("part-*"), *here.glob("errors/*")]}
    of_store = files_of(store)
    assert {n: found_in(c) for n, c in of_store.items()} == {n: found_in(c) for n, c in of_here.items()}
    warnings = [
        w for n in sorted(of_store)[1:] for row in of_store[n].splitlines() for w in json.loads(row)["warnings"]
    ]
    assert warnings[0].startswith("image: 's3://shop/catalogue/photos/none.png': expected a file, but there is none")
    assert "got '../secret.png', which leads out of it" in warnings[1]
    assert len(warnings) == 2
    again = attrex.run(model_dir, "s3://shop/catalogue/*.j*", "s3://shop/results2", **OPTIONS)
    assert again.rows == 9

    # merged, here and there
    merged = attrex.merge("s3://shop/results", tmp_path / "all.jsonl", errors=tmp_path / "errors.jsonl")
    attrex.merge("s3://shop/results", "s3://shop/all.jsonl", errors="s3://shop/errors.jsonl")
    assert (merged.rows, merged.bad_rows) == (13, 1)
    assert store.cat_file("shop/all.jsonl") == (tmp_path / "all.jsonl").read_bytes()
    assert store.cat_file("shop/errors.jsonl") == (tmp_path / "errors.jsonl").read_bytes()

    # what is lost is done again, and nothing else
    before = files_of(store)
    store.rm_file("shop/results/part-000003.jsonl")
    with pytest.raises(DataError, match=r"6 finished shards, but 1 are missing, the first is shard 3"):
        attrex.merge("s3://shop/results", tmp_path / "all.jsonl")
    assert attrex.run(model_dir, SHOP, "s3://shop/results", **OPTIONS).skipped == 5
    assert files_of(store) == before
    store.pipe_file("shop/catalogue/1.jsonl", b'{"id": 1, "title": "cap"}\n')
    with pytest.raises(DataError, match="the input has changed"):
        attrex.run(model_dir, SHOP, "s3://shop/results", **OPTIONS)


def test_photos_are_fetched_below_the_address_that_was_given_and_nowhere_else(store: Any, catalogue: Path) -> None:
    store.put(str(catalogue), "shop", recursive=True)
    photo = (catalogue / "photos" / "0.png").read_bytes()
    for key in ("secret.png", "catalogue/photos-2/0.png"):
        store.pipe_file(f"shop/{key}", photo)
    photos = RemotePhotos.below("s3://shop/catalogue/photos/")
    assert photos.find("0.png") == photo
    assert photos.find("./../photos/0.png") == photo
    assert photos.at_address("s3://shop/catalogue/photos/0.png") == photo
    for name in ("../../secret.png", "/shop/secret.png", "//shop/secret.png", "../photos-2/0.png", "..", ""):
        with pytest.raises(OutsideError):
            photos.find(name)
    for address in ("s3://shop/secret.png", "s3://shop/catalogue/photos/../../secret.png", "gs://shop/0.png"):
        with pytest.raises(OutsideError):
            photos.at_address(address)
    with pytest.raises(DataError, match="expected a file, but there is none"):
        photos.find("none.png")
    with pytest.raises(DataError, match="attrex photos"):
        photos.at_address("https://example.com/0.png")
    store.pipe_file("shop/catalogue/photos/empty.png", b"")
    assert photos.find("empty.png") == b""


def test_what_attrex_photos_has_downloaded_is_found_in_a_store(store: Any) -> None:
    name = f"ab/{'0' * 64}.png"
    store.pipe_file(f"shop/photos/{name}", b"png")
    line = {"address": "https://example.com/0.png", "file": name, "bytes": 3}
    store.pipe_file("shop/photos/addresses.jsonl", json.dumps(line).encode() + b"\n")
    assert RemotePhotos.below("s3://shop/photos").at_address("https://example.com/0.png") == b"png"


def test_addresses_in_data_open_nothing(model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "filesystem", lambda address: pytest.fail(f"{address} is opened"))
    path = tmp_path / "shop.jsonl"
    path.write_text('{"id": 1, "title": "cap", "image": "s3://shop/1.png"}\n')
    attrex.run(model_dir, path, tmp_path / "out", allow_outside=True, **OPTIONS)
    (row,) = map(json.loads, (tmp_path / "out" / "part-000000.jsonl").read_text().splitlines())
    assert "got the address 's3://shop/1.png'" in row["warnings"][0]


def test_a_part_that_is_not_whole_is_not_there(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    folder = folder_of("s3://shop/results")
    with folder.publish("part-000000.jsonl") as path:
        path.write_text("whole")
    with pytest.raises(ZeroDivisionError), folder.publish("part-000000.jsonl") as path:
        path.write_text("ha" * (1 // 0))

    async def breaks_off(fs: Any, *arguments: Any, **options: Any) -> None:
        raise ConnectionResetError("the network is gone")

    monkeypatch.setattr(s3fs.S3FileSystem, "_upload_file_part_concurrent", breaks_off)
    with (
        pytest.raises(DataError, match=r"s3://shop/results/part-000000\.jsonl': .* the network is gone"),
        folder.publish("part-000000.jsonl") as path,
    ):
        path.write_bytes(bytes(101 * 2**20))  # in several parts
    assert store.cat_file("shop/results/part-000000.jsonl") == b"whole"
    assert store.find("shop") == ["shop/results/part-000000.jsonl"]


def test_where_parts_can_be_seen_they_are_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on HDFS."""
    monkeypatch.setitem(remote.PACKAGES, "file", ("fsspec", ""))
    monkeypatch.setattr(remote, "_RENAMED", ("file",))
    folder = folder_of(f"file://{tmp_path}/results")
    for text in ("once", "twice"):
        with folder.publish("errors/part-000000.jsonl") as path:
            path.write_text(text)
    (only,) = (p for p in tmp_path.rglob("*") if p.is_file())
    assert (only.name, only.read_text()) == ("part-000000.jsonl", "twice")
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.mv", lambda *paths, **how: 1 / 0)
    with pytest.raises(DataError, match="ZeroDivisionError"), folder.publish("part-000001.jsonl") as path:
        path.write_text("half")
    assert "part-000001.jsonl" not in folder.sizes("part-*")


def test_lines_of_a_manifest_are_files_of_their_own(store: Any) -> None:
    folder = folder_of("s3://shop/results/")
    folder.append("manifest.jsonl", '{"shard": 0}')
    folder.append("manifest.2-of-3.jsonl", '{"shard": 1}')
    assert sorted(line for _, line in folder.lines("manifest*.jsonl")) == [b'{"shard": 0}', b'{"shard": 1}']
    folder.remove("nothing.jsonl")


def test_sql_reads_a_job_in_a_store(store: Any, catalogue: Path, model_dir: Path) -> None:
    pytest.importorskip("duckdb", reason="duckdb is not installed: pip install 'attrex[duckdb]'")
    from attrex.integrations.duckdb import results

    attrex.run(model_dir, catalogue / "1.jsonl", "s3://shop/values", form="wide", **OPTIONS | {"photos": False})
    assert results("s3://shop/values").aggregate("count(*)").fetchall() == [(5,)]


def test_a_file_that_changes_under_way_is_told_of(store: Any) -> None:
    store.pipe_file("shop/new.csv", b"id,title\n1,cap\n")
    file = remote.RemoteFile.at("s3://shop/new.csv")
    assert file.open().read() == b"id,title\n1,cap\n"
    store.pipe_file("shop/new.csv", b"id,title\n1,hat\n")
    with pytest.raises(DataError, match="was changed while it was read"):
        file.open()
    with pytest.raises(DataError, match=r"s3://shop/none\.csv': expected a file or a folder, found nothing there"):
        remote.RemoteFile.at("s3://shop/none.csv")


def test_errors_name_the_address_and_not_its_copy(store: Any, model_dir: Path, tmp_path: Path) -> None:
    store.pipe_file("shop/new.csv", b"name,name\n1,2\n")
    with pytest.raises(DataError, match=r"^s3://shop/new\.csv: expected column names that differ"):
        attrex.run(model_dir, "s3://shop/new.csv", tmp_path / "out", **OPTIONS)
    with pytest.raises(DataError, match=r"expected files of data at s3://shop/\*\.xml"):
        attrex.run(model_dir, "s3://shop/*.xml", tmp_path / "out", **OPTIONS)
    with pytest.raises(ConfigError, match=r"out should be a folder, but s3://shop/new\.csv is a file"):
        attrex.run(model_dir, "s3://shop/new.csv", "s3://shop/new.csv", **OPTIONS)
    with pytest.raises(ConfigError, match="images should be a directory, or an address"):
        attrex.run(model_dir, "s3://shop/new.csv", tmp_path / "out", images=tmp_path / "none", **OPTIONS)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(address: str) -> Any:
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacks)
    with pytest.raises(DataError, match=r"the package gcsfs, which is not installed: pip install 'attrex\[gs\]'"):
        remote.filesystem("gs://shop/new.csv")


def test_work_ahead_keeps_the_order() -> None:
    assert list(ahead(lambda n: n * n, iter(range(50)), 4)) == [n * n for n in range(50)]
    assert list(ahead(str, [], 4)) == []
