"""The service's addresses, and their description (OpenAPI)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from attrex.errors import ConfigError
from attrex.server.bodies import FORM, JSON, LINES, Body, kind_of_body, parse, read_bytes, read_form
from attrex.server.described import describe
from attrex.server.guard import Guard, guarded
from attrex.server.metrics import Metrics
from attrex.server.model_facts import model_facts
from attrex.server.pages import PAGES, add_pages
from attrex.server.reading import Asked, Extraction, Filling
from attrex.server.refusals import Refused, dumps, problem
from attrex.server.service import Loaded, Service
from attrex.server.settings import Limits

OPEN = frozenset({"/healthz", "/readyz", "/openapi.json", *PAGES})
"""What needs no token."""


def create_app(service: Service, metrics: Metrics | None = None) -> Any:
    """The ASGI application of a service."""
    metrics = metrics or Metrics()
    store, catalogue = _open_reviews(service.settings.reviews), _read_catalogue(service.settings.catalogue)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        service.start()
        yield
        await asyncio.to_thread(service.close)
        if store is not None:
            store.close()

    app = FastAPI(title="Attrex", version=version("attrex"), docs_url=None, redoc_url=None, lifespan=lifespan)
    service.batches.observe = metrics.batched
    service.batches.waits = metrics.waiting.set

    async def extract(request: Request) -> Response:
        return await _answer(service, request, Extraction)

    async def fill(request: Request) -> Response:
        return await _answer(service, request, Filling)

    async def schema(request: Request) -> Response:
        return _json(service.loaded.schema())

    async def model(request: Request) -> Response:
        return _json(await asyncio.to_thread(model_facts, service.loaded))

    async def healthz(request: Request) -> Response:
        return _state(service.batches.alive, "the thread that runs the model has ended; start the service again")

    async def readyz(request: Request) -> Response:
        return _state(service.batches.alive and not service.draining, "the service is ending; ask another one")

    async def figures(request: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.page), media_type="text/plain; version=0.0.4; charset=utf-8")

    for path, method, answer in (
        ("/v1/extract", "POST", extract),
        ("/v1/fill", "POST", fill),
        ("/v1/schema", "GET", schema),
        ("/v1/model", "GET", model),
        ("/healthz", "GET", healthz),
        ("/readyz", "GET", readyz),
        ("/metrics", "GET", figures),
    ):
        app.add_api_route(path, guarded(answer), methods=[method], response_model=None, **describe(path))
    if store is not None:
        from attrex.server.reviewing import add_review

        add_review(app, store, service.settings.limits, service.bodies)
    if catalogue is not None:
        from attrex.server.catalogue import add_catalogue

        add_catalogue(app, catalogue, service, service.settings.limits)
    add_pages(app)
    app.add_exception_handler(HTTPException, _http_error)
    return Guard(app, service.settings, metrics, OPEN)


def _open_reviews(where: str | None) -> Any:
    """The review store that is served; SQLAlchemy is needed for nothing else."""
    if where is None:
        return None
    try:
        from attrex.review.store import ReviewStore
    except ModuleNotFoundError as exc:
        raise ConfigError(f"reviews need {exc.name}, which is not installed; pip install 'attrex[review]'") from exc
    return ReviewStore(where)


def _read_catalogue(folder: str | Path | None) -> Any:
    if folder is None:
        return None
    from attrex.server.catalogue import Catalogue

    return Catalogue.load(folder)


async def _answer(service: Service, request: Request, form: type[Extraction]) -> Response:
    """Read, take places in the queue, and answer: at once in JSON, or line by line."""
    limits, loaded = service.settings.limits, service.loaded
    kind = kind_of_body(request, (JSON, LINES, FORM))
    with ExitStack() as held:
        content = await read_bytes(request, limits, held.enter_context(service.bodies.room()))
        if kind == FORM:
            body = await _in_thread(service, read_form, request.headers["content-type"], content, limits)
        else:
            body = Body(kind, content)
        query = _query(request) if kind == LINES else {}
        asked: Asked = await _in_thread(service, loaded.reader.read, body, form, query)
        del body, content
        loaded.check(asked.options)
        if isinstance(asked.options, Filling):
            await _in_thread(service, loaded.limits, asked.options)  # what takes long is kept
        request.scope["facts"] |= {"products": len(asked.products)}
        if service.settings.log_texts:
            request.scope["facts"]["texts"] = [dict(product.fields) for product in asked.products]
        held.enter_context(service.batches.places(len(asked.products)))
        if kind == LINES:
            return _Lines(held.pop_all(), _lines(service, loaded, asked))
        results = await _unless_gone(request, _collected(service, loaded, asked))
        return _json(loaded.facts() | {"results": results})


async def _in_thread(service: Service, work: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(service.readers, work, *arguments)


async def _collected(service: Service, loaded: Loaded, asked: Asked) -> list[dict[str, Any]]:
    results = []
    async with aclosing(service.results(loaded, asked)) as found:
        async for one in found:
            if isinstance(one, Exception):
                raise one
            results.append(one)
    return results


async def _unless_gone(request: Request, answer: Any) -> Any:
    """The answer, which is given up when the client goes away."""
    work = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(request.receive())  # the body is read: nothing else can come
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        gone.cancel()
        work.cancel()


async def _lines(service: Service, loaded: Loaded, asked: Asked) -> AsyncGenerator[bytes, None]:
    """A line per product, as soon as it is there."""
    number = 0
    async with aclosing(service.results(loaded, asked)) as found:
        async for one in found:
            row = _marked(asked.products[number].id, one) if isinstance(one, Exception) else one
            yield dumps(row | loaded.facts()) + b"\n"
            number += 1


class _Lines(StreamingResponse):
    """Lines; ``held``: the request's room and its places in the queue, which are left after the last one."""

    def __init__(self, held: ExitStack, lines: AsyncGenerator[bytes, None]) -> None:
        super().__init__(lines, media_type=LINES)
        self.held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.held:
            await super().__call__(scope, receive, send)


def _marked(product: str, error: Exception) -> dict[str, Any]:
    """The line of a product that got no answer."""
    detail = error.detail if isinstance(error, Refused) else "a defect of the service, not of the product"
    return {"id": product, "error": detail}


def _query(request: Request) -> dict[str, Any]:
    """Options of a stream, which stand in its address: as they would stand in JSON, attributes each by itself."""
    options: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in ("product", "products"):
            raise Refused(422, f"expected products as lines of the body, got {name} in the address")
        if name == "attributes":
            options.setdefault(name, []).append(value)
        elif name in options:
            raise Refused(422, f"expected {name} once in the address, got it again")
        else:
            try:
                options[name] = parse(value.encode("utf-8", "surrogatepass"), Limits(), name)
            except Refused:
                options[name] = value
    return options


def _json(content: Any) -> Response:
    return Response(dumps(content), media_type=JSON)


def _state(well: bool, otherwise: str) -> Response:
    return _json({"status": "ok"}) if well else problem(Refused(503, otherwise, headers={"Retry-After": "5"}))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses: an address or a method that there is not."""
    assert isinstance(error, HTTPException)
    known = {404: "expected an address of the service (/openapi.json lists them), got another one"}
    detail = known.get(error.status_code, f"expected another request: {error.detail}")
    return problem(Refused(error.status_code, detail, headers=dict(error.headers or {})))
