"""HTTP/1.1 by uvicorn and h11, with an end to connections that say nothing, half a header, or take no answer.

uvicorn 0.54.0 waits for the rest of a header as long as the client likes, and for the first byte of a connection, too.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from attrex.server.refusals import PROBLEM, Refused, problem
from attrex.server.settings import HEADER_BYTES


class TimedProtocol(H11Protocol):
    """A connection that has so long for a header, and for taking what was written."""

    header_seconds: ClassVar[float] = 10.0
    write_seconds: ClassVar[float] = 30.0
    linger_seconds: ClassVar[float] = 1.0
    _header: asyncio.TimerHandle | None = None
    _write: asyncio.TimerHandle | None = None
    _refused: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_header(True)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._watch_header(self._header_is_open())

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_header(self._header_is_open())

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch_header(False)
        if self._write is not None:
            self._write.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write = self.loop.call_later(self.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write is not None:
            self._write.cancel()
            self._write = None

    def _header_is_open(self) -> bool:
        """Whether a header has begun that is not there as a whole."""
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _watch_header(self, is_open: bool) -> None:
        """The time counts from the first byte, however many follow."""
        if is_open and self._header is None:
            self._header = self.loop.call_later(self.header_seconds, self._header_is_late)
        elif not is_open and self._header is not None:
            self._header.cancel()
            self._header = None

    def _header_is_late(self) -> None:
        if self.transport.is_closing():
            return
        if self._header_is_open():
            self._answer(Refused(408, f"expected the whole header within {self.header_seconds:g} seconds; ask again"))
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Called where h11 has raised; it says whether a header was too long, uvicorn does not."""
        if getattr(sys.exception(), "error_status_hint", 400) == 431:
            self._answer(Refused(431, f"expected a header of at most {HEADER_BYTES:,} bytes, got more"))
        else:
            self._answer(Refused(400, "expected a request of HTTP/1.1, got what is none"))

    def _answer(self, refused: Refused) -> None:
        """An answer where there is no request that the application could have seen; then the connection ends.

        What the client still sends is passed over: a connection that is closed before loses it the answer.
        """
        self._refused = True
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # in the middle of another one
            self.transport.close()
            return
        body = problem(refused).body
        headers: list[tuple[bytes, Any]] = [
            (b"content-type", PROBLEM.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=refused.status, headers=headers),
            h11.Data(data=bytes(body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(self.linger_seconds, self.transport.close)
