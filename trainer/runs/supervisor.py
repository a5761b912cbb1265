"""Does one claimed run: starts its process, keeps what it says in the database and the store, ends it.

Every write is fenced by the claim, so that a worker that was given up for dead changes nothing.
"""

import errno
import re
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import (
    DatasetGone,
    DiskFull,
    JobFailed,
    NotFound,
    OutOfMemory,
    ServiceError,
    TrainingFailed,
)
from shared.contract.names import DatasetStatus
from shared.storage.cards import ModelCard
from shared.storage.dataset_views import DatasetView
from shared.storage.datasets import Datasets
from shared.storage.files import FileStore
from shared.storage.paths import checkpoint_path, model_folder
from shared.storage.training_runs import RunClaim, TrainingRuns
from trainer.logs import brief
from trainer.runs.lease import Lease
from trainer.runs.memory import out_of_memory_kills
from trainer.runs.order import Order
from trainer.runs.process import GRACE_S, TrainingProcess
from trainer.runs.workspace import Workspace

T = TypeVar("T")
_log = structlog.get_logger(__name__)
TICK_S = 0.2
LOOK_EVERY_S = 3.0
STOP_GRACE_S = 4.0  # enough to save a checkpoint before the worker itself is killed
PATIENCE_S = (
    600.0  # how long the database may be away before a run is given up (its lease has run out long before)
)
LESS_MEMORY = "try a smaller batch_size or image_size."
_SLUG = re.compile(r"[^a-z0-9]+")


class DatasetFolders(Protocol):
    """Where a dataset lies on this host."""

    def folder(self, dataset: DatasetView, on_progress: Callable[[int, int], None]) -> Path:
        """Unpacked from the store if need be, which may take minutes. DatasetGone, DiskFull, DatasetError."""
        ...


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How runs are done on this host."""

    work_dir: Path
    device: str
    threads: int
    nice: int
    checkpoint_s: float
    encoder_weights: Path | None
    lease_s: float


class Lost(Exception):
    """The run is not ours any more."""


class NotWanted(Exception):
    """Work was broken off: the run was cancelled, or the worker stops."""


class Supervisor:
    """`stopping` says that the worker wants to end."""

    def __init__(
        self,
        runs: TrainingRuns,
        datasets: Datasets,
        folders: DatasetFolders,
        files: FileStore,
        settings: RunSettings,
        stopping: Callable[[], bool],
        start: Callable[[Order, Path], TrainingProcess] = TrainingProcess,
    ) -> None:
        self._runs, self._datasets, self._folders, self._files = runs, datasets, folders, files
        self._settings, self._stopping, self._start = settings, stopping, start

    def run(self, claim: RunClaim) -> None:
        """To its end, or until it is lost, cancelled, or the worker stops. Never raises for what the run did."""
        log = _log.bind(run_id=claim.id, request_id=claim.request_id)
        log.info("run_started", attempt=claim.attempts, checkpoint=(claim.checkpoint or {}).get("step"))
        space = Workspace(self._settings.work_dir, self._files, claim.id, claim.fence)
        with Lease(self._runs, claim, self._settings.lease_s) as lease:
            attempt = _Attempt(self._runs, self._files, claim, space, lease, self._stopping)
            try:
                space.prepare()
                order = self._order(claim, space, attempt)
                how = attempt.follow(self._start(order, space.log)) if order else attempt.give_back()
            except Lost:
                how = "lost"
            except (ServiceError, OSError) as error:
                how = attempt.fail(_as_failure(error))
            except SQLAlchemyError as error:
                log.error("run_put_off", error=brief(error))
                how = "put off"
        log.info("run_left", how=how)
        with suppress(OSError):
            space.clean(ended=how in ("succeeded", "failed", "cancelled"))

    def sweep(self) -> None:
        """Remove what runs have left here that ended elsewhere, or whose worker was killed."""
        root = self._settings.work_dir
        for folder in root.iterdir() if root.is_dir() else ():
            try:
                over = self._runs.get(folder.name).ended
            except NotFound:
                over = True
            if over:
                shutil.rmtree(folder, ignore_errors=True)

    def _order(self, claim: RunClaim, space: Workspace, attempt: "_Attempt") -> Order | None:
        """What to do; None if the run was cancelled or the worker stopped before it began."""
        try:
            dataset = self._datasets.get(claim.dataset_id)
        except NotFound:
            raise DatasetGone from None
        if dataset.status != DatasetStatus.READY:
            raise DatasetGone("The dataset is not ready any more.")
        attempt.needs(lambda: self._datasets.get(claim.dataset_id))
        data = attempt.meanwhile(lambda: self._folders.folder(dataset, attempt.check))
        if data is None:
            return None
        settings = self._settings
        return Order(
            specification=claim.specification,
            model_id=model_id(claim),
            data=str(data),
            options=dataset.options,
            out=str(space.attempt),
            cache=str(space.cache),
            resume_from=str(space.fetch(claim.checkpoint["path"])) if claim.checkpoint else None,
            encoder_weights=str(settings.encoder_weights) if settings.encoder_weights else None,
            device=settings.device,
            threads=settings.threads,
            nice=settings.nice,
            checkpoint_s=settings.checkpoint_s,
        )


class _Attempt:
    """One process of one run."""

    def __init__(
        self,
        runs: TrainingRuns,
        files: FileStore,
        claim: RunClaim,
        space: Workspace,
        lease: Lease,
        stopping: Callable[[], bool],
    ) -> None:
        self._runs, self._files, self._claim, self._space = runs, files, claim, space
        self._lease, self._stopping = lease, stopping
        self._model: Path | None = None
        self._failure: JobFailed | None = None
        self._kills = out_of_memory_kills()
        self._look: Callable[[], object] = lambda: None
        self._looked_at = time.monotonic()

    def needs(self, look: Callable[[], object]) -> None:
        """`look` raises NotFound once the dataset was deleted: nobody may learn from it any more."""
        self._look = look

    def _still_there(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        try:
            self._look()
        except NotFound:
            raise DatasetGone("The dataset was deleted while the run was using it.") from None
        except SQLAlchemyError:
            return  # away for a while

    def check(self, done: int, of: int) -> None:
        """For slow work to call: raises when it is not wanted any more."""
        if not self._wanted():
            raise NotWanted

    def meanwhile(self, work: Callable[[], T]) -> T | None:
        """The result of slow work that cannot be interrupted; None as soon as nobody wants it any more."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="dataset")
        future: Future[T] = pool.submit(work)
        pool.shutdown(wait=False)  # it may wait for a lock: left to itself where it is not wanted any more
        while not wait([future], TICK_S).done and self._wanted():
            pass
        if self._lease.lost:
            raise Lost
        with suppress(NotWanted):
            return future.result() if self._wanted() else None
        return None

    def _wanted(self) -> bool:
        return not (self._lease.lost or self._lease.cancelling or self._stopping())

    def follow(self, process: TrainingProcess) -> str:
        """Listen to the process until it has ended; how that was."""
        _log.info("process_started", run_id=self._claim.id, pid=process.pid)
        try:
            while (event := process.next(TICK_S)) is None or event["event"] != "end":
                if event is not None:
                    self._handle(event)
                if self._lease.lost:
                    raise Lost
                if self._lease.cancelling:
                    process.tell("cancel")
                elif self._stopping():
                    process.tell("stop", STOP_GRACE_S)
                self._still_there()
                self._space.send_log()
            status = process.wait(GRACE_S)
        finally:
            process.kill()
        self._space.send_log(now=True)
        return self._end(status)

    def give_back(self) -> str:
        """Before the process was started: cancelled, or left for another worker."""
        cancelled = self._lease.cancelling
        self._patiently(lambda: self._runs.release(self._claim))
        return "cancelled" if cancelled else "released"

    def fail(self, failure: JobFailed) -> str:
        """For good; a person may resume it."""
        if isinstance(
            failure, DiskFull
        ):  # the database may be on that disk, and need what the attempt has taken
            self._space.clean(ended=False)
        self._patiently(lambda: self._runs.fail(self._claim, failure.code, failure.detail))
        return "cancelled" if self._lease.cancelling else "failed"

    def _end(self, status: int) -> str:
        if self._lease.cancelling:
            self._patiently(lambda: self._runs.cancelled(self._claim))
            return "cancelled"
        if self._model is not None:
            return self._publish(self._model)
        if self._failure is not None:
            return self.fail(self._failure)
        if self._stopping():
            self._patiently(lambda: self._runs.release(self._claim))
            return "released"
        if status == -signal.SIGKILL and out_of_memory_kills() > self._kills:
            return self.fail(OutOfMemory("The system ended the run for want of memory: " + LESS_MEMORY))
        _log.warning("process_died", run_id=self._claim.id, status=status)
        self._space.note(f"the training process died ({_cause(status)}); it will be started again")
        self._space.send_log(now=True)
        self._patiently(lambda: self._runs.interrupted(self._claim))
        return "interrupted"

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
                self._space.send_picture(event["name"], Path(event["path"]))
            case "finished":
                self._model = Path(event["folder"])
            case "failed":
                self._failure = _failure(event["code"], event["message"])

    def _epoch(self, entry: dict[str, Any]) -> None:
        self._owned(lambda: self._runs.epoch(self._claim, entry))

    def _checkpoint(self, file: Path, epoch: int, step: int) -> None:
        path = checkpoint_path(self._claim.id, self._claim.fence, step)
        kept = {"path": path, "epoch": epoch, "step": step, "bytes": file.stat().st_size}
        self._files.put(path, file)
        ours, old = self._patiently(lambda: self._runs.checkpoint(self._claim, kept))
        if not ours:
            self._files.delete_tree(path)
            raise Lost
        if old is not None:
            self._files.delete_tree(old)

    def _publish(self, folder: Path) -> str:
        """The model's files first, then model and run in one transaction: never one without the other."""
        card = ModelCard.load(folder / "card.json")
        location = model_folder(card.id, self._claim.fence)
        for file in sorted(folder.iterdir()):
            self._files.put(f"{location}/{file.name}", file)
        if not self._patiently(lambda: self._runs.succeed(self._claim, card, location)):
            self._files.delete_tree(location)
            return "cancelled" if self._lease.cancelling else "lost"
        if self._claim.checkpoint or self._space.attempt.exists():
            self._files.delete_tree(f"training-runs/{self._claim.id}/checkpoints")
        return "succeeded"

    def _owned(self, write: Callable[[], bool]) -> None:
        if not self._patiently(write):
            raise Lost

    def _patiently(self, write: Callable[[], T]) -> T:
        """Try again while the database is away; the process goes on meanwhile, until its pipe is full."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return write()
            except SQLAlchemyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def model_id(claim: RunClaim) -> str:
    """Of the model that the run makes: its name, and enough of its id to be the only one."""
    slug = _SLUG.sub("-", claim.name.lower()).strip("-")[:40] or "model"
    return f"{slug}-{claim.id[:8]}"


def _failure(code: str, message: str) -> JobFailed:
    """The error that the process named."""
    kinds = {kind.code: kind for kind in _all_kinds(JobFailed)}
    return kinds.get(code, TrainingFailed)(message)


def _all_kinds(kind: type[JobFailed]) -> list[type[JobFailed]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _all_kinds(child))]


def _as_failure(error: ServiceError | OSError) -> JobFailed:
    if isinstance(error, JobFailed):
        return error
    if isinstance(error, ServiceError):
        return TrainingFailed(error.detail)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The disk of the training worker is full. Make room, then resume the run.")
    return TrainingFailed(
        f"The worker could not read or write a file: {error.strerror or type(error).__name__}."
    )


def _cause(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
