"""Does claimed evaluations: brings models and dataset here, starts the process, and sees to it that each ends somehow.

Every write to the database is fenced by the claim, and so is the report's name: a worker that was given up for dead
changes nothing. An evaluation that was deleted is a claim that is lost: its process is killed.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import (
    DatasetGone,
    DiskFull,
    EvaluationFailed,
    JobFailed,
    ModelUnusable,
    NotFound,
    ServiceError,
)
from shared.contract.names import DatasetStatus, EvaluationStatus
from shared.database.models import Models, StoredModel
from shared.files.paths import evaluation_folder
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets, DatasetView
from shared.jobs.evaluations import EvaluationClaim, Evaluations
from trainer.evaluation.evaluation_attempt import Attempt
from trainer.evaluation.evaluation_order import EvaluationChildOrder
from trainer.jobs.child_process import EVALUATION, ChildProcess
from trainer.jobs.failures import NO_SPACE
from trainer.jobs.lease import Lease
from trainer.jobs.patience import NotWanted, meanwhile
from trainer.logs import brief
from trainer.training.runs.run_job import DatasetFolders

_log = structlog.get_logger(__name__)
START = partial(ChildProcess, EVALUATION)
REPORT = "report.html"


class Folders(Protocol):
    """Where models lie on this host."""

    def folder(self, stored: StoredModel) -> Path:
        """Fetched from the store if need be. ModelUnusable."""
        ...

    def sweep(self, registry: Models) -> None:
        """Drop copies of models that are registered no more."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How evaluations are done on this host; `cache_dir` keeps converted models."""

    work_dir: Path
    device: str
    threads: int
    nice: int
    lease_s: float
    engine: str = "auto"
    cache_dir: Path | None = None


@dataclass(frozen=True)
class Needed:
    """What an evaluation is about, while it is there."""

    dataset: DatasetView
    model: StoredModel
    against: StoredModel | None


class Evaluator:
    """`stopping` says that the worker wants to end."""

    def __init__(
        self,
        evaluations: Evaluations,
        datasets: Datasets,
        models: Models,
        dataset_folders: DatasetFolders,
        model_folders: Folders,
        files: FileStore,
        settings: EvaluationSettings,
        stopping: Callable[[], bool],
        start: Callable[[EvaluationChildOrder, Path], ChildProcess] = START,
    ) -> None:
        self._evaluations, self._datasets, self._models = evaluations, datasets, models
        self._dataset_folders, self._model_folders, self._files = dataset_folders, model_folders, files
        self._settings, self._stopping, self._start = settings, stopping, start

    def run(self, claim: EvaluationClaim) -> None:
        """To its end, or until it is lost or the worker stops. Never raises for what the evaluation did."""
        log = _log.bind(evaluation_id=claim.id, request_id=claim.request_id)
        log.info("evaluation_started", attempt=claim.attempts)
        space = self._settings.work_dir / f"{claim.id}-{claim.fence}"
        with Lease(self._evaluations, claim, self._settings.lease_s) as lease:
            try:
                how = self._attempt(claim, space, lease)
            except SQLAlchemyError as error:  # its lease runs out, and it is claimed again
                log.error("evaluation_put_off", error=brief(error))
                how = "put off"
        log.info("evaluation_left", how=how)
        shutil.rmtree(space, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what evaluations have left, here and in the store, that were deleted or whose worker was killed."""
        gone = self._evaluations.to_clean()
        for evaluation_id in gone:
            self._files.delete_tree(evaluation_folder(evaluation_id))
        if gone:
            self._evaluations.files_removed(gone)
        root = self._settings.work_dir
        for folder in root.iterdir() if root.is_dir() else ():
            if self._is_over(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
        self._model_folders.sweep(self._models)

    def _is_over(self, name: str) -> bool:
        evaluation_id, _, fence = name.rpartition("-")
        try:
            view = self._evaluations.get(evaluation_id)
        except NotFound:
            return True
        return view.status != EvaluationStatus.RUNNING or str(view.fence) != fence

    def _attempt(self, claim: EvaluationClaim, space: Path, lease: Lease) -> str:
        """How it ended. Raises SQLAlchemyError where even that cannot be written down."""
        attempt = Attempt(self._evaluations, self._files, claim, lease, self._stopping, self._needed)
        try:
            space.mkdir(parents=True, exist_ok=True)
            order = self._order(claim, space, attempt.wanted)
            return attempt.follow(self._start(order, space / "log.txt"), space / REPORT)
        except NotWanted:
            return "lost" if lease.lost else attempt.give_back()
        except SQLAlchemyError:
            raise
        except ServiceError as error:
            return attempt.fail(error if isinstance(error, JobFailed) else EvaluationFailed(error.detail))
        except OSError as error:
            if error.errno in NO_SPACE:
                return attempt.fail(
                    DiskFull("The disk of the training worker is full. Make room, then try again.")
                )
            return attempt.interrupt(f"the worker could not read or write a file ({type(error).__name__})")
        except Exception as error:  # whatever it is, it must not be tried for ever
            _log.exception("evaluation_broke", evaluation_id=claim.id)
            return attempt.fail(EvaluationFailed(f"The worker could not go on ({type(error).__name__})."))

    def _needed(self, claim: EvaluationClaim) -> Needed:
        """Raises DatasetGone and ModelUnusable once they were deleted: then nobody may use them any more."""
        try:
            dataset = self._datasets.get(claim.dataset_id)
        except NotFound:
            raise DatasetGone("The dataset was deleted before the evaluation was done.") from None
        if dataset.status != DatasetStatus.READY:
            raise DatasetGone("The dataset is not ready any more.")
        against = self._model(claim.against_id) if claim.against_id is not None else None
        return Needed(dataset, self._model(claim.model_id), against)

    def _model(self, model_id: str) -> StoredModel:
        try:
            return self._models.get(model_id)
        except NotFound:
            raise ModelUnusable(f"The model {model_id} was deleted before the evaluation was done.") from None

    def _order(self, claim: EvaluationClaim, space: Path, wanted: Callable[[], bool]) -> EvaluationChildOrder:
        """What to do, with all that it needs on this host. Raises NotWanted."""
        needed, settings = self._needed(claim), self._settings
        dataset = needed.dataset
        models = [
            self._fetched(model, wanted) for model in (needed.model, needed.against) if model is not None
        ]
        data = meanwhile(lambda check: self._dataset_folders.folder(dataset, check), wanted)
        return EvaluationChildOrder(
            model=str(models[0]),
            against=str(models[1]) if needed.against is not None else None,
            data=str(data),
            format=dataset.format,
            options=dataset.options,
            dataset_name=dataset.name,
            split=claim.split,
            flips_on=claim.test_time_augmentation,
            out=str(space),
            device=settings.device,
            threads=settings.threads,
            nice=settings.nice,
            engine=settings.engine,
            cache=None if settings.cache_dir is None else str(settings.cache_dir),
        )

    def _fetched(self, model: StoredModel, wanted: Callable[[], bool]) -> Path:
        return meanwhile(lambda _: self._model_folders.folder(model), wanted)
