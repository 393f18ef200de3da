"""The client against answers written out by hand; against the service itself: tests/server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

import attrex.client
from attrex.client import AsyncClient, Client, ServiceError
from attrex.errors import ConfigError
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
