"""Where each frame of a file lies and what its samples mean: from the data set, or from functional groups."""

import math
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from shared.contract.errors import MissingGeometry, UnsupportedFormat
from shared.volumes.grid import PLAUSIBLE_MM
from trainer.volumes.dicom.decoders import PixelLayout
from trainer.volumes.dicom.file import DicomFile
from trainer.volumes.dicom.pixels import Rescale, rescale_of
from trainer.volumes.dicom.values import first_item, items, number, numbers, texts

_ORTHONORMAL = 0.01  # cosines with two digits pass, two rows of the same direction do not
_MAX_MM = 1e6


@dataclass(frozen=True)
class Frame:
    """One slice, before the slices are put in order. Everything in DICOM's millimetres: left, back and head."""

    source: int  # which instance
    number: int  # which frame of it, from 0
    position: np.ndarray  # (3,), the centre of the first pixel
    row: np.ndarray  # (3,), unit vector along a row of pixels: the way that columns are counted
    column: np.ndarray  # (3,), unit vector down a column
    spacing_mm: tuple[float, float]  # of rows, of columns
    apart_mm: float | None  # to the next slice, as the header says; only a single slice needs it
    rescale: Rescale
    window: tuple[float, float] | None


def frames_of(file: DicomFile, source: int, layout: PixelLayout, count: int) -> list[Frame]:
    """Every frame of a file. Raises MissingGeometry, UnsupportedFormat (mosaics), UndecodableImage."""
    dataset, name = file.dataset, file.name
    if "MOSAIC" in texts(dataset, "ImageType"):
        raise UnsupportedFormat(
            f"{name} is a mosaic: many slices in one picture. Convert it, or export the slices one by one."
        )
    frames = items(dataset, "PerFrameFunctionalGroupsSequence")
    if not frames and count == 1 and "SharedFunctionalGroupsSequence" not in dataset:
        return [_frame(source, 0, _Plain(dataset), layout, name)]
    if len(frames) != count:
        raise MissingGeometry(f"{name} has {count} frames and does not say where each of them lies.")
    shared = items(dataset, "SharedFunctionalGroupsSequence")[:1]
    return [
        _frame(
            source,
            index,
            _Groups([frame, *shared], dataset),
            layout,
            name if count == 1 else _of(name, index),
        )
        for index, frame in enumerate(frames)
    ]


def _of(name: str, index: int) -> str:
    return f"Frame {index + 1} of {name[0].lower()}{name[1:]}"


@dataclass(frozen=True)
class _Plain:
    """A picture of its own: every attribute is in the data set."""

    dataset: Dataset

    def find(self, group: str, keyword: str) -> Dataset | None:
        return self.dataset if keyword in self.dataset else None


@dataclass(frozen=True)
class _Groups:
    """A frame's own functional groups, then those of all frames (PS3.3, C.7.6.16)."""

    groups: list[Dataset]
    dataset: Dataset

    def find(self, group: str, keyword: str) -> Dataset | None:
        for one in self.groups:
            item = first_item(one, group)
            if item is not None and keyword in item:
                return item
        # Writers of multi-frame files have left these two where they are in single ones; nothing else counts there.
        return (
            self.dataset if keyword in ("RescaleSlope", "WindowCenter") and keyword in self.dataset else None
        )


def _frame(source: int, index: int, header: _Plain | _Groups, layout: PixelLayout, name: str) -> Frame:
    placed = header.find("PlanePositionSequence", "ImagePositionPatient")
    turned = header.find("PlaneOrientationSequence", "ImageOrientationPatient")
    measured = header.find("PixelMeasuresSequence", "PixelSpacing")
    position = numbers(placed, "ImagePositionPatient", 3) if placed is not None else None
    cosines = numbers(turned, "ImageOrientationPatient", 6) if turned is not None else None
    spacing = numbers(measured, "PixelSpacing", 2) if measured is not None else None
    if position is None or max(map(abs, position)) > _MAX_MM:
        raise MissingGeometry(f"{name} has no position (ImagePositionPatient), or a senseless one.")
    row, column = _directions(cosines, name)
    low, high = PLAUSIBLE_MM
    if spacing is None or not low <= min(spacing) <= max(spacing) <= high:
        raise MissingGeometry(f"{name} has no pixel spacing (PixelSpacing), or a senseless one.")
    transformed = header.find("PixelValueTransformationSequence", "RescaleSlope")
    rescale = rescale_of(layout, Dataset() if transformed is None else transformed, name)
    shown = header.find("FrameVOILUTSequence", "WindowCenter")
    return Frame(
        source=source,
        number=index,
        position=np.array(position),
        row=row,
        column=column,
        spacing_mm=(spacing[0], spacing[1]),
        apart_mm=_apart(header),
        rescale=rescale,
        window=None if shown is None or layout.samples == 3 else rescale.window(shown),
    )


def _directions(cosines: tuple[float, ...] | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along rows and down columns, at right angles."""
    if cosines is not None and max(map(abs, cosines)) < 2:
        row, column = np.array(cosines[:3]), np.array(cosines[3:])
        lengths = np.linalg.norm(row), np.linalg.norm(column)
        if max(abs(length - 1) for length in lengths) < _ORTHONORMAL and abs(row @ column) < _ORTHONORMAL:
            return row / lengths[0], column / lengths[1]
    raise MissingGeometry(f"{name} has no orientation (ImageOrientationPatient), or a senseless one.")


def _apart(header: _Plain | _Groups) -> float | None:
    low, high = PLAUSIBLE_MM
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        group = header.find("PixelMeasuresSequence", keyword)
        value = None if group is None else number(group, keyword)
        if value is not None and low <= value <= high and math.isfinite(value):
            return value
    return None
