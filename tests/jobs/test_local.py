"""Worker processes that die: of a shard nothing is lost but what dies alone."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from attrex.errors import DataError
from attrex.io.sharding import Shard
from attrex.jobs.local import DIED, RETRIES, LocalWorkers, Piece

FAKE = textwrap.dedent(
    """
    import os, signal, time
    from dataclasses import dataclass, field
    from pathlib import Path
    from attrex.errors import DataError
    from attrex.jobs.task import ShardResult

    @dataclass
    class Fake:
        folder: str
        deadly: dict = field(default_factory=dict)  # (shard, place) -> what it does

        def load(self, check):
            return self

        def touch(self, number, place):
            what = self.deadly.get((number, place))
            once = Path(self.folder, f"once-{number}-{place}")
            if what == "kill" or (what == "once" and not once.exists()):
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "error":
                raise ValueError("no picture")
            if what == "stop":
                raise DataError("the disk is gone")

        def run(self, number, shard, marks, report):
            if (number, "crowd") in self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            for place in range(shard.rows):
                if place not in marks:
                    self.touch(number, place)
                report(place + 1)
            Path(self.folder, f"shard-{number}").write_text(repr(sorted(marks.items())))
            return ShardResult(shard.rows, len(marks), 0, 0, 0.0)

        def probe(self, shard, begin, at, bad):
            for place in range(begin, shard.rows):
                at(place)
                try:
                    self.touch(shard.source, place)
                except ValueError as exc:
                    bad(place, str(exc))
    """
)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that is no model: its shards are files, and some of its products kill."""
    (tmp_path / "fake_for_workers.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    import fake_for_workers

    return lambda **deadly: fake_for_workers.Fake(str(tmp_path), **deadly)


def pieces(count: int) -> list[Piece]:
    return [Piece(n, Shard(n, 0, 0, 0, 4, "")) for n in range(count)]


def test_what_dies_alone_is_marked_and_all_else_is_done(fake: Any, tmp_path: Path) -> None:
    deadly = {(0, 2): "kill", (1, 1): "once", (2, 3): "error", (3, 0): "kill", (3, 3): "kill"}
    events = list(LocalWorkers(fake(deadly=deadly), 2, "fork").run(pieces(5)))
    assert sorted(said[0] for what, said in events if what == "finished") == [0, 1, 2, 3, 4]
    assert [(tmp_path / f"shard-{n}").read_text() for n in range(5)] == [
        repr([(2, DIED)]),
        "[]",  # it died once, and not alone: by chance
        "[(3, 'no picture')]",
        repr([(0, DIED), (3, DIED)]),
        "[]",
    ]
    assert sum(said for what, said in events if what == "done") == 5 * 4


def test_a_shard_that_dies_for_no_product_fails_alone(fake: Any, tmp_path: Path) -> None:
    events = list(LocalWorkers(fake(deadly={(0, "crowd"): "kill"}), 1, "fork").run(pieces(2)))
    (why,) = [said for what, said in events if what == "failed"]
    assert why.startswith(f"shard 0 failed {RETRIES + 1} times, but none of its products did alone")
    assert not (tmp_path / "shard-0").exists()
    assert (tmp_path / "shard-1").exists()


def test_an_error_that_all_shards_would_have_ends_the_job(fake: Any) -> None:
    with pytest.raises(DataError, match="the disk is gone"):
        list(LocalWorkers(fake(deadly={(0, 1): "stop"}), 1, "fork").run(pieces(2)))


def test_workers_end_with_the_job(fake: Any) -> None:
    workers = LocalWorkers(fake(), 2, "fork")
    events = workers.run(pieces(50))
    next(events)
    running = [w.process for w in workers.workers]
    events.close()
    assert workers.workers == []
    assert not any(process.is_alive() for process in running)
    assert all(process.pid != os.getpid() for process in running)
