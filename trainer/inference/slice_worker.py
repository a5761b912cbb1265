"""The inference worker: three threads through which a single slice goes, each taking what waits.

prepare (claim, load, preprocess) -> forward (the network) -> conclude (measure, keep, finish, announce)

A transaction and a round trip to Redis are thus shared by all jobs that wait at the same time, pixels are prepared
and measured while the network runs, and a job that comes alone goes straight through.
"""

import time
from collections.abc import Sequence
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import InferenceFailed
from shared.contract.messages import SegmentMessage
from shared.files.paths import labels_path, probability_path
from shared.files.store import FileStore
from shared.jobs.segmentations import SegmentationJobs
from trainer.engines.warm_models import WarmModels
from trainer.inference.batch_stage import BatchStage, Closed
from trainer.inference.completion import Completion
from trainer.inference.forward import MAX_PREPARED, Outcome, forward_stage, model_of
from trainer.inference.held_claims import HeldClaims
from trainer.inference.job import Job, Stopwatch
from trainer.inference.pipeline import MeasuredSlice, measured
from trainer.inference.prepare import Prepare
from trainer.inference.redis_link import RedisLink
from trainer.logs import brief

_log = structlog.get_logger(__name__)
# Hints held in memory: few, so that another worker finds some in Redis, and so that their rows do not look
# forgotten to the reconciler.
MAX_HINTS = 32
MAX_CLAIM = 16
MAX_CONCLUDE = 16


class SliceWorker:
    """Takes messages, ends jobs. `submit` never blocks; `wait_for_room` is the brake before it."""

    def __init__(
        self,
        jobs: SegmentationJobs,
        files: FileStore,
        link: RedisLink,
        models: WarmModels,
        held: HeldClaims,
    ) -> None:
        self._jobs, self._files, self._models, self._held = jobs, files, models, held
        self.completion = Completion(jobs, files, link, held)
        prepare = Prepare(
            files, link, models, held, self.completion, forward=self._to_forward, back=self._come_back
        )
        self._prepare: BatchStage[SegmentMessage | Job] = BatchStage(
            "prepare", prepare, max_batch=MAX_CLAIM, max_waiting=MAX_HINTS
        )
        self.forward = forward_stage()
        self._conclude: BatchStage[tuple[Job, Outcome]] = BatchStage(
            "conclude", self._conclusion, max_batch=MAX_CONCLUDE, max_waiting=MAX_PREPARED
        )
        self._stages = (self._prepare, self.forward, self._conclude)

    def start(self) -> None:
        """Begin to take messages."""
        for stage in reversed(self._stages):
            stage.start()

    def submit(self, message: SegmentMessage) -> None:
        """Queue the job; while shutting down it is left to other workers."""
        try:
            self._prepare.put_anyway(message)
        except Closed:
            _log.info("left_to_others", job_id=message.job_id, request_id=message.request_id)

    def wait_for_room(self, timeout_s: float) -> bool:
        """Whether the worker wants more messages, within the time."""
        return self._prepare.wait_for_room(timeout_s)

    def stop(self, drain_s: float) -> None:
        """Finish what was taken, as far as the time goes, and give the rest back to the queue."""
        self.close(drain_s)
        self.give_back()

    def close(self, drain_s: float) -> None:
        """Take nothing more, and finish what was taken as far as the time goes."""
        deadline = time.monotonic() + drain_s
        for stage in self._stages:
            stage.close(deadline - time.monotonic())

    def give_back(self) -> None:
        """Claims that are still held, of volumes too, go back to the queue; models are closed."""
        self._models.close()
        left = self._held.all()
        if left:
            try:
                given_back = self._jobs.release(left)
                _log.info("jobs_given_back", jobs=given_back)
            except SQLAlchemyError as error:
                _log.warning("jobs_not_given_back", jobs=len(left), error=brief(error))

    def _come_back(self, job: Job) -> None:
        with suppress(Closed):  # then its claim is given back with the rest
            self._prepare.put_anyway(job)

    def _to_forward(self, job: Job) -> None:
        self.forward.submit(job, lambda outcome: self._to_conclude(job, outcome))

    def _to_conclude(self, job: Job, outcome: Outcome) -> None:
        with suppress(Closed):  # the time to stop was over before the network had answered: as above
            self._conclude.put((job, outcome))

    def _conclusion(self, batch: Sequence[tuple[Job, Outcome]]) -> None:
        done = []
        for job, outcome in batch:
            with self.completion.guard(job):
                answer = self._measured(job, outcome)
                done.append((job, answer.result, answer.warnings))
        if done:
            self.completion.succeed(done)

    def _measured(self, job: Job, outcome: Outcome) -> MeasuredSlice:
        """Measure, and keep the map before the row says that there is one."""
        if isinstance(outcome, Closed):
            raise outcome
        if isinstance(outcome, Exception):
            _log.error(
                "forward_failed", job_id=job.claim.id, request_id=job.claim.request_id, exc_info=outcome
            )
            raise InferenceFailed(f"The network could not be run on this image ({type(outcome).__name__}).")
        watch = Stopwatch()
        answer = measured(model_of(job), outcome, job.size, job.spacing, job.claim.threshold)
        if self._held.holds(job.claim):  # not for a job that was deleted meanwhile
            self._files.write(probability_path(job.claim.id), answer.probability_png)
            if answer.labels_png is not None:
                self._files.write(labels_path(job.claim.id), answer.labels_png)
        job.postprocess_ms = watch.ms()
        return answer
