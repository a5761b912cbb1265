"""Leases of single rows, as datasets, training runs and evaluations have them (segmentations: batches, their own).

A worker owns a row until `lease_until`; `fence` grows with each claim, so that a worker that comes back from the
dead changes nothing. The tables have id, created_at, attempts, fence, lease_owner and lease_until.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, exists, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import AttemptsExhausted
from shared.database.database import Database

# What a row without a worker has.
NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def no_lease(table: Table, now: datetime) -> ColumnElement[bool]:
    """Nobody has the row: never claimed, given back, or the lease ran out."""
    return or_(table.c.lease_until.is_(None), table.c.lease_until < now)


def any_row(database: Database, condition: ColumnElement[bool]) -> bool:
    """Whether there is something to do, without a write lock: workers ask every second."""
    with database.read() as connection:
        return bool(connection.execute(select(exists().where(condition))).scalar())


def oldest(connection: Connection, table: Table, due: ColumnElement[bool]) -> Row[Any] | None:
    """The oldest due row, locked; one that another worker is just claiming is left to it."""
    statement = select(table).where(due).order_by(table.c.created_at, table.c.id).limit(1)
    return connection.execute(statement.with_for_update(skip_locked=True)).one_or_none()


def take(
    connection: Connection, table: Table, row: Row[Any], worker: str, until: datetime, **values: Any
) -> Row[Any]:
    """Claim a locked row for the worker, and set `values`; the row as it is then."""
    lease = {
        "fence": row.fence + 1,
        "attempts": row.attempts + 1,
        "lease_owner": worker,
        "lease_until": until,
    }
    change = update(table).where(table.c.id == row.id).values(**lease, **values)
    return connection.execute(change.returning(*table.c)).one()


def exhaust(
    database: Database, table: Table, open: ColumnElement[bool], max_attempts: int, now: datetime, **ended: str
) -> list[str]:
    """Give the values `ended` to `open` rows whose last allowed attempt died (`attempts_exhausted`); their ids."""
    used_up = and_(open, no_lease(table, now), table.c.attempts >= max_attempts)
    if not any_row(database, used_up):
        return []
    values = {**ended, "error_code": AttemptsExhausted.code, "finished_at": now, **NO_LEASE}
    with database.write() as connection:
        return [*connection.execute(update(table).where(used_up).values(values).returning(table.c.id)).scalars()]


def storable(message: str) -> str:
    """The text without what PostgreSQL or UTF-8 cannot hold: a message that broke would leave its row for ever."""
    return message.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
