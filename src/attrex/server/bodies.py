"""The body of a request: read in bounded time and memory, and taken apart into JSON and files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from attrex.errors import short
from attrex.io.rows import parse_json
from attrex.server.refusals import Refused, busy
from attrex.server.settings import Limits

JSON, LINES, FORM = "application/json", "application/x-ndjson", "multipart/form-data"
DRAIN_SECONDS = 2.0
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


@dataclass
class Bodies:
    """The bytes of all bodies that are in memory, from the first one until the answer."""

    most: int
    held: int = 0

    def room(self, size: int) -> Room:
        """Raises :class:`Refused` where there is none."""
        if self.held + size > self.most:
            raise busy("expected room for the request, but those that are answered now take all of it", 1, 503)
        self.held += size
        return Room(self, size)


@dataclass
class Room(AbstractContextManager["Room"]):
    """What one body may take."""

    bodies: Bodies
    size: int

    def shrink(self, size: int) -> None:
        """The body is there, and takes no more than that."""
        self.bodies.held -= self.size - size
        self.size = size

    def __exit__(self, *error: object) -> None:
        self.shrink(0)


@dataclass(frozen=True)
class Body:
    """What a client sent."""

    kind: str  #: :data:`JSON`, :data:`LINES` or :data:`FORM`
    content: bytes
    fields: dict[str, str] = field(default_factory=dict)  #: of a form
    files: list[tuple[str, bytes]] = field(default_factory=list)  #: of a form: name of the part, content


def kind_of_body(request: Request, kinds: tuple[str, ...]) -> str:
    """The media type of a body, which is one of ``kinds``; raises :class:`Refused` before a byte of it is read."""
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    charset = re.search(r";\s*charset\s*=\s*\"?([^\";\s]+)", given, re.IGNORECASE)
    if kind not in kinds:
        raise Refused(415, f"expected a Content-Type of {', '.join(kinds)}, got {short(given) if given else 'none'}")
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        raise Refused(415, f"expected UTF-8, got the charset {short(charset[1])}; send the text as UTF-8")
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise Refused(415, f"expected a body as it is, got it packed ({short(packed)}); send it without")
    return kind


def announced(request: Request, limits: Limits) -> int:
    """Bytes that a body takes at most; raises :class:`Refused` where that is too many."""
    given = request.headers.get("content-length")
    if given is None:
        return limits.body_bytes  # in chunks, however many
    if int(given) > limits.body_bytes:  # h11 takes nothing but digits for it
        raise _too_long(limits)
    return int(given)


async def read_bytes(request: Request, limits: Limits) -> bytes:
    """All of a body; raises :class:`Refused` where it is too long or too slow."""
    content = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                content += part
                if len(content) > limits.body_bytes:
                    raise _too_long(limits)
    except TimeoutError:
        raise Refused(
            408,
            f"expected the whole body within {limits.body_seconds:g} seconds, got {len(content):,} bytes; "
            "send less at once",
        ) from None
    return bytes(content)


async def drain(request: Request, limits: Limits) -> None:
    """Read what a client is still sending and nobody wants: a connection that is closed before loses it the answer."""
    passed = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in request.stream():
                passed += len(part)
                if passed > limits.body_bytes:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: it was read before
        return


def _too_long(limits: Limits) -> Refused:
    return Refused(
        413, f"expected a body of at most {limits.body_bytes:,} bytes, got more; send fewer products at once"
    )


async def read_form(request: Request, content: bytes, limits: Limits) -> Body:
    """The parts of a multipart body, in memory; raises :class:`Refused` for what is none."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield content
        yield b""

    most = limits.photos * limits.products
    parser = MultiPartParser(request.headers, stream(), max_files=most, max_fields=20, max_part_size=limits.body_bytes)
    parser.spool_max_size = limits.body_bytes  # nothing is put on the disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as exc:  # no boundary, a header that is none ...
        raise Refused(400, f"expected multipart/form-data, got one that cannot be read: {exc}") from None
    fields, files = {}, []
    for name, part in form.multi_items():
        if isinstance(part, UploadFile):
            files.append((name, await part.read()))
        elif name in fields:
            raise Refused(422, f"expected each field of the form once, got {short(name)} again")
        else:
            fields[name] = part
    return Body(FORM, b"", fields, files)


def parse(text: bytes, limits: Limits, where: str = "the body") -> Any:
    """JSON, bounded before it is read: a byte of it can take a hundred in memory. Raises :class:`Refused`."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Refused(
            400, f"expected {where} to be UTF-8, got the byte 0x{text[exc.start]:02x} at position {exc.start}"
        ) from None
    signs = _STRING.sub(b"", text)
    if max(sum(map(signs.count, (b",", b"[", b"{"))), sum(map(signs.count, (b"]", b"}")))) > limits.values:
        raise Refused(
            413, f"expected at most {limits.values:,} values in {where}, got more; send fewer products at once"
        )
    if _depth(signs) > limits.nesting:
        raise Refused(400, f"expected lists and objects in at most {limits.nesting} levels in {where}, got more")
    try:
        return parse_json(decoded)
    except ValueError as exc:
        raise Refused(400, f"expected {where} to be JSON, got: {exc}") from None


def _depth(signs: bytes) -> int:
    """How many lists and objects are inside each other; ``signs``: JSON without its strings."""
    depth = most = 0
    for sign in re.findall(rb"[][{}]", signs):
        depth += 1 if sign in b"[{" else -1
        most = max(most, depth)
    return most
