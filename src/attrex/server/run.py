"""Processes and signals: SIGTERM finishes what was accepted and ends with 0, SIGHUP takes the model anew."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any

import uvicorn
from prometheus_client.multiprocess import mark_process_dead

from attrex.errors import AttrexError, ConfigError
from attrex.server.app import create_app
from attrex.server.logs import start_log, tell
from attrex.server.metrics import SHARED, Metrics
from attrex.server.protocol import TimedProtocol
from attrex.server.service import Service
from attrex.server.settings import HEADER_BYTES, ServerSettings

BACKLOG = 512  #: connections that wait to be taken
IDLE_SECONDS = 15  #: a connection is kept without a request
UNUSABLE = 2
"""The exit code of a worker whose model or review store cannot be loaded. Of the first ones, none would fare better."""
PAUSE = 1.0  #: seconds before a worker that ended is replaced


def run(model: str | Path, settings: ServerSettings, allow_code: Sequence[str | type] = ()) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`~attrex.errors.AttrexError` for what keeps it from starting."""
    if sys.platform == "win32":
        raise ConfigError("the service runs on Linux and macOS: it is told to end and to reload by signals")
    start_log(settings.log_texts)
    with _listening(settings) as listener:
        if settings.workers == 1:
            _serve(model, settings, allow_code, listener)
        else:
            _Supervisor(model, settings, allow_code, listener).run()


@contextlib.contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket.socket]:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on host={settings.host}, port={settings.port}: {exc.strerror or exc}; choose another port, "
            "or end what listens there"
        ) from None
    with listener:
        yield listener


def _serve(
    model: str | Path, settings: ServerSettings, allow_code: Sequence[str | type], listener: socket.socket
) -> None:
    """Serve in this process."""
    again = threading.Event()
    _hear_signals(again)
    service = Service(model, settings, allow_code)
    metrics = Metrics()
    app = create_app(service, metrics)
    TimedProtocol.header_seconds = settings.limits.header_seconds
    TimedProtocol.write_seconds = settings.limits.write_seconds
    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=round(settings.grace_seconds),
        h11_max_incomplete_event_size=HEADER_BYTES,
        backlog=BACKLOG,
    )
    host, port = listener.getsockname()[:2]
    tell("serving", host=host, port=port, model=service.loaded.hash)
    _Server(config, service, metrics, again).run(sockets=[listener])
    tell("ended")


def _hear_signals(again: threading.Event) -> None:
    """While a model is loaded: SIGTERM ends with 0, for nothing was accepted yet, and SIGHUP is kept in ``again``."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
        signal.signal(signal.SIGHUP, lambda number, frame: again.set())


class _Server(uvicorn.Server):
    """uvicorn, which does not send itself the signal again that it was ended with, and reloads on SIGHUP."""

    def __init__(self, config: uvicorn.Config, service: Service, metrics: Metrics, again: threading.Event) -> None:
        super().__init__(config)
        self.service, self.metrics, self.again = service, metrics, again
        self.reloading: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # which alone is sent signals
            yield
            return
        loop = asyncio.get_running_loop()
        handled = [signal.SIGINT, signal.SIGTERM]
        for number in handled:
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        threading.Thread(target=self._end_with_parent, args=(loop,), daemon=True).start()
        if self.again.is_set():  # the directory may have changed since it was read
            self._reload()
        try:
            yield
        finally:
            for number in (*handled, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        if not self.service.draining:
            tell("ending", waiting=self.service.batches.waiting)
        self.service.draining = True
        self.should_exit = True

    def _end_with_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        """A worker whose supervisor was killed has nobody to end it."""
        parent = multiprocessing.parent_process()
        if parent is not None:
            wait([parent.sentinel])
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._end)

    def _reload(self) -> None:
        if self.reloading is None or self.reloading.done():
            self.reloading = asyncio.get_running_loop().create_task(self._load_again())

    async def _load_again(self) -> None:
        before = self.service.loaded.hash
        try:
            tell("reloaded", model=await self.service.reload(), before=before)
            self.metrics.reloads.labels("loaded").inc()
        except AttrexError as exc:
            self.metrics.reloads.labels("refused").inc()
            tell("not reloaded", level=40, error=str(exc), model=before)


class _Supervisor:
    """Keeps so many workers at work on one listening socket."""

    def __init__(
        self, model: str | Path, settings: ServerSettings, allow_code: Sequence[str | type], listener: socket.socket
    ) -> None:
        self.arguments = (model, settings, allow_code, listener)
        self.settings = settings
        self.context = multiprocessing.get_context("spawn")
        self.workers: list[Any] = []
        self.ending = False

    def run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="attrex-metrics-") as figures, self._signals():
            threads = max(1, (os.cpu_count() or 1) // self.settings.workers)
            shared = {SHARED: figures, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}
            before = {name: os.environ.get(name) for name in shared}
            os.environ |= shared
            try:
                self._keep()
            finally:
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value

    def _keep(self) -> None:
        first = [self._start() for _ in range(self.settings.workers)]
        self.workers = list(first)
        while not self.ending:
            wait([worker.sentinel for worker in self.workers], timeout=0.5)
            for number, worker in enumerate(self.workers):
                if worker.exitcode is None or self.ending:
                    continue
                if worker.exitcode == UNUSABLE and worker in first:  # later, the others go on with what they have
                    self._finish()
                    raise ConfigError("a worker cannot start, see its line above; correct that and start again")
                tell("worker ended", level=40, worker=worker.pid, code=worker.exitcode)
                mark_process_dead(worker.pid, os.environ[SHARED])
                sleep(PAUSE)
                self.workers[number] = self._start()
        self._finish()

    def _start(self) -> Any:
        worker = self.context.Process(target=_work, args=self.arguments)
        worker.start()
        return worker

    def _finish(self) -> None:
        """End all workers, those that take too long by force."""
        self.ending = True
        self._send(signal.SIGTERM)
        until = monotonic() + self.settings.grace_seconds + 5
        for worker in self.workers:
            worker.join(max(0.1, until - monotonic()))
            if worker.exitcode is None:
                worker.kill()
                worker.join()

    def _send(self, number: int) -> None:
        for worker in self.workers:
            if worker.exitcode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, number)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def end(number: int, frame: FrameType | None) -> None:
            self.ending = True

        def reload(number: int, frame: FrameType | None) -> None:
            self._send(signal.SIGHUP)

        handlers = {signal.SIGINT: end, signal.SIGTERM: end, signal.SIGHUP: reload}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _work(
    model: str | Path, settings: ServerSettings, allow_code: Sequence[str | type], listener: socket.socket
) -> None:
    """A worker process."""
    start_log(settings.log_texts)
    try:
        _serve(model, settings, allow_code, listener)
    except AttrexError as exc:
        tell("cannot start", level=40, error=str(exc))
        sys.exit(UNUSABLE)
