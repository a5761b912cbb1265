"""Brings rows and messages together again: the database says what is due, whatever happened to Redis or a worker.

Every worker runs one. Each step is a compare-and-set, so that any number may do the same at the same time.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from shared.contract.messages import SegmentMessage, SegmentVolumeMessage
from shared.contract.names import SegmentationKind, SegmentationStatus
from shared.database.file_removals import FileRemovals
from shared.database.tables import utc_now
from shared.files.paths import segmentation_folder, source_path
from shared.files.store import FileStore
from shared.jobs.segmentations import DueJob, SegmentationJobs

_log = structlog.get_logger(__name__)
# A message takes a few milliseconds from the row to the worker. When Redis has none left and a row still waits
# after so long, its message is gone (FLUSHALL, a restart, a worker killed with it in memory).
UNSENT_IF_IDLE_S = 2.0
UNSENT_IF_BUSY_S = 60.0
UNSENT_VOLUME = timedelta(seconds=10)
_PURGE_EVERY = 1800  # rounds; rows that have been gone for a week are in nobody's way


class Reconciler:
    """`send` queues a message; `queue_length` says how many wait in Redis. Both may raise while it is away."""

    def __init__(
        self,
        jobs: SegmentationJobs,
        removals: FileRemovals,
        files: FileStore,
        send: Callable[[SegmentMessage | SegmentVolumeMessage], None],
        queue_length: Callable[[], int],
    ) -> None:
        self._jobs, self._removals, self._files = jobs, removals, files
        self._send, self._queue_length = send, queue_length
        self._rounds = 0

    def run(self) -> None:
        """One round. What needs no Redis comes first."""
        self._exhaust()
        self._expire()
        self._resend()
        self._rounds += 1

    def _exhaust(self) -> None:
        for job_id in self._jobs.exhaust():
            _log.warning("attempts_exhausted", job_id=job_id)
            self._files.try_delete_tree(source_path(job_id))  # of a volume, as it was sent

    def _expire(self) -> None:
        # One folder that cannot be removed is tried again the next time, and keeps no other.
        removed = [job_id for job_id in self._jobs.expire() if self._files.try_delete_tree(segmentation_folder(job_id))]
        if removed:
            self._jobs.files_removed(removed)
        self._removals.sweep()
        if self._rounds % _PURGE_EVERY == 0:
            self._jobs.purge()

    def _resend(self) -> None:
        due = [job for job in self._jobs.due(unsent_for_s=UNSENT_IF_IDLE_S) if not self._just_waits(job)]
        if not due:
            return
        if self._queue_length() > 0:
            # The messages may well be among those that wait: only what is long overdue is sent again.
            due = self._jobs.due(unsent_for_s=UNSENT_IF_BUSY_S)
        self._send_all(self._jobs.mark_enqueued(due) if due else [])

    def _just_waits(self, job: DueJob) -> bool:
        """A volume that a worker knows of and has no time for yet; now and then an idle one is looked for."""
        if job.kind == SegmentationKind.PICTURE or job.status != SegmentationStatus.QUEUED:
            return False
        return job.enqueued_at is not None and utc_now() - job.enqueued_at < UNSENT_VOLUME

    def _send_all(self, jobs: Sequence[DueJob]) -> None:
        for job in jobs:
            message = SegmentMessage if job.kind == SegmentationKind.PICTURE else SegmentVolumeMessage
            self._send(message(job.id, job.request_id))
            _log.info("sent_again", job_id=job.id, request_id=job.request_id)
