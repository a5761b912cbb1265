"""Pictures of a volume's slices, each read by itself: never the whole volume."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeVar, overload

import numpy as np

from service.presentation.slice_pictures import (
    Paint,
    Place,
    geojson,
    has_classes,
    no_patient_coordinates,
    overlay,
    require_classes,
    result_of,
    still_there,
    wrong_parameter,
)
from shared.files.npy import item_of_npy
from shared.files.paths import labels_zip_path, probability_zip_path, volume_path
from shared.files.slice_zip import read_slice
from shared.files.store import FileStore
from shared.jobs.segmentations import SegmentationView
from shared.masks.rle import rle_slice
from shared.masks.volume_contours import contours_of_volume
from shared.pictures import render
from shared.pictures.label_png import read_label_png
from shared.pictures.montage import montage
from shared.pictures.thumbnail import thumbnail
from shared.preprocessing.channels import GREY

T = TypeVar("T")
MOST_TILES, TILES_WITHOUT_TUMOUR = 30, 12


class VolumePictures:
    """The Painter of volumes, and of many slices in one picture; nothing is there before the end."""

    def __init__(self, files: FileStore, painters: int = 4) -> None:
        self._files = files
        self._painting = threading.BoundedSemaphore(painters)

    def image(self, job: SegmentationView, place: Place) -> bytes:
        """PNG of a slice, all slices in the same window."""
        with self._painting:
            return render.png(self._shown(job, slice_of(job, place), place.modality))

    def mask(self, job: SegmentationView, place: Place) -> bytes:
        """PNG of 0 and 255."""
        with self._painting:
            return render.png(rle_slice(result_of(job)["mask"], slice_of(job, place)))

    def labels(self, job: SegmentationView, place: Place) -> bytes:
        """Palette PNG of the classes."""
        index = slice_of(job, place)
        require_classes(job)
        return self._read(labels_zip_path(job.id), lambda file: read_slice(file, index))

    def probability(self, job: SegmentationView, place: Place) -> bytes:
        """PNG, 8 bit grey: the probability of tumour in a slice, 0..255 for 0..1."""
        index = slice_of(job, place)
        return self._read(probability_zip_path(job.id), lambda file: read_slice(file, index))

    def overlay(self, job: SegmentationView, place: Place, paint: Paint) -> bytes:
        """PNG of a slice with the mask painted over it."""
        with self._painting:
            index = slice_of(job, place)
            mask_HW = rle_slice(result_of(job)["mask"], index)
            labels_HW = self._labels(job, index) if paint.color is None and has_classes(job) else None
            return overlay(self._shown(job, index, place.modality), mask_HW, labels_HW, paint)

    def thumbnail(self, job: SegmentationView, size: int) -> bytes:
        """WebP of the slice with most tumour, with the mask painted over it."""
        with self._painting:
            tile = self._tile(job, slice_of(job, Place()))
            return thumbnail(tile, size, job.image.get("pixel_spacing_mm"))

    def contours(self, job: SegmentationView, place: Place, in_patient: bool) -> bytes:
        """GeoJSON of all slices, or of one; each feature says which."""
        result, affine = result_of(job), job.image.get("affine")
        if in_patient and affine is None:
            raise no_patient_coordinates("the file does not say how its slices lie in the patient")
        wanted = slices_with_tumour(job) if place.slice is None else [slice_of(job, place)]
        with self._painting:
            masks = _Masks(result["mask"], wanted)
            placed = np.array(affine, np.float64) if in_patient else None
            return geojson(contours_of_volume(masks, placed, _pixel_mm2(result)))

    def montage(self, job: SegmentationView, columns: int, every: bool) -> bytes:
        """PNG of overlays beside each other: slices with tumour, or `every` one; evenly chosen where they are many."""
        indices = _chosen(slices_with_tumour(job), MOST_TILES)
        if every or not indices:
            most = MOST_TILES if every else TILES_WITHOUT_TUMOUR
            indices = _chosen(range(job.image["slices"]), most)
        with self._painting:
            tiles = _Painted(indices, lambda index: self._tile(job, index))
            spacing = job.image.get("pixel_spacing_mm")
            return render.png(montage(tiles, columns, indices, spacing_mm=spacing))

    def _tile(self, job: SegmentationView, index: int) -> np.ndarray:
        """A slice with its mask, RGB (H, W, 3)."""
        if has_classes(job):
            labels_HW = self._labels(job, index)
        else:
            labels_HW = rle_slice(result_of(job)["mask"], index).astype(np.uint8)
        return render.overlay_classes(self._shown(job, index, None), labels_HW)

    def _labels(self, job: SegmentationView, index: int) -> np.ndarray:
        return read_label_png(self._read(labels_zip_path(job.id), lambda file: read_slice(file, index)))

    def _shown(self, job: SegmentationView, index: int, modality: str | None) -> np.ndarray:
        """A slice as a screen can show it: uint8 (H, W, 1 or 3)."""
        channels, windowed = _channels(job, modality)
        pixels_HWC = self._read(volume_path(job.id), lambda file: item_of_npy(file, index))[..., channels]
        window = job.image.get("window")
        if window is None or not windowed:
            return render.to_display(pixels_HWC)
        return render.through_window(pixels_HWC, *window)

    def _read(self, path: str, read: Callable[[BinaryIO], T]) -> T:
        with still_there(lambda: self._files.open(path)) as file:
            return read(file)


class _Masks(Mapping[int, np.ndarray]):
    """Masks by slice, each decoded when it is looked at."""

    def __init__(self, encoded: dict[str, Any], indices: Sequence[int]) -> None:
        self._encoded, self._indices = encoded, indices

    def __getitem__(self, index: int) -> np.ndarray:
        return rle_slice(self._encoded, index)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class _Painted(Sequence[np.ndarray]):
    """Pictures that are made when they are looked at, so that never all of them are in memory."""

    def __init__(self, indices: Sequence[int], paint: Callable[[int], np.ndarray]) -> None:
        self._indices, self._paint = indices, paint

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, place: slice) -> list[np.ndarray]: ...

    def __getitem__(self, place: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(place, slice):
            return [self._paint(index) for index in self._indices[place]]
        return self._paint(self._indices[place])


def slice_of(job: SegmentationView, place: Place) -> int:
    """The slice that is asked for; else the one with most tumour, else the middle one. Conflict before the end."""
    result, slices = result_of(job), job.image["slices"]
    if place.slice is None:
        largest: int | None = result["largest_slice"]
        return slices // 2 if largest is None else largest
    if place.slice >= slices:
        raise wrong_parameter("slice", f"Must be from 0 to {slices - 1}.")
    return place.slice


def _pixel_mm2(result: Mapping[str, Any]) -> float | None:
    """What the result counts in: on a grid that leans within its slices, less than the product of the spacings."""
    area: float | None = result["area_mm2"]
    return area / result["area_pixels"] if area else None


def slices_with_tumour(job: SegmentationView) -> list[int]:
    """Their indices, in order. Conflict before the end."""
    return [each["index"] for each in result_of(job)["slices"] if each["area_pixels"]]


def _chosen(indices: Sequence[int], most: int) -> list[int]:
    """All of them, or as many as there may be, evenly."""
    if len(indices) <= most:
        return [*indices]
    return [indices[round(place)] for place in np.linspace(0, len(indices) - 1, most)]


def _channels(job: SegmentationView, modality: str | None) -> tuple[list[int], bool]:
    """Which channels of the volume are shown, and whether the window is theirs."""
    names = job.image.get("modalities") or []
    if modality is not None and modality not in names:
        there = f"This volume has: {', '.join(names)}." if names else "This volume has no named modalities."
        raise wrong_parameter("modality", there)
    if names:
        main = GREY if GREY in names else names[0]
        return [names.index(modality or main)], modality in (None, main)
    return ([0, 1, 2] if job.image["channels"] == 3 else [0]), True
