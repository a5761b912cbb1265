"""Workers that show life: for the readiness check, for `no_worker`, for /v1/system."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, delete, or_, select

from shared.database.database import Database
from shared.database.tables import Worker, utc_now

TABLE = cast(Table, Worker.__table__)
C = TABLE.c
FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as it last described itself; `models` are the ids that it keeps warm.

    `encoder_weights`: of which encoders a training worker can have the ImageNet weights, `["*"]` for all; None where it
    does not know, and of others.
    """

    id: str
    queue: str
    device: str
    engine: str
    models: list[str]
    version: str
    started_at: datetime
    seen_at: datetime
    encoder_weights: list[str] | None = None


class Workers:
    """The table of workers."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = database
        self._clock = clock

    def beat(
        self,
        id: str,
        queue: str,
        device: str,
        engine: str,
        models: Sequence[str],
        version: str,
        *,
        encoder_weights: Sequence[str] | None = None,
    ) -> None:
        """Show life (every few seconds); `id` is one process's, such as host-pid-random."""
        now = self._clock()
        said = {
            "queue": queue,
            "device": device,
            "engine": engine,
            "models": [*models],
            "encoder_weights": None if encoder_weights is None else [*encoder_weights],
            "version": version,
        }
        statement = self._db.insert(TABLE).values(id=id, started_at=now, seen_at=now, **said)
        with self._db.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["id"], set_={**said, "seen_at": now})
            )

    def seen(self, queue: str | None = None, within_s: float = 30) -> list[WorkerView]:
        """Workers (of the queue) that showed life within the last seconds, by id."""
        statement = select(*(C[n] for n in WorkerView.__dataclass_fields__)).order_by(C.id)
        statement = statement.where(C.seen_at >= self._clock() - timedelta(seconds=within_s))
        if queue is not None:
            statement = statement.where(C.queue == queue)
        with self._db.read() as connection:
            return [WorkerView(*row) for row in connection.execute(statement)]

    def forget(self, id: str) -> None:
        """The worker stops in order; also drops those not seen for a day."""
        with self._db.write() as connection:
            connection.execute(delete(TABLE).where(or_(C.id == id, C.seen_at < self._clock() - FORGET_AFTER)))
