"""How the service runs, and what one request may cost. Whatever makes no sense is refused before a model is loaded."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from attrex.errors import ConfigError, DataError, short

MiB = 2**20
HEADER_BYTES = 32 * 1024  #: of a request
SHORTEST_TOKEN = 16  #: characters: fewer can be tried out


@dataclass(frozen=True)
class Limits:
    """What a request may cost. Raises :class:`ConfigError` for limits that no request can keep."""

    body_bytes: int = 32 * MiB
    bodies_bytes: int = 256 * MiB  #: of all requests that are read or answered at a time
    products: int = 500  #: of one request
    text: int = 50_000  #: characters of one product, its table and all; seconds of reading at most
    photos: int = 20  #: of one product
    pixels: int = 50_000_000  #: of one photo, before it is decoded
    values: int = 500_000  #: in the JSON of a request: each costs many times its bytes
    nesting: int = 20  #: lists and objects inside each other
    queue: int = 2000  #: products that wait for their batch
    header_seconds: float = 10.0  #: until a request's header is there
    body_seconds: float = 60.0  #: until its body is there
    answer_seconds: float = 60.0  #: from then until the last product has been in a batch
    write_seconds: float = 30.0  #: without a byte taken by the client

    def __post_init__(self) -> None:
        for limit in fields(self):
            if not getattr(self, limit.name) > 0:
                raise ConfigError(f"{limit.name} should be more than 0, got {getattr(self, limit.name)}")
        if self.queue < self.products:
            raise ConfigError(
                f"queue should hold at least one request of {self.products} products, got {self.queue}; "
                "raise queue, or lower products"
            )


@dataclass(frozen=True)
class ServerSettings:
    """Where the service listens, who may ask, and how it works. Raises :class:`ConfigError` for what is unsafe."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    tokens: tuple[str, ...] = field(default=(), repr=False)  #: any of them lets a client in; none: loopback only
    photo_origins: tuple[str, ...] = ()  #: where photos may be fetched from, e.g. https://cdn.shop.com
    allow_private_photos: bool = False  #: from origins of the own network, too
    reviews: str | None = field(default=None, repr=False)  #: the review store's file or address
    catalogue: str | Path | None = None  #: the folder of a run of fill or complete, whose figures are shown
    log_texts: bool = False  #: what was asked, and messages of unforeseen errors, in the log
    grace_seconds: float = 60.0  #: after SIGTERM, for the requests that were accepted
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.tokens:
            raise ConfigError(
                f"host={self.host} can be reached from outside, so that tokens are needed; give a file of tokens, "
                "one a line, or take host 127.0.0.1"
            )
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port should be between 0 and 65535, got {self.port}")
        if self.workers < 1:
            raise ConfigError(f"workers should be at least 1, got {self.workers}")
        for token in self.tokens:
            if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
                raise ConfigError(
                    f"a token should be {SHORTEST_TOKEN} or more printable ASCII characters without spaces, got one of "
                    f"{len(token)} characters; make one with: openssl rand -hex 32"
                )
        object.__setattr__(self, "photo_origins", tuple(map(origin, self.photo_origins)))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host that is listened on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(address: str) -> str:
    """Scheme, host and port of an address, as they are compared."""
    try:
        url = urlsplit(address)
        if url.scheme in ("http", "https") and url.hostname and not url.username and url.path in ("", "/"):
            port = url.port or {"http": 80, "https": 443}[url.scheme]
            return f"{url.scheme}://{url.hostname}:{port}"
    except ValueError:
        pass
    raise ConfigError(f"photos are fetched from origins such as https://cdn.shop.com, got {short(address)}")


def read_tokens(path: Path) -> tuple[str, ...]:
    """The tokens of a file, one a line; empty lines and such that begin with # are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # some editors put a mark at its beginning
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected a text file of tokens, one a line, got one that is not UTF-8") from None
    tokens: Sequence[str] = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not tokens:
        raise DataError(f"{path}: expected tokens, one a line, got none; make one with: openssl rand -hex 32")
    return tuple(tokens)
