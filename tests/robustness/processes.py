"""Commands in processes of their own, which strace stops, or refuses a call of the system to, at a chosen one."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import pytest

WRITING = ("openat", "write", "pwrite64", "writev", "ftruncate", "rename", "unlink", "rmdir", "mkdir", "fsync")
_CALL = re.compile(r"(?:\[pid +)?(\d+)\]? +(\w+)\((.*)")
_MOST_SECONDS = 120


class Call(NamedTuple):
    """A call of the system that changes a file of the folder."""

    name: str
    number: int  #: from 1, of its name in its thread
    path: str  #: relative to the folder
    main: bool  #: of the main thread
    place: int = 0  #: from 1, of its name in its thread, among the calls on the paths that the run changes


@dataclass
class Ended:
    """How a command ended."""

    code: int  #: negative: the signal that ended it
    said: str
    log: str = ""

    @property
    def hit(self) -> str | None:
        """The call that strace changed; None where none was."""
        return next((line for line in self.log.splitlines() if "(INJECTED)" in line), None)


class Command:
    """One that runs now, forked from this process: what it needs is imported already."""

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        strace: Sequence[str] = (),
        before: Callable[[], None] | None = None,
    ) -> None:
        self.log, self.out = folder.parent / f"{folder.name}.strace", folder.parent / f"{folder.name}.stderr"
        ready, go = os.pipe()
        fork = multiprocessing.get_context("fork")
        self.process: BaseProcess = fork.Process(target=_run, args=(folder, arguments, self.out, ready, go, before))
        self.process.start()
        os.close(ready)
        self.tracer = self._traced(strace) if strace else None
        os.write(go, b"g")
        os.close(go)

    def _traced(self, options: Sequence[str]) -> subprocess.Popen[bytes]:
        pid = self.process.pid
        tracer = subprocess.Popen(
            ["strace", "-f", "-y", "-s", "0", "-o", str(self.log), *options, "-p", str(pid)], stderr=subprocess.PIPE
        )
        until = time.monotonic() + 10
        while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
            if tracer.poll() is not None or time.monotonic() > until:
                self.process.kill()
                pytest.skip(f"strace cannot follow a process here: {tracer.communicate()[1].decode()[:200]}")
            time.sleep(0.001)
        return tracer

    def send(self, number: signal.Signals) -> None:
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, number)

    def ended(self) -> Ended:
        self.process.join(_MOST_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError("it did not end")
        if self.tracer is not None:
            self.tracer.communicate()
        log = self.log.read_text(errors="replace") if self.tracer is not None else ""
        code = self.process.exitcode
        assert code is not None
        return Ended(code, self.out.read_text(errors="replace") if self.out.exists() else "", log)


def run(
    folder: Path, arguments: Sequence[str], strace: Sequence[str] = (), before: Callable[[], None] | None = None
) -> Ended:
    """``before``: is called in the process, before the command."""
    return Command(folder, arguments, strace, before).ended()


def needs_strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which follows the calls of a process")


def calls_of(folder: Path, arguments: Sequence[str]) -> list[Call]:
    """Every call of a run that changes a file of the folder, in order."""
    ended = run(folder, arguments, ["-e", f"trace={','.join(WRITING)}"])
    assert ended.code == 0, ended.said
    lines = [found.groups() for line in ended.log.splitlines() if (found := _CALL.match(line))]
    main = lines[0][0] if lines else None
    changed = {next(iter(_paths_in(folder, rest)), None) for _, name, rest in lines if _changes(name, rest)}
    seen, at_paths = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    calls = []
    for thread, name, rest in lines:
        seen[thread, name] += 1
        paths = _paths_in(folder, rest)
        at_paths[thread, name] += not changed.isdisjoint(paths)
        if _changes(name, rest) and paths:
            calls.append(Call(name, seen[thread, name], paths[0], thread == main, at_paths[thread, name]))
    return calls


def only_at(folder: Path, calls: Sequence[Call]) -> list[str]:
    """The options of strace by which it sees the calls on these paths alone: a message is no call on them."""
    paths = dict.fromkeys(call.path for call in calls)
    return [option for path in paths for form in (path, str(folder / path)) for option in ("-P", form)]


def _changes(name: str, rest: str) -> bool:
    return name != "openat" or "O_CREAT" in rest


def _paths_in(folder: Path, rest: str) -> list[str]:
    """Of the arguments of a call: the files below the folder."""
    found = []
    for opened, named in re.findall(r"<([^>]*)>|\"([^\"]*)\"", rest):
        path = Path(folder, opened or named)
        if path != folder and path.is_relative_to(folder) and (named or "/" in opened):
            found.append(str(path.relative_to(folder)))
    return found


def _run(
    folder: Path, arguments: Sequence[str], out: Path, ready: int, go: int, before: Callable[[], None] | None
) -> None:
    os.close(go)
    for number, path in ((0, os.devnull), (1, os.devnull), (2, str(out))):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.chdir(folder)
    os.read(ready, 1)
    code = 1
    try:
        if before is not None:
            before()
        _main(list(arguments))
        code = 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def _main(arguments: list[str]) -> None:
    from attrex.cli import main
    from attrex.io import ocr

    ocr.PhotoReader = SteadyReader  # type: ignore[misc, assignment]
    main(arguments)


class SteadyReader:
    """In place of a program that reads photos: what is killed is the command around it."""

    def __init__(self, **how: object) -> None: ...

    def read(self, product):  # type: ignore[no-untyped-def]
        from dataclasses import replace

        time.sleep(0.002)
        return replace(product, fields={**product.fields, "photo_text": f"Size {len(product.id)}"}, complete=False)
