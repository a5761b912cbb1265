"""What failed last, of all kinds of work; for /v1/system."""

import heapq
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Row, Select, Table, select

from shared.contract.names import DatasetStatus, EvaluationStatus, RunStatus, SegmentationStatus
from shared.database.database import Database
from shared.database.tables import Dataset, Evaluation, Segmentation, TrainingRun

MOST = 20


class Kind(StrEnum):
    """What can fail."""

    SEGMENTATION = "segmentation"
    TRAINING_RUN = "training_run"
    DATASET = "dataset"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True)
class Failure:
    """One of them; the message is the one that its resource shows."""

    at: datetime
    kind: Kind
    id: str
    code: str
    message: str
    request_id: str


def _newest(record: type[Any], failed: StrEnum) -> Select[Any]:
    c = cast(Table, record.__table__).c
    columns = (c.finished_at, c.id, c.error_code, c.error_message, c.request_id)
    ended = select(*columns).where(c.status == failed, c.finished_at.is_not(None))
    if "gone_at" in c:
        ended = ended.where(c.gone_at.is_(None))  # what was deleted is not spoken of any more
    return ended.order_by(c.finished_at.desc()).limit(MOST)


STATEMENTS = {
    Kind.SEGMENTATION: _newest(Segmentation, SegmentationStatus.FAILED),
    Kind.TRAINING_RUN: _newest(TrainingRun, RunStatus.FAILED),
    Kind.DATASET: _newest(Dataset, DatasetStatus.FAILED),
    Kind.EVALUATION: _newest(Evaluation, EvaluationStatus.FAILED),
}


class Failures:
    """Reads the tables of segmentations, training runs, datasets and evaluations."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def last(self, owner: str | None) -> list[Failure]:
        """The last MOST, newest first; `owner` None: everybody's."""
        found: list[Failure] = []
        with self._db.read() as connection:
            for kind, statement in STATEMENTS.items():
                mine = statement if owner is None else statement.filter_by(owner=owner)
                found += (_failure(kind, row) for row in connection.execute(mine))
        return heapq.nlargest(MOST, found, key=attrgetter("at"))


def _failure(kind: Kind, row: Row[Any]) -> Failure:
    return Failure(row.finished_at, kind, row.id, row.error_code, row.error_message or "", row.request_id)
