"""What lasts, and how work is handed on: the database's tables, the file store, the queue."""

from dataclasses import dataclass
from typing import Self

from service.job_queue import JobQueue, RedisJobQueue
from service.settings import ServiceSettings
from shared.database.database import Database
from shared.database.file_removals import FileRemovals
from shared.database.idempotency import Idempotency
from shared.database.keys import Keys
from shared.database.models import Models
from shared.database.workers import Workers
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets
from shared.jobs.evaluations import Evaluations
from shared.jobs.last_failures import Failures
from shared.jobs.segmentations import SegmentationJobs
from shared.jobs.throughput import Throughput
from shared.jobs.training_runs import TrainingRuns


@dataclass(frozen=True)
class Stored:
    """The parts that reach out of the process, and the tables in one of them."""

    database: Database
    files: FileStore
    queue: JobQueue
    idempotency: Idempotency
    keys: Keys
    models: Models
    removals: FileRemovals
    workers: Workers
    segmentations: SegmentationJobs
    datasets: Datasets
    runs: TrainingRuns
    evaluations: Evaluations
    throughput: Throughput
    failures: Failures

    @classmethod
    def open(
        cls,
        settings: ServiceSettings,
        queue: JobQueue | None = None,
        files: FileStore | None = None,
        database: Database | None = None,
    ) -> Self:
        """By the settings, but for what is given."""
        store, threads = settings.store, settings.web_threads
        database = database or Database(
            store.database_url, pool_size=min(threads, 10), max_overflow=threads
        )
        files = files or FileStore(store.store_url)
        return cls(
            database=database,
            files=files,
            queue=queue or RedisJobQueue(store.redis_url, store.broker_url, threads=threads),
            idempotency=Idempotency(database),
            keys=Keys(database),
            models=Models(database),
            removals=FileRemovals(database, files),
            workers=Workers(database),
            segmentations=SegmentationJobs(database, max_attempts=store.max_attempts),
            datasets=Datasets(database, max_attempts=store.max_attempts),
            runs=TrainingRuns(database),
            evaluations=Evaluations(database, max_attempts=store.max_attempts),
            throughput=Throughput(database),
            failures=Failures(database),
        )
