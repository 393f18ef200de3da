"""Commands that are killed at any moment, and disks that are full: what was there stays whole, and what follows works.

The commands that need a model are tried where ``ATTREX_MODEL`` names one (``attrex demo`` makes one).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from .conftest import Tally, tries

MODEL = os.environ.get("ATTREX_MODEL", "")
WITH_MODEL = ("extract", "report", "export")


def attrex(folder: Path, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from attrex.cli import main; main()", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


def commands(folder: Path) -> dict[str, list[str]]:
    """Each writes ``out.*``, from the files of :func:`prepared`."""
    known = {
        "locate": ["locate", "rows.jsonl", "--out", "out.jsonl"],
        "fill": ["fill", "rows.jsonl", "values.jsonl", "--out", "out.csv", "--changes", "out-changes.csv"],
        "extract": ["extract", MODEL, "rows.jsonl", "--out", "out.jsonl", "--resume"],
        "report": ["report", MODEL, "rows.jsonl", "--out", "out.html"],
        "export": ["export", MODEL, "--out", "out"],
    }
    return {name: one for name, one in known.items() if MODEL or name not in WITH_MODEL}


def prepared(folder: Path, rows: int = 3000) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "rows.jsonl").open("w") as products, (folder / "values.jsonl").open("w") as values:
        for number in range(rows):
            cells = {"Color": ["Blue"]} if number % 2 else {}
            row = {"id": str(number), "title": f"Blue suede shoe {number}", "attributes": cells}
            source = {"field": "title", "start": 0, "end": 4, "text": "Blue"}
            found = {"attribute": "Color", "value": "Blue", "confidence": 0.9, "source": source, "regions": []}
            products.write(json.dumps(row) + "\n")
            values.write(json.dumps({"id": str(number), "values": [found], "range": {}}) + "\n")
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("out*")) if p.is_file()}


def finished(folder: Path, arguments: list[str], **options: object) -> tuple[int, str]:
    process = attrex(folder, *arguments, **options)
    said = process.communicate()[1].decode("utf-8", "replace")
    return process.returncode, said


@pytest.mark.parametrize("name", commands(Path()))
def test_kills_of(name: str, tmp_path: Path, tally: Tally, random: Random) -> None:
    arguments = commands(tmp_path)[name]
    whole = prepared(tmp_path / "whole")
    began = time.monotonic()
    code, said = finished(whole, arguments)
    seconds, expected = time.monotonic() - began, outputs(whole)
    assert code == 0, said
    folder = prepared(tmp_path / "killed")
    for number in range(tries(30)):

        def kill(number: int = number) -> None:
            process = attrex(folder, *arguments)
            time.sleep(random.uniform(0.3, 1.0) * seconds)
            process.kill()
            process.communicate()
            kept = {n: c for n, c in outputs(folder).items() if n in expected and ".part" not in n}
            assert all(content == expected[n] for n, content in kept.items()), "half a file has its name"
            if number % 5 == 4:  # and what comes after the kill is as if there had been none
                code, said = finished(folder, arguments)
                assert code == 0, said
                assert {n: c for n, c in outputs(folder).items() if n in expected} == expected
                for path in folder.glob("out*"):
                    path.unlink() if path.is_file() else None

        tally.try_one(f"{name} {number}", kill)
    tally.check()


def of_a_size(folder: Path, most: int) -> dict[str, object]:
    """Files of the process end after so many bytes, as with a quota."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))}


def mounted(folder: Path, options: str) -> Callable[[], None]:
    """A small disk in memory; skips where nothing can be mounted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    return lambda: subprocess.run(["umount", str(folder)], check=True) and None


@pytest.mark.parametrize("disk", ["quota", "bytes", "files"])
@pytest.mark.parametrize("name", ["locate", "fill"])
def test_full_disks(name: str, disk: str, tmp_path: Path, tally: Tally) -> None:
    source = prepared(tmp_path / "source")
    folder = tmp_path / "disk"
    free = mounted(folder, {"bytes": "size=64k", "files": "nr_inodes=4"}[disk]) if disk != "quota" else lambda: None
    folder.mkdir(exist_ok=True)
    arguments = [
        str(source / a) if a.startswith(("rows", "values")) else str(folder / a) if a.startswith("out") else a
        for a in commands(tmp_path)[name]
    ]
    out = Path(arguments[arguments.index("--out") + 1])
    out.write_text("what was there")
    if disk == "files":
        for number in range(4):
            try:
                (folder / f"full-{number}").touch()
            except OSError:
                break

    def fill_up() -> None:
        code, said = finished(source, arguments, **(of_a_size(folder, 40_000) if disk == "quota" else {}))
        assert code == 2, (code, said)
        assert "Traceback" not in said
        assert out.read_text() == "what was there"
        assert not list(folder.glob("*.part"))

    try:
        tally.try_one(f"{name} {disk}", fill_up)
        tally.check()
    finally:
        free()
