"""A claimed job in a child process, from its claim to its end: every job ends somehow, or is left to another worker.

Every write to the database is fenced by the claim: a worker that was given up for dead changes nothing. The
claim loop calls `supervise`, which asks an `Attempt` for what only its kind of job knows.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import DiskFull, JobFailed, OutOfMemory, ServiceError
from trainer.jobs.attempt import Attempt, ClaimedJob, Event, JobKind, Wanted
from trainer.jobs.child_process import GRACE_S, ChildProcess, cause_of_death
from trainer.jobs.failures import NO_SPACE, failure_of
from trainer.jobs.lease import Lease, Renewing
from trainer.jobs.patience import NotWanted, patiently
from trainer.logs import brief

_log = structlog.get_logger(__name__)
LOOK_EVERY_S = 3.0
C = TypeVar("C", bound=ClaimedJob)


def supervise(
    kind: JobKind, rows: Renewing[C], claim: C, attempt: Attempt, *, lease_s: float, stopping: Wanted
) -> None:
    """To its end, or until it is lost, cancelled, or the worker stops. Never raises for what the job did."""
    log = _log.bind(**{f"{kind.name}_id": claim.id}, request_id=claim.request_id)
    log.info(f"{kind.name}_started", attempt=claim.attempts)
    with Lease(rows, claim, lease_s) as lease:
        try:
            how = _Supervision(kind, attempt, lease, stopping, log).run()
        except SQLAlchemyError as error:  # its lease runs out, and it is claimed again
            log.error(f"{kind.name}_put_off", error=brief(error))
            how = "put off"
    log.info(f"{kind.name}_left", how=how)
    with suppress(OSError):
        attempt.clean(ended=how in ("succeeded", "failed", "cancelled"))


class _Supervision:
    """What ends it says how: `succeeded`, `failed`, `cancelled`, `released`, `interrupted`, `lost`."""

    def __init__(self, kind: JobKind, attempt: Attempt, lease: Lease, stopping: Wanted, log: Any) -> None:
        self._kind, self._attempt, self._lease = kind, attempt, lease
        self._stopping, self._log = stopping, log
        self._finished: Event | None = None
        self._failure: JobFailed | None = None
        self._checked_at = time.monotonic()

    def run(self) -> str:
        """How it ended. Raises SQLAlchemyError where even that cannot be written down."""
        words = self._kind.words
        try:
            with self._attempt.start(self._wanted) as process:
                return self._end(process, self._follow(process))
        except NotWanted:
            return "lost" if self._lease.lost else self._ended(self._attempt.ends.release, "released")
        except SQLAlchemyError:
            raise
        except ServiceError as error:
            return self._fail(error if isinstance(error, JobFailed) else words.failed(error.detail))
        except OSError as error:
            if error.errno in NO_SPACE:
                return self._fail(DiskFull(words.disk_full))
            return self._interrupt(f"the worker could not read or write a file ({type(error).__name__})")
        except Exception as error:  # whatever it is, it must not be tried for ever
            self._log.exception(f"{self._kind.name}_broke")
            return self._fail(words.failed(f"The worker could not go on ({type(error).__name__})."))

    def _wanted(self) -> bool:
        return not (self._lease.lost or self._lease.cancelling or self._stopping())

    def _follow(self, process: ChildProcess) -> int:
        """Listen to the process until it has ended; its exit status."""
        self._log.info("process_started", pid=process.pid)
        for event in process.events(lambda: self._look(process)):
            if not self._lease.cancelling:  # then nobody wants what it still says
                self._hear(event)
        status = process.wait(GRACE_S)
        self._attempt.look(over=True)
        return status

    def _look(self, process: ChildProcess) -> None:
        if self._lease.lost:
            raise NotWanted
        if self._lease.cancelling:
            process.tell("cancel")
        elif self._stopping():
            process.tell("stop", self._kind.stop_grace_s)
        self._attempt.look(over=False)
        if time.monotonic() - self._checked_at >= LOOK_EVERY_S:
            self._checked_at = time.monotonic()
            with suppress(SQLAlchemyError):  # away for a while
                self._attempt.check()

    def _hear(self, event: Event) -> None:
        match event["event"]:
            case "finished":
                self._finished = event
            case "failed":
                self._failure = failure_of(event["code"], event["message"], self._kind.words.failed)
            case _:
                self._attempt.hear(event)

    def _end(self, process: ChildProcess, status: int) -> str:
        if self._lease.cancelling:
            return self._ended(self._attempt.ends.cancel, "cancelled")
        if self._finished is not None:
            published = self._attempt.publish(self._finished)
            return "succeeded" if published else self._unless_cancelled("lost")
        if self._failure is not None:
            why = self._attempt.retry_because(self._failure)
            return self._fail(self._failure) if why is None else self._interrupt(why)
        if self._stopping():
            return self._ended(self._attempt.ends.release, "released")
        if process.was_killed_for_memory(status):
            return self._fail(OutOfMemory(self._kind.words.killed_for_memory))
        self._log.warning("process_died", status=status)
        return self._interrupt(f"its process died ({cause_of_death(status)})")

    def _fail(self, failure: JobFailed) -> str:
        """For good."""
        if isinstance(failure, DiskFull):
            # The database may be on that disk, and need what the attempt has taken.
            self._attempt.clean(ended=False)
        return self._ended(lambda: self._attempt.ends.fail(failure.code, failure.detail), "failed")

    def _interrupt(self, why: str) -> str:
        """Another attempt may go well, unless there were enough of them."""
        self._attempt.note(why)
        return self._ended(lambda: self._attempt.ends.interrupt(why), "interrupted")

    def _ended(self, write: Callable[[], bool], how: str) -> str:
        """`lost` where the job was another's by then: whose files are left alone."""
        how = self._unless_cancelled(how)
        return how if patiently(write) else "lost"

    def _unless_cancelled(self, how: str) -> str:
        return "cancelled" if self._lease.cancelling else how
