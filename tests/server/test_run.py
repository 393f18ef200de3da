"""What becomes of workers that end, and of signals that come before there is a service."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from attrex.errors import ConfigError
from attrex.server import run
from attrex.server.settings import ServerSettings


@dataclass(eq=False)
class Worker:
    """A process that has ended, or has not."""

    exitcode: int | None
    pid: int = -1
    sentinel: int = -1

    def join(self, seconds: float = 0) -> None:
        self.exitcode = 0 if self.exitcode is None else self.exitcode


def kept(monkeypatch: pytest.MonkeyPatch, *codes: int | None) -> list[str]:
    """What two workers' supervisor says; ``codes``: how the workers end, each that is started in its turn."""
    said: list[str] = []
    workers = iter([Worker(code) for code in codes])
    monkeypatch.setattr(run, "wait", lambda *arguments, **options: None)
    monkeypatch.setattr(run, "sleep", lambda seconds: None)
    monkeypatch.setattr(run, "mark_process_dead", lambda *arguments: None)
    monkeypatch.setattr(run, "tell", lambda event, **facts: said.append(f"{event} {facts['code']}"))
    monkeypatch.setattr(run._Supervisor, "_send", lambda self, number: None)
    monkeypatch.setenv(run.SHARED, "figures")
    supervisor = run._Supervisor("model", ServerSettings(workers=2), (), None)  # type: ignore[arg-type]

    def start() -> Worker:
        worker = next(workers)
        supervisor.ending = worker.exitcode is None and len(said) == len(codes) - 2
        return worker

    monkeypatch.setattr(supervisor, "_start", start)
    supervisor._keep()
    return said


def test_a_worker_that_ends_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(monkeypatch, None, -9, None) == ["worker ended -9"]


def test_what_keeps_the_first_workers_from_starting_ends_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="a worker cannot start, see its line above"):
        kept(monkeypatch, None, run.UNUSABLE, None)


def test_a_directory_that_is_broken_later_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is killed while the directory of the model is being replaced."""
    said = kept(monkeypatch, None, -9, run.UNUSABLE, run.UNUSABLE, None)
    assert said == ["worker ended -9", "worker ended 2", "worker ended 2"]


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_heard_while_a_model_is_loaded(handlers: Any) -> None:
    again = threading.Event()
    run._hear_signals(again)
    os.kill(os.getpid(), signal.SIGHUP)
    assert again.wait(5)
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 0
