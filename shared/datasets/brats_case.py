"""One case of BraTS from its files: all modalities on one grid, and labels that mean the same in every year.

What labels mean, by year of the challenge: `brats_labels`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shared.contract.errors import DatasetError, ImageError
from shared.datasets.brats_labels import HIGHEST, Meaning
from shared.datasets.brats_names import Case
from shared.datasets.source import Source
from shared.volumes import nifti
from shared.volumes.grid import Grid, apart_mm
from shared.volumes.intensities import background, to_uint16
from shared.volumes.scan import VolumeLimits

CLASSES = ("necrotic core", "oedema", "enhancing")
_INTEGER_SLACK = 1e-3  # labels and brain masks are often written as floats, such as 0.99999997
_GRID_SLACK_MM = 0.1
_LIMITS = VolumeLimits(max_voxels=1 << 25)  # BraTS has 9 million; four of these and their sources are 0.5 GB


class UnknownLabels(DatasetError):
    """A segmentation whose values are no labels."""


@dataclass(frozen=True)
class CaseImages:
    """The pixels of a case, uint16 (D, H, W, modalities), and its labels, uint8 (D, H, W).

    `eight_bit`: all files are, so that no pixel is above 255, and serving keeps such a volume in 8 bit.
    """

    pixels_DHWC: np.ndarray
    labels_DHW: np.ndarray
    not_finite: int
    eight_bit: bool


@dataclass(frozen=True)
class CaseOutline:
    """What listing needs of a case: its grid, the slices with brain or tumour in them, the labels in its file."""

    grid: Grid
    slices: tuple[int, ...]
    labels: frozenset[int]


def read_volume(source: Source, path: object) -> nifti.Volume:
    """Raises ImageError that names the file."""
    try:
        return nifti.read(source.read(str(path)), _LIMITS)
    except ImageError as error:
        raise type(error)(f"{path}: {error.detail}") from None


def read_grid(source: Source, path: object) -> Grid:
    """Only where the voxels lie. Raises ImageError that names the file."""
    try:
        return nifti.read_grid(source.read(str(path)), _LIMITS)
    except ImageError as error:
        raise type(error)(f"{path}: {error.detail}") from None


def _is_eight_bit(source: Source, path: object) -> bool:
    """Raises ImageError that names the file."""
    try:
        return nifti.is_eight_bit(source.read(str(path)), _LIMITS)
    except ImageError as error:
        raise type(error)(f"{path}: {error.detail}") from None


def read_case(
    source: Source, case: Case, modalities: tuple[str, ...], meaning: Meaning
) -> CaseImages:
    """One file after the other, so that only one is there as it was stored; raises ImageError, DatasetError."""
    labels_DHW = np.array(meaning.classes, np.uint8)[read_labels(source, case)]
    pixels_DHWC = np.empty((*labels_DHW.shape, len(modalities)), np.uint16)
    eight_bit = all(_is_eight_bit(source, case.modalities[modality]) for modality in modalities)
    not_finite = 0
    for channel, modality in enumerate(modalities):
        volume = read_volume(source, case.modalities[modality])
        if volume.voxels_DHW.shape != labels_DHW.shape:
            raise DatasetError(f"{case.modalities[modality]} has another size than its segmentation.")
        if eight_bit:  # as they are: see trainer.volumes.reading
            pixels_DHWC[..., channel] = volume.voxels_DHW
        else:
            to_uint16(volume.voxels_DHW, pixels_DHWC[..., channel])
        not_finite += volume.not_finite
    return CaseImages(pixels_DHWC, labels_DHW, not_finite, eight_bit)


def outline(source: Source, case: Case) -> CaseOutline:
    """Slices where the reference is not all background, or there is a label; raises ImageError, DatasetError."""
    volume = read_volume(source, case.reference)
    labels_DHW = read_labels(source, case)
    if labels_DHW.shape != volume.voxels_DHW.shape:
        raise DatasetError(f"{case.reference} has another size than its segmentation.")
    shown_DHW = (volume.voxels_DHW != background(volume.voxels_DHW)) | (labels_DHW > 0)
    shown = np.flatnonzero(shown_DHW.any(axis=(1, 2)))
    labels = frozenset(int(label) for label in np.unique(labels_DHW))
    return CaseOutline(volume.grid, tuple(int(number) for number in shown), labels)


def differing_grids(source: Source, case: Case) -> Mapping[str, str]:
    """Files of the case that do not lie as the reference does, and how they differ; raises ImageError."""
    wanted = read_grid(source, case.reference)
    others = [
        path for path in (*case.modalities.values(), case.segmentation) if path not in (None, case.reference)
    ]
    found = {}
    for path in others:
        grid = read_grid(source, path)
        if grid.shape != wanted.shape:
            sizes = [" x ".join(map(str, each.shape)) for each in (grid, wanted)]
            found[str(path)] = f"{path} has {sizes[0]} voxels, {case.reference} {sizes[1]}."
        elif apart_mm(grid, wanted) > _GRID_SLACK_MM:
            found[str(path)] = f"{path} lies elsewhere in the patient than {case.reference}."
    return found


def read_labels(source: Source, case: Case) -> np.ndarray:
    """uint8 (D, H, W), 0 to 4 as in the file; raises ImageError, and UnknownLabels by name."""
    voxels_DHW = read_volume(source, case.segmentation).voxels_DHW
    lowest, highest = float(voxels_DHW.min()), float(voxels_DHW.max())
    if not -0.5 < lowest <= highest < HIGHEST + 0.5:
        raise UnknownLabels(
            f"{case.segmentation} has values from {lowest:g} to {highest:g}; labels are 0 to 4."
        )
    labels_DHW = np.empty(voxels_DHW.shape, np.uint8)
    for slice_HW, labels_HW in zip(
        voxels_DHW, labels_DHW, strict=True
    ):  # a slice stays in the processor's cache
        rounded_HW = np.rint(slice_HW)
        if float(np.abs(slice_HW - rounded_HW).max()) > _INTEGER_SLACK:
            raise UnknownLabels(f"{case.segmentation} has values between whole numbers; labels are 0 to 4.")
        labels_HW[:] = rounded_HW
    return labels_DHW
