"""The client against answers written out by hand; against the service itself: tests/server."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import attrex.client
from attrex.client import AsyncClient, Client, ServiceError
from attrex.errors import ConfigError, DataError
from attrex.types import Product, Value

FOUND = {"id": "p1", "values": [{"attribute": "Color", "value": "Red", "confidence": 0.9, "source": None}], "range": {}}


def good() -> httpx.Response:
    return httpx.Response(200, json={"model": "m", "results": [FOUND]})


class Service:
    """Answers in turn, and remembers what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked = list(answers), list[Any]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path, json.loads(request.content or b"null"), request.headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []

    async def sleep(pause: float) -> None:
        seconds.append(pause)

    monkeypatch.setattr("time.sleep", seconds.append)
    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setattr(attrex.client.random, "uniform", lambda low, high: low)
    return seconds


def busy(seconds: str | None = None, status: int = 429) -> httpx.Response:
    return httpx.Response(status, json={"detail": "full"}, headers={} if seconds is None else {"Retry-After": seconds})


def test_values_come_as_predictions() -> None:
    service = Service(good())
    with Client("http://a", token="secret", transport=service.transport) as client:
        (found,) = client.extract([{"id": "p1", "title": "red"}], attributes=("Color",))
    assert found.values == (Value("Color", "Red", 0.9),)
    ((method, path, content, headers),) = service.asked
    assert (method, path, headers["authorization"]) == ("POST", "/v1/extract", "Bearer secret")
    assert content == {
        "products": [{"id": "p1", "title": "red"}],
        "attributes": ["Color"],
        "evidence": False,
        "photos": True,
    }


def test_photos_are_sent_along(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"photo")
    service = Service(good(), good())
    client = Client("http://a", transport=service.transport)
    list(client.extract([Product("p1", {"title": "red"}, images=(tmp_path / "a.png",), table={"Fit": ("Slim",)})]))
    list(client.extract([{"title": "red", "image": [tmp_path / "a.png", b"photo"]}]))
    photo = {"bytes": "cGhvdG8="}
    assert service.asked[0][2]["products"] == [
        {"id": "p1", "title": "red", "category": None, "attributes": {"Fit": ["Slim"]}, "images": [photo]}
    ]
    assert service.asked[1][2]["products"] == [{"title": "red", "image": [photo, photo]}]


def test_many_products_are_sent_in_parts() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        rows = json.loads(request.content)["products"]
        sizes.append(len(rows))
        return httpx.Response(200, json={"results": [{**FOUND, "id": row["id"]} for row in rows]})

    sizes: list[int] = []
    client = Client("http://a", transport=httpx.MockTransport(answer))
    found = client.extract({"id": str(i), "title": "x"} for i in range(250))
    assert [p.id for p in found] == [str(i) for i in range(250)]
    assert sizes == [100, 100, 50]


def in_parts(most: int, sizes: list[int]) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        rows = json.loads(request.content)["products"]
        sizes.append(len(rows))
        if len(rows) > most:
            return httpx.Response(413, json={"detail": f"at most {most} products"})
        return httpx.Response(200, json={"results": [{**FOUND, "id": row["id"]} for row in rows]})

    return httpx.MockTransport(answer)


def test_a_service_that_takes_fewer_gets_fewer() -> None:
    sizes: list[int] = []
    rows = [{"id": str(i)} for i in range(5)]
    client = Client("http://a", transport=in_parts(2, sizes))
    assert [p.id for p in client.extract(rows)] == ["0", "1", "2", "3", "4"]
    assert sizes == [5, 2, 3, 1, 2]
    with pytest.raises(ServiceError, match="413: at most 0 products"):
        list(Client("http://a", transport=in_parts(0, sizes)).extract(rows))

    async def ask() -> list[str]:
        async with AsyncClient("http://a", transport=in_parts(2, sizes)) as other:
            return [p.id async for p in other.extract(rows)]

    assert asyncio.run(ask()) == ["0", "1", "2", "3", "4"]


def test_heavy_photos_are_sent_a_few_at_once() -> None:
    sizes: list[int] = []
    rows = ({"id": str(i), "image": bytes(3_000_000)} for i in range(4))  # 4 MB each in base64
    assert len(list(Client("http://a", transport=in_parts(9, sizes)).extract(rows))) == 4
    assert sizes == [2, 2]


def test_rows_as_pandas_and_broken_texts_have_them() -> None:
    service = Service(httpx.Response(200, json={"results": [FOUND]}))
    row = {
        "title": "red \ud83d",
        "size": float("nan"),
        "count": np.int64(3),
        "image": np.array(["a", "b"]),
        "t": {"x": b"p"},
    }
    list(Client("http://a", transport=service.transport).extract([row]))
    assert service.asked[0][2]["products"] == [
        {"title": "red \ud83d", "size": None, "count": 3, "image": ["a", "b"], "t": {"x": {"bytes": "cA=="}}}
    ]
    with pytest.raises(DataError, match="as JSON has them, got: Object of type Decimal"):
        list(Client("http://a", transport=service.transport).extract([{"price": Decimal(1)}]))


@pytest.mark.parametrize("answer", [{"text": "<h1>It works</h1>"}, {"json": [1]}, {"json": {"results": []}}])
def test_what_is_no_answer_of_the_service_is_told(answer: dict[str, Any]) -> None:
    client = Client("http://a", transport=Service(httpx.Response(200, **answer)).transport)
    with pytest.raises(ServiceError, match=r"expected 1 results of http://a, got .*; is it the service"):
        list(client.extract(["red"]))


def test_a_busy_service_is_asked_again_when_it_says_so(waited: list[float]) -> None:
    service = Service(busy("3"), busy(), busy("soon", 503), httpx.ConnectError("refused"), good())
    assert [p.id for p in Client("http://a", transport=service.transport).extract(["red"])] == ["p1"]
    assert waited == [3, 1.0, 2.0, 4.0]


def test_at_some_time_it_is_over(waited: list[float]) -> None:
    service = Service(busy(), busy())
    with pytest.raises(ServiceError, match="answered 429: full") as error:
        list(Client("http://a", tries=2, transport=service.transport).extract(["red"]))
    assert error.value.status == 429
    assert len(waited) == 1
    service = Service(httpx.ReadTimeout("slow"))
    with pytest.raises(ServiceError, match="got ReadTimeout slow; is the service running there") as error:
        Client("http://a", tries=1, transport=service.transport).schema()
    assert error.value.status is None


def test_what_is_refused_is_not_asked_again(waited: list[float]) -> None:
    service = Service(
        httpx.Response(422, json={"detail": "product 1: expected text"}), httpx.Response(502, text="<h1>")
    )
    client = Client("http://a", transport=service.transport)
    with pytest.raises(ServiceError, match="422: product 1: expected text"):
        list(client.fill([{}], precision=0.9))
    with pytest.raises(ServiceError, match="502: '<h1>'"):
        client.schema()
    assert waited == []


def test_the_same_with_asyncio(waited: list[float]) -> None:
    service = Service(
        busy("2"), good(), httpx.Response(200, json={"results": [{"id": "p1"}]}), httpx.Response(200, json={})
    )

    async def ask() -> None:
        async with AsyncClient("http://a", transport=service.transport) as client:
            assert [p.id async for p in client.extract(["red"])] == ["p1"]
            assert [row async for row in client.fill(["red"], known_only=True)] == [{"id": "p1"}]
            assert await client.schema() == {}

    asyncio.run(ask())
    assert waited == [2]


def test_an_address_and_tries_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match="address of a service"):
        Client("127.0.0.1:8000")
    with pytest.raises(ConfigError, match="tries should be at least 1"):
        Client("http://a", tries=0)
