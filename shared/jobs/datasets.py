"""Datasets: the database is the truth; a worker validates one by a lease (see shared.jobs.lease)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, and_, delete, func, insert, select, update
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import NotFound
from shared.contract.names import DatasetStatus as Status
from shared.database import idempotency
from shared.database.database import Database, value_errors
from shared.database.paging import Page, read_page
from shared.database.tables import Dataset, utc_now
from shared.jobs import lease
from shared.jobs.dataset_views import DatasetClaim, DatasetView, NewDataset, to_claim, to_view

TABLE = cast(Table, Dataset.__table__)
C = TABLE.c
_OPEN = and_(C.status == Status.VALIDATING, C.gone_at.is_(None))


class Datasets:
    """All that the API and the workers do with datasets. `clock` gives the time (aware, UTC)."""

    def __init__(
        self, database: Database, *, max_attempts: int = 3, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = database
        self._max_attempts = max_attempts
        self._clock = clock

    # --- the API's side ----------------------------------------------------------------------------

    def accept(self, new: NewDataset, *, idempotency_key: str | None = None) -> DatasetView:
        """Insert the dataset as validating; an Idempotency-Key is completed in the same transaction."""
        row = {name: getattr(new, name) for name in NewDataset.__dataclass_fields__}
        row.update(status=Status.VALIDATING, created_at=self._clock(), findings=[], attempts=0, fence=0)
        with self._db.write() as connection:
            stored = connection.execute(insert(TABLE).values(row).returning(*C)).one()
            if idempotency_key is not None:
                idempotency.complete(connection, new.owner, idempotency_key, new.id)
        return to_view(stored)

    def discard(self, id: str) -> bool:
        """Take a dataset back whose message could not be sent; False if a worker has it already."""
        return self._changed(delete(TABLE).where(C.id == id, _OPEN, C.fence == 0))

    def get(self, id: str, *, owner: str | None = None) -> DatasetView:
        """The dataset; NotFound if there is none, it was deleted, or `owner` is given and another's."""
        with self._db.read() as connection:
            row = connection.execute(select(TABLE).where(C.id == id, C.gone_at.is_(None))).one_or_none()
        if row is None or owner not in (None, row.owner):
            raise NotFound(f"There is no dataset {id!r:.80}")
        return to_view(row)

    def count_by_status(self) -> dict[str, int]:
        """How many datasets there are (without deleted ones) in each status that occurs."""
        statement = select(C.status, func.count()).where(C.gone_at.is_(None)).group_by(C.status)
        with self._db.read() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def delete(self, id: str) -> bool:
        """Gone from now on, the validation too; False if it was gone before or there is none.

        The caller then deletes the files and calls `files_removed`; should it die, `to_clean` names them again.
        """
        gone = update(TABLE).where(C.id == id, C.gone_at.is_(None))
        return self._changed(gone.values(gone_at=self._clock(), **lease.NO_LEASE))

    # --- the worker's side -------------------------------------------------------------------------

    def claim_next(self, worker: str, lease_s: float) -> DatasetClaim | None:
        """The oldest dataset that nobody validates is now ours; None if there is none."""
        now = self._clock()
        due = and_(_OPEN, lease.no_lease(TABLE, now), C.attempts < self._max_attempts)
        if not lease.any_row(self._db, due):
            return None
        with self._db.write() as connection:
            row = lease.oldest(connection, TABLE, due)
            if row is None:
                return None
            return to_claim(lease.take(connection, TABLE, row, worker, now + timedelta(seconds=lease_s)))

    def renew(self, claim: DatasetClaim, lease_s: float) -> bool:
        """Prolong the lease; False if the dataset was deleted or is another's by now."""
        until = self._clock() + timedelta(seconds=lease_s)
        return self._changed(update(TABLE).where(_ours(claim)).values(lease_until=until))

    def ready(
        self,
        claim: DatasetClaim,
        *,
        format: str,
        report: dict[str, Any],
        findings: Sequence[dict[str, Any]],
    ) -> bool:
        """It can be trained on; False (and no change) if the claim is stale."""
        return self._end(claim, Status.READY, format=format, report=report, findings=[*findings])

    def fail(
        self, claim: DatasetClaim, code: str, message: str, findings: Sequence[dict[str, Any]] = ()
    ) -> bool:
        """It cannot be trained on; False (and no change) if the claim is stale."""
        error = {"error_code": code, "error_message": lease.storable(message)}
        return self._end(claim, Status.FAILED, **error, findings=[*findings])

    def release(self, claim: DatasetClaim) -> bool:
        """Give it back (a worker that stops): due at once, the attempt not counted."""
        given_back = {"attempts": C.attempts - 1, **lease.NO_LEASE}
        return self._changed(update(TABLE).where(_ours(claim)).values(given_back))

    # --- cleaning up -------------------------------------------------------------------------------

    def exhaust(self) -> list[str]:
        """Fail the datasets whose last allowed attempt died (`attempts_exhausted`); their ids."""
        message = (
            f"The validation died {self._max_attempts} times; "
            "most often memory or disk space is the cause."
        )
        ended = {"status": Status.FAILED, "error_message": message}
        return lease.exhaust(self._db, TABLE, _OPEN, self._max_attempts, self._clock(), **ended)

    def to_clean(self, limit: int = 100) -> list[str]:
        """Deleted datasets whose files are still to be removed, oldest first."""
        left = select(C.id).where(C.gone_at.is_not(None), C.files_removed_at.is_(None))
        with self._db.read() as connection:
            return [*connection.execute(left.order_by(C.gone_at).limit(limit)).scalars()]

    def files_removed(self, ids: Sequence[str]) -> None:
        """The files of these deleted datasets are removed."""
        gone = update(TABLE).where(C.id.in_(ids), C.gone_at.is_not(None))
        with self._db.write() as connection:
            connection.execute(gone.values(files_removed_at=self._clock()))

    # Last, because within the class its name hides the built-in from the annotations below it.
    def list(self, owner: str | None, limit: int = 50, cursor: str | None = None) -> Page[DatasetView]:
        """One page, newest first, without deleted ones; `owner` None: everybody's. InvalidFields: cursor, limit."""
        statement = select(TABLE).where(C.gone_at.is_(None))
        if owner is not None:
            statement = statement.where(C.owner == owner)
        return read_page(self._db, statement, C.created_at, C.id, limit, cursor, to_view)

    def _end(self, claim: DatasetClaim, status: Status, **values: Any) -> bool:
        ended = {"status": status, "finished_at": self._clock(), **lease.NO_LEASE, **values}
        return self._changed(update(TABLE).where(_ours(claim)).values(ended))

    def _changed(self, statement: UpdateBase) -> bool:
        with self._db.write() as connection, value_errors():
            return connection.execute(statement).rowcount == 1


def _ours(claim: DatasetClaim) -> ColumnElement[bool]:
    """Given back, a dataset has the same status and fence, but no lease."""
    return and_(C.id == claim.id, _OPEN, C.fence == claim.fence, C.lease_owner.is_not(None))


__all__ = ["DatasetClaim", "DatasetView", "Datasets", "NewDataset", "Page"]
