"""Who did what to which thing: written in the transaction of the deed, never with patient data."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Table, insert, select

from shared.database.database import Database
from shared.database.paging import Page, read_page
from shared.database.tables import Audit, new_id, utc_now

TABLE = cast(Table, Audit.__table__)
C = TABLE.c
_INSERT = insert(TABLE)
# The actor of what no key did: the command line, a start-up.
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which object, and when; `actor` is the id of a key."""

    id: str
    at: datetime
    actor: str
    action: str
    object_id: str


def record(
    connection: Connection,
    actor: str,
    action: str,
    object_id: str,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Note the deed in the same transaction; `actor` is the id of the key that asked for it."""
    row = {"id": new_id(), "at": clock(), "actor": actor, "action": action, "object_id": object_id}
    connection.execute(_INSERT, row)


class AuditLog:
    """Reads what `record` noted; nothing is ever changed or deleted through it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(self, limit: int = 50, cursor: str | None = None) -> Page[AuditEntry]:
        """One page, newest first."""
        statement = select(TABLE, C.at.label("created_at"))
        return read_page(
            self._db, statement, C.at, C.id, limit, cursor,
            lambda row: AuditEntry(row.id, row.at, row.actor, row.action, row.object_id),
        )  # fmt: skip
