"""Builds a worker's parts from its settings and starts and stops them: the only place where they meet."""

import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import cv2
import redis
import structlog

from shared.contract.errors import ServiceError
from shared.contract.messages import SegmentMessage, SegmentVolumeMessage
from shared.contract.names import Queue
from shared.database.database import Database
from shared.database.file_removals import FileRemovals
from shared.database.migrate import upgrade
from shared.database.models import Models
from shared.database.workers import Workers
from shared.files.store import FileStore
from shared.jobs.evaluations import Evaluations
from shared.jobs.segmentations import SegmentationJobs
from shared.jobs.training_runs import TrainingRuns
from shared.registry.cards import InvalidCard
from trainer.encoder_weights import LOOK_EVERY_S, EncoderWeights
from trainer.inference.promotion import PROMOTE_S, Promotion
from trainer.inference.redis_link import COMMAND_S
from trainer.inference_worker import InferenceWorker
from trainer.logs import brief
from trainer.periodic import Periodic
from trainer.presence import BEAT_S, Capabilities, Presence
from trainer.reconciler import Reconciler
from trainer.settings import VERSION, WorkerSettings
from trainer.training_worker import TrainingWorker
from trainer.volumes.volume_workspace import VolumeSweeper

_log = structlog.get_logger(__name__)
RECONCILE_S = 2.0
SWEEP_S = 30.0
Send = Callable[[SegmentMessage | SegmentVolumeMessage], None]


class Runtime(Protocol):
    """What runs beside Celery in a worker process."""

    def start(self) -> None:
        """Return when messages may come."""
        ...

    def submit(self, message: SegmentMessage) -> None:
        """Take a job; never blocks."""
        ...

    def submit_volume(self, message: SegmentVolumeMessage) -> None:
        """Remember a volume; never blocks."""
        ...

    def wake(self) -> None:
        """Training work may be due."""
        ...

    def wait_for_room(self, timeout_s: float) -> bool:
        """Whether more messages are wanted, within the time."""
        ...

    def stop(self) -> None:
        """End in order."""
        ...


class WorkerRuntime:
    """Presence and reconciler in every worker; the inference worker and the training side by its queues."""

    def __init__(self, settings: WorkerSettings, queues: Iterable[str], send: Send) -> None:
        self._settings = settings
        # Python hands the interpreter over every 5 ms by default: the thread that feeds the network would idle.
        sys.setswitchinterval(0.001)
        cv2.setNumThreads(1)  # slices are small; OpenCV's own threads would take the network's cores
        store = settings.store
        self._worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._database = Database(store.database_url)
        jobs = SegmentationJobs(self._database, max_attempts=store.max_attempts)
        files = FileStore(store.store_url)
        self._registry = Models(self._database)
        self._redis = redis.Redis.from_url(store.redis_url, socket_timeout=COMMAND_S)
        self._inference: InferenceWorker | None = None
        queues = list(queues)
        if Queue.INFERENCE in queues:
            self._inference = InferenceWorker(settings, self._worker_id, self._registry, jobs, files)
        self._training = (
            TrainingWorker(settings, self._worker_id, self._database, files) if Queue.TRAINING in queues else None
        )
        queue = Queue.INFERENCE if self._inference else (queues or [Queue.TRAINING])[0]
        workers = Workers(self._database)
        self._presence = Presence(workers, self._worker_id, queue, self._describe)
        removals = FileRemovals(self._database, files)
        reconciler = Reconciler(jobs, removals, files, send, lambda: int(self._redis.llen(Queue.INFERENCE)))
        self._chores = [
            Periodic("presence", self._presence.beat, BEAT_S),
            Periodic("reconciler", reconciler.run, RECONCILE_S, jitter=0.25),
            # Here too, not in training workers alone: they may all be gone, and a run wait to be cancelled.
            Periodic("runs", TrainingRuns(self._database).reap, RECONCILE_S, jitter=0.25),
            Periodic(
                "evaluations",
                Evaluations(self._database, max_attempts=store.max_attempts).exhaust,
                RECONCILE_S,
                jitter=0.25,
            ),
        ]
        if self._inference is not None:
            promotion = Promotion(self._registry, workers, self._inference.models, self._presence.beat)
            self._chores.append(Periodic("promotion", promotion.run, PROMOTE_S))
            self._chores.append(
                Periodic("volumes", VolumeSweeper(settings.volumes.work_dir, jobs, files).run, SWEEP_S, jitter=0.25)
            )
        self._encoder_weights = EncoderWeights(settings.encoder_weights)
        if self._training is not None:
            self._chores.append(Periodic("encoder_weights", self._encoder_weights.look, LOOK_EVERY_S))

    def start(self) -> None:
        """Bring the schema up, warm the default model, begin the chores."""
        _log.info("worker_starting", version=VERSION)
        upgrade(self._database)
        self._register_shipped()
        if self._inference is not None:
            self._inference.start()
        for chore in self._chores:
            chore.start()
        if self._training is not None:
            self._training.start()
        _log.info("worker_ready", models=list(self._describe().models))

    def submit(self, message: SegmentMessage) -> None:
        """To the inference worker."""
        if self._inference is None:
            raise RuntimeError("this worker does not listen to the queue `inference`")
        self._inference.worker.submit(message)

    def submit_volume(self, message: SegmentVolumeMessage) -> None:
        """To the inference worker's loop of volumes."""
        if self._inference is None:
            raise RuntimeError("this worker does not listen to the queue `inference`")
        self._inference.volumes.submit(message)

    def wake(self) -> None:
        """To the training side."""
        if self._training is not None:
            self._training.wake()

    def wait_for_room(self, timeout_s: float) -> bool:
        """The inference worker's brake."""
        return self._inference is None or self._inference.worker.wait_for_room(timeout_s)

    def stop(self) -> None:
        """Jobs first; the database hears of it last."""
        _log.info("worker_stopping")
        if self._training is not None:
            self._training.stop()
        for chore in self._chores:
            chore.stop()
        if self._inference is not None:
            self._inference.stop(self._settings.drain_s)
        try:
            self._presence.leave()
        except Exception as error:  # the worker goes all the same; its row grows old
            _log.warning("not_signed_off", error=brief(error))
        self._redis.close()
        self._database.close()
        _log.info("worker_stopped")

    def _register_shipped(self) -> None:
        try:
            self._registry.register_shipped(self._settings.store.models_dir)
        except (InvalidCard, ServiceError) as error:
            _log.error("shipped_model_not_registered", error=str(error))

    def _describe(self) -> Capabilities:
        said = self._inference.describe() if self._inference else Capabilities()
        return replace(said, encoder_weights=self._encoder_weights.known)
