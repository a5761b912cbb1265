"""What every new segmentation goes through, whatever it is made from: row, message, waiting for the end. No Flask."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.intake.idempotency import made_before
from service.job_queue import Jobs
from shared.contract.errors import ServiceError, StorageUnavailable
from shared.contract.messages import Message
from shared.contract.names import SegmentationStatus
from shared.database.idempotency import Idempotency
from shared.files.paths import segmentation_folder
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs, SegmentationView

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The job, and whether it was there before (Idempotency-Key)."""

    job: SegmentationView
    replayed: bool = False


class Acceptance:
    """What is accepted survives the death of any process; where accepting breaks off, nothing is left behind."""

    def __init__(
        self, *, segmentations: SegmentationJobs, idempotency: Idempotency, files: FileStore, jobs: Jobs
    ) -> None:
        self._segmentations, self._idempotency = segmentations, idempotency
        self._files, self._jobs = files, jobs

    def before(self, owner: str, idempotency_key: str | None, fingerprint: str) -> SegmentationView | None:
        """What this Idempotency-Key made before, or None when there is work to do; then `undone` or `enter` it."""
        made = made_before(self._idempotency, owner, idempotency_key, fingerprint)
        return None if made is None else self._segmentations.get(made, owner=owner)

    def enter(
        self, new: NewSegmentation, message: Message, idempotency_key: str | None = None
    ) -> SegmentationView:
        """Row and message, when the files are there. Raises QueueUnavailable, SQLAlchemyError."""
        job = self._segmentations.accept(new, idempotency_key=idempotency_key)
        try:
            self._jobs.send(message)
        except ServiceError:
            # False: a worker has it all the same (the message arrived, its receipt did not)
            if self._segmentations.discard(new.id):
                raise
        return job

    @contextmanager
    def undone(self, new: NewSegmentation, idempotency_key: str | None) -> Iterator[None]:
        """Leave nothing behind where accepting breaks off."""
        try:
            yield
        except Exception as error:
            self._jobs.withdraw(new.id)
            self._clean(new, idempotency_key)
            if isinstance(error, (OSError, SQLAlchemyError)):
                _log.exception("not_accepted")
                raise StorageUnavailable from error
            raise

    def _clean(self, new: NewSegmentation, idempotency_key: str | None) -> None:
        try:
            self._files.delete_tree(segmentation_folder(new.id))
            if idempotency_key is not None:
                self._idempotency.abandon(new.owner, idempotency_key, made=new.id)
        except (OSError, SQLAlchemyError):
            _log.exception("not_cleaned")

    def ended(self, job: SegmentationView, seconds: float) -> SegmentationView:
        """The job as it is after its end, or after `seconds`."""
        if seconds <= 0:
            return job
        said = self._jobs.wait(job.id, seconds)
        if said is not None:
            with_end = _with_end(job, said)
            if with_end is not None:
                return with_end
        return self._segmentations.get(job.id)


def _with_end(job: SegmentationView, said: dict[str, Any]) -> SegmentationView | None:
    """The job with what the worker pushed, which spares reading its row; None if the push says too little."""
    try:
        status = SegmentationStatus(said["status"])
        return replace(
            job,
            status=status,
            progress=1.0 if status == SegmentationStatus.SUCCEEDED else job.progress,
            started_at=_time(said.get("started_at")),
            finished_at=datetime.fromisoformat(said["finished_at"]),
            result=said["result"],
            warnings=said["warnings"],
            timings=said["timings"],
            error=said.get("error"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
