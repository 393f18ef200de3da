"""Files are whole or not there, and one process at a time writes them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from attrex.errors import DataError
from attrex.io.atomic import atomic_directory, atomic_path, atomic_write, exclusive_lock, write_json, write_text


def test_a_file_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with atomic_write(path) as file:
        file.write("new\n")
        assert not path.exists()
    assert path.read_text() == "new\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]  # neither part nor lock stays


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(stop):
        _write_half(path, stop)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def _write_half(path: Path, stop: type[BaseException]) -> None:
    with atomic_write(path) as file:
        file.write("half")
        raise stop


def test_a_killed_writer_leaves_the_old_file_and_no_lock_behind_that_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    killed = "import os, sys; from pathlib import Path; from attrex.io.atomic import atomic_write\n"
    killed += f"with atomic_write(Path({str(path)!r})) as file: file.write('half'); file.flush(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == 9
    assert json.loads(path.read_text()) == {"old": 1}
    write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"new": 2}


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as file:
        file.write("first")
        with pytest.raises(DataError, match=r"another process is writing .*a\.txt just now; wait for it"):
            write_text(path, "second")
    assert path.read_text() == "first"


def test_a_link_stays_a_link_and_a_packed_file_is_packed(tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "target.txt")
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "target.txt").read_text() == "new"
    with atomic_write(tmp_path / "a.jsonl.gz") as file:
        file.write("row\n")
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == b"row\n"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="expected a file to write, got a directory; name a file in it"),
        atomic_path(tmp_path),
    ):
        pass


def test_a_lock_can_be_taken_again_after_it_was_released(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive_lock(tmp_path / "a"):
            assert (tmp_path / "a.lock").exists()
    assert not (tmp_path / "a.lock").exists()


def test_a_directory_takes_the_place_of_another_whole(tmp_path: Path) -> None:
    path = tmp_path / "export"
    for content in ("old", "new"):
        with atomic_directory(path) as part:
            part.mkdir()
            (part / "a.txt").write_text(content)
        assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["export", "export/a.txt"]
        assert (path / "a.txt").read_text() == content
    with pytest.raises(KeyboardInterrupt):
        _fill_half(path)
    assert [p.name for p in tmp_path.iterdir()] == ["export"]
    assert (path / "a.txt").read_text() == "new"


def _fill_half(path: Path) -> None:
    with atomic_directory(path) as part:
        part.mkdir()
        raise KeyboardInterrupt


def test_a_directory_that_a_kill_left_aside_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "export"
    aside = tmp_path / "export.part.old"
    aside.mkdir()
    (aside / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _fill_half(path)
    assert (path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["export"]
