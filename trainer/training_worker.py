"""The training side of a worker process: looks through datasets, does runs one by one, and evaluations beside them."""

from shared.database.database import Database
from shared.database.models import Models
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets
from shared.jobs.evaluations import EvaluationClaim, Evaluations
from shared.jobs.training_runs import RunClaim, TrainingRuns
from trainer.datasets.local_copies import LocalDatasets
from trainer.datasets.validation_job import Intake
from trainer.engines.opening import ModelFolders
from trainer.evaluation.evaluation_job import EvaluationSettings, Evaluator
from trainer.jobs.claim_loop import ClaimWorker
from trainer.settings import WorkerSettings
from trainer.training.runs.run_job import RunSettings, Supervisor


class Training:
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
        self._drain_s = settings.drain_s
        self._intake = Intake(datasets, folders, worker_id, store.lease_s)
        self._worker: ClaimWorker[RunClaim] = ClaimWorker(
            "training",
            runs,
            Supervisor(runs, datasets, folders, files, run_settings, lambda: self._worker.stopping),
            worker_id,
            store.lease_s,
        )
        evaluator = Evaluator(
            evaluations,
            datasets,
            Models(database),
            folders,
            ModelFolders(files, store.models_dir, settings.cache_dir),
            files,
            evaluation_settings,
            lambda: self._evaluations.stopping,
        )
        self._evaluations: ClaimWorker[EvaluationClaim] = ClaimWorker(
            "evaluations", evaluations, evaluator, worker_id, store.lease_s
        )

    def start(self) -> None:
        """Look for work."""
        self._intake.start()
        self._worker.start()
        self._evaluations.start()

    def wake(self) -> None:
        """Look for work now."""
        self._intake.wake()
        self._worker.wake()
        self._evaluations.wake()

    def stop(self) -> None:
        """What is under way is left to another worker."""
        self._worker.leave()
        self._evaluations.leave()
        self._intake.stop(self._drain_s)
        self._worker.stop(self._drain_s)
        self._evaluations.stop(self._drain_s)
