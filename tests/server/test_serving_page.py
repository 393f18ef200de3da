"""The examples of docs/serving.md, by curl and by the client, against a service that listens."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from attrex.client import Client, ServiceError
from attrex.server.protocol import TimedProtocol

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
CURL = re.findall(r"^curl .*$", PAGE, re.MULTILINE)
OPTIONS = {"http": TimedProtocol, "ws": "none", "lifespan": "off", "log_config": None}


@pytest.fixture(scope="module")
def address(client: TestClient) -> Iterator[str]:
    """The service of the other tests, whose model is loaded, on a port."""
    server = uvicorn.Server(uvicorn.Config(client.app, **OPTIONS))  # type: ignore[arg-type]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_the_page_shows_how_to_ask() -> None:
    assert {"/v1/extract", "/v1/fill", "/v1/schema", "/readyz", "/metrics"} <= set(
        re.findall(r"8000(/[a-z0-9/]+)", " ".join(CURL))
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("line", CURL)
def test_each_line_of_curl_is_answered(line: str, address: str, photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    (tmp_path / "products.jsonl").write_text('{"id": "a", "title": "red shirt"}\n{"id": "b", "title": "blue shoe"}\n')
    arguments = shlex.split(line.replace("http://127.0.0.1:8000", address))
    done = subprocess.run([*arguments, "--fail-with-body"], cwd=tmp_path, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout
    if "products.jsonl" in line:
        assert [json.loads(row)["id"] for row in done.stdout.splitlines()] == ["a", "b"]
    elif "/v1/" in line:
        assert json.loads(done.stdout)["model"]


def test_the_client_asks_it(address: str, photo: bytes) -> None:
    with Client(address) as client:
        asked = [{"id": "a", "title": "red shirt", "image": photo}, {"id": "b", "title": "blue shoe"}]
        assert [p.id for p in client.extract(asked, evidence=True)] == ["a", "b"]
        assert [row["id"] for row in client.fill(asked, min_confidence=0.9)] == ["a", "b"]
        assert client.schema()["attributes"]
        with pytest.raises(ServiceError, match="422: product 1: image: image of 3 bytes"):
            list(client.extract([{"title": "red shirt", "image": b"abc"}]))


def test_a_client_that_goes_away_takes_its_work_along(address: str, client: TestClient) -> None:
    rows = json.dumps({"products": [f"red shirt {i}" for i in range(200)]}).encode()
    head = "POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(rows)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5) as connection:
        connection.sendall(head.encode() + rows)
    batches = client.service.batches  # type: ignore[attr-defined]
    until = time.monotonic() + 20
    while batches.waiting and time.monotonic() < until:
        time.sleep(0.02)
    assert batches.waiting == 0
