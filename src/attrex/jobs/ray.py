"""Workers on the machines of a Ray cluster. They run the same shards as those of :mod:`attrex.jobs.local`.

Ray gives out shards and starts workers; it reads and writes no rows. Each worker keeps the model in a process of its
own, which may die over a product as on one machine; what Ray itself loses is given to another worker.
"""

from __future__ import annotations

import os
import re
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from attrex.errors import ConfigError, DataError
from attrex.jobs.local import RETRIES, Event, Loads, LocalWorkers, Piece

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_raylet_start_wait_time_s": "180",  # 30 are not enough on a machine that is busy
}
_HOST = re.compile(r"(?:ray://)?([^:/]+):(\d+)")


class _Worker:
    """An actor of Ray: one core, one model.

    :param folder: where relative paths start.
    """

    def __init__(self, task: Loads, folder: str) -> None:
        with suppress(OSError):  # on another machine, which may need none
            os.chdir(folder)
        self.workers = LocalWorkers(task, 1)

    def run(self, piece: Piece) -> list[Event]:
        """What became of a shard."""
        return list(self.workers.events([piece]))


class RayWorkers:
    """Runs shards in workers of Ray.

    :param task: is told to each worker; its model, sources and folder are found under the same names everywhere.
    :param count: how many workers; None: one for each core of the cluster.
    :param address: of a cluster, ``ray://head:10001`` or ``auto``; None: one that is started on this machine.

    Raises :class:`ConfigError` where Ray is not installed, or no cluster is found.
    """

    def __init__(self, task: Loads, count: int | None = None, address: str | None = None) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as exc:
            raise ConfigError(
                "engine ray needs the package 'ray', which is not installed; run: pip install 'attrex[ray]'"
            ) from exc
        self.ray, self.task, self.count, self.address = ray, task, count, address

    def run(self, pieces: Sequence[Piece]) -> Iterator[Event]:
        """As :meth:`LocalWorkers.run`; the rows of a shard are told when all are done."""
        if not pieces:
            return
        ray = self.ray
        self._connect()
        try:
            count = self.count or int(ray.cluster_resources().get("CPU", 1))
            actor: Any = ray.remote(num_cpus=1)(_Worker)
            task = ray.put(self.task)
            waiting, idle, running, lost = deque(pieces), list[Any](), dict[Any, tuple[Any, Piece]](), dict[int, int]()
            while waiting or running:
                while waiting and len(running) < count:
                    worker = idle.pop() if idle else actor.remote(task, os.getcwd())
                    piece = waiting.popleft()
                    running[worker.run.remote(piece)] = worker, piece
                ready, _ = ray.wait(list(running))
                for found in ready:
                    worker, piece = running.pop(found)
                    try:
                        events = ray.get(found)
                    except ray.exceptions.RayActorError as exc:  # its machine is gone, or Ray has killed it
                        lost[piece.number] = lost.get(piece.number, 0) + 1
                        if lost[piece.number] > RETRIES:
                            yield "failed", f"shard {piece.number} lost its worker {lost[piece.number]} times: {exc}"
                        else:
                            waiting.appendleft(piece)
                    except ray.exceptions.RayTaskError as exc:
                        cause = exc.cause
                        raise cause if isinstance(cause, OSError) else DataError(str(cause)) from exc
                    else:
                        idle.append(worker)
                        yield from events
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        if (found := _HOST.fullmatch(self.address or "")) is not None:  # Ray itself tries for many minutes
            try:
                socket.create_connection((found[1], int(found[2])), timeout=10).close()
            except OSError as exc:
                raise ConfigError(f"expected a cluster of Ray at {self.address}, got: {exc}") from exc
        how: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.address is None:
            how |= {"num_cpus": self.count, "include_dashboard": False}
        try:
            self.ray.init(address=self.address or "local", **how)
        except Exception as exc:  # a plain one where it starts too slowly
            with suppress(Exception):
                self.ray.shutdown()
            raise ConfigError(f"expected a cluster of Ray at {self.address or 'this machine'}, got: {exc}") from exc
