"""Waiting for a job's end, which the worker pushes."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from service.job_queue import JobQueue
from shared.contract.names import SegmentationStatus
from shared.jobs.segmentations import SegmentationJobs, SegmentationView


class JobEnd:
    """What became of a segmentation, within a time."""

    def __init__(self, segmentations: SegmentationJobs, queue: JobQueue) -> None:
        self._segmentations, self._queue = segmentations, queue

    def wait(self, job: SegmentationView, seconds: float) -> SegmentationView:
        """The job as it is after its end, or after `seconds`."""
        if seconds <= 0:
            return job
        said = self._queue.wait(job.id, seconds)
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
