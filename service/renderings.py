"""Pictures of a segmentation, made when somebody asks; always of the upload's own width and height."""

import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from shared.contract.errors import Conflict, Gone
from shared.imaging import render, rle
from shared.storage.arrays import from_npy
from shared.storage.files import FileStore
from shared.storage.paths import pixels_path, probability_path
from shared.storage.segmentations import SegmentationView


class Renderings:
    """Makes the bytes of each picture from the stored pixels, probabilities and the result's mask."""

    def __init__(self, files: FileStore, painters: int = 4) -> None:
        self._files = files
        # as with decoding: a large picture takes 100 MB while it is painted
        self._painting = threading.BoundedSemaphore(painters)

    def image(self, job: SegmentationView) -> bytes:
        """PNG of the upload as a browser can show it. Raises Gone."""
        with self._painting:
            return render.png(render.to_display(self._pixels(job)))

    def mask(self, job: SegmentationView) -> bytes:
        """PNG of 0 and 255. Raises Gone, Conflict before the end."""
        with self._painting:
            return render.png(_mask(job))

    def probability(self, job: SegmentationView) -> bytes:
        """PNG of 0..255, exactly what the mask was made from. Raises Gone, Conflict before the end."""
        _mask_of(job)
        return _found(lambda: self._files.read(probability_path(job.id)))

    def overlay(
        self, job: SegmentationView, opacity: float, color: tuple[int, int, int], outline: bool
    ) -> bytes:
        """PNG of the upload with the mask painted over it. Raises Gone, Conflict before the end."""
        with self._painting:
            return render.overlay(
                self._pixels(job), _mask(job), opacity=opacity, color=color, outline=outline
            )

    def contours(self, job: SegmentationView) -> bytes:
        """GeoJSON in pixel coordinates. Raises Gone, Conflict before the end."""
        with self._painting:
            return json.dumps(render.contours(_mask(job)), allow_nan=False, separators=(",", ":")).encode()

    def _pixels(self, job: SegmentationView) -> np.ndarray:
        return from_npy(_found(lambda: self._files.read(pixels_path(job.id))))


def etag(job: SegmentationView, kind: str, *options: Any) -> str:
    """A strong validator: a job that ended never changes, so its id, state and the options say it all."""
    text = json.dumps([job.id, job.status, job.fence, str(job.finished_at), kind, *options])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _mask(job: SegmentationView) -> np.ndarray:
    return rle.decode(_mask_of(job))


def _mask_of(job: SegmentationView) -> dict[str, Any]:
    if job.result is not None:
        found: dict[str, Any] = job.result["mask"]
        return found
    if job.ended:
        raise Conflict(f"This segmentation {job.status.value}, so it has no mask.")
    raise Conflict("This segmentation has not ended yet; its links work once `status` is `succeeded`.")


def _found(read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except FileNotFoundError:
        raise Gone("The pixels of this segmentation have expired or were deleted.") from None
