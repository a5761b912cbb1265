"""Idempotency-Key: the same request sent again makes nothing new, for 24 hours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, Table, and_, bindparam, delete, or_, select, update

from shared.contract.errors import InvalidFields
from shared.database.database import Database
from shared.database.tables import IdempotencyKey, utc_now

TABLE = cast(Table, IdempotencyKey.__table__)
C = TABLE.c
KEEP = timedelta(hours=24)
# A request that has made nothing after so long was killed: its key may be taken over.
STUCK_AFTER = timedelta(seconds=120)
MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class New:
    """First time: do the work, then `complete` or `abandon`."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Done before: answer with this resource."""

    resource_id: str


@dataclass(frozen=True, slots=True)
class InProgress:
    """The first request with this key is still at work (409)."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key came with other content before (422)."""


Begun = New | Replay | InProgress | Mismatch

_ROW = and_(C.owner == bindparam("of"), C.key == bindparam("with_key"))
_GET = select(C.fingerprint, C.resource_id).where(_ROW)
_STALE = delete(TABLE).where(
    _ROW,
    or_(
        C.expires_at <= bindparam("now"),
        and_(C.resource_id.is_(None), C.created_at <= bindparam("stuck")),
    ),
)
_COMPLETE = update(TABLE).where(_ROW).values(resource_id=bindparam("resource"))
_FORGET = delete(TABLE).where(_ROW, C.resource_id == bindparam("made"))
_ABANDON = delete(TABLE).where(_ROW, or_(C.resource_id.is_(None), C.resource_id == bindparam("made")))


class Idempotency:
    """Idempotency keys, each owner's apart."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = database
        self._clock = clock
        # RETURNING, because SQLAlchemy promises no row count for an INSERT.
        self._insert = database.insert(TABLE).on_conflict_do_nothing().returning(C.key)

    def begin(self, owner: str, key: str, fingerprint: str) -> Begun:
        """Reserve the key, or say what became of it; `fingerprint` is a digest of route, fields and file.

        Raises InvalidFields if the key is empty, longer than 255 or not printable ASCII.
        """
        _check(key)
        now = self._clock()
        row = {
            "owner": owner,
            "key": key,
            "fingerprint": fingerprint,
            "created_at": now,
            "expires_at": now + KEEP,
        }
        with self._db.write() as connection:
            connection.execute(_STALE, {"of": owner, "with_key": key, "now": now, "stuck": now - STUCK_AFTER})
            if connection.execute(self._insert, row).first() is not None:
                return New()
            return _judge(connection, owner, key, fingerprint)

    def complete(self, owner: str, key: str, resource_id: str) -> None:
        """The request made this resource."""
        with self._db.write() as connection:
            complete(connection, owner, key, resource_id)

    def abandon(self, owner: str, key: str, *, made: str | None = None) -> None:
        """The request made nothing, or what it made (`made`) was taken back: the key may be used again."""
        with self._db.write() as connection:
            connection.execute(_ABANDON, {"of": owner, "with_key": key, "made": made})

    def forget(self, owner: str, key: str, *, made: str) -> None:
        """What the key made is no good any more; nothing happens where another request has noticed it before."""
        with self._db.write() as connection:
            connection.execute(_FORGET, {"of": owner, "with_key": key, "made": made})

    def purge(self, now: datetime | None = None) -> int:
        """Delete what has expired; how many."""
        with self._db.write() as connection:
            return purge(connection, now or self._clock())


def complete(connection: Connection, owner: str, key: str, resource_id: str) -> None:
    """Within the transaction that makes the resource, so that a kill cannot come between the two."""
    connection.execute(_COMPLETE, {"of": owner, "with_key": key, "resource": resource_id})


def purge(connection: Connection, now: datetime) -> int:
    """Within a transaction that purges: delete what has expired; how many."""
    return connection.execute(delete(TABLE).where(C.expires_at <= now)).rowcount


def _judge(connection: Connection, owner: str, key: str, fingerprint: str) -> Begun:
    row = connection.execute(_GET, {"of": owner, "with_key": key}).one_or_none()
    if row is None:
        return InProgress()  # abandoned between our two statements: the client may come again
    if row.fingerprint != fingerprint:
        return Mismatch()
    return InProgress() if row.resource_id is None else Replay(row.resource_id)


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidFields(
            errors={"Idempotency-Key": [f"Must be 1 to {MAX_LENGTH} printable ASCII characters."]}
        )
