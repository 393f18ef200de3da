"""A service that is sent anything: each request gets a clear answer, and the next one gets its values.

The service is one of ``ATTREX_MODEL``, in a process of its own.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from PIL import Image

from attrex.tools.served import served

from .conftest import tries

httpx = pytest.importorskip("httpx")
MODEL = os.environ.get("ATTREX_MODEL", "")
pytestmark = pytest.mark.skipif(not MODEL, reason="ATTREX_MODEL names no model to serve")
GOOD = {"product": {"id": "1", "title": "Navy blue cotton shirt"}}

PATHS = [
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/..%5c..%5cetc",
    "/v1/extract%00",
    "//elsewhere.example/",
    "/" + "a" * 100_000,
]
HEADS = [
    b"Host: elsewhere.example",
    b"Host: localhost\r\nHost: elsewhere.example",
    b"Host: localhost@elsewhere.example",
    b" Host: localhost",
    b"Host: localhost\r\nX: " + b"y" * 100_000,
]
TYPE = b"Content-Type: application/json\r\n"
POSTS = [
    TYPE + b"Content-Length: 99999999999\r\n\r\n",
    TYPE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    TYPE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Content-Type: multipart/form-data; boundary=" + b"b" * 5000 + b"\r\nContent-Length: 2\r\n\r\nxx",
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(MODEL) as service:
        yield service.port
        assert service.end() == 0


@pytest.fixture
def client(port: int) -> Iterator[Any]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client
        assert client.post("/v1/extract", json=GOOD).status_code == 200  # it still works


def is_clear(answer: Any) -> bool:
    return 400 <= answer.status_code < 500 and len(answer.json()["detail"]) > 10 and "Traceback" not in answer.text


def png(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    data = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def hostile_images(random: Random) -> Iterator[bytes]:
    """Files that are no photos, and photos whose bytes were damaged so that none is left."""
    yield from (
        b"\x00",
        b"GIF89a",
        b"<svg/>",
        b"%PDF-1.4",
        b"\xff\xd8\xff",
        b"BM" + b"\xff" * 60,
        b"PK\x03\x04",
        b"#!ps",
    )
    yield from (png(100_000, 100_000), png(65_535, 65_535), png(0, 10), png(2**31 - 1, 1))
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        content = BytesIO()
        Image.effect_noise((64, 64), 50).convert("RGB").save(content, kind)
        whole = content.getvalue()
        for _ in range(32):
            start = random.randrange(min(20, len(whole)))
            yield whole[:start] + random.randbytes(40) + whole[start + 40 : random.randrange(60, 200)]


def test_images(client: Any, random: Random) -> None:
    images = list(hostile_images(random))[: max(20, tries(204))]
    for content in images:
        photo = base64.b64encode(content).decode()
        answer = client.post("/v1/extract", json={"product": {"title": "shirt", "image": photo}})
        assert is_clear(answer), (content[:40], answer.text)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5_000_000,
        b'{"product":' * 100_000,
        b'{"products": [' + b"{}," * 400_000 + b"{}]}",
        b'{"product": "' + b"x" * 300_000 + b'"}',
        b'{"product": ' + b"1" * 1_000_000 + b"}",
        b'{"product": "\xff\xfe"}',
        b'{"product": "\\u12"}',
        b"\x00" * 1000,
        '{"product": "a"}'.encode("utf-16"),
        b'{"product": NaN}',
        b'{"product": {"title": ' + b"[" * 15 + b'"a"' + b"]" * 15 + b"}}",
        b'{"product": "a", "attributes": ["' + b"A" * 1_000_000 + b'"]}',
        b'{"product": "a", "min_confidence": 1e999}',
        b'{"product": "a", "product\\u0000": 1}',
        b'{"product": "a", "__proto__": {}}',
        b"null",
        b'"a"',
        b" " * 40_000_000,
    ],
    ids=range(18),
)
def test_bodies(client: Any, body: bytes) -> None:
    answer = client.post("/v1/extract", content=body, headers={"Content-Type": "application/json"})
    assert is_clear(answer), answer.text


@pytest.mark.parametrize(
    "request_",
    [
        *(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in PATHS),
        *(b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\n" for head in HEADS),
        *(b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\n" + rest for rest in POSTS),
        b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=range(18),
)
def test_headers_and_paths(client: Any, port: int, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request_)
        got = connection.recv(65536)
    assert got[:10] == b"HTTP/1.1 4", got[:200]


def waiting_products(address: str) -> int:
    page = httpx.get(f"{address}/metrics", timeout=60).text
    return int(float(next(s.split()[1] for s in page.splitlines() if s.startswith("attrex_waiting_products "))))


def test_what_was_accepted_is_finished_when_it_is_told_to_end() -> None:
    answers: list[int] = []
    with served(MODEL) as service:

        def ask() -> None:
            rows = {"products": [f"Navy blue cotton shirt {i}" for i in range(40)]}
            answers.append(httpx.post(f"{service.address}/v1/extract", json=rows, timeout=120).status_code)

        asking = [Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        while waiting_products(service.address) + 40 * len(answers) < 160:  # until all four were accepted
            time.sleep(0.01)
        assert service.end() == 0
        for thread in asking:
            thread.join()
    assert answers == [200] * 4


def test_a_killed_worker_costs_at_most_its_own_requests() -> None:
    statuses = []
    with served(MODEL, "--workers", "2") as service:
        os.kill(service.workers[0], signal.SIGKILL)
        for _ in range(30):
            try:
                statuses.append(httpx.post(f"{service.address}/v1/extract", json=GOOD, timeout=60).status_code)
            except httpx.TransportError:
                statuses.append(0)
        assert service.end() == 0
    assert statuses.count(200) >= 29
    assert max(statuses) == 200


def test_a_model_is_taken_anew_under_load_and_no_request_is_lost(tmp_path: Path) -> None:
    """The directory is a link that is exchanged, as docs/serving.md says; before that, it is broken for a while."""
    other = shutil.copytree(MODEL, tmp_path / "other")
    thresholds = json.loads((other / "thresholds.json").read_text())
    (other / "thresholds.json").write_text(json.dumps({**thresholds, "range": 0.123}))
    (link := tmp_path / "model").symlink_to(MODEL)
    seen: list[tuple[int, str]] = []
    ending = Event()
    with served(link, "--workers", "2") as service:

        def ask() -> None:
            while not ending.is_set():
                answer = httpx.post(f"{service.address}/v1/extract", json=GOOD, timeout=120)
                seen.append((answer.status_code, answer.json().get("model", "")))

        def wait(enough: Callable[[], bool]) -> None:
            until = time.monotonic() + 300
            while not enough() and time.monotonic() < until:
                time.sleep(0.1)
            assert enough(), seen[-3:]

        asking = [Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        for target in (tmp_path / "nothing", other):
            wait(lambda: len(seen) > 20)
            (tmp_path / "next").symlink_to(target)
            (tmp_path / "next").replace(link)
            service.process.send_signal(signal.SIGHUP)
        wait(lambda: len({model for _, model in seen}) == 2)
        wait(lambda: len({model for _, model in seen[-12:]}) == 1 and seen[-1][1] != seen[0][1])
        ending.set()
        for thread in asking:
            thread.join()
        assert service.end() == 0
    assert {status for status, _ in seen} == {200}
