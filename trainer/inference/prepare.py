"""First stage: claim the jobs, fetch their pixels, make them what the network sees."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import PixelsGone, ServiceError
from shared.contract.messages import SegmentMessage
from shared.contract.names import SegmentationKind
from shared.files.paths import pixels_path
from shared.files.store import FileStore
from shared.jobs.segmentations import Claim
from trainer.engines.warm_models import ServedModel, WarmModels
from trainer.inference.completion import Completion
from trainer.inference.held_claims import HeldClaims
from trainer.inference.job import Job, Stopwatch, now_utc
from trainer.inference.pipeline import pixels_of
from trainer.inference.redis_link import RedisLink
from trainer.logs import brief

_log = structlog.get_logger(__name__)
Ready = Callable[[Job], None]


class Prepare:
    """Turns messages into claimed jobs with an input tensor, and hands each to `forward`.

    A job whose model is not warm yet waits aside, holding its claim, and comes `back` when it is.
    """

    def __init__(
        self,
        files: FileStore,
        link: RedisLink,
        models: WarmModels,
        held: HeldClaims,
        completion: Completion,
        *,
        forward: Ready,
        back: Ready,
    ) -> None:
        self._files, self._link, self._models = files, link, models
        self._held, self._completion = held, completion
        self._forward, self._back = forward, back

    def __call__(self, waiting: Sequence[SegmentMessage | Job]) -> None:
        """One batch: new messages, and jobs that came back."""
        messages = [item for item in waiting if isinstance(item, SegmentMessage)]
        jobs = [item for item in waiting if isinstance(item, Job)] + self._claimed(messages)
        warm = [job for job in jobs if self._has_model(job)]
        if not warm:
            return
        for job, npy in zip(warm, self._link.pixels([job.claim.id for job in warm]), strict=True):
            with self._completion.guard(job):
                self._prepare(job, npy)
                self._forward(job)

    def _claimed(self, messages: Sequence[SegmentMessage]) -> list[Job]:
        if not messages:
            return []
        ids = list(dict.fromkeys(message.job_id for message in messages))
        try:
            claims = self._held.claim(ids)
        except SQLAlchemyError as error:
            # The rows are still queued: the reconciler sends them again once the database is back.
            _log.warning("not_claimed", jobs=len(ids), error=brief(error))
            return []
        at = now_utc()
        return [Job(claim, at) for claim in claims if self._is_picture(claim)]

    def _is_picture(self, claim: Claim) -> bool:
        """A volume is only sent here by a worker of a release that knew none: it is given back, and sent rightly."""
        if claim.kind == SegmentationKind.PICTURE:
            return True
        self._held.give_back(claim)
        return False

    def _has_model(self, job: Job) -> bool:
        """Whether the job can go on now; if not, it comes back, or fails with the reason."""
        job.model = self._models.get(job.claim.model_id)
        if job.model is None:
            self._models.request(job.claim.model_id, lambda known: self._model_known(job, known))
        return job.model is not None

    def _model_known(self, job: Job, known: ServedModel | ServiceError) -> None:
        if isinstance(known, ServiceError):
            self._completion.fail(job, known)
        else:
            self._back(job)

    def _prepare(self, job: Job, npy: bytes | None) -> None:
        assert job.model is not None
        watch = Stopwatch()
        pixels_HWC = pixels_of(self._from_store(job) if npy is None else npy)
        job.size = (pixels_HWC.shape[0], pixels_HWC.shape[1])
        job.x_CHW = job.model.preprocessing.to_input(pixels_HWC, spacing_mm=job.spacing)
        job.preprocess_ms = watch.ms()

    def _from_store(self, job: Job) -> bytes:
        try:
            return self._files.read(pixels_path(job.claim.id))
        except FileNotFoundError:
            raise PixelsGone("The pixels of this job are no longer stored; send the image again.") from None
