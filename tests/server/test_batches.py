"""Who shares a batch with whom, in what order, and what becomes of those that cannot wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import pytest

from attrex.server.batches import Options, SharedBatches
from attrex.server.refusals import Refused
from attrex.types import Prediction, Product


class Model:
    """Finds nothing, remembers its batches, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = Event()
        self.go.set()

    def extract(self, products: Sequence[Product], **options: Any) -> Iterator[Prediction]:
        self.go.wait(5)
        if len(products) > 1 and any(p.id == "bad" for p in products):
            raise ValueError("a product that breaks its batch")
        if products[0].id == "bad":
            raise ValueError("bad")
        self.batches.append([p.id for p in products])
        return (Prediction(p.id) for p in products)


def products(name: str, number: int) -> list[Product]:
    return [Product(f"{name}{i}", {"text": "x"}) for i in range(number)]


async def ids(batches: SharedBatches, model: Model, asked: Sequence[Product], seconds: float = 5) -> list[str]:
    found = batches.extract(model, asked, Options(), seconds)  # type: ignore[arg-type]
    return [one.id if isinstance(one, Prediction) else type(one).__name__ async for one in found]


def run(model: Model, *requests: Sequence[Product], size: int = 4, seconds: float = 5) -> list[list[str]]:
    """All requests at once, the first one first; the model begins when all are there."""

    async def all_of_them() -> list[list[str]]:
        batches = SharedBatches(size, lanes=1, capacity=1000)
        tasks = [asyncio.create_task(ids(batches, model, asked, seconds)) for asked in requests]
        await asyncio.sleep(0)
        batches.start()
        try:
            return await asyncio.gather(*tasks)
        finally:
            batches.close()

    return asyncio.run(all_of_them())


def test_each_request_gets_its_own_answers_in_its_order() -> None:
    assert run(Model(), products("a", 6), products("b", 3)) == [
        ["a0", "a1", "a2", "a3", "a4", "a5"],
        ["b0", "b1", "b2"],
    ]


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    model = Model()
    run(model, products("large", 8), products("small", 1))
    assert model.batches[0] == ["large0", "small0", "large1", "large2"]


def test_requests_take_turns() -> None:
    model = Model()
    run(model, products("a", 4), products("b", 4), size=2)
    assert model.batches == [["a0", "b0"], ["a1", "b1"], ["a2", "b2"], ["a3", "b3"]]


def test_a_batch_is_full_of_texts_too() -> None:
    """So that a small request waits for one long text at most, whatever else has come."""
    model = Model()
    long = [Product(f"long{i}", {"text": "x" * 60_000}) for i in range(3)]
    run(model, long, products("small", 2))
    assert model.batches == [["long0"], ["small0"], ["long1"], ["small1"], ["long2"]]


def test_a_product_that_breaks_its_batch_breaks_no_other() -> None:
    assert run(Model(), products("a", 2), [Product("bad", {"text": "x"})]) == [["a0", "a1"], ["ValueError"]]


def test_what_waits_too_long_is_given_up() -> None:
    model = Model()
    assert run(model, products("a", 2), seconds=0) == [["Refused", "Refused"]]
    assert model.batches == []


def test_only_those_with_the_same_options_share_a_batch() -> None:
    model = Model()

    async def both() -> None:
        batches = SharedBatches(8, lanes=1, capacity=100)

        async def ask(name: str, options: Options) -> None:
            async for _ in batches.extract(model, products(name, 2), options, 5):  # type: ignore[arg-type]
                pass

        tasks = [asyncio.create_task(ask(name, Options(evidence=name == "a"))) for name in ("a", "b")]
        await asyncio.sleep(0)
        batches.start()
        await asyncio.gather(*tasks)
        batches.close()

    asyncio.run(both())
    assert model.batches == [["a0", "a1"], ["b0", "b1"]]


def test_a_request_that_nobody_waits_for_is_not_run() -> None:
    model = Model()

    async def cancelled() -> None:
        batches = SharedBatches(1, lanes=1, capacity=100)
        gone = asyncio.create_task(ids(batches, model, products("gone", 50)))
        stays = asyncio.create_task(ids(batches, model, products("stays", 1)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        batches.start()
        assert await stays == ["stays0"]
        batches.close()

    asyncio.run(cancelled())
    assert model.batches == [["stays0"]]


def test_a_full_queue_says_when_to_come_again() -> None:
    batches = SharedBatches(4, lanes=1, capacity=30, rate=10)
    with batches.places(25):
        with pytest.raises(Refused, match="25 of 30 places are taken") as refused, batches.places(6):
            pass
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "2"})
    with batches.places(30):
        assert batches.waiting == 30
    assert batches.waiting == 0


def test_the_end_waits_for_what_was_accepted() -> None:
    model = Model()
    model.go.clear()

    async def end() -> list[str]:
        batches = SharedBatches(1, lanes=1, capacity=100)
        batches.start()
        asked = asyncio.create_task(ids(batches, model, products("a", 3)))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(batches.close))
        model.go.set()
        found = await asked
        await closing
        assert not batches.alive
        return found

    started = time.monotonic()
    assert asyncio.run(end()) == ["a0", "a1", "a2"]
    assert time.monotonic() - started < 5
