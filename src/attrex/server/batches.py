"""Requests share batches: products of all requests that wait go through the model together, in turn.

A request of one product that comes after one of five hundred is in the next batch: each request that waits gives one
product in its turn, until the batch is full. It is full of texts, too, so that the next one need not wait for long ones
to be read. What shares a batch is never seen in an answer: the model is loaded so
that a product gets the same values in any company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from attrex.server.refusals import busy
from attrex.types import Prediction, Product

FIRST_RATE = 10.0  #: products a second, until some have been measured


@dataclass(frozen=True, slots=True)
class Options:
    """How products are extracted; only those with the same options share a batch."""

    attributes: tuple[str, ...] | None = None
    min_confidence: float | None = None
    evidence: bool = True
    photos: bool = True


class Extracts(Protocol):
    """What an :class:`~attrex.inference.extractor.Extractor` is asked for here."""

    def extract(
        self,
        products: Sequence[Product],
        *,
        batch_size: int | None = None,
        min_confidence: float | None = None,
        evidence: bool = True,
        photos: bool = True,
        attributes: Collection[str] | None = None,
    ) -> Iterator[Prediction]: ...


@dataclass(eq=False, slots=True)
class _Job:
    """One request's products on their way."""

    extractor: Extracts
    options: Options
    products: Sequence[Product]
    deadline: float
    put: Callable[[Prediction | Exception], None]
    at: int = 0  #: how many of them have gone into a batch
    given_up: bool = False  #: nobody waits for the answer


@dataclass
class SharedBatches:
    """The queue of all requests of a process, and the thread that empties it.

    :param size: products that go through the model together at most.
    :param text: characters of them at most, unless the first product alone has more.
    :param lanes: batches that the model runs at once.
    :param capacity: products that may wait.
    :param observe: told of each batch: products, seconds.
    :param waits: told how many products hold a place, whenever that changes.
    """

    size: int
    lanes: int
    capacity: int
    observe: Callable[[int, float], None] = lambda products, seconds: None
    waits: Callable[[int], None] = lambda products: None
    text: int = 50_000
    rate: float = FIRST_RATE  #: products a second, of late
    waiting: int = 0  #: products that hold a place in the queue
    _jobs: deque[_Job] = field(default_factory=deque)
    _changed: Condition = field(default_factory=Condition)
    _thread: Thread | None = None
    _closed: bool = False

    def start(self) -> None:
        self._thread = Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """End the thread when all that waits is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    @contextmanager
    def places(self, products: int) -> Iterator[None]:
        """Places in the queue, for as long as a request is answered; raises :class:`Refused` where there are none."""
        with self._changed:
            if self.waiting + products > self.capacity:
                raise busy(
                    f"expected a queue with room for {products} products, but {self.waiting} of {self.capacity} places "
                    "are taken; send the request again later",
                    self.waiting / self.rate,
                )
            self.waiting += products
            self.waits(self.waiting)
        try:
            yield
        finally:
            with self._changed:
                self.waiting -= products
                self.waits(self.waiting)

    async def extract(
        self, extractor: Extracts, products: Sequence[Product], options: Options, seconds: float
    ) -> AsyncGenerator[Prediction | Exception, None]:
        """What is found in each product, in order; an exception in place of what could not be found.

        :param seconds: after which the products that have not been in a batch are given up (503).
        """
        loop, done = asyncio.get_running_loop(), asyncio.Queue[Prediction | Exception]()

        def put(found: Prediction | Exception) -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(done.put_nowait, found)

        job = _Job(extractor, options, products, monotonic() + seconds, put)
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
        try:
            for _ in products:
                yield await done.get()
        finally:
            job.given_up = True

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                batch = self._next()
            if batch:
                self._run(batch)

    def _next(self) -> list[tuple[_Job, Product]]:
        """The next batch: one product of each request in turn, of those whose options are the first one's."""
        now, batch = monotonic(), list[tuple[_Job, Product]]()
        for job in [job for job in self._jobs if job.given_up or job.deadline <= now]:
            self._jobs.remove(job)
            for _ in job.products[job.at :]:
                job.put(busy("expected an answer in time, but too much else was asked; ask again", 1, 503))
        same = [j for j in self._jobs if j.options == self._jobs[0].options and j.extractor is self._jobs[0].extractor]
        text = 0
        while same:
            for job in list(same):
                product = job.products[job.at]
                text += sum(map(len, product.fields.values()))
                if len(batch) == self.size or (batch and text > self.text):
                    return batch
                batch.append((job, product))
                job.at += 1
                self._jobs.remove(job)
                if job.at < len(job.products):
                    self._jobs.append(job)  # behind all that have not had their turn
                else:
                    same.remove(job)
        return batch

    def _run(self, batch: Sequence[tuple[_Job, Product]]) -> None:
        job, started = batch[0][0], monotonic()
        products = [product for _, product in batch]
        found: list[Prediction | Exception]
        try:
            found = list(self._extract(job, products))
        except Exception:  # one of them, or a defect: nobody else is to suffer from it
            found = [self._alone(job, product) for product in products]
        seconds = max(monotonic() - started, 1e-6)
        self.rate += 0.2 * (len(batch) / seconds - self.rate)
        self.observe(len(batch), seconds)
        for (waiting, _), one in zip(batch, found, strict=True):
            waiting.put(one)

    def _extract(self, job: _Job, products: Sequence[Product]) -> Iterator[Prediction]:
        options = job.options
        return job.extractor.extract(
            products,
            batch_size=max(1, -(-min(self.size, len(products)) // self.lanes)),
            attributes=options.attributes,
            min_confidence=options.min_confidence,
            evidence=options.evidence,
            photos=options.photos,
        )

    def _alone(self, job: _Job, product: Product) -> Prediction | Exception:
        try:
            return next(iter(self._extract(job, [product])))
        except Exception as exc:
            return exc


def raised(found: Prediction | Exception) -> Prediction:
    """What was found; raises what came in its place."""
    if isinstance(found, Exception):
        raise found
    return found
