"""Photos by address, from a server on this machine."""

from __future__ import annotations

import csv
import hashlib
import io
import ipaddress
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import attrex
from attrex.cli import app
from attrex.errors import ConfigError, DataError
from attrex.io import fetch as fetching
from attrex.io.download import Downloads, Politeness
from attrex.io.fetch import FetchLimits, NotFetchedError, fetch, is_public
from attrex.io.photo_addresses import is_address, read_index, split_addresses
from attrex.io.readers import read_products
from attrex.io.rows import as_products

LOCAL = FetchLimits(allow_private=True, seconds=5)
HASTY = Politeness(pause=0.001)


def picture(colour: str, kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


class Server:
    """Answers by path: bytes are a photo, a function does as it likes."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked[self.path] += 1
                server.headers.append(dict(self.headers))
                page = server.pages.get(self.path)
                if callable(page):
                    page(self)
                elif page is None:
                    self.send_error(404)
                else:
                    send(self, page)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.port = self.http.server_address[1]

    def address(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


def reason(address: str, limits: FetchLimits = LOCAL) -> str:
    with pytest.raises(NotFetchedError) as caught:
        fetch(address, limits)
    return str(caught.value)


# --- an export, from start to end ----------------------------------------------------------------------------------


def test_an_export_with_addresses_is_read_with_its_photos_afterwards(server: Server, tmp_path: Path) -> None:
    red, blue = picture("red"), picture("blue", "JPEG")
    server.pages = {"/red.png?v=1": red, "/blue": blue, "/same": red}
    export = tmp_path / "export.csv"
    with export.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "title", "images"])
        rows.writerow(["1", "Red boots", f"{server.address('/red.png?v=1')}, {server.address('/blue')}"])
        rows.writerow(["2", "Gone", server.address("/gone")])
        rows.writerow(["3", "Red again", server.address("/same")])
        rows.writerow(["4", "No photo", ""])
    out = tmp_path / "photos"
    done = attrex.photos(export, out, allow_private=True, politeness=HASTY)
    assert (done.addresses, done.downloaded, done.kept, done.products, done.incomplete) == (4, 3, 0, 4, 1)
    assert done.missing == {server.address("/gone"): "expected a photo, got 404 Not Found"}

    name = hashlib.sha256(red).hexdigest()
    first, second, third, fourth = read_products(export, images=out)
    assert [Path(p).read_bytes() for p in first.images] == [red, blue]
    assert first.images[0] == out / name[:2] / f"{name}.png"
    assert first.images[1].suffix == ".jpg"
    assert third.images == first.images[:1]  # one content, one file
    assert (first.warnings, third.warnings, fourth.warnings) == ((), (), ())
    assert second.images == ()
    assert second.warnings == (
        f"images: expected the photo of {server.address('/gone')!r}, which could not be downloaded: "
        "expected a photo, got 404 Not Found; the product goes on without this photo",
    )
    with (out / "missing.csv").open(newline="") as file:
        listed = list(csv.reader(file))
    assert listed == [
        ["product", "address", "why"],
        ["2", server.address("/gone"), done.missing[server.address("/gone")]],
    ]


def test_a_second_run_fetches_only_what_is_missing(server: Server, tmp_path: Path) -> None:
    server.pages = {"/a": picture("red")}
    rows = [{"id": "1", "text": "boots", "images": [server.address("/a"), server.address("/b")]}]
    first = attrex.photos(rows, tmp_path, allow_private=True, politeness=HASTY)
    server.pages["/b"] = picture("blue")
    second = attrex.photos(rows, tmp_path, allow_private=True, politeness=HASTY)
    assert (first.downloaded, first.kept, list(first.missing)) == (1, 0, [server.address("/b")])
    assert (second.downloaded, second.kept, second.missing) == (1, 1, {})
    assert server.asked == {"/a": 1, "/b": 2}
    assert (tmp_path / "missing.csv").read_text() == "product,address,why\n"
    assert len(next(read_products(rows, images=tmp_path)).images) == 2


def test_what_is_lost_or_cut_in_the_directory_is_fetched_again(server: Server, tmp_path: Path) -> None:
    red, blue, green = (picture(c) for c in ("red", "blue", "green"))
    server.pages = {"/red": red, "/blue": blue, "/green": green}
    addresses = [server.address(path) for path in server.pages]
    files = {d.address: tmp_path / d.photo.file for d in Downloads(tmp_path, LOCAL).run(addresses)}
    files[addresses[0]].unlink()
    files[addresses[1]].write_bytes(blue[:10])
    with (tmp_path / "addresses.jsonl").open("ab") as file:  # a kill in the middle of a line
        file.write(b'{"address": "http://127.')
    again = list(Downloads(tmp_path, LOCAL).run(addresses))
    assert {d.address for d in again if d.new} == set(addresses[:2])
    assert [files[a].read_bytes() for a in addresses] == [red, blue, green]
    assert set(read_index(tmp_path / "addresses.jsonl")) == set(addresses)


def test_an_interrupted_run_keeps_every_photo_that_it_has_given_out(server: Server, tmp_path: Path) -> None:
    server.pages = {f"/{n}": picture("red", size=(n + 1, 1)) for n in range(20)}
    addresses = [server.address(path) for path in server.pages]
    run = Downloads(tmp_path, LOCAL).run(addresses)
    kept = [next(run).address for _ in range(5)]
    run.close()
    again = list(Downloads(tmp_path, LOCAL).run(addresses))
    assert {d.address for d in again if not d.new} == set(kept)
    assert len(again) == 20


def test_two_runs_never_write_one_directory(server: Server, tmp_path: Path) -> None:
    server.pages = {"/a": picture("red"), "/b": picture("blue")}
    run = Downloads(tmp_path, LOCAL).run([server.address("/a"), server.address("/b")])
    next(run)
    with pytest.raises(DataError, match="another process is writing"):
        next(Downloads(tmp_path, LOCAL).run([server.address("/a")]))
    run.close()


def test_an_index_leads_to_nothing_but_photos_of_its_directory(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture("red"))
    line = {"address": "https://s.example.org/a.jpg", "file": "../secret.png", "bytes": 3}
    (tmp_path / "addresses.jsonl").write_text(json.dumps(line) + "\n[1]\nnull\n")
    assert read_index(tmp_path / "addresses.jsonl") == {}


def test_an_export_without_addresses_or_with_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got none in the photo columns of 1 products; name the columns"):
        attrex.photos([{"id": "1", "text": "boots", "image": "1.jpg"}], tmp_path / "photos")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="should be a directory"):
        attrex.photos([{"id": "1", "text": "boots", "image": "https://s.example.org/1.jpg"}], tmp_path / "file")


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("https://a.example/1.jpg", ["https://a.example/1.jpg"]),
        ("https://a.example/1.jpg, https://a.example/2.jpg", ["https://a.example/1.jpg", "https://a.example/2.jpg"]),
        ("https://a.example/1.jpg|http://b.example/2.jpg;", ["https://a.example/1.jpg", "http://b.example/2.jpg"]),
        ("https://a.example/1.jpg\nHTTPS://a.example/2.jpg", ["https://a.example/1.jpg", "HTTPS://a.example/2.jpg"]),
        (
            "https://a.example/w_3,h_2/https://b.example/x,y.jpg",
            ["https://a.example/w_3,h_2/https://b.example/x,y.jpg"],
        ),
        ("//cdn.example/1.jpg,//cdn.example/2.jpg", ["//cdn.example/1.jpg", "//cdn.example/2.jpg"]),
    ],
)
def test_a_cell_with_several_addresses(cell: str, addresses: list[str]) -> None:
    assert split_addresses(cell) == addresses
    assert all(map(is_address, addresses))


@pytest.mark.parametrize("path", ["img/1.jpg", "/m/h/1.jpg", "C:\\img\\1.jpg", "1, 2.jpg", "//server/share/1.jpg", ""])
def test_a_path_is_no_address(path: str) -> None:
    assert not is_address(path)


def test_an_address_that_was_never_downloaded_is_a_warning_with_the_way_on() -> None:
    (product,) = as_products([{"id": "1", "text": "boots", "image": "//cdn.example.org/1.jpg"}])
    assert product.images == ()
    assert product.warnings == (
        "image: expected a file, got the address 'https://cdn.example.org/1.jpg'; download it with attrex photos, and "
        "name the directory of its photos with --images; the product goes on without this photo",
    )


def test_addresses_are_sent_as_they_may_be_written(server: Server) -> None:
    server.pages = {"/r%C3%B6d%20b%C3%B6rd.png?a=1&b=%7C": picture("red"), "/a%20b": picture("blue")}
    assert fetch(server.address("/röd börd.png?a=1&b=|#zoom"), LOCAL) == picture("red")
    assert fetch(f"  {server.address('/a%20b')}\n", LOCAL) == picture("blue")
    assert server.headers[0]["Host"] == f"127.0.0.1:{server.port}"


# --- what is not fetched -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.0.8", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
        "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "::10.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]"])
def test_hosts_of_this_machine_are_refused_after_resolving(server: Server, host: str) -> None:
    server.pages = {"/a": picture("red")}
    said = reason(server.address("/a", host), FetchLimits())
    assert said.startswith("expected a host of the public internet, got ")
    assert said.endswith("are asked only where that is allowed (allow_private=True)")
    assert server.asked == {}


def test_a_redirect_into_the_own_network_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "is_public", lambda address: str(address) == "127.0.0.1")
    server.pages = {
        "/out": lambda handler: send(handler, b"", 302, Location=server.address("/in", "127.0.0.2")),
        "/in": picture("red"),
    }
    assert "got 127.0.0.2, which is 127.0.0.2" in reason(server.address("/out"), FetchLimits())
    assert server.asked == {"/out": 1}
    assert fetch(server.address("/in"), FetchLimits()) == picture("red")


def test_other_origins_than_those_that_are_allowed_are_not_asked(server: Server) -> None:
    server.pages = {
        "/1.png": picture("red"),
        "/out": lambda handler: send(handler, b"", 302, Location=server.address("/1.png", "localhost")),
    }
    origin = f"http://127.0.0.1:{server.port}"
    only = replace(LOCAL, origins=frozenset({origin}))
    assert fetch(server.address("/1.png"), only) == picture("red")
    for address in (
        server.address("/out"),
        server.address("/1.png", "localhost"),
        f"https://127.0.0.1:{server.port}/1.png",
        "http://127.0.0.1/1.png",
        f"http://127.0.0.1.example.org:{server.port}/1.png",
    ):
        assert reason(address, only).startswith(f"expected an address at {origin}, got ")
    assert server.asked == {"/1.png": 1, "/out": 1}


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may say something else when it is asked a second time."""
    answers = iter(["8.8.8.8", "127.0.0.1"])
    asked: list[str] = []

    def resolve(host: str, port: int, **options: object) -> list[tuple]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    class Socket(socket.socket):
        def connect(self, place: tuple[str, int]) -> None:
            asked.append(place[0])
            raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "socket", Socket)
    assert "ConnectionRefusedError" in reason("http://shop.example.org/a", FetchLimits())
    assert asked == ["8.8.8.8"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://a.example.org/1.jpg", "expected a web address (http or https), got 'ftp://a.example.org/1.jpg'"),
        ("file:///etc/hostname", "expected a web address (http or https)"),
        ("s3://bucket/1.jpg", "expected a web address (http or https)"),
        ("https:///1.jpg", "expected a web address (http or https)"),
        ("https://a.example.org:port/1.jpg", "expected a web address, got one that cannot be read"),
        ("https://[::1/1.jpg", "expected a web address, got one that cannot be read"),
        (f"https://{'a' * 70}.example.org/1.jpg", "expected a web address, got one that cannot be read"),
        ("https://me:secret@a.example.org/1.jpg", "expected an address without a name and password in it"),
    ],
)
def test_what_is_no_web_address(address: str, words: str) -> None:
    said = reason(address)
    assert said.startswith(words)
    assert "secret" not in said


def test_redirects_are_followed_so_far_and_no_further(server: Server) -> None:
    def onward(handler: BaseHTTPRequestHandler) -> None:
        step = int(handler.path.removeprefix("/"))
        send(handler, b"", 302, Location=f"/{step - 1}" if step > 1 else "/photo")

    server.pages = {f"/{n}": onward for n in range(1, 9)} | {"/photo": picture("red")}
    assert fetch(server.address("/5"), LOCAL) == picture("red")
    assert reason(server.address("/6")) == "expected at most 5 redirects, got more"
    server.pages["/file"] = lambda handler: send(handler, b"", 301, Location="file:///etc/hostname")
    assert reason(server.address("/file")).startswith("expected a web address (http or https)")


def test_more_bytes_than_are_allowed_are_not_read(server: Server) -> None:
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(10_000):
                handler.wfile.write(bytes(1000))
                sent.append(1000)
        except OSError:
            pass

    server.pages = {"/endless": endless, "/big": bytes(2000)}
    limits = FetchLimits(allow_private=True, max_bytes=1000)
    for path in ("/endless", "/big"):
        assert reason(server.address(path), limits).startswith("expected at most 1,000 bytes, got more")
    assert sum(sent) < 10_000_000


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_host_that_sends_a_byte_now_and_then_does_not_hold_a_run(server: Server, part: str) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        if part == "body":
            handler.send_response(200)
            handler.end_headers()
        try:
            while not over.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            pass

    server.pages = {"/slow": drip}
    with pytest.raises(NotFetchedError, match="got nothing in time") as caught:
        fetch(server.address("/slow"), FetchLimits(allow_private=True, seconds=0.2))
    over.set()
    assert caught.value.again


def test_a_photo_that_is_cut_off_is_not_taken(server: Server) -> None:
    photo = picture("red")
    server.pages = {"/cut": lambda handler: send(handler, photo[:40], Content_Length=str(len(photo)))}
    with pytest.raises(NotFetchedError, match=f"expected {len(photo)} bytes, got 40: it was cut off") as caught:
        fetch(server.address("/cut"), LOCAL)
    assert caught.value.again


def test_what_is_no_photo_is_missing(server: Server, tmp_path: Path) -> None:
    server.pages = {
        "/page": b"<html>not found</html>",
        "/cut": picture("red", size=(64, 64))[:-30],
        "/empty": b"",
        "/huge": picture("red", size=(300, 300)),
        "/packed": lambda handler: send(handler, b"x", Content_Encoding="gzip"),
        "/bell": lambda handler: send(handler, b"x", 410),
    }
    limits = FetchLimits(allow_private=True, max_pixels=10_000)
    found = {
        d.address: d.photo.error for d in Downloads(tmp_path, limits, HASTY).run(map(server.address, server.pages))
    }
    said = {path: found[server.address(path)] for path in server.pages}
    assert "expected one of JPEG, PNG" in said["/page"]
    assert "damaged or cut off" in said["/cut"]
    assert "it is empty" in said["/empty"]
    assert "expected at most 10,000 pixels, but it has 300 x 300" in said["/huge"]
    assert said["/packed"] == "expected a photo as it is, got it packed ('gzip'), which was not asked for"
    assert said["/bell"] == "expected a photo, got 410 Gone"
    assert set(server.asked.values()) == {1}  # none of this changes by asking again
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "addresses.jsonl"] == []


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"seconds": 0.0}, {"redirects": -1}])
def test_limits_that_no_photo_keeps_are_refused(limits: dict) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(limits))}`? should be"):
        FetchLimits(**limits)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `localhost` that nobody else has signed, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs the program openssl, which makes a certificate")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-nodes"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run([program, "req", "-x509", *key, *about], check=True, capture_output=True)
    with file.open("a") as both:
        both.write(Path(f"{file}.crt").read_text())
    return file


def test_https_is_asked_with_its_name_and_refused_without_a_certificate(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server.http.socket = tls.wrap_socket(server.http.socket, server_side=True)
    over = threading.Event()
    server.pages = {"/a": picture("red"), "/slow": lambda handler: over.wait(5) and None}
    address = server.address("/a", "localhost").replace("http:", "https:")
    assert reason(address) == "expected a certificate of localhost, got: self-signed certificate"
    monkeypatch.setattr(fetching, "_tls", lambda: ssl.create_default_context(cafile=f"{certificate}.crt"))
    assert fetch(address, LOCAL) == picture("red")
    other = address.replace("localhost", "127.0.0.1")
    assert reason(other).startswith("expected a certificate of 127.0.0.1, got: IP address mismatch")
    slow = FetchLimits(allow_private=True, seconds=0.2)
    assert reason(address.replace("/a", "/slow"), slow) == "expected an answer of localhost, got nothing in time"
    over.set()


# --- politeness ----------------------------------------------------------------------------------------------------


def test_so_many_at_once_and_of_one_host(server: Server, tmp_path: Path) -> None:
    busy: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock, full = threading.Lock(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        host = handler.headers["Host"].split(":")[0]
        with lock:
            busy.update([host, "all"])
            for name in (host, "all"):
                most[name] = max(most[name], busy[name])
            if busy["all"] == 5:
                full.set()
        full.wait(5)  # until all that may be asked at a time are
        with lock:
            busy.subtract([host, "all"])
        send(handler, picture("red"))

    server.pages = {f"/{n}": answer for n in range(12)}
    addresses = [server.address(f"/{n}", "127.0.0.1" if n < 9 else "localhost") for n in range(12)]
    found = list(Downloads(tmp_path, LOCAL, Politeness(at_once=5, per_host=3)).run(addresses))
    assert [d.photo.error for d in found] == [""] * 12
    assert most == {"127.0.0.1": 3, "localhost": 2, "all": 5}


def failing(times: int, status: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """A page that fails so many times, then is a photo."""
    left = iter(range(times))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if next(left, None) is None:
            send(handler, picture("red"))
        else:
            send(handler, b"", status, **headers)

    return answer


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_host_in_trouble_is_asked_again(server: Server, tmp_path: Path, status: int) -> None:
    server.pages = {"/soon": failing(2, status, Retry_After="0"), "/never": failing(9, status)}
    addresses = list(map(server.address, server.pages))
    found = {d.address: d.photo.error for d in Downloads(tmp_path, LOCAL, HASTY).run(addresses)}
    assert found[addresses[0]] == ""
    assert found[addresses[1]].startswith(f"expected a photo, got {status} ")
    assert server.asked == {"/soon": 3, "/never": 4}


def test_a_connection_that_ends_at_once_is_tried_again(server: Server, tmp_path: Path) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        server.pages["/a"] = picture("red")

    server.pages = {"/a": hang_up}
    (found,) = Downloads(tmp_path, LOCAL, HASTY).run([server.address("/a")])
    assert found.photo.error == ""
    assert server.asked["/a"] == 2


@pytest.mark.parametrize("asked", ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_a_host_that_asks_for_a_long_rest_is_left_alone(server: Server, tmp_path: Path, asked: str) -> None:
    server.pages = {"/a": failing(9, 503, Retry_After=asked)}
    (found,) = Downloads(tmp_path, LOCAL, HASTY).run([server.address("/a")])
    assert found.photo.error == "expected a photo, got 503 Service Unavailable"
    assert server.asked["/a"] == 1


def test_a_silent_host_is_given_up_and_others_are_not(server: Server, tmp_path: Path) -> None:
    server.pages = {f"/{n}": failing(9, 500) for n in range(30)} | {"/good": picture("red")}
    addresses = [server.address(path, "localhost" if path == "/good" else "127.0.0.1") for path in server.pages]
    polite = Politeness(tries=1, patience=3, pause=0.001)
    found = {d.address: d.photo.error for d in Downloads(tmp_path, LOCAL, polite).run(addresses)}
    assert len(found) == 31
    assert found[addresses[-1]] == ""
    assert sum(error.startswith("its host did not answer again and again") for error in found.values()) >= 20
    assert server.asked.total() <= 1 + 3 + polite.per_host


@pytest.mark.parametrize("name", ["at_once", "per_host", "tries", "patience"])
def test_politeness_needs_whole_numbers_above_0(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} should be 1 or more, got 0"):
        Politeness(**{name: 0})


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_says_what_is_missing_and_how_to_go_on(server: Server, tmp_path: Path) -> None:
    server.pages = {"/a": picture("red")}
    export, out = tmp_path / "export.csv", tmp_path / "photos"
    export.write_text(f"id,title,image\n1,Boots,{server.address('/a')}\n2,Shoes,{server.address('/b')}\n")
    shown = CliRunner().invoke(app, ["photos", str(export), "--out", str(out), "--allow-private"])
    assert shown.exit_code == 0, shown.output
    assert "2 addresses in 2 products: 1 photos downloaded, 0 were there, 1 missing" in shown.output
    assert "missing, 1 times: expected a photo, got 404 Not Found" in shown.output
    assert f"next: attrex check {export} --images {out}" in shown.output
    refused = CliRunner().invoke(app, ["photos", str(export), "--out", str(tmp_path / "other")])
    assert "2 missing" in refused.output
    assert server.asked == {"/a": 1, "/b": 1}


def test_readers_without_the_command_ask_no_host(server: Server) -> None:
    server.pages = {"/a": picture("red")}
    list(read_products([{"id": "1", "title": "Boots", "image": server.address("/a")}]))
    assert server.asked == {}
