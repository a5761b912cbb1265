"""One attempt at an evaluation: listens to its process, keeps what it says in the database and the store, ends it."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import EvaluationFailed, JobFailed, NotFound, OutOfMemory
from shared.contract.names import EvaluationStatus
from shared.files.paths import evaluation_report_path
from shared.files.store import FileStore
from shared.jobs.evaluations import EvaluationClaim, Evaluations
from trainer.jobs.child_process import GRACE_S, ChildProcess
from trainer.jobs.failures import failure_of
from trainer.jobs.lease import Lease
from trainer.jobs.oom import out_of_memory_kills
from trainer.jobs.patience import TICK_S, NotWanted, patiently

_log = structlog.get_logger(__name__)
LOOK_EVERY_S = 3.0


class Attempt:
    """One process of one evaluation. What ends it says how: `succeeded`, `failed`, `released`, ..., `lost`."""

    def __init__(
        self,
        evaluations: Evaluations,
        files: FileStore,
        claim: EvaluationClaim,
        lease: Lease,
        stopping: Callable[[], bool],
        find: Callable[[EvaluationClaim], object],
    ) -> None:
        self._evaluations, self._files, self._claim = evaluations, files, claim
        self._lease, self._stopping, self._find = lease, stopping, find
        self._result: dict[str, Any] | None = None
        self._failure: JobFailed | None = None
        self._kills = out_of_memory_kills()
        self._looked_at = time.monotonic()

    def wanted(self) -> bool:
        """Whether there is any use in going on."""
        return not (self._lease.lost or self._stopping())

    def follow(self, process: ChildProcess, report: Path) -> str:
        """Listen to the process until it has ended. NotWanted, DatasetGone, ModelUnusable."""
        _log.info("process_started", evaluation_id=self._claim.id, pid=process.pid)
        try:
            while (event := process.next(TICK_S)) is None or event["event"] != "end":
                if self._lease.lost:
                    raise NotWanted
                if event is not None:
                    self._handle(event)
                if self._stopping():
                    process.tell("stop")
                self._look_for_all()
            status = process.wait(GRACE_S)
        finally:
            process.kill()
        return self._end(status, report)

    def give_back(self) -> str:
        """In order: left for another worker."""
        return self._ended(lambda: self._evaluations.release(self._claim), "released")

    def fail(self, failure: JobFailed) -> str:
        """For good."""
        return self._ended(
            lambda: self._evaluations.fail(self._claim, failure.code, failure.detail), "failed"
        )

    def interrupt(self, why: str) -> str:
        """Another attempt may go well, unless there were enough of them."""
        return self._ended(lambda: self._evaluations.interrupted(self._claim, why), "interrupted")

    def _ended(self, write: Callable[[], bool], how: str) -> str:
        return how if patiently(write) else "lost"

    def _handle(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "progress":
                if not patiently(lambda: self._evaluations.progress(self._claim, event["share"])):
                    raise NotWanted
            case "finished":
                self._result = event["result"]
            case "failed":
                self._failure = failure_of(event["code"], event["message"], EvaluationFailed)

    def _end(self, status: int, report: Path) -> str:
        if self._result is not None:
            return self._publish(self._result, report)
        if self._failure is not None:
            self._find(self._claim)  # what was deleted is a better reason than a file that is not there
            if isinstance(
                self._failure, OutOfMemory
            ):  # others may have had it for a while, a training run for one
                return self.interrupt("it needed more memory than there was")
            return self.fail(self._failure)
        if self._stopping():
            return self.give_back()
        if status == -signal.SIGKILL and out_of_memory_kills() > self._kills:
            # At once, others would have the memory still: three attempts would be gone in a minute.
            hint = "ask for it again when the worker has less to do."
            return self.fail(OutOfMemory(f"The system ended the evaluation for want of memory: {hint}"))
        _log.warning("process_died", evaluation_id=self._claim.id, status=status)
        cause = f"signal {-status}" if status < 0 else f"exit status {status}"
        return self.interrupt(f"its process died ({cause})")

    def _publish(self, result: dict[str, Any], report: Path) -> str:
        """The report first, then the row: never a result without its report."""
        path = evaluation_report_path(self._claim.id, self._claim.fence)
        self._files.put(path, report)
        done = patiently(lambda: self._evaluations.succeed(self._claim, result))
        # The database may have done it, and lost the connection before it could say so: the second try was stale then.
        if not done and not self._is_ours():
            self._files.delete_tree(path.rpartition("/")[0])
            return "lost"
        with suppress(OSError):
            for fence in range(1, self._claim.fence):  # of attempts that were killed while they published
                earlier = evaluation_report_path(self._claim.id, fence)
                self._files.delete_tree(earlier.rpartition("/")[0])
        return "succeeded"

    def _is_ours(self) -> bool:
        try:
            view = patiently(lambda: self._evaluations.get(self._claim.id))
        except NotFound:
            return False
        return view.status == EvaluationStatus.SUCCEEDED and view.fence == self._claim.fence

    def _look_for_all(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        with suppress(SQLAlchemyError):  # away for a while
            self._find(self._claim)
