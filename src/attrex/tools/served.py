"""A service in a process of its own (`attrex serve`), as measuring and trying it needs one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Served:
    """A service that answers, on this machine."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[int]:
        """Ids of its worker processes; Linux only."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]

    def end(self, seconds: float = 90) -> int:
        """SIGTERM; returns the exit code, 0 where all that was accepted was finished."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def served(model: str | Path, *options: str, seconds: float = 600) -> Iterator[Served]:
    """A service for a block, on a port that was free.

    :param options: more of `attrex serve`, such as ``--workers 2``.
    :param seconds: it takes at most until it answers; raises :class:`RuntimeError` where it does not.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "from attrex.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", str(model), "--port", str(port), *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    service = Served(process, port)
    try:
        _wait(service, time.monotonic() + seconds)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait(service: Served, until: float) -> None:
    while time.monotonic() < until and service.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{service.address}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the service does not answer; it ended with {service.process.poll()}")
