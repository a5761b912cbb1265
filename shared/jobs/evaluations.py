"""Evaluations: the database is the truth; a worker does one by a lease (see shared.jobs.lease)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, and_, delete, func, insert, select, update
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import AttemptsExhausted, NotFound
from shared.contract.names import EvaluationStatus as Status
from shared.database import audit, idempotency
from shared.database.database import Database, value_errors
from shared.database.paging import Page, read_page
from shared.database.tables import Evaluation, utc_now
from shared.jobs import lease
from shared.jobs.evaluation_views import (
    EvaluationClaim,
    EvaluationView,
    NewEvaluation,
    to_claim,
    to_view,
)

TABLE = cast(Table, Evaluation.__table__)
C = TABLE.c
_OPEN = and_(C.status.in_([Status.QUEUED, Status.RUNNING]), C.gone_at.is_(None))
# What an evaluation that waits for its next attempt has.
_ANEW: dict[str, Any] = {"status": Status.QUEUED, "progress": 0.0, **lease.NO_LEASE}
# A worker hears within a second that its evaluation was deleted; after so long it puts no file there any more.
SETTLED = timedelta(seconds=60)


class Evaluations:
    """All that the API and the workers do with evaluations. `clock` gives the time (aware, UTC)."""

    def __init__(
        self, database: Database, *, max_attempts: int = 3, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = database
        self._max_attempts = max_attempts
        self._clock = clock

    # --- the API's side ----------------------------------------------------------------------------

    def accept(self, new: NewEvaluation, *, idempotency_key: str | None = None) -> EvaluationView:
        """Insert the evaluation as queued; an Idempotency-Key is completed in the same transaction."""
        row = {name: getattr(new, name) for name in NewEvaluation.__dataclass_fields__}
        row.update(status=Status.QUEUED, progress=0.0, created_at=self._clock(), attempts=0, fence=0)
        with self._db.write() as connection:
            stored = connection.execute(insert(TABLE).values(row).returning(*C)).one()
            if idempotency_key is not None:
                idempotency.complete(connection, new.owner, idempotency_key, new.id)
        return to_view(stored)

    def discard(self, id: str) -> bool:
        """Take an evaluation back whose message could not be sent; False if a worker has it already."""
        return self._changed(delete(TABLE).where(C.id == id, _OPEN, C.fence == 0))

    def get(self, id: str, *, owner: str | None = None) -> EvaluationView:
        """The evaluation; NotFound if there is none, it was deleted, or `owner` is given and another's."""
        with self._db.read() as connection:
            row = connection.execute(select(TABLE).where(C.id == id, C.gone_at.is_(None))).one_or_none()
        if row is None or owner not in (None, row.owner):
            raise NotFound(f"There is no evaluation {id!r:.80}")
        return to_view(row)

    def queued_count(self) -> int:
        """How many evaluations wait."""
        return self.count_by_status().get(Status.QUEUED, 0)

    def count_by_status(self) -> dict[str, int]:
        """How many evaluations there are (without deleted ones) in each status that occurs."""
        statement = select(C.status, func.count()).where(C.gone_at.is_(None)).group_by(C.status)
        with self._db.read() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def delete(self, id: str, *, actor: str = audit.SYSTEM) -> bool:
        """Gone from now on, with its result and its claim; False if it was gone before or there is none.

        The caller deletes the files. Because a worker may just be putting one there, `to_clean` names them again.
        """
        now = self._clock()
        gone = update(TABLE).where(C.id == id, C.gone_at.is_(None))
        with self._db.write() as connection:
            change = gone.values(gone_at=now, result=None, **lease.NO_LEASE)
            if connection.execute(change).rowcount == 0:
                return False
            audit.record(connection, actor, "evaluation.delete", id, clock=self._clock)
        return True

    # --- the worker's side -------------------------------------------------------------------------

    def claim_next(self, worker: str, lease_s: float) -> EvaluationClaim | None:
        """The oldest evaluation that nobody does is now ours and running; None if there is none."""
        now = self._clock()
        due = and_(_OPEN, lease.no_lease(TABLE, now), C.attempts < self._max_attempts)
        if not lease.any_row(self._db, due):
            return None
        with self._db.write() as connection:
            row = lease.oldest(connection, TABLE, due)
            if row is None:
                return None
            until = now + timedelta(seconds=lease_s)
            begun = {"status": Status.RUNNING, "progress": 0.0, "started_at": row.started_at or now}
            return to_claim(lease.take(connection, TABLE, row, worker, until, **begun))

    def renew(self, claim: EvaluationClaim, lease_s: float) -> Status | None:
        """Prolong the lease: RUNNING; None if the evaluation was deleted, has ended or is another's by now."""
        until = self._clock() + timedelta(seconds=lease_s)
        renewed = self._changed(update(TABLE).where(_ours(claim)).values(lease_until=until))
        return Status.RUNNING if renewed else None

    def progress(self, claim: EvaluationClaim, share: float) -> bool:
        """Note how far it is, 0 to 1; False (and no change) if the claim is stale."""
        return self._changed(update(TABLE).where(_ours(claim)).values(progress=min(max(share, 0.0), 1.0)))

    def succeed(self, claim: EvaluationClaim, result: dict[str, Any]) -> bool:
        """It is done; False (and no change) if the claim is stale. ValueError for NaN."""
        return self._end(claim, Status.SUCCEEDED, result=result, progress=1.0)

    def fail(self, claim: EvaluationClaim, code: str, message: str) -> bool:
        """It cannot be done; False (and no change) if the claim is stale."""
        error = {"error_code": code, "error_message": lease.storable(message)}
        return self._end(claim, Status.FAILED, **error)

    def interrupted(self, claim: EvaluationClaim, why: str) -> bool:
        """The attempt died: queued again, or failed if it was the last one; False if the claim is stale."""
        if claim.attempts >= self._max_attempts:
            message = f"The evaluation was tried {claim.attempts} times, and broke off each time; the last time {why}."
            return self.fail(claim, AttemptsExhausted.code, message)
        return self._changed(update(TABLE).where(_ours(claim)).values(_ANEW))

    def release(self, claim: EvaluationClaim) -> bool:
        """Give it back (a worker that stops): due at once, the attempt not counted."""
        given_back = {"attempts": C.attempts - 1, **_ANEW}
        return self._changed(update(TABLE).where(_ours(claim)).values(given_back))

    # --- cleaning up -------------------------------------------------------------------------------

    def exhaust(self) -> list[str]:
        """Fail the evaluations whose last allowed attempt died with its worker (`attempts_exhausted`); their ids."""
        message = (
            f"The evaluation was tried {self._max_attempts} times, and its worker died each time; "
            "most often memory is the cause."
        )
        ended = {"status": Status.FAILED, "error_message": message}
        return lease.exhaust(self._db, TABLE, _OPEN, self._max_attempts, self._clock(), **ended)

    def to_clean(self, limit: int = 100) -> list[str]:
        """Evaluations that were deleted a while ago and whose files are still to be looked for, oldest first."""
        settled = C.gone_at < self._clock() - SETTLED
        left = select(C.id).where(settled, C.files_removed_at.is_(None))
        with self._db.read() as connection:
            return [*connection.execute(left.order_by(C.gone_at).limit(limit)).scalars()]

    def files_removed(self, ids: Sequence[str]) -> None:
        """The files of these deleted evaluations are removed."""
        gone = update(TABLE).where(C.id.in_(ids), C.gone_at.is_not(None))
        with self._db.write() as connection:
            connection.execute(gone.values(files_removed_at=self._clock()))

    # Last, because within the class its name hides the built-in from the annotations below it.
    def list(
        self, owner: str | None, limit: int = 50, cursor: str | None = None, *, model: str | None = None
    ) -> Page[EvaluationView]:
        """One page, newest first, without deleted ones; `owner` None: everybody's. InvalidFields: cursor, limit."""
        statement = select(TABLE).where(C.gone_at.is_(None))
        if owner is not None:
            statement = statement.where(C.owner == owner)
        if model is not None:
            statement = statement.where(C.model_id == model)
        return read_page(self._db, statement, C.created_at, C.id, limit, cursor, to_view)

    def _end(self, claim: EvaluationClaim, status: Status, **values: Any) -> bool:
        ended = {"status": status, "finished_at": self._clock(), **lease.NO_LEASE, **values}
        return self._changed(update(TABLE).where(_ours(claim)).values(ended))

    def _changed(self, statement: UpdateBase) -> bool:
        with self._db.write() as connection, value_errors():
            return connection.execute(statement).rowcount == 1


def _ours(claim: EvaluationClaim) -> ColumnElement[bool]:
    """Given back, an evaluation has the same fence, but no lease."""
    return and_(C.id == claim.id, _OPEN, C.fence == claim.fence, C.lease_owner.is_not(None))


__all__ = ["EvaluationClaim", "EvaluationView", "Evaluations", "NewEvaluation", "Page"]
