"""Pictures of a segmentation, made when somebody asks; of the upload's own width and height, but for thumbnails."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from shared.contract.errors import Conflict, Gone, InvalidFields
from shared.files.npy import from_npy
from shared.files.paths import labels_path, pixels_path, probability_path
from shared.files.store import FileStore
from shared.jobs.segmentations import SegmentationView
from shared.masks import rle
from shared.masks.contours import contours
from shared.pictures import render
from shared.pictures.label_png import read_label_png
from shared.pictures.thumbnail import thumbnail

T = TypeVar("T")
RED = (255, 0, 0)


@dataclass(frozen=True)
class Place:
    """Which part of a volume is asked for; None is what shows most. A picture is its slice 0."""

    slice: int | None = None
    modality: str | None = None


@dataclass(frozen=True)
class Paint:
    """How an overlay is painted; without a colour it is red, or each of several classes has its own."""

    opacity: float = 0.5
    color: tuple[int, int, int] | None = None
    outline: bool = False


class Painter(Protocol):
    """Makes the bytes of each picture. Raises Gone, Conflict before the end, InvalidFields for a wrong place."""

    def image(self, job: SegmentationView, place: Place) -> bytes:
        """PNG as a browser can show it."""
        ...

    def mask(self, job: SegmentationView, place: Place) -> bytes:
        """PNG of 0 and 255."""
        ...

    def labels(self, job: SegmentationView, place: Place) -> bytes:
        """Palette PNG of the classes; Conflict where there is only one."""
        ...

    def probability(self, job: SegmentationView, place: Place) -> bytes:
        """PNG of 0..255, exactly what the mask was made from."""
        ...

    def overlay(self, job: SegmentationView, place: Place, paint: Paint) -> bytes:
        """PNG of the image with the mask painted over it."""
        ...

    def thumbnail(self, job: SegmentationView, size: int) -> bytes:
        """WebP of the overlay (of the image where there is no mask) in true proportion; `size` is its longer side."""
        ...

    def contours(self, job: SegmentationView, place: Place, in_patient: bool) -> bytes:
        """GeoJSON in pixel coordinates, or in the patient's."""
        ...


class SlicePictures:
    """The Painter of single pictures: from the stored pixels, probabilities and the result's mask."""

    def __init__(self, files: FileStore, painters: int = 4) -> None:
        self._files = files
        # as with decoding: a large picture takes 100 MB while it is painted
        self._painting = threading.BoundedSemaphore(painters)

    def image(self, job: SegmentationView, place: Place) -> bytes:
        """PNG of the upload; there before the end too."""
        _check(place)
        with self._painting:
            return render.png(render.to_display(self._pixels(job)))

    def mask(self, job: SegmentationView, place: Place) -> bytes:
        """PNG of 0 and 255."""
        _check(place)
        with self._painting:
            return render.png(_mask(job))

    def labels(self, job: SegmentationView, place: Place) -> bytes:
        """Palette PNG of the classes."""
        _check(place)
        require_classes(job)
        return still_there(lambda: self._files.read(labels_path(job.id)))

    def probability(self, job: SegmentationView, place: Place) -> bytes:
        """PNG, 8 bit grey: the probability of tumour, 0..255 for 0..1."""
        _check(place)
        result_of(job)
        return still_there(lambda: self._files.read(probability_path(job.id)))

    def overlay(self, job: SegmentationView, place: Place, paint: Paint) -> bytes:
        """PNG of the upload with the mask painted over it."""
        _check(place)
        with self._painting:
            mask_HW = _mask(job)
            labels_HW = (
                read_label_png(self.labels(job, place)) if paint.color is None and has_classes(job) else None
            )
            return overlay(self._pixels(job), mask_HW, labels_HW, paint)

    def thumbnail(self, job: SegmentationView, size: int) -> bytes:
        """WebP of the upload, with its mask painted over it once there is one."""
        with self._painting:
            pixels_HWC = self._pixels(job)
            if job.result is not None:
                classes = has_classes(job)
                labels_HW = (
                    read_label_png(self.labels(job, Place())) if classes else _mask(job).astype(np.uint8)
                )
                pixels_HWC = render.overlay_classes(pixels_HWC, labels_HW)
            return thumbnail(pixels_HWC, size, job.image.get("pixel_spacing_mm"))

    def contours(self, job: SegmentationView, place: Place, in_patient: bool) -> bytes:
        """GeoJSON in pixel coordinates; a picture does not say where it lies in a patient."""
        _check(place)
        if in_patient:
            raise no_patient_coordinates("a single picture does not say how it lies in the patient")
        with self._painting:
            return geojson(contours(_mask(job)))

    def _pixels(self, job: SegmentationView) -> np.ndarray:
        return from_npy(still_there(lambda: self._files.read(pixels_path(job.id))))


def etag(job: SegmentationView, kind: str, *options: Any) -> str:
    """A strong validator: a job that ended never changes, so its id, state and the options say it all."""
    text = json.dumps([job.id, job.status, job.fence, str(job.finished_at), kind, *options])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def overlay(pixels_HWC: np.ndarray, mask_HW: np.ndarray, labels_HW: np.ndarray | None, paint: Paint) -> bytes:
    """PNG of a picture with its mask, or with its classes where `labels_HW` is given."""
    if labels_HW is not None:
        return render.png(
            render.overlay_classes(pixels_HWC, labels_HW, opacity=paint.opacity, outline=paint.outline)
        )
    color = paint.color or RED
    return render.overlay(pixels_HWC, mask_HW, opacity=paint.opacity, color=color, outline=paint.outline)


def geojson(document: dict[str, Any]) -> bytes:
    """As it is sent."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def result_of(job: SegmentationView) -> dict[str, Any]:
    """The result; Conflict where there is none (yet)."""
    if job.result is not None:
        return job.result
    if job.ended:
        raise Conflict(f"This segmentation {job.status.value}, so it has no mask.")
    raise Conflict("This segmentation has not ended yet; its links work once `status` is `succeeded`.")


def has_classes(job: SegmentationView) -> bool:
    """Whether the model tells several classes of tumour apart."""
    return bool(result_of(job).get("classes"))


def require_classes(job: SegmentationView) -> None:
    """Conflict where the mask says it all."""
    if not has_classes(job):
        raise Conflict("The model of this segmentation knows one class of tumour: mask.png shows it.")


def still_there(read: Callable[[], T]) -> T:
    """What `read` reads of the store; Gone where it is not there any more."""
    try:
        return read()
    except FileNotFoundError:
        raise Gone("The pixels of this segmentation have expired or were deleted.") from None


def no_patient_coordinates(why: str) -> InvalidFields:
    """Millimetres are not known."""
    message = f"`patient` is not possible here: {why}."
    return wrong_parameter("coordinates", message)


def wrong_parameter(name: str, message: str) -> InvalidFields:
    """One parameter of the query is wrong for this segmentation."""
    return InvalidFields("Some parameters are wrong; `errors` names each.", errors={name: [message]})


def _check(place: Place) -> None:
    if place.slice:
        raise wrong_parameter("slice", "This is a single picture: its only slice is 0.")
    if place.modality is not None:
        raise wrong_parameter("modality", "This is a single picture, which has no modalities.")


def _mask(job: SegmentationView) -> np.ndarray:
    return rle.decode(result_of(job)["mask"])
