"""Volumes, one after the other, beside the single slices that the inference worker is there for.

A message is a hint that is kept until the volume before it is done; only then is its job claimed, so that another
worker that is idle may take it first. A child process reads the files and writes the results (`trainer.volumes.child`);
between the two, this thread runs the slices through the worker's network.
"""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import ServiceError
from shared.contract.messages import SegmentVolumeMessage
from shared.files.store import FileStore
from shared.jobs.segmentations import Claim, SegmentationJobs
from trainer.engines.warm_models import ServedModel, WarmModels
from trainer.inference.batch_stage import Closed
from trainer.inference.completion import Completion
from trainer.inference.forward import Submit
from trainer.inference.held_claims import HeldClaims
from trainer.inference.job import Job, now_utc
from trainer.jobs.claim_loop import ClaimLoop
from trainer.jobs.patience import TICK_S
from trainer.logs import brief
from trainer.volumes.settings import VolumeSettings
from trainer.volumes.volume_attempt import VolumeAttempt
from trainer.volumes.volume_workspace import VolumeWorkspace, forget_source

_log = structlog.get_logger(__name__)


class VolumeLoop:
    """`submit` never blocks. After `halt` what is under way breaks off; its job is given back with the other claims."""

    def __init__(
        self,
        jobs: SegmentationJobs,
        files: FileStore,
        models: WarmModels,
        held: HeldClaims,
        completion: Completion,
        *,
        forward: Submit,
        settings: VolumeSettings,
    ) -> None:
        self._jobs, self._files, self._models = jobs, files, models
        self._held, self._completion, self._forward = held, completion, forward
        self._settings = settings
        self._hints: OrderedDict[str, SegmentVolumeMessage] = OrderedDict()
        self._lock = threading.Lock()
        self._loop = ClaimLoop("volumes", self._claim_next, self._do)

    def start(self) -> None:
        """Begin to work."""
        self._loop.start()

    def submit(self, message: SegmentVolumeMessage) -> None:
        """Remember the hint; once, however often it is sent."""
        with self._lock:
            self._hints.setdefault(message.job_id, message)
        self._loop.wake()

    def halt(self) -> None:
        """Begin nothing more, and break off what is under way."""
        self._loop.leave()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of what was broken off."""
        self._loop.stop(timeout_s)

    def _claim_next(self) -> Claim | None:
        """The job of the first hint that nobody has followed yet."""
        while not self._loop.stopping and (job_id := self._next()) is not None:
            try:
                for claim in self._held.claim([job_id]):
                    return claim
            except SQLAlchemyError as error:  # the row is still there: the reconciler sends it again
                _log.warning("volume_not_claimed", job_id=job_id, error=brief(error))
        return None

    def _next(self) -> str | None:
        with self._lock:
            return self._hints.popitem(last=False)[0] if self._hints else None

    def _do(self, claim: Claim) -> None:
        job = Job(claim, now_utc())
        space = VolumeWorkspace(self._settings.work_dir, self._files, claim.id, claim.fence)
        with self._completion.guard(job), space:
            job.model = self._warm(claim)
            result, warnings = self._attempt(job, job.model, space).run()
            self._check(claim)  # nothing is written for a job that was deleted meanwhile
            space.publish()
            self._completion.succeed([(job, result, warnings)])
        forget_source(claim.id, self._jobs, self._files)

    def _attempt(self, job: Job, model: ServedModel, space: VolumeWorkspace) -> VolumeAttempt:
        return VolumeAttempt(
            job,
            model,
            space,
            self._settings,
            forward=self._forward,
            check=lambda: self._check(job.claim),
            still_ours=lambda share: self._jobs.progress(job.claim, share) or self._let_go(job.claim),
        )

    def _warm(self, claim: Claim) -> ServedModel:
        loaded: Future[ServedModel | ServiceError] = Future()
        self._models.request(claim.model_id, loaded.set_result)
        while True:
            self._check(claim)
            with suppress(FutureTimeout):
                known = loaded.result(TICK_S)
                if isinstance(known, ServiceError):
                    raise known
                return known

    def _let_go(self, claim: Claim) -> bool:
        """The row says that the job is not ours any more: the next check breaks off."""
        self._held.drop([claim])
        return False

    def _check(self, claim: Claim) -> None:
        """Raise Closed where the work is not to go on: the worker stops, or the job was taken from it."""
        if self._loop.stopping or not self._held.holds(claim):
            raise Closed("volumes")
