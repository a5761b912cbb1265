"""Training runs: the database is the truth; a worker does one by a lease (see shared.jobs.lease).

Every change of status is kept as an event in the same transaction. Who asked for a run to be cancelled gets it
cancelled, however its process ends.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import Conflict, NotFound
from shared.contract.names import RUN_ENDED, EventKind
from shared.contract.names import RunStatus as Status
from shared.database import audit, file_removals, idempotency
from shared.database.database import Database, value_errors
from shared.database.models import add_model
from shared.database.paging import Page, read_page
from shared.database.tables import utc_now
from shared.files.paths import run_folder
from shared.jobs import lease
from shared.jobs import run_statements as sql
from shared.jobs.run_statements import RUNS, E, R
from shared.jobs.run_views import NewRun, RunClaim, RunEvent, RunView, to_claim, to_view
from shared.registry.cards import ModelCard


class TrainingRuns:
    """All that the API and the workers do with training runs. `clock` gives the time (aware, UTC).

    A run fails when `max_fruitless` processes in a row have died without a new checkpoint.
    """

    def __init__(
        self, database: Database, *, max_fruitless: int = 20, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = database
        self._max_fruitless = max_fruitless
        self._clock = clock

    # --- the API's side ----------------------------------------------------------------------------

    def accept(self, new: NewRun, *, idempotency_key: str | None = None) -> RunView:
        """Insert the run as queued; an Idempotency-Key is completed in the same transaction."""
        now = self._clock()
        row = {name: getattr(new, name) for name in NewRun.__dataclass_fields__}
        row.update(status=Status.QUEUED, progress={}, epochs=[], created_at=now)
        row.update(attempts=0, fruitless=0, fence=0)
        with self._db.write() as connection, value_errors():
            stored = connection.execute(insert(RUNS).values(row).returning(*R)).one()
            sql.record(connection, new.id, now, EventKind.STATUS, {"status": Status.QUEUED})
            if idempotency_key is not None:
                idempotency.complete(connection, new.owner, idempotency_key, new.id)
        return to_view(stored)

    def discard(self, id: str) -> bool:
        """Take a run back whose message could not be sent; False if a worker has it already."""
        untouched = and_(R.id == id, R.status == Status.QUEUED, R.fence == 0)
        with self._locked(untouched) as (connection, row):
            if row is not None:
                connection.execute(delete(sql.EVENTS).where(E.run_id == id))
                connection.execute(delete(RUNS).where(R.id == id))
        return row is not None

    def get(self, id: str, *, owner: str | None = None) -> RunView:
        """The run; NotFound if there is none or `owner` is given and another's."""
        with self._db.read() as connection:
            row = connection.execute(select(RUNS).where(R.id == id)).one_or_none()
        if row is None or owner not in (None, row.owner):
            raise NotFound(f"There is no training run {id!r:.80}")
        return to_view(row)

    def queued_count(self) -> int:
        """How many runs wait."""
        return self.count_by_status().get(Status.QUEUED, 0)

    def count_by_status(self) -> dict[str, int]:
        """How many runs there are in each status that occurs."""
        with self._db.read() as connection:
            rows = connection.execute(select(R.status, func.count()).group_by(R.status))
            return {row[0]: row[1] for row in rows}

    def cancel(self, id: str) -> Status:
        """Queued becomes cancelled, running becomes cancelling. Conflict if it had ended; NotFound."""
        with self._locked(R.id == id) as (connection, row):
            status = _status(row, id)
            after = {Status.QUEUED: Status.CANCELLED, Status.RUNNING: Status.CANCELLING}.get(status, status)
            if after != status:
                sql.enter(connection, id, self._clock(), after)
            elif status != Status.CANCELLING:
                raise Conflict(f"The training run has ended already: {status}")
            return after

    def resume(self, id: str) -> RunView:
        """Cancelled or failed becomes queued, to go on from its checkpoint. Conflict in any other state; NotFound."""
        with self._locked(R.id == id) as (connection, row):
            status = _status(row, id)
            if status not in (Status.CANCELLED, Status.FAILED):
                raise Conflict(
                    f"Only a cancelled or failed training run can be resumed; this one is {status}"
                )
            sql.enter(connection, id, self._clock(), Status.QUEUED, **sql.ANEW)
            return to_view(connection.execute(select(RUNS).where(R.id == id)).one())

    def events(self, id: str, after: int = 0, limit: int = 500) -> list[RunEvent]:
        """The run's events with numbers above `after`, in order; empty if there is no such run."""
        wanted = select(E.number, E.at, E.kind, E.data).where(E.run_id == id, E.number > after)
        with self._db.read() as connection:
            rows = connection.execute(wanted.order_by(E.number).limit(limit)).all()
        return [RunEvent(row.number, row.at, EventKind(row.kind), row.data) for row in rows]

    def delete(self, id: str, *, actor: str = audit.SYSTEM) -> None:
        """Forget a run that has ended, and its events; its folder is noted to be removed. NotFound; Conflict."""
        with self._locked(R.id == id) as (connection, row):
            if _status(row, id) not in RUN_ENDED:
                raise Conflict("The training run has not ended: cancel it first")
            connection.execute(delete(sql.EVENTS).where(E.run_id == id))
            connection.execute(delete(RUNS).where(R.id == id))
            file_removals.note(connection, run_folder(id), self._clock())
            audit.record(connection, actor, "training_run.delete", id, clock=self._clock)

    # --- the worker's side -------------------------------------------------------------------------

    def claim_next(self, worker: str, lease_s: float) -> RunClaim | None:
        """The oldest run that waits, or whose worker is gone, is now ours and running; None if there is none."""
        now = self._clock()
        due = and_(sql.waiting(now), R.fruitless < self._max_fruitless)
        if not lease.any_row(self._db, due):
            return None
        with self._db.write() as connection:
            row = lease.oldest(connection, RUNS, due)
            if row is None:
                return None
            until = now + timedelta(seconds=lease_s)
            begun = {"fruitless": row.fruitless + 1, "started_at": row.started_at or now}
            taken = lease.take(
                connection, RUNS, row, worker, until, **begun, progress=sql.first_progress(row)
            )
            sql.enter(connection, row.id, now, Status.RUNNING, {"attempts": taken.attempts})
            return to_claim(taken)

    def renew(self, claim: RunClaim, lease_s: float) -> Status | None:
        """Prolong the lease: RUNNING or CANCELLING while the run is ours, None if it has ended or is another's."""
        until = self._clock() + timedelta(seconds=lease_s)
        change = update(RUNS).where(sql.ours(claim)).values(lease_until=until).returning(R.status)
        with self._db.write() as connection:
            status = connection.execute(change).scalar()
        return None if status is None else Status(status)

    def progress(self, claim: RunClaim, progress: dict[str, Any]) -> bool:
        """Note how far it is (no event); False (and no change) if the claim is stale. ValueError for NaN."""
        with self._db.write() as connection, value_errors():
            change = update(RUNS).where(sql.ours(claim)).values(progress=progress)
            return connection.execute(change).rowcount == 1

    def epoch(self, claim: RunClaim, entry: dict[str, Any]) -> bool:
        """An epoch (`entry["epoch"]`, from 1) is done; one that is done again replaces itself and all later ones."""
        with self._locked(sql.ours(claim)) as (connection, row):
            if row is not None:
                epochs = [*(e for e in row.epochs if e["epoch"] < entry["epoch"]), entry]
                connection.execute(update(RUNS).where(R.id == claim.id).values(epochs=epochs))
                sql.record(connection, claim.id, self._clock(), EventKind.EPOCH, entry)
        return row is not None

    def checkpoint(self, claim: RunClaim, checkpoint: dict[str, Any]) -> tuple[bool, str | None]:
        """Go on from here (`path`, `epoch`, `step`, `bytes`), if need be; the path that is not needed any more."""
        with self._locked(sql.ours(claim)) as (connection, row):
            if row is None:
                return False, None
            change = update(RUNS).where(R.id == claim.id)
            connection.execute(change.values(checkpoint=checkpoint, fruitless=0))
        before = row.checkpoint["path"] if row.checkpoint else None
        return True, None if before == checkpoint["path"] else before

    def succeed(self, claim: RunClaim, card: ModelCard, location: str) -> bool:
        """The run made this model, which is registered with it; False (and no model) if the claim is stale.

        A run that is to be cancelled is cancelled, without a model (False). Conflict: see `Models.register`.
        """
        now = self._clock()
        with self._locked(sql.ours(claim)) as (connection, row):
            if row is None or row.status == Status.CANCELLING:
                sql.cancel(connection, row, now)
                return False
            add_model(self._db, connection, card, location, now)
            sql.enter(connection, claim.id, now, Status.SUCCEEDED, {"model": card.id}, model_id=card.id)
            return True

    def fail(self, claim: RunClaim, code: str, message: str) -> bool:
        """The run failed for good (cancelling: is cancelled); False (and no change) if the claim is stale."""
        with self._locked(sql.ours(claim)) as (connection, row):
            if row is not None and row.status == Status.RUNNING:
                sql.fail(connection, claim.id, self._clock(), code, message)
            else:
                sql.cancel(connection, row, self._clock())
        return row is not None

    def cancelled(self, claim: RunClaim) -> bool:
        """The process is gone, as was asked for; False (and no change) if the claim is stale."""
        with self._locked(sql.ours(claim)) as (connection, row):
            sql.cancel(connection, row, self._clock())
        return row is not None

    def interrupted(self, claim: RunClaim) -> bool:
        """The process died: queued again (cancelling: is cancelled); False (and no change) if the claim is stale."""
        return self._back(claim)

    def release(self, claim: RunClaim) -> bool:
        """As `interrupted`, but in order (a worker that stops): the attempt is not counted."""
        return self._back(claim, counted=False)

    # --- cleaning up -------------------------------------------------------------------------------

    def reap(self) -> list[str]:
        """End the runs whose worker is gone: cancelling ones, and those that died too often; their ids."""
        now = self._clock()
        hopeless = and_(sql.waiting(now), R.fruitless >= self._max_fruitless)
        over = sql.given_up(now) | hopeless
        if not lease.any_row(self._db, over):
            return []
        with self._db.write() as connection:
            locked = select(RUNS).where(over).order_by(R.id).with_for_update(skip_locked=True)
            rows = connection.execute(locked).all()
            for row in rows:
                sql.give_up(connection, row, now)
        return [row.id for row in rows]

    # Last, because within the class its name hides the built-in from the annotations below it.
    def list(self, owner: str | None, limit: int = 50, cursor: str | None = None) -> Page[RunView]:
        """One page, newest first; `owner` None: everybody's. InvalidFields: cursor, limit."""
        statement = select(RUNS) if owner is None else select(RUNS).where(R.owner == owner)
        return read_page(self._db, statement, R.created_at, R.id, limit, cursor, to_view)

    @contextmanager
    def _locked(self, condition: ColumnElement[bool]) -> Iterator[tuple[Connection, Row[Any] | None]]:
        """A transaction with the one row by this condition, if there is one."""
        with self._db.write() as connection, value_errors():
            yield connection, sql.lock(connection, condition)

    def _back(self, claim: RunClaim, *, counted: bool = True) -> bool:
        with self._locked(sql.ours(claim)) as (connection, row):
            if row is None or row.status == Status.CANCELLING:
                sql.cancel(connection, row, self._clock())
                return row is not None
            values = {"attempts": row.attempts, "fruitless": row.fruitless}
            if not counted:
                values = {name: max(count - 1, 0) for name, count in values.items()}
            sql.enter(connection, claim.id, self._clock(), Status.QUEUED, **values)
            return True


def _status(row: Row[Any] | None, id: str) -> Status:
    if row is None:
        raise NotFound(f"There is no training run {id!r:.80}")
    return Status(row.status)


__all__ = ["NewRun", "Page", "RunClaim", "RunEvent", "RunView", "TrainingRuns"]
