"""Does claimed runs: finds the dataset, starts the process, and sees to it that every run ends somehow."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import DatasetGone, DiskFull, JobFailed, NotFound, ServiceError, TrainingFailed
from shared.contract.names import DatasetStatus
from shared.files.store import FileStore
from shared.jobs.dataset_views import DatasetView
from shared.jobs.datasets import Datasets
from shared.jobs.training_runs import RunClaim, TrainingRuns
from trainer.jobs.child_process import TRAINING, ChildProcess
from trainer.jobs.failures import NO_SPACE
from trainer.jobs.lease import Lease
from trainer.logs import brief
from trainer.training.runs.run_attempt import Attempt, Lost
from trainer.training.runs.run_order import RunChildOrder
from trainer.training.runs.run_workspace import Workspace

_log = structlog.get_logger(__name__)
START = partial(ChildProcess, TRAINING)
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
        start: Callable[[RunChildOrder, Path], ChildProcess] = START,
    ) -> None:
        self._runs, self._datasets, self._folders, self._files = runs, datasets, folders, files
        self._settings, self._stopping, self._start = settings, stopping, start

    def run(self, claim: RunClaim) -> None:
        """To its end, or until it is lost, cancelled, or the worker stops. Never raises for what the run did."""
        log = _log.bind(run_id=claim.id, request_id=claim.request_id)
        log.info("run_started", attempt=claim.attempts, checkpoint=(claim.checkpoint or {}).get("step"))
        space = Workspace(self._settings.work_dir, self._files, claim.id, claim.fence)
        with Lease(self._runs, claim, self._settings.lease_s) as lease:
            find_dataset = partial(self._datasets.get, claim.dataset_id)
            attempt = Attempt(self._runs, self._files, claim, space, lease, self._stopping, find_dataset)
            try:
                how = self._attempt(claim, space, attempt)
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

    def _attempt(self, claim: RunClaim, space: Workspace, attempt: Attempt) -> str:
        """How it ended. Raises SQLAlchemyError where even that cannot be written down."""
        try:
            space.prepare()
            order = self._order(claim, space, attempt)
            return attempt.follow(self._start(order, space.log)) if order else attempt.give_back()
        except Lost:
            return "lost"
        except SQLAlchemyError:
            raise
        except ServiceError as error:
            return attempt.fail(error if isinstance(error, JobFailed) else TrainingFailed(error.detail))
        except OSError as error:
            if error.errno in NO_SPACE:
                full = "The disk of the training worker is full. Make room, then resume the run."
                return attempt.fail(DiskFull(full))
            return attempt.interrupt(f"the worker could not read or write a file ({type(error).__name__})")
        except Exception as error:  # whatever it is, it must not be tried for ever
            _log.exception("run_broke", run_id=claim.id)
            return attempt.fail(TrainingFailed(f"The worker could not go on ({type(error).__name__})."))

    def _order(self, claim: RunClaim, space: Workspace, attempt: Attempt) -> RunChildOrder | None:
        """What to do; None if the run was cancelled or the worker stopped before it began."""
        try:
            dataset = self._datasets.get(claim.dataset_id)
        except NotFound:
            raise DatasetGone from None
        if dataset.status != DatasetStatus.READY:
            raise DatasetGone("The dataset is not ready any more.")
        data = attempt.meanwhile(lambda check: self._folders.folder(dataset, check))
        if data is None:
            return None
        settings = self._settings
        return RunChildOrder(
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


def model_id(claim: RunClaim) -> str:
    """Of the model that the run makes: its name, and enough of its id to be the only one."""
    slug = _SLUG.sub("-", claim.name.lower()).strip("-")[:40] or "model"
    return f"{slug}-{claim.id[:8]}"
