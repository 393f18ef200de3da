"""Where a run begins, and where it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attrex.config import Config
from attrex.errors import ConfigError, DataError
from attrex.training.resuming import fingerprint, last_complete, open_run
from attrex.types import Product


def checkpoint(directory: Path, step: int, state: str | None = None, without: str = "") -> Path:
    path = directory / "checkpoints" / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for part in {"model.safetensors", "optimizer.pt", "scheduler.pt"} - {without}:
        (path / part).touch()
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}) if state is None else state)
    return path


def start(directory: Path, record: dict[str, Any], resume: bool) -> Path | None:
    with open_run(directory, record, resume, finished="end.json", what="model") as found:
        return found


def test_the_newest_complete_checkpoint_is_gone_on_from_and_halves_are_removed(tmp_path: Path) -> None:
    assert last_complete(tmp_path) is None
    checkpoint(tmp_path, 9)
    newest = checkpoint(tmp_path, 10)
    halves = [
        checkpoint(tmp_path, 11, state='{"global_st'),
        checkpoint(tmp_path, 12, without="optimizer.pt"),
        checkpoint(tmp_path, 13, state="{}"),
    ]
    assert last_complete(tmp_path) == newest
    with pytest.raises(
        ConfigError, match="holds an unfinished run; continue it with resume=True, or choose another directory"
    ):
        start(tmp_path, {"settings": {}}, False)
    with pytest.raises(ConfigError, match="holds another run: its products are other ones"):
        start(tmp_path, {"products": "0a"}, True)
    assert all(path.exists() for path in halves)  # what is refused is left as it was

    (tmp_path / "run.json").write_text('{"products": "0a"}')
    assert start(tmp_path, {"products": "0a"}, True) == newest
    assert not any(path.exists() for path in halves)
    (tmp_path / "end.json").touch()
    with pytest.raises(ConfigError, match="holds a finished model; choose another directory"):
        start(tmp_path, {"products": "0a"}, False)


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ConfigError, match=r"out: expected a directory, got a file; choose another"):
        start(tmp_path / "out", {}, False)


def test_only_one_process_at_a_time_is_at_work_on_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_run(tmp_path / "out", {}, False, finished="end.json", what="model"):
        with pytest.raises(
            DataError, match=r"another process is writing .*out just now; wait for it, or choose another"
        ):
            start(tmp_path / "out", {}, True)
        assert (tmp_path / "out" / "run.lock").exists()
        monkeypatch.setenv("RANK", "1")  # one of several that train together, begun by torchrun
        assert start(tmp_path / "out", {}, True) is None
        assert (tmp_path / "out" / "run.lock").exists()
    monkeypatch.delenv("RANK")
    assert not (tmp_path / "out" / "run.lock").exists()
    assert start(tmp_path / "out", {}, True) is None


def test_what_makes_a_run_this_run() -> None:
    config = Config.load("small")
    product = Product("1", {"text": "red"}, images=(b"photo",))
    same = fingerprint(config, [product], [], schema="a")
    assert same == fingerprint(config, [replace(product)], [], schema="a")
    others = [
        fingerprint(Config.load("small", ["training.epochs=9"]), [product], [], schema="a"),
        fingerprint(config, [replace(product, id="2")], [], schema="a"),
        fingerprint(config, [replace(product, images=())], [], schema="a"),
        fingerprint(config, [], [product], schema="a"),
        fingerprint(config, [product], [], schema="b"),
    ]
    assert all(other != same for other in others)
