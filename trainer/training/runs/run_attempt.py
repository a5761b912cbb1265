"""One attempt at a run: listens to its process, keeps what it says in the database and the store, ends it.

Every write to the database is fenced by the claim, and so are the names of checkpoints and models: a worker that was
given up for dead changes nothing. (The log and the pictures are for people, and may be a moment old.)
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import DatasetGone, DiskFull, JobFailed, NotFound, OutOfMemory, TrainingFailed
from shared.files.paths import checkpoint_path, model_folder, run_folder
from shared.files.store import FileStore
from shared.jobs.training_runs import RunClaim, TrainingRuns
from shared.registry.cards import ModelCard
from trainer.jobs.child_process import GRACE_S, ChildProcess
from trainer.jobs.failures import NO_SPACE, failure_of
from trainer.jobs.lease import Lease
from trainer.jobs.oom import out_of_memory_kills
from trainer.jobs.patience import TICK_S, NotWanted, meanwhile, patiently
from trainer.logs import brief
from trainer.training.runs.run_workspace import Workspace

T = TypeVar("T")
_log = structlog.get_logger(__name__)
LOOK_EVERY_S = 3.0
STOP_GRACE_S = 4.0  # enough to save a checkpoint before the worker itself is killed


class Lost(Exception):
    """The run is not ours any more."""


class Attempt:
    """One process of one run. What ends it says how: `succeeded`, `failed`, `cancelled`, `released`, ..., `lost`."""

    def __init__(
        self,
        runs: TrainingRuns,
        files: FileStore,
        claim: RunClaim,
        space: Workspace,
        lease: Lease,
        stopping: Callable[[], bool],
        find_dataset: Callable[[], object],
    ) -> None:
        self._runs, self._files, self._claim, self._space = runs, files, claim, space
        self._lease, self._stopping, self._find_dataset = lease, stopping, find_dataset
        self._model: Path | None = None
        self._failure: JobFailed | None = None
        self._kills = out_of_memory_kills()
        self._looked_at = time.monotonic()

    def meanwhile(self, work: Callable[[Callable[[int, int], None]], T]) -> T | None:
        """The result of slow work, which calls what it is given now and then; None once nobody wants it any more."""
        try:
            return meanwhile(work, self._wanted)
        except NotWanted:
            if self._lease.lost:
                raise Lost from None
            return None

    def follow(self, process: ChildProcess) -> str:
        """Listen to the process until it has ended."""
        _log.info("process_started", run_id=self._claim.id, pid=process.pid)
        try:
            while (event := process.next(TICK_S)) is None or event["event"] != "end":
                if self._lease.lost:
                    raise Lost
                if event is not None and not self._lease.cancelling:  # then nobody wants what it still says
                    self._handle(event)
                if self._lease.cancelling:
                    process.tell("cancel")
                elif self._stopping():
                    process.tell("stop", STOP_GRACE_S)
                self._look_for_dataset()
                self._send_log()
            status = process.wait(GRACE_S)
        finally:
            process.kill()
        self._send_log(now=True)
        return self._end(status)

    def give_back(self) -> str:
        """In order: left for another worker, or cancelled."""
        return self._ended(lambda: self._runs.release(self._claim), "released")

    def fail(self, failure: JobFailed) -> str:
        """For good; a person may resume it."""
        if isinstance(failure, DiskFull):
            # The database may be on that disk, and need what the attempt has taken.
            self._space.clean(ended=False)
        return self._ended(lambda: self._runs.fail(self._claim, failure.code, failure.detail), "failed")

    def interrupt(self, why: str) -> str:
        """Another attempt may go well."""
        with _unimportant("log_not_kept", self._claim):
            self._space.note(f"{why}; it will be started again")
        self._send_log(now=True)
        return self._ended(lambda: self._runs.interrupted(self._claim), "interrupted")

    def _ended(self, write: Callable[[], bool], how: str) -> str:
        """`lost` where the run was another's by then: whose files are left alone."""
        cancelling = self._lease.cancelling
        if not patiently(write):
            return "lost"
        return "cancelled" if cancelling else how

    def _end(self, status: int) -> str:
        if self._lease.cancelling:
            return self._ended(lambda: self._runs.cancelled(self._claim), "cancelled")
        if self._model is not None:
            return self._publish(self._model)
        if self._failure is not None:
            return self.fail(self._failure)
        if self._stopping():
            return self.give_back()
        if status == -signal.SIGKILL and out_of_memory_kills() > self._kills:
            hint = "try a smaller batch_size or image_size."
            return self.fail(OutOfMemory(f"The system ended the run for want of memory: {hint}"))
        _log.warning("process_died", run_id=self._claim.id, status=status)
        cause = f"signal {-status}" if status < 0 else f"exit status {status}"
        return self.interrupt(f"the training process died ({cause})")

    def _handle(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "progress":
                self._owned(lambda: self._runs.progress(self._claim, event["progress"]))
            case "resumed":
                known = {entry["epoch"] for entry in self._claim.epochs}
                for entry in event["history"]:  # saved by a process that died before it could say so
                    if entry["epoch"] not in known:
                        self._epoch(entry)
            case "epoch":
                self._epoch(event["entry"])
            case "checkpoint":
                self._checkpoint(Path(event["path"]), event["epoch"], event["step"])
            case "picture":
                with _unimportant("picture_not_kept", self._claim):
                    self._space.send_picture(event["name"], Path(event["path"]))
            case "finished":
                self._model = Path(event["folder"])
            case "failed":
                self._failure = failure_of(event["code"], event["message"], TrainingFailed)

    def _epoch(self, entry: dict[str, Any]) -> None:
        self._owned(lambda: self._runs.epoch(self._claim, entry))

    def _checkpoint(self, file: Path, epoch: int, step: int) -> None:
        path = checkpoint_path(self._claim.id, self._claim.fence, step)
        kept = {"path": path, "epoch": epoch, "step": step, "bytes": file.stat().st_size}
        try:
            self._files.put(path, file)
        except OSError as error:
            file.unlink(missing_ok=True)
            if error.errno in NO_SPACE:
                raise
            # The store may be away for a while: the run is worth more than this checkpoint, and the next one will do.
            _log.warning("checkpoint_not_kept", run_id=self._claim.id, error=brief(error))
            return
        ours, old = patiently(lambda: self._runs.checkpoint(self._claim, kept))
        if not ours:
            self._files.delete_tree(path)
            raise Lost
        if old is not None:
            with _unimportant("old_checkpoint_not_deleted", self._claim):
                self._files.delete_tree(old)

    def _publish(self, folder: Path) -> str:
        """The model's files first, then model and run in one transaction: never one without the other."""
        card = ModelCard.load(folder / "card.json")
        location = model_folder(card.id, self._claim.fence)
        for file in sorted(folder.iterdir()):
            self._files.put(f"{location}/{file.name}", file)
        done = patiently(lambda: self._runs.succeed(self._claim, card, location))
        # The database may have done it, and lost the connection before it could say so: the second try was stale then.
        if not done and self._runs.get(self._claim.id).model_id != card.id:
            self._files.delete_tree(location)
            return "cancelled" if self._lease.cancelling else "lost"
        with _unimportant("left_overs_not_deleted", self._claim):
            self._files.delete_tree(f"{run_folder(self._claim.id)}/checkpoints")
            for fence in range(1, self._claim.fence):  # of attempts that were killed while they published
                self._files.delete_tree(model_folder(card.id, fence))
        return "succeeded"

    def _wanted(self) -> bool:
        return not (self._lease.lost or self._lease.cancelling or self._stopping())

    def _look_for_dataset(self) -> None:
        """Raises DatasetGone once it was deleted: nobody may learn from it any more."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        with suppress(SQLAlchemyError):  # away for a while
            try:
                self._find_dataset()
            except NotFound:
                raise DatasetGone("The dataset was deleted while the run was using it.") from None

    def _send_log(self, *, now: bool = False) -> None:
        with _unimportant("log_not_kept", self._claim):
            self._space.send_log(now=now)

    def _owned(self, write: Callable[[], bool]) -> None:
        if not patiently(write):
            raise Lost


@contextmanager
def _unimportant(event: str, claim: RunClaim) -> Iterator[None]:
    """A store that is away must not end a run for the sake of a picture."""
    try:
        yield
    except OSError as error:
        _log.warning(event, run_id=claim.id, error=brief(error))
