"""Segmentation jobs: the database is the truth, every change is a compare-and-set on the row.

A worker owns a job by a lease; `fence` grows with each claim, so that a worker that comes back from the dead
changes nothing (Kleppmann, "How to do distributed locking", 2016).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.sql.dml import UpdateBase

from shared.contract.errors import NotFound
from shared.contract.names import SegmentationStatus as Status
from shared.database import idempotency
from shared.database.database import Database, value_errors
from shared.database.paging import Page, read_page
from shared.database.tables import utc_now
from shared.jobs import segmentation_statements as sql
from shared.jobs.segmentation_views import (
    Claim,
    DueJob,
    Finished,
    NewSegmentation,
    SegmentationView,
    to_view,
)

RESEND_AFTER_S = 60.0
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
KEEP_TOMBSTONE = timedelta(days=7)


class SegmentationJobs:
    """All that the API and the workers do with segmentation jobs. `clock` gives the time (aware, UTC)."""

    def __init__(
        self, database: Database, *, max_attempts: int = 3, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = database
        self._max_attempts = max_attempts
        self._clock = clock

    # --- the API's side ----------------------------------------------------------------------------

    def accept(self, new: NewSegmentation, *, idempotency_key: str | None = None) -> SegmentationView:
        """Insert the job as queued; the client's Idempotency-Key, if any, is completed in the same transaction."""
        now = self._clock()
        row = _row(new, now)
        with self._db.write() as connection:
            connection.execute(sql.ACCEPT, row)
            if idempotency_key is not None:
                idempotency.complete(connection, new.owner, idempotency_key, new.id)
        row.pop("error_code"), row.pop("error_message"), row.pop("files_removed_at")
        return SegmentationView(**row, error=None)

    def discard(self, id: str) -> bool:
        """Take a job back whose message could not be sent; False if a worker has it already (then it is accepted)."""
        return self._changed(sql.DISCARD, job_id=id)

    def get(self, id: str, *, owner: str | None = None) -> SegmentationView:
        """The job, gone ones too (see `gone`); NotFound if there is none or `owner` is given and another's."""
        with self._db.read() as connection:
            row = connection.execute(sql.GET, {"job_id": id}).one_or_none()
        if row is None or owner not in (None, row.owner):
            raise NotFound(f"There is no segmentation {id!r:.80}")
        return to_view(row)

    def queued_count(self) -> int:
        """How many jobs wait."""
        with self._db.read() as connection:
            return connection.execute(sql.COUNT_QUEUED).scalar_one()

    def queued_volumes(self) -> int:
        """How many volumes, series of a PACS among them, wait."""
        with self._db.read() as connection:
            return connection.execute(sql.COUNT_QUEUED_VOLUMES).scalar_one()

    def ended_volumes(self, since: datetime | None = None) -> list[str]:
        """Volumes that are kept and have ended, all or since then."""
        with self._db.read() as connection:
            return [*connection.execute(sql.ENDED_VOLUMES, {"since": since or EARLIEST}).scalars()]

    def count_by_status(self) -> dict[str, int]:
        """How many jobs are kept (not gone) in each status that occurs."""
        with self._db.read() as connection:
            return {row[0]: row[1] for row in connection.execute(sql.COUNT_BY_STATUS)}

    def cancel(self, id: str) -> bool:
        """Queued or running becomes cancelled; False (and no change) if it had ended or there is none."""
        return self._changed(sql.CANCEL, job_id=id, now=self._clock())

    def delete_pixels(self, id: str) -> bool:
        """DELETE: cancel unless it had ended, wipe result and image, 410 from now on; False if gone before.

        The caller then deletes the files and calls `files_removed`; should it die, `expire` names them again.
        """
        return self._changed(sql.DELETE_PIXELS, job_id=id, now=self._clock())

    # --- the worker's side -------------------------------------------------------------------------

    def claim(self, ids: Sequence[str], worker: str, lease_s: float) -> list[Claim]:
        """Those of the jobs that are now ours: queued ones, and running ones whose lease ran out."""
        now = self._clock()
        values = {"now": now, "until": now + timedelta(seconds=lease_s), "max_attempts": self._max_attempts}
        with self._db.write() as connection:
            rows = connection.execute(sql.CLAIM, {**values, "ids": [*ids], "worker": worker}).all()
        order = {id: place for place, id in enumerate(ids)}
        return sorted((Claim(*row) for row in rows), key=lambda claim: order[claim.id])

    def renew(self, worker: str, claims: Iterable[Claim], lease_s: float) -> set[str]:
        """Prolong leases; the ids of those that are still ours (the others: cancelled, or another's)."""
        fences = {claim.id: claim.fence for claim in claims}
        values = {"ids": [*fences], "worker": worker, "until": self._clock() + timedelta(seconds=lease_s)}
        with self._db.write() as connection:
            rows = connection.execute(sql.RENEW, values).all()
        return {row.id for row in rows if fences[row.id] == row.fence}

    def finish(
        self,
        claim: Claim,
        result: dict[str, Any],
        timings: dict[str, float],
        warnings: Sequence[dict[str, Any]] = (),
    ) -> bool:
        """The job succeeded; False (and no change) if the claim is stale: cancelled, or another's by now."""
        return self.finish_many([Finished(claim, result, timings, [*warnings])])[0]

    def finish_many(self, ends: Sequence[Finished], now: datetime | None = None) -> list[bool]:
        """`finish` for a batch, in one transaction; ValueError if a result holds NaN or infinity."""
        now = now or self._clock()
        done: dict[str, bool] = {}
        with self._db.write() as connection, value_errors():
            for end in sorted(ends, key=lambda end: end.claim.id):
                values = {"result": end.result, "timings": dict(end.timings), "warnings": end.warnings}
                statement = sql.FINISH
                if end.image is not None:
                    statement, values["known_image"] = sql.FINISH_WITH_IMAGE, end.image
                change = connection.execute(statement, {**_fence(end.claim), **values, "now": now})
                done[end.claim.id] = change.rowcount == 1
        return [done[end.claim.id] for end in ends]

    def progress(self, claim: Claim, done: float) -> bool:
        """How far a running job is, 0 to 1; False (and no change) if the claim is stale."""
        return self._changed(sql.PROGRESS, **_fence(claim), done=done)

    def fail(self, claim: Claim, code: str, message: str, now: datetime | None = None) -> bool:
        """The job failed for good; False (and no change) if the claim is stale."""
        return self._changed(sql.FAIL, **_fence(claim), code=code, message=message, now=now or self._clock())

    def release(self, claims: Iterable[Claim]) -> int:
        """Give jobs back unfinished (a worker that stops): queued and due at once, the attempt not counted."""
        with self._db.write() as connection:
            ordered = sorted(claims, key=lambda claim: claim.id)
            return sum(connection.execute(sql.RELEASE, _fence(claim)).rowcount for claim in ordered)

    # --- the reconciler's side ---------------------------------------------------------------------

    def due(
        self, now: datetime | None = None, *, unsent_for_s: float = RESEND_AFTER_S, limit: int = 500
    ) -> list[DueJob]:
        """Jobs that need a (new) message, oldest first: lease ran out, released, or queued and sent long ago.

        When the queue in Redis is empty, give a smaller `unsent_for_s`. Send what `mark_enqueued` returns.
        """
        now = now or self._clock()
        since = now - timedelta(seconds=unsent_for_s)
        values = {"now": now, "unsent_since": since, "max_attempts": self._max_attempts, "max_rows": limit}
        with self._db.read() as connection:
            return [DueJob(*row) for row in connection.execute(sql.DUE, values)]

    def mark_enqueued(self, jobs: Sequence[DueJob]) -> list[DueJob]:
        """Note that messages go out now; returns those that no other reconciler has marked since `due`."""
        seen = max((job.enqueued_at for job in jobs if job.enqueued_at), default=None)
        values = {"ids": [job.id for job in jobs], "seen": seen, "now": self._clock()}
        with self._db.write() as connection:
            won = set(connection.execute(sql.MARK_ENQUEUED, values).scalars())
        return [job for job in jobs if job.id in won]

    def exhaust(self, now: datetime | None = None) -> list[str]:
        """Fail the jobs whose last allowed attempt died (`attempts_exhausted`); their ids."""
        values = {"now": now or self._clock(), "max_attempts": self._max_attempts}
        with self._db.write() as connection:
            return [*connection.execute(sql.EXHAUST, values).scalars()]

    def expire(self, now: datetime | None = None, *, limit: int = 500) -> list[str]:
        """Make expired jobs gone (as `delete_pixels`); ids whose files are to be deleted, earlier ones too."""
        values = {"now": now or self._clock(), "max_rows": limit}
        with self._db.write() as connection:
            connection.execute(sql.EXPIRE, values)
            return [*connection.execute(sql.TO_CLEAN, {"max_rows": limit}).scalars()]

    def files_removed(self, ids: Sequence[str], now: datetime | None = None) -> None:
        """The files of gone jobs are deleted; a job whose worker may still write, `expire` names again."""
        with self._db.write() as connection:
            connection.execute(sql.FILES_REMOVED, {"ids": [*ids], "now": now or self._clock()})

    def purge(self, now: datetime | None = None, *, older_than: timedelta = KEEP_TOMBSTONE) -> int:
        """Delete the rows that have been gone for long (404 instead of 410), and expired Idempotency-Keys."""
        now = now or self._clock()
        with self._db.write() as connection:
            idempotency.purge(connection, now)
            return connection.execute(sql.PURGE, {"gone_before": now - older_than}).rowcount

    # Last, because within the class its name hides the built-in from the annotations below it.
    def list(self, owner: str | None, limit: int = 50, cursor: str | None = None) -> Page[SegmentationView]:
        """One page, newest first, without what is gone; `owner` None: everybody's. InvalidFields: cursor, limit."""
        statement = sql.LIST if owner is None else sql.LIST.where(sql.C.owner == owner)
        return read_page(self._db, statement, sql.C.created_at, sql.C.id, limit, cursor, to_view)

    def _changed(self, statement: UpdateBase, **values: Any) -> bool:
        with self._db.write() as connection:
            return connection.execute(statement, values).rowcount == 1


def _fence(claim: Claim) -> dict[str, Any]:
    return {"job_id": claim.id, "claim_fence": claim.fence}


def _row(new: NewSegmentation, now: datetime) -> dict[str, Any]:
    """All columns of a fresh row, so that the view needs no second query."""
    row: dict[str, Any] = dict.fromkeys(column.name for column in sql.TABLE.columns)
    row.update(
        {
            name: getattr(new, name)
            for name in ("id", "owner", "kind", "request_id", "image", "model_id", "alias")
        }
    )
    row.update(threshold=new.threshold, expires_at=now + new.retention, created_at=now, enqueued_at=now)
    row.update(status=Status.QUEUED, progress=0.0, attempts=0, fence=0, warnings=[], timings={})
    return row


__all__ = [
    "Claim",
    "DueJob",
    "Finished",
    "NewSegmentation",
    "Page",
    "SegmentationJobs",
    "SegmentationView",
]
