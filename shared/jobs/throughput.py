"""How many segmentations end, and how long pictures take; for /v1/system. Everybody's, and numbers only."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select

from shared.contract.names import SegmentationKind
from shared.contract.names import SegmentationStatus as Status
from shared.database.database import Database
from shared.database.tables import UtcDateTime, utc_now
from shared.jobs.segmentation_statements import C

WINDOW = timedelta(hours=1)
RATE_WINDOW = timedelta(minutes=5)
STEPS = ("queue", "forward", "total")
# So many of the newest are averaged: reading them all would cost more than the number is worth.
SAMPLE = 100

_since = bindparam("since", type_=UtcDateTime())
# Counted over the index `ended` alone; what was deleted meanwhile was done as well.
COUNT_ENDED = (
    select(C.status, func.count())
    .where(C.status.in_([Status.SUCCEEDED, Status.FAILED]), C.finished_at >= _since)
    .group_by(C.status)
)
NEWEST_TIMINGS = (
    select(C.timings)
    .where(
        C.status == Status.SUCCEEDED,
        C.finished_at >= _since,
        C.kind == SegmentationKind.PICTURE,
        C.gone_at.is_(None),
    )
    .order_by(C.finished_at.desc())
    .limit(SAMPLE)
)


@dataclass(frozen=True, slots=True)
class ThroughputView:
    """Segmentations that ended within the last `window_s` seconds.

    `finished` have a result; `per_minute` is their rate over the last `rate_window_s`. `mean_ms`: of the newest SAMPLE
    pictures of the window, milliseconds of each of STEPS; None where there is none.
    """

    window_s: float
    finished: int
    failed: int
    rate_window_s: float
    per_minute: float
    mean_ms: dict[str, float] | None


class Throughput:
    """Reads the table of segmentations. `clock` gives the time (aware, UTC)."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = database
        self._clock = clock

    def lately(self) -> ThroughputView:
        """As of now."""
        counts, newest = self._ended(WINDOW), self._ended(RATE_WINDOW)
        rate = newest.get(Status.SUCCEEDED, 0) / (RATE_WINDOW / timedelta(minutes=1))
        return ThroughputView(
            window_s=WINDOW.total_seconds(),
            finished=counts.get(Status.SUCCEEDED, 0),
            failed=counts.get(Status.FAILED, 0),
            rate_window_s=RATE_WINDOW.total_seconds(),
            per_minute=round(rate, 2),
            mean_ms=self._mean_ms(),
        )

    def _ended(self, window: timedelta) -> dict[str, int]:
        with self._db.read() as connection:
            rows = connection.execute(COUNT_ENDED, {"since": self._clock() - window})
            return {row[0]: row[1] for row in rows}

    def _mean_ms(self) -> dict[str, float] | None:
        with self._db.read() as connection:
            rows = connection.execute(NEWEST_TIMINGS, {"since": self._clock() - WINDOW}).scalars().all()
        if not rows:
            return None
        return {step: round(sum(row.get(step, 0.0) for row in rows) / len(rows), 2) for step in STEPS}
