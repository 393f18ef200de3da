"""Ask a service (`attrex serve`) from Python: the same values as :func:`attrex.extract`, without a model here.

with Client("http://127.0.0.1:8000") as client:
    for prediction in client.extract([{"id": "p1", "title": "Navy blue cotton t-shirt"}]):
        ...

A service that has no room says when to come again; the client waits and asks again. Products are sent in parts, so that
there may be any number of them.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from attrex.errors import AttrexError, ConfigError, DataError, short
from attrex.types import ImageSource, Prediction, Product

if TYPE_CHECKING:
    import httpx

Row = Product | Mapping[str, Any] | str
"""A product, a row with the shop's columns, or a text."""
AT_ONCE, MOST_BYTES = 100, 8 * 2**20  #: of a request: products, and bytes unless a single product has more
PAUSE, LONGEST_PAUSE = 0.5, 60.0  #: seconds before the second try, doubled before each further one
BUSY, TOO_MUCH = (429, 503), 413
SENT = {"Content-Type": "application/json"}
_Answer = tuple[int, Mapping[str, str], Any]


class ServiceError(AttrexError):
    """A request that the service refused, or that did not reach it.

    :param status: that of HTTP; None: there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _Asking:
    """What both clients do; only how a request is sent differs."""

    def __init__(self, address: str, *, token: str | None, timeout: float, tries: int) -> None:
        if not address.startswith(("http://", "https://")):
            raise ConfigError(f"expected the address of a service, e.g. http://127.0.0.1:8000, got {short(address)}")
        if tries < 1:
            raise ConfigError(f"tries should be at least 1, got {tries}")
        self.address, self.tries = address.rstrip("/"), tries
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.options: dict[str, Any] = {"base_url": self.address, "headers": headers, "timeout": timeout}

    def _ask(
        self, method: str, path: str, content: bytes | None = None
    ) -> Generator[float | tuple[Any, ...], Any, Any]:
        """Yields a request to send or the seconds to wait, is sent the answer, and returns its content."""
        pause = PAUSE
        for left in reversed(range(self.tries)):
            status, headers, answer = yield (method, path, content)
            if 200 <= status < 300:
                return answer
            if left and (status in BUSY or not status):
                yield _seconds(headers.get("retry-after"), pause)
                pause *= 2
                continue
            detail = answer.get("detail", "") if isinstance(answer, Mapping) else str(answer)
            if not status:
                raise ServiceError(f"expected an answer of {self.address}, got {detail}; is the service running there?")
            raise ServiceError(f"the service answered {status}: {detail}", status)
        raise AssertionError  # the last try returns or raises

    @staticmethod
    def _parts(products: Iterable[Row]) -> Iterator[list[bytes]]:
        """Products as they are sent, so many at once that a request has room for them."""
        part, size = list[bytes](), 0
        for product in products:
            row = _json(_row(product))
            if part and (len(part) == AT_ONCE or size + len(row) > MOST_BYTES):
                yield part
                part, size = [], 0
            part.append(row)
            size += len(row)
        if part:
            yield part

    def _results(self, answer: Any, part: Sequence[bytes]) -> Any:
        found = answer.get("results") if isinstance(answer, Mapping) else None
        if not isinstance(found, list) or len(found) != len(part):
            raise ServiceError(
                f"expected {len(part)} results of {self.address}, got {short(answer)}; is it the service?"
            )
        return found


class Client(_Asking):
    """Asks a service, and waits for each answer."""

    def __init__(
        self, address: str, *, token: str | None = None, timeout: float = 120.0, tries: int = 5, **options: Any
    ) -> None:
        """:param address: e.g. ``http://127.0.0.1:8000``
        :param token: a bearer token that the service knows, where it asks for one
        :param timeout: seconds of one try
        :param tries: of a request for which the service has no room, or that does not reach it
        :param options: more of httpx.Client, e.g. ``verify``
        """
        super().__init__(address, token=token, timeout=timeout, tries=tries)
        self.http = _httpx().Client(**self.options | options)

    def extract(
        self,
        products: Iterable[Row],
        *,
        attributes: Sequence[str] | None = None,
        min_confidence: float | None = None,
        evidence: bool = False,
        photos: bool = True,
    ) -> Iterator[Prediction]:
        """What is found in each product, in their order. Raises :class:`ServiceError` for what the service refuses."""
        how = _options(attributes=attributes, min_confidence=min_confidence, evidence=evidence, photos=photos)
        for part in self._parts(products):
            yield from map(Prediction.from_json, self._asked("/v1/extract", part, how))

    def fill(
        self,
        products: Iterable[Row],
        *,
        min_confidence: float | None = None,
        precision: float | None = None,
        known_only: bool = False,
        attributes: Sequence[str] | None = None,
        evidence: bool = False,
        photos: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """The cells of each product afterwards (`table`), and what became of every value (`changes`)."""
        how = _options(
            min_confidence=min_confidence,
            precision=precision,
            known_only=known_only,
            attributes=attributes,
            evidence=evidence,
            photos=photos,
        )
        for part in self._parts(products):
            yield from self._asked("/v1/fill", part, how)

    def schema(self) -> dict[str, Any]:
        """The columns and attributes that the service knows."""
        return self._send("GET", "/v1/schema")

    def _asked(self, path: str, part: Sequence[bytes], how: Mapping[str, Any]) -> list[Any]:
        """The results of a part; one that is too much for this service in halves."""
        try:
            return self._results(self._send("POST", path, _body(part, how)), part)
        except ServiceError as exc:
            if exc.status != TOO_MUCH or len(part) == 1:
                raise
        half = len(part) // 2
        return [*self._asked(path, part[:half], how), *self._asked(path, part[half:], how)]

    def _send(self, method: str, path: str, content: bytes | None = None) -> Any:
        from time import sleep

        asking, answer = self._ask(method, path, content), None
        while True:
            try:
                step = asking.send(answer)
            except StopIteration as done:
                return done.value
            if isinstance(step, tuple):
                answer = self._once(*step)
            else:
                sleep(step)
                answer = None

    def _once(self, method: str, path: str, content: bytes | None) -> _Answer:
        httpx = _httpx()
        try:
            return _answer(self.http.request(method, path, content=content, headers=SENT))
        except httpx.TransportError as exc:
            return _unreached(exc)

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncClient(_Asking):
    """As :class:`Client`, for programs with asyncio."""

    def __init__(
        self, address: str, *, token: str | None = None, timeout: float = 120.0, tries: int = 5, **options: Any
    ) -> None:
        """As :class:`Client`; ``options`` are those of httpx.AsyncClient."""
        super().__init__(address, token=token, timeout=timeout, tries=tries)
        self.http = _httpx().AsyncClient(**self.options | options)

    async def extract(
        self,
        products: Iterable[Row],
        *,
        attributes: Sequence[str] | None = None,
        min_confidence: float | None = None,
        evidence: bool = False,
        photos: bool = True,
    ) -> AsyncIterator[Prediction]:
        """As :meth:`Client.extract`."""
        how = _options(attributes=attributes, min_confidence=min_confidence, evidence=evidence, photos=photos)
        for part in self._parts(products):
            for row in await self._asked("/v1/extract", part, how):
                yield Prediction.from_json(row)

    async def fill(
        self,
        products: Iterable[Row],
        *,
        min_confidence: float | None = None,
        precision: float | None = None,
        known_only: bool = False,
        attributes: Sequence[str] | None = None,
        evidence: bool = False,
        photos: bool = True,
    ) -> AsyncIterator[dict[str, Any]]:
        """As :meth:`Client.fill`."""
        how = _options(
            min_confidence=min_confidence,
            precision=precision,
            known_only=known_only,
            attributes=attributes,
            evidence=evidence,
            photos=photos,
        )
        for part in self._parts(products):
            for row in await self._asked("/v1/fill", part, how):
                yield row

    async def schema(self) -> dict[str, Any]:
        """As :meth:`Client.schema`."""
        return await self._send("GET", "/v1/schema")

    async def _asked(self, path: str, part: Sequence[bytes], how: Mapping[str, Any]) -> list[Any]:
        """As :meth:`Client._asked`."""
        try:
            return self._results(await self._send("POST", path, _body(part, how)), part)
        except ServiceError as exc:
            if exc.status != TOO_MUCH or len(part) == 1:
                raise
        half = len(part) // 2
        return [*await self._asked(path, part[:half], how), *await self._asked(path, part[half:], how)]

    async def _send(self, method: str, path: str, content: bytes | None = None) -> Any:
        from asyncio import sleep

        asking, answer = self._ask(method, path, content), None
        while True:
            try:
                step = asking.send(answer)
            except StopIteration as done:
                return done.value
            if isinstance(step, tuple):
                answer = await self._once(*step)
            else:
                await sleep(step)
                answer = None

    async def _once(self, method: str, path: str, content: Any) -> _Answer:
        httpx = _httpx()
        try:
            return _answer(await self.http.request(method, path, content=content, headers=SENT))
        except httpx.TransportError as exc:
            return _unreached(exc)

    async def aclose(self) -> None:
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


def _httpx() -> Any:
    try:
        import httpx
    except ModuleNotFoundError:
        raise ConfigError("the client needs httpx, which is not installed; pip install 'attrex[client]'") from None
    return httpx


def _answer(response: httpx.Response) -> _Answer:
    try:
        content = response.json()
    except ValueError:  # of something between us and the service
        content = {"detail": short(response.text, 200)}
    return response.status_code, response.headers, content


def _unreached(error: Exception) -> _Answer:
    return 0, {}, {"detail": f"{type(error).__name__} {error}".strip()}


def _seconds(retry_after: str | None, pause: float) -> float:
    """What the service asks for, or our own pause; never all clients at the same moment."""
    asked = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else pause
    return min(LONGEST_PAUSE, asked) * random.uniform(1, 1.25)


def _options(**options: Any) -> dict[str, Any]:
    """Those that were given: a service of another version may not know the others."""
    given = {name: value for name, value in options.items() if value is not None}
    if "attributes" in given:
        given["attributes"] = list(given["attributes"])
    return given


def _row(product: Row) -> Any:
    """A product as the service reads it: its photos are sent along."""
    if isinstance(product, Product):
        own: dict[str, Any] = {"id": product.id, **product.fields, "category": product.category}
        table = {name: list(values) for name, values in product.table.items()}
        return own | {"attributes": table, "images": [_photo(image) for image in product.images]}
    return _sent(product)


def _sent(value: Any) -> Any:
    if isinstance(value, Path | bytes):
        return _photo(value)
    if isinstance(value, Mapping):
        return {name: _sent(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(part) for part in value]
    if hasattr(value, "tolist"):  # numpy
        return _sent(value.tolist())
    return None if isinstance(value, float) and isnan(value) else value  # a blank cell of pandas


def _json(content: Any) -> bytes:
    """In ASCII: whatever half characters there are in a text, it can be sent."""
    try:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as exc:
        raise DataError(f"expected products of texts, numbers and lists, as JSON has them, got: {exc}") from exc


def _body(part: Sequence[bytes], how: Mapping[str, Any]) -> bytes:
    return b'{"products":[' + b",".join(part) + b"]," + _json(how)[1:]


def _photo(image: ImageSource) -> dict[str, str]:
    content = image if isinstance(image, bytes) else image.read_bytes()
    return {"bytes": base64.b64encode(content).decode("ascii")}
