"""The review store's tables, and how a database is opened: SQLite, or PostgreSQL by its address.

Everything that writes does so one after the other. On SQLite a transaction begins with BEGIN IMMEDIATE: a deferred one
takes the write lock at its first write, when what it has read may be old already, and ``FOR UPDATE SKIP LOCKED`` is
left out of the statement without a word (SQLAlchemy's SQLite dialect). On PostgreSQL it begins with an advisory lock:
``SKIP LOCKED`` hands out a row by the order of the snapshot, also where another transaction has lowered its priority
meanwhile. A decision takes milliseconds and a person seconds, so that
waiting for each other costs nothing, and the two databases behave alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from attrex.errors import ConfigError, DataError, StoreUnavailableError, short

FORMAT = 1
"""Of the tables; a store of another one is refused."""
BUSY_SECONDS = 30
"""How long a writer waits for others on SQLite."""
WRITER = 4_872_013
"""The advisory lock of PostgreSQL that writers hold."""
_ESCAPED = re.compile("[\\\\\x00\ud800-\udfff]")


class AnyText(TypeDecorator[str]):
    """Text of any characters: PostgreSQL takes no NUL, and no database half of a surrogate pair."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else _ESCAPED.sub(lambda m: f"\\{ord(m[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else re.sub(r"\\([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), value)


metadata = MetaData()
settings = Table("review_settings", metadata, Column("name", String, primary_key=True), Column("value", JSON))
products = Table(
    "review_products",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", AnyText, nullable=False, unique=True),  # the shop's id
    Column("fields", JSON, nullable=False),
    Column("images", JSON, nullable=False),
    Column("category", AnyText),
)
batches = Table(
    "review_batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Float, nullable=False),
    Column("digest", String, nullable=False),  # of all sure cells: the same run added again is no other batch
    Column("population", Integer, nullable=False),  # sure cells that the sample was drawn from
)
cells = Table(
    "review_cells",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product", ForeignKey("review_products.id"), nullable=False),
    Column("attribute", AnyText, nullable=False),
    Column("kind", String, nullable=False),
    Column("batch", ForeignKey("review_batches.id"), nullable=False),
    Column("proposal", JSON, nullable=False),
    Column("cell", JSON),
    Column("confidence", Float, nullable=False),
    Column("risk", Float, nullable=False),
    Column("words", AnyText),
    Column("found", JSON),
    Column("options", JSON, nullable=False),
    Column("same_key", String),
    Column("sampled", Integer, nullable=False),  # 1: of the sample, in the random order of its priority
    Column("priority", Float, nullable=False),
    Column("state", Integer, nullable=False, default=0),  # `State`
    Column("verdict", String),
    Column("cell_values", JSON),
    Column("decision", Integer),
    Column("settled", Integer, nullable=False, default=1),  # cells of the decision
    Column("reviewer", AnyText),
    Column("decided_at", Float),
    Column("claimed_by", AnyText),
    Column("claimed_until", Float),
    UniqueConstraint("product", "attribute"),
)
Index("review_queue", cells.c.state, cells.c.sampled, cells.c.priority.desc(), cells.c.id)
Index("review_same", cells.c.same_key, cells.c.state, cells.c.sampled)
Index("review_claims", cells.c.claimed_by, cells.c.state)
Index("review_claimed_until", cells.c.claimed_until)
Index("review_decisions_cells", cells.c.decision)
Index("review_sample", cells.c.batch, cells.c.sampled, cells.c.priority.desc())
Index("review_counts", cells.c.state, cells.c.kind, cells.c.verdict, cells.c.attribute)
decisions = Table(
    "review_decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cell", ForeignKey("review_cells.id"), nullable=False),
    Column("reviewer", AnyText, nullable=False),
    Column("verdict", String, nullable=False),
    Column("cell_values", JSON),
    Column("time", Float, nullable=False),
    Column("cells", Integer, nullable=False),
    Column("undone_by", AnyText),
    Column("undone_at", Float),
    Index("review_decisions_reviewer", "reviewer", "id"),
)
events = Table(
    "review_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cell", ForeignKey("review_cells.id"), nullable=False, index=True),
    Column("time", Float, nullable=False),
    Column("act", String, nullable=False),
    Column("reviewer", AnyText),
    Column("verdict", String),
    Column("cell_values", JSON),
    Column("decision", Integer),
)


def open_database(where: str | Path) -> Engine:
    """The database of a review store, with its tables; they are made where they are not there yet.

    :param where: the path of a SQLite file, or an address: ``sqlite:///...`` or ``postgresql://user@host/name``.

    Raises :class:`ConfigError` for another kind of address, :class:`DataError` for a database that cannot be opened or
    holds something else.
    """
    url = _address(where)
    try:
        postgresql = url.get_backend_name() == "postgresql"
        # pre-ping: the connections of before a restart of the server are dead
        engine = create_engine(
            url, isolation_level="READ COMMITTED" if postgresql else "SERIALIZABLE", pool_pre_ping=postgresql
        )
        if not postgresql:
            _set_up_sqlite(engine)
        with writing(engine) as connection:
            metadata.create_all(connection)
            found = connection.execute(select(settings.c.value).where(settings.c.name == "format")).scalar()
            if found is None:
                connection.execute(insert(settings).values(name="format", value=FORMAT))
    except ImportError as exc:
        raise ConfigError(f"{_told(url)} needs {exc.name}; install it: pip install 'attrex[review]'") from exc
    except (DBAPIError, StoreUnavailableError) as exc:
        raise DataError(f"{_told(url)} cannot be opened as a review store: {_reason(exc)}") from exc
    if found not in (None, FORMAT):
        engine.dispose()
        raise DataError(
            f"{_told(url)}: expected a review store of format {FORMAT}, got {short(found)}; it was made by another "
            "version of Attrex: export its verdicts with that one"
        )
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer is beside, and that sees all that those before it have written."""
    with _answering(), engine.connect().execution_options(attrex_writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({WRITER})"))
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with _answering(), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _answering() -> Iterator[None]:
    """Raises :class:`StoreUnavailableError` where the database does not."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as exc:
        raise StoreUnavailableError(f"the review store's database does not answer: {_reason(exc)}; try again") from exc


def _address(where: str | Path) -> URL:
    written = str(where)
    if "://" not in written:
        path = Path(written)
        if path.is_dir() or not path.absolute().parent.is_dir():
            wrong = "a directory" if path.is_dir() else "no directory around it"
            raise ConfigError(f"a review store is a file, such as review.db, got {written!r}, with {wrong}; correct it")
        return URL.create("sqlite", database=written)
    try:
        url = make_url(written)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigError(
            "expected the address of a database, postgresql://user@host/name or sqlite:///file, got one that cannot "
            "be read; correct it"  # it may hold a password
        ) from None
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not url.database:
        raise ConfigError(
            f"a review store is in SQLite (a file's path) or PostgreSQL (postgresql://user@host/name), got "
            f"{short(url.drivername)}; give one of these"
        )
    return url


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # or sqlite3 begins transactions itself, and late
        cursor = connection.cursor()
        for pragma in (f"busy_timeout = {BUSY_SECONDS * 1000}", "journal_mode = WAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("attrex_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _told(url: URL) -> str:
    return (
        url.database or ""
        if url.get_backend_name() == "sqlite"
        else url.set(drivername="postgresql").render_as_string()
    )


def _reason(exc: Exception) -> str:
    cause = exc.__cause__ if isinstance(exc, StoreUnavailableError) else exc
    return " ".join(str(cause.orig if isinstance(cause, DBAPIError) else cause).split())
