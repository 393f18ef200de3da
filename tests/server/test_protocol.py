"""Connections that say nothing, half a header, or nonsense come to an end; with real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn

from attrex.server.protocol import TimedProtocol


class Hurried(TimedProtocol):
    header_seconds = 0.3
    write_seconds = 0.3


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    async def app(scope: dict, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        body = b"x" * 50_000_000 if scope["path"] == "/much" else b"ok"
        await send({"type": "http.response.body", "body": body})  # type: ignore[operator]

    config = uvicorn.Config(app, http=Hurried, ws="none", lifespan="off", log_config=None, timeout_keep_alive=5)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def answer(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the other side ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:
                break
            time.sleep(pause)
        got = b""
        while more := connection.recv(65536):
            got += more
        return got


def test_a_header_in_parts_is_read(port: int) -> None:
    got = answer(port, b"GET / HTTP/1.1\r\n", b"Host: a\r\nConnection: close\r\n\r\n", pause=0.05)
    assert got.startswith(b"HTTP/1.1 200")


def test_half_a_header_is_waited_for_no_longer_than_that(port: int) -> None:
    got = answer(port, b"GET / HTTP/1.1\r\nHost: ")
    assert got.startswith(b"HTTP/1.1 408")
    assert b"the whole header within 0.3 seconds" in got


def test_bytes_now_and_then_make_it_no_longer(port: int) -> None:
    started = time.monotonic()
    answer(port, *[b"G", *[b"E"] * 30], pause=0.1)
    assert time.monotonic() - started < 3  # of 3.1 seconds, had each byte bought more time; and it is cut before


def test_a_connection_without_a_word_ends(port: int) -> None:
    assert answer(port) == b""


def test_the_second_request_of_a_connection_is_watched_too(port: int) -> None:
    got = answer(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /", pause=0.05)
    assert got.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in got


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(port: int, nonsense: bytes) -> None:
    got = answer(port, nonsense)
    assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert b"application/problem+json" in got


def test_a_header_that_is_too_long_is_told_as_such(port: int) -> None:
    got = answer(port, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000)
    assert got.startswith(b"HTTP/1.1 431")
    assert b"expected a header of at most 32,768 bytes, got more" in got


def test_a_client_that_takes_no_answer_is_left(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.8)
        got = 0
        with suppress(ConnectionResetError):
            while more := connection.recv(1 << 20):
                got += len(more)
        assert 0 < got < 50_000_000
