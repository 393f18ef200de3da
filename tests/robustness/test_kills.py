"""Commands that are ended at any moment, and disks that are full: what was finished is kept, and the rest follows.

A command is tried on a shop of drawn products and a model that is trained on them in seconds. What two runs write
alike, byte for byte, has to be the same after a kill and the command once more; what has times in it has to be whole.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from .conftest import Tally, tries
from .processes import Call, Ended, calls_of, needs_strace, only_at, run
from .processes import Command as Running


@dataclass(frozen=True)
class Tried:
    """A command, and how it goes on after it was ended."""

    arguments: str
    again: str = ""
    copied: tuple[str, str] | None = None  #: what lies under the name that it writes to, before it

    @property
    def first(self) -> list[str]:
        return self.arguments.split()

    def next(self, folder: Path) -> list[str]:
        """Its arguments after an end: with what it goes on by, where there is something unfinished."""
        return [*self.first, *self.again.split()]


TRAINING = "--preset tiny.yaml --set training.epochs=1 --set training.save_every=4"
COMMANDS = {
    "locate": Tried("locate catalog.jsonl --shop shop.yaml --out out.jsonl --mine out.yaml --report out.json"),
    "fill": Tried("fill table.csv values.jsonl --model model --out out.csv --changes out-changes.csv"),
    "fill workbook": Tried("fill table.xlsx values.jsonl --model model --out out.xlsx --conflicts out-conflicts.csv"),
    "fill Parquet": Tried("fill table.parquet values.jsonl --model model --out out.parquet --report out.json"),
    "undo": Tried("fill --undo changes.csv --out out.csv"),
    "extract": Tried("extract model catalog.jsonl --out out.jsonl --batch-size 1", "--resume"),
    "extract Parquet": Tried("extract model catalog.jsonl --out out.parquet --cache out.cache", "--resume"),
    "report": Tried("report model catalog.jsonl --out out.html"),
    "ocr": Tried("ocr catalog.jsonl --out out.jsonl.gz", "--resume"),
    "convert": Tried("convert labelled.jsonl --to label-studio --out out.json"),
    "lexicon": Tried("lexicon lexicon.yaml labelled.jsonl values.jsonl --out out.yaml"),
    "train": Tried(f"train --train labelled.jsonl --out out {TRAINING}", "--resume"),
    "export": Tried("export model --out out --sample labelled.jsonl --limit 12"),
    "calibrate": Tried("calibrate out labelled.jsonl", copied=("model", "out")),
    "complete": Tried(f"complete table.csv --photos images --out out.csv {TRAINING}"),
}
WRITES_FILES = ("locate", "fill", "extract", "report", "ocr", "convert", "lexicon")


def outputs(folder: Path) -> dict[str, bytes]:
    """What the command has written: path in the folder -> content, but for how long a training took."""
    return {
        path.relative_to(folder).as_posix(): re.sub(rb"[\d.]+ minutes", b"some minutes", path.read_bytes())
        for top in folder.glob("out*")
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file()
    }


def is_unfinished(name: str) -> bool:
    """Whether a file has a name that says so, or belongs to nobody but the command that goes on."""
    return any(mark in name for mark in (".part", ".lock", ".whole", ".tmp", "checkpoints/", "/logs/", "out.cache/"))


@dataclass
class Whole:
    """What a command writes that nobody ends."""

    command: Tried
    folder: Path  #: a shop of its own, in which every try is made
    files: dict[str, bytes]
    steady: set[str]  #: those that are the same, byte for byte, in each run
    seconds: float

    @classmethod
    def of(cls, name: str, shop: Path, tmp_path: Path) -> Whole:
        command, folder = COMMANDS[name], tmp_path / "shop"
        shutil.copytree(shop, folder, symlinks=True)
        runs, seconds = [], 0.0
        for _ in range(2):
            whole = cls(command, folder, {}, set(), 0.0)
            whole.clear()
            began = time.monotonic()
            ended = run(folder, command.first)
            seconds = time.monotonic() - began
            assert ended.code == 0, ended.said
            runs.append({n: c for n, c in outputs(folder).items() if not is_unfinished(n)})
        assert runs[0], "it writes nothing"
        assert runs[0].keys() == runs[1].keys()
        return cls(command, folder, runs[1], {n for n in runs[0] if runs[0][n] == runs[1][n]}, seconds)

    def clear(self) -> None:
        """Before a try: nothing is there but what the command needs."""
        for path in self.folder.glob("out*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.command.copied is not None:
            shutil.copytree(*(self.folder / name for name in self.command.copied))
        self.before = outputs(self.folder)

    def check_kept(self) -> None:
        """After an end: a file that has its name is as before, or as it will be."""
        for name, content in outputs(self.folder).items():
            if is_unfinished(name) or name not in self.files:
                continue
            if name in self.steady:
                assert content in (self.before.get(name), self.files[name]), f"half of {name} has its name"
            elif name.endswith(".json"):
                json.loads(content)

    def check_goes_on(self) -> None:
        """The command once more: what comes out is as if nothing had happened, and nothing else is left."""
        ended = run(self.folder, self.command.next(self.folder))
        found = outputs(self.folder)
        ready = self.files.keys() <= found.keys() and "is there already" in ended.said  # a lexicon is not mined twice
        assert ended.code == 0 or ready, f"once more: {ended.said}"
        assert not [n for n in self.steady if found.get(n) != self.files[n]], "not the same file"
        rest = {n for n in found if not is_unfinished(n)} ^ self.files.keys()
        rest |= {n for n in found if ".part" in n or ".whole" in n or "checkpoints/" in n}
        assert not rest, f"left, or missing: {sorted(rest)}"


@pytest.fixture
def whole(request: pytest.FixtureRequest, shop: Path, tmp_path: Path) -> Whole:
    return Whole.of(request.param, shop, tmp_path)


def check_end(ended: Ended, number: signal.Signals) -> None:
    """SIGTERM is told of, and what is said is no traceback; SIGKILL says nothing."""
    assert "Traceback" not in ended.said, ended.said
    if number == signal.SIGTERM:
        assert ended.code in (0, 143, -number), ended  # it may have been ready, or not have begun
        assert ended.code != 143 or "terminated; " in ended.said, ended.said


every_command = pytest.mark.parametrize("whole", COMMANDS, indirect=True)


@every_command
def test_kills_at_random_moments(whole: Whole, tally: Tally, random: Random) -> None:
    for turn in range(tries(30)):
        number = random.choice([signal.SIGKILL, signal.SIGTERM])

        def end(number: signal.Signals = number) -> None:
            whole.clear()
            running = Running(whole.folder, whole.command.first)
            time.sleep(random.uniform(0, 1.05) * whole.seconds)
            running.send(number)
            check_end(running.ended(), number)
            whole.check_kept()
            whole.check_goes_on()

        tally.try_one(f"{whole.command.arguments} {turn} {number.name}", end)
    tally.check()


def chosen(calls: list[Call], most: int) -> list[Call]:
    """So many of them, from the first to the last: half of them writes, half of them what changes names."""
    calls = [call for call in calls if call.main]
    halves = [c for c in calls if c.name == "write"], [c for c in calls if c.name != "write"]
    kept = {call for half in halves for call in half[:: max(1, 2 * len(half) // tries(most))]}
    return [call for call in calls if call in kept or call == calls[-1]]


@every_command
def test_kills_at_every_write(whole: Whole, tally: Tally) -> None:
    needs_strace()
    whole.clear()
    for turn, call in enumerate(chosen(calls_of(whole.folder, whole.command.first), 60)):
        number = signal.SIGTERM if turn % 3 == 2 else signal.SIGKILL

        def end(call: Call = call, number: signal.Signals = number) -> None:
            whole.clear()
            how = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:signal={number.name}:when={call.number}"]
            check_end(run(whole.folder, whole.command.first, how), number)
            whole.check_kept()
            whole.check_goes_on()

        tally.try_one(f"{whole.command.arguments}: {number.name} at {call}", end)
    tally.check()


# --- full disks ----------------------------------------------------------------------------------------------------


def check_full(whole: Whole, ended: Ended) -> None:
    """A message says what is full and how to go on; nothing that was there is lost, and half a file has no name."""
    assert "Traceback" not in ended.said, ended.said
    assert ended.code == 2, (ended.code, ended.said)
    assert "the same command" in ended.said or "finished work" in ended.said, ended.said
    whole.check_kept()


@every_command
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT"])
def test_full_disk_at_every_write(whole: Whole, error: str, tally: Tally) -> None:
    needs_strace()
    whole.clear()
    calls = calls_of(whole.folder, whole.command.first)
    paths = only_at(whole.folder, calls)
    for call in chosen(calls, 40):
        if call.name in ("unlink", "rmdir", "fsync") or ".lock" in call.path:
            continue

        def fill_up(call: Call = call) -> None:
            whole.clear()
            how = [*paths, "-e", f"trace={call.name}", "-e", f"inject={call.name}:error={error}:when={call.place}+"]
            ended = run(whole.folder, whole.command.first, how)
            if ended.hit is None or str(whole.folder) not in ended.hit:
                return
            if ended.code:
                check_full(whole, ended)
            whole.check_goes_on()

        tally.try_one(f"{whole.command.arguments}: {error} at {call}", fill_up)
    tally.check()


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A disk in memory in place of a folder; skips where nothing can be mounted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def limited(most: int) -> Callable[[], None]:
    """A process whose files end after so many bytes, as with a quota."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


DISKS = {"bytes": "size=12k,mode=777", "files": "nr_inodes=2,mode=777", "quota": ""}


@every_command
@pytest.mark.parametrize("disk", DISKS)
def test_full_disks(whole: Whole, disk: str, tally: Tally) -> None:
    """A disk that is full, one that takes no more files, and a limit of the user: what the command writes lies there.

    With some room freed the same command ends as it would have.
    """
    whole.clear()
    if whole.command.copied is not None or whole.command.arguments.split()[0] not in WRITES_FILES:
        pytest.skip("what it writes is more than a file in one folder")
    there = whole.folder / "outside"
    arguments = [f"outside/{word}" if word.startswith("out") else word for word in whole.command.first]
    there.mkdir()
    assert run(whole.folder, arguments).code == 0  # with paths as they are from there
    expected = {name: (there / name).read_bytes() for name in whole.steady}
    shutil.rmtree(there)

    def check_whole() -> None:
        """What has its name is whole: a disk that is full later may have taken it."""
        found = {n: p for p in there.rglob("*") if p.is_file() and not is_unfinished(n := p.name)}
        assert not [n for n, p in found.items() if n in expected and p.read_bytes() != expected[n]], "half a file"

    def fill_up() -> None:
        ended = run(whole.folder, arguments, before=limited(3000) if disk == "quota" else None)
        assert "Traceback" not in ended.said, ended.said
        assert ended.code in (0, 2), (ended.code, ended.said)  # a small file has room
        assert not ended.code or "the same command" in ended.said or "finished work" in ended.said, ended.said
        check_whole()
        if disk != "quota":
            subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=1000", str(there)], check=True)
        if ended.code:
            ended = run(whole.folder, [*arguments, *whole.command.again.split()])
            assert ended.code == 0, ended.said
        assert not [n for n in expected if not (there / n).is_file()], "missing"
        check_whole()

    with small_disk(there, DISKS[disk]) if disk != "quota" else nullcontext(there.mkdir()):
        tally.try_one(f"{whole.command.arguments}: {disk}", fill_up)
    shutil.rmtree(there)
    tally.check()
