"""Worker processes on this machine: each has a model of its own and one core, and may die without harm to the job.

A worker that dies costs its shard one retry row by row: the products that it was working at are run alone, in a new
process, to see which of them it was. What dies alone, twice, is marked; then the shard is run as always, so that its
bytes are the same whatever has died on the way.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from attrex.errors import AttrexError, DataError
from attrex.io.sharding import Shard
from attrex.jobs.task import ShardResult, ShardStopped

RETRIES = 5
"""How often a shard may die without that any of its products does so alone."""
DIED = "the process died while this product was read, twice, and it was alone; look at its photos"


class Runner(Protocol):
    """What a worker runs shards with."""

    def run(
        self, number: int, shard: Shard, marks: dict[int, str], report: Callable[[int], None], /
    ) -> ShardResult: ...

    def probe(
        self, shard: Shard, begin: int, at: Callable[[int], None], bad: Callable[[int, str], None], /
    ) -> None: ...


class Loads(Protocol):
    """What a worker is told at its beginning; a :class:`~attrex.jobs.task.Task`."""

    def load(self, check: Callable[[], None], /) -> Runner: ...


@dataclass
class Piece:
    """A shard on its way."""

    number: int
    shard: Shard
    done: int = 0  #: products that were done when it was last heard of
    marks: dict[int, str] = field(default_factory=dict)
    probing: int | None = None  #: place of the product from which on they are run one by one; None: all together
    at: int | None = None  #: place of the product that is run alone now
    deaths: Counter[int] = field(default_factory=Counter)  #: of products that were alone, by their place
    retries: int = 0

    def died(self, why: str) -> bool:
        """Say what is next after the worker has died, or an error has come; False: nothing, the shard has failed."""
        if self.probing is None:
            self.retries += 1
            self.probing = self.done
        elif self.at is not None:
            self.deaths[self.at] += 1
            self.probing = self.at
            if self.deaths[self.at] == 2:
                self.marks[self.at], self.probing = why, self.at + 1
                self.retries = 0
        else:
            self.retries += 1
        self.at = None
        return self.retries <= RETRIES


Event = tuple[str, Any]
"""``done`` and how many rows more (fewer, after a death); ``finished`` and (number, result); ``failed`` and why."""


def run_here(task: Loads, pieces: Sequence[Piece]) -> Iterator[Event]:
    """Run the shards in this process: without a process of their own, what kills it ends the job."""
    runner: Runner | None = None
    for piece in pieces:
        runner = runner or task.load(lambda: None)
        try:
            result = runner.run(piece.number, piece.shard, piece.marks, lambda done: None)
        except (AttrexError, OSError, ShardStopped):
            raise
        except Exception:
            runner.probe(piece.shard, 0, lambda at: None, piece.marks.__setitem__)
            result = runner.run(piece.number, piece.shard, piece.marks, lambda done: None)
        yield "done", result.rows
        yield "finished", (piece.number, result)


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    piece: Piece | None = None


class LocalWorkers:
    """Runs shards in processes of this machine.

    :param task: is told to each process.
    :param count: how many processes.
    :param start: how they begin, as :mod:`multiprocessing` calls it; a fork is quick, but no good with torch's threads.
    """

    def __init__(self, task: Loads, count: int, start: str = "spawn") -> None:
        self.task, self.count = task, count
        self.context: Any = multiprocessing.get_context(start)
        self.workers: list[_Worker] = []
        self.waiting: deque[Piece] = deque()

    def run(self, pieces: Sequence[Piece]) -> Iterator[Event]:
        """What happens, as it happens. Ends when all shards are finished or have failed.

        Raises the :class:`AttrexError` or ``OSError`` of a worker, which the next shard would have, too.
        """
        yield from self.events(pieces)
        self.stop()

    def events(self, pieces: Sequence[Piece]) -> Iterator[Event]:
        """As :meth:`run`, but the workers stay for the next shards."""
        self.waiting.extend(pieces)
        try:
            while self.waiting or any(w.piece for w in self.workers):
                self._give()
                ready = wait([w.pipe for w in self.workers])  # a process that has died closes its end
                for worker in [w for w in self.workers if w.pipe in ready]:
                    yield from self._listen(worker)
        except BaseException as exc:
            self.stop(at_once=not isinstance(exc, KeyboardInterrupt | GeneratorExit))
            raise

    def _give(self) -> None:
        """Work for each worker that has none; as many workers as there is work for."""
        busy = sum(w.piece is not None for w in self.workers)
        while len(self.workers) < min(self.count, busy + len(self.waiting)):
            self.workers.append(self._begin())
        for worker in self.workers:
            if worker.piece is None and self.waiting:
                worker.piece = piece = self.waiting.popleft()
                message = (piece.number, piece.shard, piece.marks, piece.probing)
                if piece.probing is None:
                    piece.done = 0
                with suppress(OSError):  # it has died already; its end is seen next
                    worker.pipe.send(message)

    def _begin(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_work, args=(self.task, theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _listen(self, worker: _Worker) -> Iterator[Event]:
        piece, dead = worker.piece, False
        try:
            while worker.pipe.poll():
                what, said = worker.pipe.recv()
                if what == "raise":
                    raise said
                if piece is None:
                    continue
                if what == "done":
                    yield "done", said - piece.done
                    piece.done = said
                elif what == "at":
                    piece.at = said
                elif what == "bad":
                    place, why = said
                    piece.marks[place], piece.retries = why, 0
                elif what == "probed":
                    piece.probing = piece.at = worker.piece = None
                    self.waiting.appendleft(piece)
                elif what == "error":
                    worker.piece = None
                    yield from self._again(piece, said)
                elif what == "finished":
                    worker.piece = None
                    yield "finished", (piece.number, said)
                piece = worker.piece
        except (EOFError, ConnectionError):
            dead = True
        if dead:
            worker.process.join()
            worker.pipe.close()
            self.workers.remove(worker)
            if worker.piece is not None:
                yield from self._again(worker.piece, DIED)

    def _again(self, piece: Piece, why: str) -> Iterator[Event]:
        """A shard whose worker has died, or met an error, is run once more, if that is worth it."""
        if piece.probing is None:
            yield "done", -piece.done
        if piece.died(why):
            self.waiting.appendleft(piece)
        else:
            yield (
                "failed",
                f"shard {piece.number} failed {piece.retries} times, but none of its products did alone: {why}",
            )

    def stop(self, at_once: bool = False) -> None:
        """End the workers: after their running batch, or at once."""
        for worker in self.workers:
            if at_once:
                worker.process.kill()
            with suppress(OSError):
                worker.pipe.send(None)  # which they notice before their next batch
            worker.pipe.close()
        for worker in self.workers:
            worker.process.join()
        self.workers = []


def _work(task: Loads, pipe: Connection, parent: int) -> None:
    """A worker process: shards come by the pipe, and what became of them goes back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells all processes; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def check() -> None:
        """End before the next batch if the parent has closed the pipe, or is no more."""
        if os.getppid() != parent or pipe.poll():
            raise ShardStopped

    def tell(what: str) -> Callable[..., None]:
        def send(*said: Any) -> None:
            try:
                pipe.send((what, said[0] if len(said) == 1 else said))
            except OSError:
                raise ShardStopped from None

        return send

    try:
        runner = task.load(check)
        while True:
            message = pipe.recv()
            if message is None:
                return
            number, shard, marks, probing = message
            try:
                if probing is None:
                    result = runner.run(number, shard, marks, tell("done"))
                    tell("finished")(result)
                else:
                    runner.probe(shard, probing, tell("at"), tell("bad"))
                    tell("probed")(None)
            except (AttrexError, OSError, ShardStopped):
                raise
            except Exception as exc:
                tell("error")(f"{type(exc).__name__}: {exc}")
    except (ShardStopped, EOFError, KeyboardInterrupt):
        return
    except (AttrexError, OSError) as exc:
        try:
            pipe.send(("raise", exc if isinstance(exc, OSError) else DataError(str(exc))))
        except OSError:
            return
