"""The inference side of a worker process: single slices, and volumes one after the other beside them."""

import time

import structlog

from shared.contract.errors import ServiceError
from shared.contract.names import DEFAULT_ALIAS
from shared.database.models import Models
from shared.files.store import FileStore
from shared.jobs.segmentations import SegmentationJobs
from trainer.engines.open_engine import resolve_device
from trainer.engines.opening import ModelFolders, Opener
from trainer.engines.warm_models import WarmModels
from trainer.inference.held_claims import HeldClaims
from trainer.inference.redis_link import RedisLink
from trainer.inference.slice_worker import SliceWorker
from trainer.periodic import Periodic
from trainer.presence import Capabilities
from trainer.settings import WorkerSettings
from trainer.volumes.volume_loop import VolumeLoop

_log = structlog.get_logger(__name__)


class InferenceWorker:
    """What a worker of the queue `inference` does beside showing life, on one device."""

    def __init__(
        self,
        settings: WorkerSettings,
        worker_id: str,
        registry: Models,
        jobs: SegmentationJobs,
        files: FileStore,
    ) -> None:
        self._registry = registry
        folders = ModelFolders(files, settings.store.models_dir, settings.cache_dir)
        device = resolve_device(settings.device)
        self._opener = Opener(registry, folders, device, settings.engine, settings.cache_dir)
        self.models = WarmModels(self._opener, settings.warm_models)
        held = HeldClaims(jobs, worker_id, settings.store.lease_s)
        self._link = RedisLink(settings.store.redis_url)
        self.worker = SliceWorker(jobs, files, self._link, self.models, held)
        self.volumes = VolumeLoop(
            jobs,
            files,
            self.models,
            held,
            self.worker.completion,
            forward=self.worker.forward.submit,
            settings=settings.volumes,
        )
        # Three chances before a lease runs out.
        self._renewal = Periodic("leases", held.renew, settings.store.lease_s / 3)

    def start(self) -> None:
        """The default model is warm when this returns, unless it cannot be: then its jobs fail with the reason."""
        self._opener.sweep()
        try:
            model, _ = self._registry.resolve(DEFAULT_ALIAS)
            self.models.warm_up(model.id)
        except ServiceError as error:
            _log.error("default_model_not_warm", error=error.detail)
        self.worker.start()
        self.volumes.start()
        self._renewal.start()

    def stop(self, drain_s: float) -> None:
        """HeldClaims are prolonged until the last job has ended."""
        deadline = time.monotonic() + drain_s
        self.volumes.halt()
        self.worker.close(drain_s)
        self.volumes.join(deadline - time.monotonic())
        self.worker.give_back()
        self._renewal.stop()
        self._link.close()

    def describe(self) -> Capabilities:
        """For the workers' table."""
        return Capabilities(self._opener.device, self._opener.engine, self.models.ids())
