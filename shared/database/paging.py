"""Pages, newest first, by keyset: a page is found by index, however deep, and does not shift."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, Select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import InvalidFields
from shared.database.database import Database

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the cursor of the page after them (None on the last)."""

    items: list[T]
    next: str | None


def encode_cursor(created_at: datetime, id: str) -> str:
    """Opaque to clients: the place of the last item seen."""
    return (
        base64.urlsafe_b64encode(f"{(created_at - _EPOCH) // _MICROSECOND}.{id}".encode())
        .decode()
        .rstrip("=")
    )


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """The place; raises InvalidFields on `cursor` if it is not one of ours."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        since, _, id = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(".")
        if not id.isprintable() or not id or not since.isdigit():
            raise ValueError(cursor)
        return _EPOCH + int(since) * _MICROSECOND, id
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidFields(errors={"cursor": ["Not a cursor of this service; start without one."]}) from None


def page_statement(
    statement: Select[Any],
    created_at: ColumnElement[Any],
    id: ColumnElement[Any],
    limit: int,
    cursor: str | None,
) -> Select[Any]:
    """The statement restricted and ordered to one page, with one row more than asked for."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidFields(errors={"limit": [f"Must be between 1 and {MAX_LIMIT}."]})
    if cursor is not None:
        statement = statement.where(tuple_(created_at, id) < tuple_(*decode_cursor(cursor)))
    return statement.order_by(created_at.desc(), id.desc()).limit(limit + 1)


def read_page(
    database: Database,
    statement: Select[Any],
    created_at: ColumnElement[Any],
    id: ColumnElement[Any],
    limit: int,
    cursor: str | None,
    made_of: Callable[[Row[Any]], T],
) -> Page[T]:
    """One page of the statement, whose rows have `created_at` and `id`. Raises InvalidFields (`cursor`, `limit`)."""
    with database.read() as connection:
        rows = connection.execute(page_statement(statement, created_at, id, limit, cursor)).all()
    shown = rows[:limit]
    after = encode_cursor(shown[-1].created_at, shown[-1].id) if len(rows) > limit else None
    return Page([made_of(row) for row in shown], after)
