"""A review store in each database; PostgreSQL is started here, where the distribution's packages are installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from attrex.review.cells import Kind, Option, ProposedCell
from attrex.review.store import ReviewStore
from attrex.review.tables import metadata
from attrex.types import Span, Value


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _program(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a server's database, on a socket in a directory of its own."""
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    as_root = os.geteuid() == 0  # PostgreSQL refuses to be run by root
    home = Path(tempfile.mkdtemp(prefix="attrex-pg-"))
    user = {"user": "postgres"} if as_root else {}
    if as_root:
        shutil.chown(home, "postgres")
    try:
        options = ["--no-sync", "--auth=trust", "--username=attrex", "--encoding=UTF8", "--locale=C"]
        subprocess.run([initdb, "-D", home / "data", *options], check=True, capture_output=True, cwd=home, **user)
        settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={home}", "max_connections=30"]
        command = [server, "-D", home / "data", *(part for s in settings for part in ("-c", s))]
        log = (home / "log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **user)
        try:
            ready = [shutil.which("pg_isready") or _program("pg_isready") or "pg_isready", "-q", "-h", home]
            while subprocess.run(ready, check=False).returncode:
                assert process.poll() is None, (home / "log").read_text()
            yield f"postgresql://attrex@/postgres?host={home}"
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait(30)
            log.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "review.db")
    address: str = request.getfixturevalue("postgresql")
    engine = create_engine(address.replace("postgresql", "postgresql+psycopg", 1))
    with engine.begin() as connection:
        metadata.create_all(connection)
        names = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()
    return address


@pytest.fixture
def store(where: str, clock: Clock) -> Iterator[ReviewStore]:
    """An empty store that hands out cells of the sample only where no others are left."""
    with ReviewStore(where, clock=clock, draw=lambda: 1.0) as opened:
        yield opened


@pytest.fixture
def sqlite_store(tmp_path: Path, clock: Clock) -> Iterator[ReviewStore]:
    """As ``store``, for what is no matter of the database."""
    with ReviewStore(tmp_path / "review.db", clock=clock, draw=lambda: 1.0) as opened:
        yield opened


@pytest.fixture
def proposed() -> Callable[..., ProposedCell]:
    """Makes a cell: its product's title says the words that the proposal stands on."""

    def make(
        product: str, words: str | None = "crewneck", value: str = "Round Neck", risk: float = 0.4, **other: object
    ) -> ProposedCell:
        title = f"{words} shirt" if words else "Shirt"
        source = Span("Neck", 0, len(words), words, "title") if words else None
        content: dict[str, object] = {
            "attribute": "Neck",
            "kind": Kind.DOUBTFUL,
            "proposal": (value,),
            "cell": None,
            "confidence": risk,
            "risk": risk,
            "found": Value("Neck", value, risk, source),
            "options": (Option("V Neck", 0.2),),
            "fields": {"title": title},
            "words": words,
        }
        return ProposedCell(product=product, **(content | other))  # type: ignore[arg-type]

    return make
