"""Hostile data and a hostile model directory, with strace as a witness: no file outside is opened, nobody is asked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Tally
from .processes import needs_strace, run

WATCHED = "trace=open,openat,openat2,socket,connect,bind,execve,execveat"
COMMANDS = {
    "train": "train --train labelled.jsonl --out out --preset tiny.yaml --set training.epochs=0.5",
    "extract": "extract model labelled.jsonl --out out.jsonl",
    "extract a table": "extract model table.csv --texts title,description --images images --out out.jsonl",
    "fill": "fill catalog.jsonl values.jsonl --model model --out out.jsonl --changes out.csv",
    "report": "report model labelled.jsonl --out out.html",
    "locate": "locate catalog.jsonl --out out.jsonl --mine out.yaml",
    "check": "check labelled.jsonl",
}


@pytest.fixture
def hostile(shop: Path, tmp_path: Path) -> Path:
    """The shop with rows that name files of others, and a model directory that asks for code of its own."""
    outside, folder = tmp_path / "outside", tmp_path / "shop"
    outside.mkdir()
    shutil.copytree(shop, folder)
    canary = outside / "canary.png"
    shutil.copy(next((folder / "images").iterdir()), canary)
    (folder / "images" / "link.png").symlink_to(canary)
    (folder / "linked").symlink_to(outside)
    photos = [
        str(canary),
        "../outside/canary.png",
        "images/../../outside/canary.png",
        "images/link.png",
        "linked/canary.png",
        f"file://{canary}",
        "http://127.0.0.1:9/canary.png",
        "//127.0.0.1/canary.png",
        "s3://canary/canary.png",
        {"path": str(canary)},
        {"bytes": None, "path": "../outside/canary.png"},
        "\0canary.png",
        "~/canary.png",
        "/proc/self/environ#canary",
    ]
    for name in ("labelled.jsonl", "catalog.jsonl"):
        rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
        for row, photo in zip(rows, photos, strict=False):
            row["image"] = photo
            row.pop("images", None)
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = (folder / "table.csv").read_text().splitlines()
    table = [lines[0], *(f"{n},Blue shoe,A shoe,{p},,,,," for n, p in enumerate(photos) if isinstance(p, str))]
    (folder / "table.csv").write_bytes("\n".join(table).encode())
    trick_model(folder / "model")
    return folder


def trick_model(model: Path) -> None:
    code = "import pathlib; pathlib.Path('ran.canary').write_text('ran')\nclass Evil: pass\n"
    auto = {"AutoTokenizer": ["evil.Evil", "evil.Evil"], "AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
    for place in (model, model / "tokenizer"):
        (place / "evil.py").write_text(code)
        (place / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    config = model / "tokenizer" / "tokenizer_config.json"
    tricks = {"auto_map": auto, "tokenizer_class": "Evil", "name_or_path": "owner/repo"}
    config.write_text(json.dumps(json.loads(config.read_text()) | tricks))


def faults(log: str) -> Iterator[str]:
    for line in log.splitlines():
        if "canary" in line and "(" in line and not re.search(r'O_(CREAT|PATH)|"[^"]*out\b', line):
            yield line
        if re.search(r"AF_INET|AF_INET6|execve", line) and "= -1" not in line:
            yield line


@pytest.mark.parametrize("name", COMMANDS)
def test_no_file_outside_and_no_connection(name: str, hostile: Path, tally: Tally) -> None:
    needs_strace()

    def watch() -> None:
        ended = run(hostile, ["--quiet", *COMMANDS[name].split()], ["-e", WATCHED])
        assert "Traceback" not in ended.said, ended.said
        assert ended.code == 0, ended.said
        found = list(faults(ended.log))
        assert not found, "\n".join(found[:10])
        assert not list(hostile.rglob("ran.canary"))

    tally.try_one(COMMANDS[name], watch)
    tally.check()
