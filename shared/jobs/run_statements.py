"""The tables of training runs and their events, and the changes that keep the two together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, and_, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import AttemptsExhausted
from shared.contract.names import RUN_ENDED, EventKind, Stage
from shared.contract.names import RunStatus as Status
from shared.database.tables import TrainingEvent, TrainingRun
from shared.jobs import lease
from shared.jobs.run_views import RunClaim

RUNS, EVENTS = cast(Table, TrainingRun.__table__), cast(Table, TrainingEvent.__table__)
R, E = RUNS.c, EVENTS.c
# What a run that is resumed forgets.
ANEW: dict[str, Any] = {"error_code": None, "error_message": None, "finished_at": None, "fruitless": 0}


def waiting(now: datetime) -> ColumnElement[bool]:
    """Queued, or running with a worker that is gone."""
    return or_(R.status == Status.QUEUED, and_(R.status == Status.RUNNING, R.lease_until < now))


def given_up(now: datetime) -> ColumnElement[bool]:
    """To be cancelled, with a worker that is gone."""
    return and_(R.status == Status.CANCELLING, R.lease_until < now)


def ours(claim: RunClaim) -> ColumnElement[bool]:
    """The claim still holds: whoever claims later has a higher fence, and who gave it back left it queued or ended."""
    return and_(R.id == claim.id, R.fence == claim.fence, R.status.in_([Status.RUNNING, Status.CANCELLING]))


def lock(connection: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
    """The one row, locked until the transaction ends: its events are numbered in the order of their commits."""
    return connection.execute(select(RUNS).where(condition).with_for_update()).one_or_none()


def record(connection: Connection, id: str, now: datetime, kind: EventKind, data: dict[str, Any]) -> None:
    """Add an event; the run's row is locked."""
    last = connection.execute(select(func.max(E.number)).where(E.run_id == id)).scalar() or 0
    row = {"run_id": id, "number": last + 1, "at": now, "kind": kind, "data": data}
    connection.execute(insert(EVENTS).values(row))


def enter(
    connection: Connection,
    id: str,
    now: datetime,
    status: Status,
    told: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """Change the status of a locked run, and `values` with it; the event has `told` besides the status."""
    values["status"] = status
    if status == Status.QUEUED:
        values.update(lease.NO_LEASE, progress={})
    if status in RUN_ENDED:
        values.update(lease.NO_LEASE, finished_at=now)
    connection.execute(update(RUNS).where(R.id == id).values(**values))
    record(connection, id, now, EventKind.STATUS, {"status": status, **(told or {})})


def fail(connection: Connection, id: str, now: datetime, code: str, message: str) -> None:
    """A locked run failed for good."""
    text = lease.storable(message)
    told = {"error": {"code": code, "message": text}}
    enter(connection, id, now, Status.FAILED, told, error_code=code, error_message=text)


def cancel(connection: Connection, row: Row[Any] | None, now: datetime) -> None:
    """A locked run, if there is one, is cancelled."""
    if row is not None:
        enter(connection, row.id, now, Status.CANCELLED)


def give_up(connection: Connection, row: Row[Any], now: datetime) -> None:
    """End a locked run that no worker does any more: as was asked for, or because its processes died too often."""
    if row.status == Status.CANCELLING:
        cancel(connection, row, now)
    else:
        message = (
            f"The training process died {row.fruitless} times in a row without a new checkpoint. "
            "Memory is the usual cause: try a smaller batch_size or image_size."
        )
        fail(connection, row.id, now, AttemptsExhausted.code, message)


def first_progress(row: Row[Any]) -> dict[str, Any]:
    """What a run that just (again) begins has done."""
    done = row.checkpoint["epoch"] if row.checkpoint else 0
    planned = row.specification.get("epochs")
    return {"stage": Stage.LOADING, "epoch": done, "epochs": planned, "step": 0, "steps": None, "eta_s": None}
