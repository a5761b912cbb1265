"""Taking a slice in: decode, store, queue, wait. The API and the pages both come through here; no Flask."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from service.intake.acceptance import Acceptance, Outcome
from service.intake.idempotency import fingerprint
from service.intake.served_models import Catalogue, Workforce
from service.job_queue import Jobs
from service.web.uploads import Upload
from shared.contract.errors import QueueFull
from shared.contract.messages import SegmentMessage
from shared.files.npy import to_npy
from shared.files.paths import pixels_path
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationView
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits, Picture

Spacing = tuple[float, float]


@dataclass(frozen=True)
class Order:
    """One valid request to segment a file."""

    owner: str
    request_id: str
    image: Upload
    model: str
    threshold: float | None = None
    pixel_spacing_mm: Spacing | None = None
    wait: float = 0.0
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of what the client asked for; how long it waits and in what shape it reads are no part of it."""
        return fingerprint(
            "segmentations", self.model, self.threshold, self.pixel_spacing_mm, self.image.sha256
        )


class Segmenter:
    """Accepts slices. What is accepted survives the death of any process; what would be lost is refused."""

    def __init__(
        self,
        *,
        acceptance: Acceptance,
        catalogue: Catalogue,
        workforce: Workforce,
        files: FileStore,
        jobs: Jobs,
        limits: DecodeLimits,
        max_queued: int,
        retention: timedelta,
        decoders: int = 4,
    ) -> None:
        self._acceptance = acceptance
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
        with self._decoding:
            picture = decode(order.image.data(), self._limits)
            pixels = to_npy(picture.pixels)
        decode_ms = round((time.perf_counter() - started) * 1000, 2)
        model_id, alias = self._catalogue.resolve_for_pictures(order.model)
        replay = self._acceptance.before(order.owner, order.idempotency_key, order.fingerprint)
        if replay is not None:
            return Outcome(replay, replayed=True)
        new = NewSegmentation(
            owner=order.owner,
            request_id=order.request_id,
            image=_describe(picture, order.image.sha256, order.pixel_spacing_mm, decode_ms),
            model_id=model_id,
            alias=alias,
            threshold=order.threshold,
            retention=self._retention,
        )
        job = self._accept(new, pixels, order.idempotency_key)
        return Outcome(self._acceptance.ended(job, order.wait))

    def _accept(self, new: NewSegmentation, pixels: bytes, idempotency_key: str | None) -> SegmentationView:
        """Cache, file, row, message: in this order, so that each thing is there before somebody is told of it."""
        with self._acceptance.undone(new, idempotency_key):
            self._workforce.require()
            if self._jobs.offer(new.id, pixels) >= self._max_queued:
                raise QueueFull(f"{self._max_queued} jobs wait already; come back in a moment.")
            self._files.write(pixels_path(new.id), pixels)
            return self._acceptance.enter(new, SegmentMessage(new.id, new.request_id), idempotency_key)


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
