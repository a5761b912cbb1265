"""Taking a slice in: decode, store, queue. The API and the pages both come through here."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from service.intake.acceptance import Acceptance, Accepted
from service.intake.idempotency import fingerprint
from service.intake.served_models import Catalogue, Workforce
from service.job_queue import JobQueue
from service.web.uploads import Upload
from shared.contract.errors import QueueFull
from shared.files.npy import to_npy
from shared.files.paths import pixels_path
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationView
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits, Picture

Spacing = tuple[float, float]


@dataclass(frozen=True)
class SliceRequest:
    """One valid request to segment a file."""

    owner: str
    request_id: str
    image: Upload
    model: str
    threshold: float | None = None
    pixel_spacing_mm: Spacing | None = None
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of what the client asked for; when and in what shape it reads the answer is no part of it."""
        return fingerprint(
            "segmentations", self.model, self.threshold, self.pixel_spacing_mm, self.image.sha256
        )


class SliceIntake:
    """Accepts slices; what would be lost is refused."""

    def __init__(
        self,
        *,
        acceptance: Acceptance[NewSegmentation, SegmentationView],
        catalogue: Catalogue,
        workforce: Workforce,
        files: FileStore,
        queue: JobQueue,
        limits: DecodeLimits,
        max_queued: int,
        retention: timedelta,
        decoders: int = 4,
    ) -> None:
        self._acceptance = acceptance
        self._catalogue = catalogue
        self._workforce = workforce
        self._files = files
        self._queue = queue
        self._limits = limits
        self._max_queued = max_queued
        self._retention = retention
        # a 16 megapixel picture takes 100 MB while it is decoded: not as many at a time as there are threads
        self._decoding = threading.BoundedSemaphore(decoders)

    def submit(self, asked: SliceRequest) -> Accepted[SegmentationView]:
        """Accept the slice.

        Raises ImageError, UnknownModel, NoWorker, QueueFull, QueueUnavailable, StorageUnavailable,
        IdempotencyInProgress and IdempotencyMismatch; then nothing was accepted and nothing is left behind.
        """
        started = time.perf_counter()
        with self._decoding:
            picture = decode(asked.image.data(), self._limits)
            pixels = to_npy(picture.pixels)
        decode_ms = round((time.perf_counter() - started) * 1000, 2)
        model_id, alias = self._catalogue.resolve_for_pictures(asked.model)

        def make() -> NewSegmentation:
            self._workforce.require()
            return NewSegmentation(
                owner=asked.owner,
                request_id=asked.request_id,
                image=_describe(picture, asked.image.sha256, asked.pixel_spacing_mm, decode_ms),
                model_id=model_id,
                alias=alias,
                threshold=asked.threshold,
                retention=self._retention,
            )

        return self._acceptance.submit(
            asked.owner, asked.idempotency_key, asked.fingerprint, make, lambda new: self._keep(new.id, pixels)
        )

    def _keep(self, id: str, pixels: bytes) -> None:
        if self._queue.offer(id, pixels) >= self._max_queued:
            raise QueueFull(f"{self._max_queued} jobs wait already; come back in a moment.")
        self._files.write(pixels_path(id), pixels)


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
