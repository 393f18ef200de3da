"""The body of a request: read in bounded time and memory, and taken apart into JSON and files."""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from attrex.errors import short
from attrex.io.rows import parse_json
from attrex.server.refusals import Refused, busy
from attrex.server.settings import Limits

JSON, LINES, FORM = "application/json", "application/x-ndjson", "multipart/form-data"
DRAIN_SECONDS = 2.0
LONGEST_BOUNDARY = 70
"""Characters; RFC 2046, 5.1.1."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


@dataclass
class Bodies:
    """The bytes of all bodies that are in memory, from the first one until the answer."""

    most: int
    held: int = 0

    def room(self) -> Room:
        """For a body that has not begun: what a client announces and does not send keeps nobody else out."""
        return Room(self)


@dataclass
class Room(AbstractContextManager["Room"]):
    """What one body takes."""

    bodies: Bodies
    size: int = 0

    def grow(self, size: int) -> None:
        """So many bytes more have come. Raises :class:`Refused` where there is no room for them."""
        if self.bodies.held + size > self.bodies.most:
            raise busy("expected room for the request, but those that are answered now take all of it", 1, 503)
        self.bodies.held += size
        self.size += size

    def __exit__(self, *error: object) -> None:
        self.bodies.held -= self.size
        self.size = 0


@dataclass(frozen=True)
class Body:
    """What a client sent."""

    kind: str  #: :data:`JSON`, :data:`LINES` or :data:`FORM`
    content: bytes
    fields: dict[str, bytes] = field(default_factory=dict)  #: of a form
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


async def read_bytes(request: Request, limits: Limits, room: Room) -> bytes:
    """All of a body; raises :class:`Refused` where it is too long or too slow, or there is no room for it."""
    if int(request.headers.get("content-length", 0)) > limits.body_bytes:  # h11 takes nothing but digits for it
        raise _too_long(limits)
    content = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                room.grow(len(part))
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


def read_form(kind: str, content: bytes, limits: Limits) -> Body:
    """The parts of a multipart body (RFC 7578); raises :class:`Refused` for what is none, or is cut off.

    :param kind: the Content-Type, with the boundary.
    """
    boundary = parse_options_header(kind)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= LONGEST_BOUNDARY:
        raise _no_form(f"a boundary of {len(boundary)} characters")
    between = b"\r\n--" + boundary
    most = limits.photos * limits.products + 1
    if content.count(between) > most + 1:
        raise Refused(413, f"expected at most {most:,} parts in the form, got more; send fewer products at once")
    before, *parts = (b"\r\n" + content).split(between)
    if before.strip() or not parts or not parts[-1].startswith(b"--"):
        raise _no_form("one whose last boundary is not there, or whose first is not at its beginning")
    body = Body(FORM, b"")
    for number, part in enumerate(parts[:-1], 1):
        name, is_file, value = _part(part, f"part {number}")
        if is_file:
            body.files.append((name, value))
        elif name in body.fields:
            raise Refused(422, f"expected each field of the form once, got {short(name)} again")
        else:
            body.fields[name] = value
    return body


def _part(part: bytes, where: str) -> tuple[str, bool, bytes]:
    """Name of a part, whether it is a file, and its content; ``part``: what follows a boundary."""
    head, blank, content = part.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        header, _, value = line.partition(b":")
        if header.strip().lower() == b"content-disposition":
            options = parse_options_header(value.strip())[1]
            if blank and options.get(b"name"):
                is_file = b"filename" in options or b"filename*=" in value  # as older clients spell names in UTF-8
                return _utf8(options[b"name"], where), is_file, content
    raise _no_form(f"{where} without a Content-Disposition that has a name")


def _no_form(got: str) -> Refused:
    return Refused(400, f"expected multipart/form-data, got one that cannot be read: {got}")


def _utf8(text: bytes, where: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Refused(
            400, f"expected {where} to be UTF-8, got the byte 0x{text[exc.start]:02x} at position {exc.start}"
        ) from None


def parse(text: bytes, limits: Limits, where: str = "the body") -> Any:
    """JSON, bounded before it is read: a byte of it can take a hundred in memory. Raises :class:`Refused`."""
    decoded = _utf8(text, where)
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
