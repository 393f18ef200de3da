"""One photo from the web: a GET over HTTP or HTTPS that goes only where it may, and never on for longer or for more.

By the standard library. The address that is connected to must be the one that was checked: a client that resolves the
name by itself would ask for it a second time, and a name server can give it another answer then.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from threading import Timer
from time import monotonic
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from attrex.errors import ConfigError, DataError, short
from attrex.io.images import MAX_BYTES, MAX_PIXELS

REDIRECTS = 5
REDIRECTING = (301, 302, 303, 307, 308)
PASSING = (408, 425, 429)
"""Answers beside 5xx that another try may change."""
BUSY = (429, 503)
"""Answers that ask for a rest."""
_PORTS = {"http": 80, "https": 443}
_AT_ONCE = 2**16  # bytes
_WAIT = 20.0  # seconds without a byte

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address, reached through a gateway
_OWN_USE = ipaddress.ip_network("192.0.0.0/24")  # RFC 6890; older Pythons take parts of it for public
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class FetchLimits:
    """What one photo may cost, and where it may be.

    Raises :class:`ConfigError` for limits that no photo can keep.
    """

    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    seconds: float = 60.0  #: for one try, redirects and all
    redirects: int = REDIRECTS
    allow_private: bool = False  #: addresses of the own machine and network, too
    origins: frozenset[str] | None = None  #: the only ones asked, redirects too, as https://host:443; None: any

    def __post_init__(self) -> None:
        for name, least in (("max_bytes", 1), ("max_pixels", 1), ("redirects", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} should be {least} or more, got {getattr(self, name)}")
        if not self.seconds > 0:
            raise ConfigError(f"`seconds` should be more than 0, got {self.seconds}")


class NotFetchedError(DataError):
    """Why a photo was not fetched.

    :param again: another try may help.
    :param busy: the host asks for a rest, of ``after`` seconds where it says how long.
    """

    def __init__(self, reason: str, *, again: bool = False, busy: bool = False, after: float | None = None) -> None:
        super().__init__(reason)
        self.again, self.busy, self.after = again, busy, after


def fetch(address: str, limits: FetchLimits = FetchLimits()) -> bytes:
    """What is at a web address. Raises :class:`NotFetchedError` for whatever keeps it from coming, whole."""
    deadline = monotonic() + limits.seconds
    url = _parse(address)
    for _ in range(limits.redirects + 1):
        _check_origin(url, limits)
        with _answer(url, limits, deadline) as answer:
            target = answer.headers.get("Location")
            if answer.status not in REDIRECTING or not target:
                _check_status(answer)
                return _body(answer, limits, deadline)
        url = _parse(urljoin(url.geturl(), target.encode("latin-1", "replace").decode("utf-8", "replace")))
    raise NotFetchedError(f"expected at most {limits.redirects} redirects, got more")


def host_of(address: str) -> str:
    """Whose server an address asks, for limits per host; empty for what is no web address."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def is_public(address: IPAddress) -> bool:
    """Whether an address is one of the public internet, also where it stands inside another one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved or address in _OWN_USE)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    inside = address.sixtofour or (address.teredo and address.teredo[1])
    return address in _GLOBAL_UNICAST and address.is_global and not inside


def _parse(address: str) -> SplitResult:
    """An address in parts, its host and path as they are sent."""
    try:
        url = urlsplit(address.strip())
        host, port = url.hostname, url.port
        if url.scheme not in _PORTS or not host:
            raise NotFetchedError(f"expected a web address (http or https), got {short(address, 80)}")
        if url.username is not None:
            raise NotFetchedError("expected an address without a name and password in it; download this photo yourself")
        host = f"[{host}]" if ":" in host else host.encode("idna").decode()
        path, query = (quote(part, safe="/%:@!$&'()*+,;=~?") for part in (url.path or "/", url.query))
    except ValueError as exc:  # also UnicodeError
        raise NotFetchedError(f"expected a web address, got one that cannot be read: {exc}") from exc
    return SplitResult(url.scheme, host if port in (None, _PORTS[url.scheme]) else f"{host}:{port}", path, query, "")


def _check_origin(url: SplitResult, limits: FetchLimits) -> None:
    origin = f"{url.scheme}://{url.hostname}:{url.port or _PORTS[url.scheme]}"
    if limits.origins is not None and origin not in limits.origins:
        raise NotFetchedError(
            f"expected an address at {', '.join(sorted(limits.origins))}, got {short(origin)}; no other one is asked"
        )


@contextlib.contextmanager
def _answer(url: SplitResult, limits: FetchLimits, deadline: float) -> Iterator[http.client.HTTPResponse]:
    """The answer to a GET, its body still to be read; when the time is over, the connection ends, whatever it does."""
    assert url.hostname is not None
    with contextlib.ExitStack() as stack:
        try:
            raw = _connect(url.hostname, url.port or _PORTS[url.scheme], limits, deadline)
            sockets = [stack.enter_context(raw)]
            stack.enter_context(_ending(sockets, deadline))
            connection = http.client.HTTPConnection(url.netloc)
            connection.sock = raw
            if url.scheme == "https":
                tls = _tls().wrap_socket(raw, server_hostname=url.hostname, do_handshake_on_connect=False)
                sockets.append(stack.enter_context(tls))  # from here on it has the connection, and ``raw`` none
                tls.do_handshake()
                connection.sock = tls
            target = url.path + (f"?{url.query}" if url.query else "")
            headers = {
                "Host": url.netloc,
                "User-Agent": "attrex",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
            connection.request("GET", target, headers=headers)
            yield connection.getresponse()
        except NotFetchedError:
            raise
        except ssl.SSLCertVerificationError as exc:
            raise NotFetchedError(f"expected a certificate of {url.hostname}, got: {exc.verify_message}") from exc
        except (OSError, http.client.HTTPException, ValueError) as exc:  # ValueError: read after the time was over
            over = isinstance(exc, TimeoutError) or monotonic() >= deadline
            what = "nothing in time" if over else f"{type(exc).__name__} {exc}".strip()
            raise NotFetchedError(f"expected an answer of {url.hostname}, got {what}", again=True) from exc


@lru_cache(1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextlib.contextmanager
def _ending(sockets: list[socket.socket], deadline: float) -> Iterator[None]:
    """A timeout counts from byte to byte; this ends a connection that sends one now and then."""

    def end() -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # of the connection, not of TLS, which is in use

    timer = Timer(max(0.0, deadline - monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _connect(host: str, port: int, limits: FetchLimits, deadline: float) -> socket.socket:
    """A connection to one of the host's addresses that may be asked: the very one that was looked at."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        passing = exc.errno == socket.EAI_AGAIN
        raise NotFetchedError(f"expected a known host, got {host} ({exc.strerror})", again=passing) from exc
    allowed = [entry for entry in found if limits.allow_private or _public(str(entry[4][0]))]
    if not allowed:
        raise NotFetchedError(
            f"expected a host of the public internet, got {host}, which is {found[0][4][0]}; "
            "addresses of the own machine and network are asked only where that is allowed (allow_private=True)"
        )
    failed: OSError | None = None
    for family, kind, protocol, _, place in allowed:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(max(0.001, min(_WAIT, deadline - monotonic())))
        try:
            connection.connect(place)
        except OSError as exc:
            connection.close()
            failed = exc
        else:
            return connection
    assert failed is not None
    raise failed


def _public(address: str) -> bool:
    return is_public(ipaddress.ip_address(address.partition("%")[0]))


def _check_status(answer: http.client.HTTPResponse) -> None:
    """Raise for an answer that is no photo."""
    if answer.status != http.HTTPStatus.OK:
        again = answer.status in PASSING or answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        reason = re.sub(r"[^ -~]", "", answer.reason)[:60]
        after = _seconds_to_wait(answer.headers.get("Retry-After")) if again else None
        what = f"expected a photo, got {answer.status} {reason}".strip()
        raise NotFetchedError(what, again=again, busy=answer.status in BUSY, after=after)
    packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise NotFetchedError(f"expected a photo as it is, got it packed ({short(packed)}), which was not asked for")


def _seconds_to_wait(retry_after: str | None) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _body(answer: http.client.HTTPResponse, limits: FetchLimits, deadline: float) -> bytes:
    promised = answer.length  # None: until the connection ends, or in chunks
    _check_length(promised or 0, limits)
    content = bytearray()
    while part := answer.read(_AT_ONCE):
        content += part
        _check_length(len(content), limits)
    if monotonic() >= deadline:  # the end that came may be ours
        raise TimeoutError
    if promised is not None and len(content) < promised:
        raise NotFetchedError(f"expected {promised:,} bytes, got {len(content):,}: it was cut off", again=True)
    return bytes(content)


def _check_length(length: int, limits: FetchLimits) -> None:
    if length > limits.max_bytes:
        raise NotFetchedError(
            f"expected at most {limits.max_bytes:,} bytes, got more; save it smaller or raise max_bytes"
        )
