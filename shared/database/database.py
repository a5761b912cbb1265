"""Connections: SQLite (WAL, one writer at a time) or PostgreSQL, behind the same three context managers."""

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, StatementError
from sqlalchemy.orm import Session

from shared.contract.config import ConfigError, redact
from shared.database.tables import Base

# How long a writer waits for another process's write; longer than any write that we make.
SQLITE_BUSY_TIMEOUT_S = 30
_PRAGMAS = (
    "PRAGMA synchronous=NORMAL",  # with WAL: safe against a killed process, one fsync a checkpoint
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
)


class Database:
    """One database, shared by all threads of a process.

    Raises ConfigError when the URL is not one of a SQLite file or a PostgreSQL database. A database that is away,
    locked for too long or full is an OperationalError (or TimeoutError) of SQLAlchemy.
    """

    def __init__(self, url: str, *, pool_size: int = 10, max_overflow: int = 30) -> None:
        self.url = normalise(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _private_file(Path(self.url.database or ""))
        self.engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=max_overflow,
            # A PostgreSQL that was restarted must not cost a request; a file cannot go away.
            pool_pre_ping=not self.is_sqlite,
            # NaN in a column would be JSON that nobody but Python can read.
            json_serializer=partial(json.dumps, allow_nan=False, separators=(",", ":")),
            # Errors are logged, and parameters are results and digests of secrets.
            hide_parameters=True,
            connect_args=_connect_args(self.is_sqlite),
        )
        self._reader: Engine = self.engine
        self._writer: Engine = self.engine
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._writer = self.engine.execution_options(immediate=True)
        else:
            # Single SELECTs need no BEGIN and COMMIT round trips.
            self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._turn = threading.Lock()
        os.register_at_fork(after_in_child=partial(_forget_connections, weakref.ref(self)))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for single SELECTs (each sees the newest committed state)."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back by an exception."""
        # On SQLite threads queue on a lock: its own waiting is sleeping, with up to 100 ms a turn.
        turn = self._turn if self.is_sqlite else nullcontext()
        with turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        """An ORM session in a write transaction; for the paths that are not hot."""
        with self.write() as connection, Session(bind=connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    def ping(self) -> None:
        """Raise if the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def insert(self, table: Any) -> "sqlite.Insert | postgresql.Insert":
        """INSERT of this dialect, which has `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def close(self) -> None:
        """Close all idle connections."""
        self.engine.dispose()


def normalise(url: str) -> URL:
    """The URL with the driver that we ship, and an absolute path for a file."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(f"The database URL {redact(url)!r} cannot be read: see DATABASE_URL") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database and ":memory:" not in parsed.database:
        return parsed.set(drivername="sqlite", database=str(Path(parsed.database).expanduser().absolute()))
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(
        f"The database URL {redact(url)!r} is neither a SQLite file nor PostgreSQL: "
        "give DATABASE_URL=sqlite:////path/to/file or postgresql://user:password@host/name"
    )


@contextmanager
def value_errors() -> Iterator[None]:
    """What a column cannot hold, as Python says it, without SQLAlchemy's wrapping (it would quote the value)."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, ValueError):
            raise error.orig from None
        raise


def create_all(database: Database) -> None:
    """Create the tables without Alembic (tests only; much faster than `upgrade`)."""
    with database.write() as connection:
        Base.metadata.create_all(connection)


def _connect_args(is_sqlite: bool) -> dict[str, Any]:
    if is_sqlite:
        return {"timeout": SQLITE_BUSY_TIMEOUT_S, "check_same_thread": False}
    return {"connect_timeout": 5}


def _private_file(path: Path) -> None:
    """Make the file ourselves, for our user alone: it holds results, and SQLite would follow the umask."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are ours: Python's sqlite3 would start deferred ones
    _switch_to_wal(connection)
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """WAL stays with the file; the switch does not wait for others, so several first starters retry."""
    deadline = time.monotonic() + SQLITE_BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the write lock first: a reader that turns writer would fail instead of waiting."""
    if connection.get_execution_options().get("immediate"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _forget_connections(reference: "weakref.ref[Database]") -> None:
    """After a fork: the child may not use its parent's connections, nor wait for its threads."""
    database = reference()
    if database is not None:
        database.engine.dispose(close=False)
        database._turn = threading.Lock()
