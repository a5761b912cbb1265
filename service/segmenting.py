"""Taking a slice in: decode, store, queue, wait. The API and the pages both come through here; no Flask."""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.catalogue import Catalogue, Workforce
from service.jobs import Jobs
from service.repeats import fingerprint, made_before
from shared.contract.errors import QueueFull, ServiceError, StorageUnavailable
from shared.contract.messages import SegmentMessage
from shared.contract.names import SegmentationStatus
from shared.imaging.picture import DecodeLimits, Picture
from shared.imaging.readers.decode import decode
from shared.storage.arrays import to_npy
from shared.storage.files import FileStore
from shared.storage.idempotency import Idempotency
from shared.storage.paths import pixels_path, segmentation_folder
from shared.storage.segmentations import NewSegmentation, SegmentationJobs, SegmentationView

_log = logging.getLogger(__name__)

Spacing = tuple[float, float]


@dataclass(frozen=True)
class Order:
    """One valid request to segment a file."""

    owner: str
    request_id: str
    image: bytes
    model: str
    threshold: float | None = None
    pixel_spacing_mm: Spacing | None = None
    wait: float = 0.0
    idempotency_key: str | None = None

    def fingerprint(self, image_sha256: str) -> str:
        """Digest of what the client asked for; how long it waits and in what shape it reads are no part of it."""
        return fingerprint("segmentations", self.model, self.threshold, self.pixel_spacing_mm, image_sha256)


@dataclass(frozen=True)
class Outcome:
    """The job, and whether it was there before (Idempotency-Key)."""

    job: SegmentationView
    replayed: bool = False


class Segmenter:
    """Accepts slices. What is accepted survives the death of any process; what would be lost is refused."""

    def __init__(
        self,
        *,
        segmentations: SegmentationJobs,
        idempotency: Idempotency,
        catalogue: Catalogue,
        workforce: Workforce,
        files: FileStore,
        jobs: Jobs,
        limits: DecodeLimits,
        max_queued: int,
        retention: timedelta,
        decoders: int = 4,
    ) -> None:
        self._segmentations = segmentations
        self._idempotency = idempotency
        self._catalogue = catalogue
        self._workforce = workforce
        self._files = files
        self._jobs = jobs
        self._limits = limits
        self._max_queued = max_queued
        self._retention = retention
        # a 16 megapixel picture takes 100 MB while it is decoded: not as many at a time as there are threads
        self._decoding = threading.BoundedSemaphore(decoders)

    def submit(self, order: Order) -> Outcome:
        """Accept the slice and wait up to `order.wait` seconds for its end.

        Raises ImageError, UnknownModel, NoWorker, QueueFull, QueueUnavailable, StorageUnavailable,
        IdempotencyInProgress and IdempotencyMismatch; then nothing was accepted and nothing is left behind.
        """
        started = time.perf_counter()
        sha256 = hashlib.sha256(order.image).hexdigest()
        with self._decoding:
            picture = decode(order.image, self._limits)
            pixels = to_npy(picture.pixels)
        decode_ms = round((time.perf_counter() - started) * 1000, 2)
        model_id, alias = self._catalogue.resolve_for_pictures(order.model)
        replay = self._begin(order, sha256)
        if replay is not None:
            return Outcome(self._settled(replay, order), replayed=True)
        new = NewSegmentation(
            owner=order.owner,
            request_id=order.request_id,
            image=_describe(picture, sha256, order.pixel_spacing_mm, decode_ms),
            model_id=model_id,
            alias=alias,
            threshold=order.threshold,
            retention=self._retention,
        )
        job = self._accept(new, pixels, order.idempotency_key)
        return Outcome(self._await(job, order.wait))

    def _begin(self, order: Order, sha256: str) -> str | None:
        """The id that this Idempotency-Key made before, or None when there is work to do."""
        return made_before(self._idempotency, order.owner, order.idempotency_key, order.fingerprint(sha256))

    def _settled(self, job_id: str, order: Order) -> SegmentationView:
        return self._segmentations.get(job_id, owner=order.owner)

    def _accept(self, new: NewSegmentation, pixels: bytes, idempotency_key: str | None) -> SegmentationView:
        """Cache, file, row, message: in this order, so that each thing is there before somebody is told of it."""
        with self._undone(new, idempotency_key):
            self._workforce.require()
            if self._jobs.offer(new.id, pixels) >= self._max_queued:
                raise QueueFull(f"{self._max_queued} jobs wait already; come back in a moment.")
            self._files.write(pixels_path(new.id), pixels)
            job = self._segmentations.accept(new, idempotency_key=idempotency_key)
            try:
                self._jobs.send(SegmentMessage(new.id, new.request_id))
            except ServiceError:
                # False: a worker has it all the same (the message arrived, its receipt did not)
                if self._segmentations.discard(new.id):
                    raise
            return job

    @contextmanager
    def _undone(self, new: NewSegmentation, idempotency_key: str | None) -> Iterator[None]:
        """Leave nothing behind where accepting breaks off."""
        try:
            yield
        except Exception as error:
            self._jobs.withdraw(new.id)
            self._clean(new, idempotency_key)
            if isinstance(error, (OSError, SQLAlchemyError)):
                _log.exception("not_accepted")
                raise StorageUnavailable from error
            raise

    def _clean(self, new: NewSegmentation, idempotency_key: str | None) -> None:
        try:
            self._files.delete_tree(segmentation_folder(new.id))
            if idempotency_key is not None:
                self._idempotency.abandon(new.owner, idempotency_key, made=new.id)
        except (OSError, SQLAlchemyError):
            _log.exception("not_cleaned")

    def _await(self, job: SegmentationView, seconds: float) -> SegmentationView:
        """The job as it is after its end, or after `seconds`."""
        if seconds <= 0:
            return job
        said = self._jobs.wait(job.id, seconds)
        if said is not None:
            with_end = _ended(job, said)
            if with_end is not None:
                return with_end
        return self._segmentations.get(job.id)


def _describe(picture: Picture, sha256: str, spacing: Spacing | None, decode_ms: float) -> dict[str, Any]:
    """`image` of the row; a spacing in the request wins over the file's. `decode_ms` is shown with the timings."""
    source = "request" if spacing else picture.pixel_spacing_source
    known = spacing or picture.pixel_spacing_mm
    return {
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "bit_depth": picture.bit_depth,
        "sha256": sha256,
        "pixel_spacing_mm": list(known) if known else None,
        "pixel_spacing_source": source,
        "decode_ms": decode_ms,
    }


def _ended(job: SegmentationView, said: dict[str, Any]) -> SegmentationView | None:
    """The job with what the worker pushed, which spares reading its row; None if the push says too little."""
    try:
        status = SegmentationStatus(said["status"])
        return replace(
            job,
            status=status,
            progress=1.0 if status == SegmentationStatus.SUCCEEDED else job.progress,
            started_at=_time(said.get("started_at")),
            finished_at=datetime.fromisoformat(said["finished_at"]),
            result=said["result"],
            warnings=said["warnings"],
            timings=said["timings"],
            error=said.get("error"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
