"""How jobs end: in the row, by compare-and-set, and only then on the list that the client's request waits on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import ImageError, InferenceFailed, JobFailed, NotFound, ServiceError
from shared.contract.names import SegmentationKind, SegmentationStatus
from shared.files.paths import segmentation_folder
from shared.files.store import FileStore
from shared.jobs.segmentations import Finished, SegmentationJobs
from trainer.inference.batch_stage import Closed
from trainer.inference.held_claims import HeldClaims
from trainer.inference.job import Job, now_utc
from trainer.inference.redis_link import RedisLink
from trainer.jobs.patience import patiently
from trainer.logs import brief

T = TypeVar("T")
_log = structlog.get_logger(__name__)
# How long the end of a job is tried to be written while the database is away.
PATIENCE_S = 30.0


class Completion:
    """Ends jobs. One whose claim was lost meanwhile (cancelled, taken over) leaves nothing behind."""

    def __init__(self, jobs: SegmentationJobs, files: FileStore, link: RedisLink, held: HeldClaims) -> None:
        self._jobs, self._files, self._link, self._held = jobs, files, link, held

    def succeed(self, done: Sequence[tuple[Job, dict[str, Any], list[dict[str, Any]]]]) -> None:
        """Each job with its result and warnings: one transaction, one round trip to Redis."""
        now = now_utc()
        ends = [
            Finished(job.claim, result, job.timings(now), warnings, job.image)
            for job, result, warnings in done
        ]
        written = self._patiently(lambda: self._jobs.finish_many(ends, now=now), [job for job, _, _ in done])
        if written is None:
            return
        accepted = [(job, end) for (job, _, _), end, ours in zip(done, ends, written, strict=True) if ours]
        self._link.announce((end.claim.id, _succeeded(end, now)) for _, end in accepted)
        self._held.drop(end.claim for end in ends)
        for _, end in accepted:
            _log.info("segmented", **_ids(end.claim.id, end.claim.request_id), **end.timings)
        for (job, _, _), ours in zip(done, written, strict=True):
            if not ours:
                self._clean_up(job)

    def fail(self, job: Job, error: ServiceError) -> None:
        """The job failed for good; the error's code and detail are what the client reads."""
        now = now_utc()
        claim = job.claim
        ours = self._patiently(lambda: self._jobs.fail(claim, error.code, error.detail, now=now), [job])
        self._held.drop([claim])
        if ours:
            self._link.announce([(claim.id, _failed(error, now))])
            _log.warning(
                "job_failed", **_ids(claim.id, claim.request_id), code=error.code, detail=error.detail
            )
        elif ours is not None:
            self._clean_up(job)

    @contextmanager
    def guard(self, job: Job) -> Iterator[None]:
        """Whatever goes wrong with this job fails this job, and no other.

        Trouble with a disk or a store is not the job's fault: its lease runs out, and it is tried again.
        """
        try:
            yield
        except Closed:
            pass  # shutting down: the claim is given back with the rest
        except (JobFailed, ImageError) as error:
            self.fail(job, error)
        except OSError as error:
            self._give_up([job], error)
        except Exception as error:
            _log.exception("job_broke", **_ids(job.claim.id, job.claim.request_id))
            self.fail(job, InferenceFailed(f"The image could not be segmented ({type(error).__name__})."))

    def _patiently(self, write: Callable[[], T], jobs: Sequence[Job]) -> T | None:
        """Try for a while; None if the database stayed away (the leases then run out and the work is repeated)."""
        try:
            return patiently(write, PATIENCE_S)
        except SQLAlchemyError as error:
            self._give_up(jobs, error)
            return None

    def _give_up(self, jobs: Sequence[Job], error: Exception) -> None:
        for job in jobs:
            _log.error("job_put_off", **_ids(job.claim.id, job.claim.request_id), error=brief(error))
        self._held.drop(job.claim for job in jobs)

    def _clean_up(self, job: Job) -> None:
        """Files of a job that was cancelled or deleted while it ran; another worker's files are left alone."""
        try:
            row = self._jobs.get(job.claim.id)
            if row.status != SegmentationStatus.CANCELLED and not row.gone:
                return
        except NotFound:
            pass
        except SQLAlchemyError:
            return  # the reconciler deletes what is gone
        self._files.delete_tree(segmentation_folder(job.claim.id))


def _succeeded(end: Finished, now: datetime) -> dict[str, Any]:
    """All that the row got. Of a volume only that it ended: much, and of a PACS, which the database alone may know."""
    if end.claim.kind != SegmentationKind.PICTURE:
        return {"status": SegmentationStatus.SUCCEEDED}
    return {
        "status": SegmentationStatus.SUCCEEDED,
        "finished_at": now.isoformat(),
        "result": end.result,
        "warnings": end.warnings,
        "timings": dict(end.timings),
        "error": None,
    }


def _failed(error: ServiceError, now: datetime) -> dict[str, Any]:
    return {
        "status": SegmentationStatus.FAILED,
        "finished_at": now.isoformat(),
        "result": None,
        "warnings": [],
        "timings": {},
        "error": {"code": error.code, "message": error.detail},
    }


def _ids(job_id: str, request_id: str) -> dict[str, str]:
    return {"job_id": job_id, "request_id": request_id}
