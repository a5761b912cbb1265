"""The training side of a worker process: looks through datasets, does runs one by one, and evaluations beside them."""

import threading
from functools import partial
from typing import Any

from shared.database.database import Database
from shared.database.models import Models
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets
from shared.jobs.evaluations import Evaluations
from shared.jobs.training_runs import TrainingRuns
from trainer.datasets.local_datasets import LocalDatasets
from trainer.datasets.validation_job import SWEEP_S, ValidationJob
from trainer.engines.opening import ModelFolders
from trainer.evaluation.evaluation_job import EvaluationJob
from trainer.evaluation.evaluation_tools import EvaluationSettings, EvaluationTools
from trainer.jobs.claim_loop import ClaimLoop
from trainer.settings import WorkerSettings
from trainer.training.runs.run_job import RunJob
from trainer.training.runs.run_tools import RunSettings, RunTools


class TrainingWorker:
    """What a worker of the queue `training` does beside showing life."""

    def __init__(
        self, settings: WorkerSettings, worker_id: str, database: Database, files: FileStore
    ) -> None:
        store = settings.store
        runs, datasets = TrainingRuns(database), Datasets(database, max_attempts=store.max_attempts)
        folders = LocalDatasets(files, settings.cache_dir, settings.datasets)
        run_settings = RunSettings(
            work_dir=settings.work_dir,
            device=settings.device,
            threads=settings.training_threads,
            nice=settings.training_nice,
            checkpoint_s=settings.checkpoint_s,
            encoder_weights=settings.encoder_weights,
            lease_s=store.lease_s,
        )
        evaluations = Evaluations(database, max_attempts=store.max_attempts)
        evaluation_settings = EvaluationSettings(
            work_dir=settings.evaluations_dir,
            device=settings.device,
            threads=settings.training_threads,
            nice=settings.training_nice,
            lease_s=store.lease_s,
            engine=settings.engine,
            cache_dir=settings.cache_dir,
        )
        self._stopping = threading.Event()
        stopping = self._stopping.is_set
        validation = ValidationJob(datasets, folders, store.lease_s, stopping)
        run = RunJob(RunTools(runs, datasets, folders, files, run_settings), stopping)
        evaluation = EvaluationJob(
            EvaluationTools(
                evaluations,
                datasets,
                Models(database),
                folders,
                ModelFolders(files, store.models_dir, settings.cache_dir),
                files,
                evaluation_settings,
            ),
            stopping,
        )
        claim = (worker_id, store.lease_s)
        self._drain_s = settings.drain_s
        self._loops: tuple[ClaimLoop[Any], ...] = (
            ClaimLoop(
                "datasets",
                partial(datasets.claim_next, *claim),
                validation.run,
                validation.sweep,
                sweep_s=SWEEP_S,
            ),
            ClaimLoop("training", partial(runs.claim_next, *claim), run.run, run.sweep),
            ClaimLoop(
                "evaluations", partial(evaluations.claim_next, *claim), evaluation.run, evaluation.sweep
            ),
        )

    def start(self) -> None:
        """Look for work."""
        for loop in self._loops:
            loop.start()

    def wake(self) -> None:
        """Look for work now."""
        for loop in self._loops:
            loop.wake()

    def stop(self) -> None:
        """What is under way is left to another worker."""
        self._stopping.set()
        for loop in self._loops:
            loop.leave()
        for loop in self._loops:
            loop.stop(self._drain_s)
