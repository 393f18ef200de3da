"""Around every request: who may ask, what every answer says to a browser, and what is counted and logged of it."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attrex.errors import short
from attrex.server.bodies import drain
from attrex.server.logs import log, tell
from attrex.server.metrics import Metrics
from attrex.server.refusals import Refused, problem
from attrex.server.settings import HEADER_BYTES, ServerSettings, is_loopback

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
CLOSED = 499
"""In place of a status, in log and figures: the client went away before there was one."""


class Guard:
    """Lets requests through to the application; the outermost part of it.

    :param open_paths: what needs no token: pages and their files, and whether the service is well.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics, open_paths: frozenset[str]) -> None:
        self.app, self.settings, self.metrics, self.open_paths = app, settings, metrics, open_paths
        self.tokens = [_digest(token) for token in settings.tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Answering(self, scope, receive, send).run()

    def check(self, request: Request) -> None:
        """Raises :class:`Refused` for who may not ask."""
        headers = request.headers
        if sum(len(name) + len(value) for name, value in headers.raw) > HEADER_BYTES:
            raise Refused(431, f"expected a header of at most {HEADER_BYTES:,} bytes, got more")
        host = headers.get("host", "")
        if not self.tokens and not is_loopback(_name_of(host)):
            raise Refused(
                403, f"expected a Host of this machine, got {short(host)}: without tokens no other name is answered to"
            )
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host.lower():
            raise Refused(
                403, f"expected a request of the service's own pages or of a program, got one of {short(origin)}"
            )
        if self.tokens and request.url.path not in self.open_paths:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            given = _digest(token.strip())
            # every token is compared, so that time tells nothing of which is near
            right = [hmac.compare_digest(given, known) for known in self.tokens]
            if scheme.lower() != "bearer" or not any(right):
                got = "none" if "authorization" not in headers else "another one"
                raise Refused(
                    401,
                    f"expected a token that the service knows (Authorization: Bearer TOKEN), got {got}",
                    headers={"WWW-Authenticate": "Bearer"},
                )


def guarded(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The same, with an answer also where it raises."""

    async def answer_or_refusal(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as exc:
            return await request.scope["answering"].refusal(exc)

    return answer_or_refusal


class _Answering:
    """One request on its way."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard, self.scope, self.receive, self.send = guard, scope, receive, send
        self.status, self.length, self.started = 0, 0, monotonic()
        self.id = uuid4().hex[:16]
        self.body_is_read = not _has_body(scope)

    async def run(self) -> None:
        self.scope["facts"], self.scope["answering"] = {}, self
        try:
            self.guard.check(Request(self.scope))
        except Refused as exc:
            app: ASGIApp = await self.refusal(exc)
        else:
            app = self.guard.app
        try:
            await app(self.scope, self._receive, self._send)
        finally:
            self._note()

    async def refusal(self, error: Exception) -> Response:
        """The answer to a request that came to nothing."""
        if isinstance(error, ClientDisconnect):
            return Response(status_code=CLOSED)
        if not isinstance(error, Refused):
            log.error("failed", exc_info=error, extra={"facts": {"request": self.id}})
            error = Refused(500, f"a defect of the service, not of the request; its log has it as {self.id}")
        if not self.body_is_read:
            await drain(Request(self.scope, self._receive), self.guard.settings.limits)
            error.headers["Connection"] = "close"
        return problem(error)

    async def _receive(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.body_is_read = True
        return message

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message.get("headers", ())}
            own = {**HEADERS, "X-Request-ID": self.id, "Cache-Control": "no-store"}
            more = [(k.lower().encode(), v.encode()) for k, v in own.items() if k.lower().encode() not in given]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        elif message["type"] == "http.response.body":
            self.length += len(message.get("body", b""))
        await self.send(message)

    def _note(self) -> None:
        seconds = monotonic() - self.started
        route = self.scope.get("route")
        path = getattr(route, "path", "other")  # what else a client writes there may be anything
        self.guard.metrics.requests.labels(path, str(self.status)).inc()
        self.guard.metrics.seconds.labels(path).observe(seconds)
        facts: dict[str, Any] = {
            "request": self.id,
            "method": self.scope["method"] if self.scope["method"].isalpha() else "other",
            "path": path,
            "status": self.status,
            "seconds": round(seconds, 4),
            "bytes": self.length,
            **self.scope["facts"],
        }
        quiet = path in ("/healthz", "/readyz", "/metrics") and self.status < 400
        tell("request", logging.DEBUG if quiet else logging.INFO, **facts)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
        for name, value in scope["headers"]
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\\\s]+)(?::\d{1,5})?", host)
    return found[1].strip("[]").lower() if found else ""


def _host_of(origin: str) -> str:
    """Host and port of an Origin header, as a Host header has them."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
