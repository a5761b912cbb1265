"""What a worker makes of a volume, without reading it: a bright box in a few slices is the tumour."""

import gzip
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.files.npy import to_npy
from shared.files.paths import (
    labels_zip_path,
    nifti_path,
    probability_zip_path,
    segmentation_object_path,
    source_path,
    volume_path,
)
from shared.files.slice_zip import write_slices
from shared.files.store import FileStore
from shared.jobs.segmentations import Claim, Finished, SegmentationJobs
from shared.masks.classes import classes_of
from shared.masks.measure_volume import measure_volume
from shared.masks.rle import rle_slices
from shared.pictures.label_png import label_png
from shared.pictures.png_writer import grey_png
from shared.volumes.grid import Grid, grid_of

NIFTI, SEGMENTATION = gzip.compress(b"nifti" * 100), b"\0" * 128 + b"DICM"


@dataclass(frozen=True)
class VolumeMade:
    """A volume of D slices of 40 x 56; tumour in slices first..last, where `classes` of them are asked for each."""

    slices: int = 6
    first: int = 2
    last: int = 4
    modalities: tuple[str, ...] = ()
    channels: int = 1
    classes: tuple[str, ...] = ()
    format: str = "DICOM"
    known: bool = True  # how it lies in the patient
    dtype: type = np.uint16
    row_mm: float = 0.5
    lean_mm: float = 0.0  # from each row to the next, along the rows: the grid is sheared

    @property
    def grid(self) -> Grid:
        affine = np.diag([-0.5, -self.row_mm, 3.0, 1.0])
        affine[0, 1] = self.lean_mm
        return grid_of(affine, (56, 40, self.slices), known=self.known)

    def pixels(self) -> np.ndarray:
        """(D, 40, 56, C): a value of its own in each slice and channel, brighter to the right."""
        index = np.arange(self.slices)[:, None, None, None]
        ramp = np.arange(56)[None, None, :, None]
        channel = np.arange(self.channels)
        return np.broadcast_to(
            index * 10 + ramp + channel * 100, (self.slices, 40, 56, self.channels)
        ).astype(self.dtype)

    def labels(self) -> np.ndarray:
        """(D, 40, 56): the box is larger in the middle of the slices with tumour; its left part is the first class."""
        labels_DHW = np.zeros((self.slices, 40, 56), np.uint8)
        for index in range(self.first, self.last + 1):
            more = 4 if index == (self.first + self.last) // 2 else 0
            labels_DHW[index, 10:20, 10 : 20 + more] = 1
            for label in range(2, len(self.classes) + 1):
                labels_DHW[index, 10:20, 10 + 3 * label :][labels_DHW[index, 10:20, 10 + 3 * label :] > 0] = (
                    label
                )
        return labels_DHW


def make_volume(
    made: VolumeMade, claim: Claim, rows: SegmentationJobs, files: FileStore
) -> dict[str, Any] | None:
    """Write all files and finish the job; what a worker pushes, or None if the claim is stale."""
    pixels_DHWC, labels_DHW, grid = made.pixels(), made.labels(), made.grid
    probability_DHW = np.where(labels_DHW > 0, 230, 5).astype(np.uint8)
    spacing = grid.spacing_mm or (None, None, None)
    result = measure_volume(
        labels_DHW > 0, probability_DHW, grid, spacing, threshold=0.5, min_region_pixels=1
    )
    result["min_region_plane"] = "slices"
    result["mask"] = rle_slices(labels_DHW > 0)
    if made.classes:
        result["classes"] = classes_of(
            labels_DHW, [*enumerate(made.classes, 1)], pixel_mm2=None, voxel_mm3=grid.voxel_mm3
        )
        files.write(labels_zip_path(claim.id), _zip([label_png(labels_HW) for labels_HW in labels_DHW]))
    files.write(volume_path(claim.id), to_npy(pixels_DHWC))
    files.write(probability_zip_path(claim.id), _zip([grey_png(plane_HW) for plane_HW in probability_DHW]))
    files.write(nifti_path(claim.id), NIFTI)
    if made.format == "DICOM":
        files.write(segmentation_object_path(claim.id), SEGMENTATION)
    files.delete_tree(source_path(claim.id))
    image = {**claim.image, **_image(made, pixels_DHWC, grid)}
    timings = {"decode": 5.0, "queue": 1.0, "forward": 2.0, "total": 9.0}
    if rows.finish_many([Finished(claim, result, timings, [], image)]) != [True]:
        return None
    return {"status": "succeeded"}  # no more of a volume goes through Redis


def _image(made: VolumeMade, pixels_DHWC: np.ndarray, grid: Grid) -> dict[str, Any]:
    spacing = grid.spacing_mm
    return {
        "format": made.format,
        "width": 56,
        "height": 40,
        "slices": made.slices,
        "channels": made.channels,
        "bit_depth": 16,
        "pixel_spacing_mm": list(spacing[1:]) if spacing else None,
        "pixel_spacing_source": made.format.lower() if spacing else None,
        "slice_spacing_mm": spacing[0] if spacing else None,
        "plane": grid.plane,
        "modalities": list(made.modalities),
        "affine": grid.affine_lps.tolist() if spacing else None,
        "window": [0.0, 110.0],
    }


def _zip(pictures: list[bytes]) -> bytes:
    file = io.BytesIO()
    write_slices(file, pictures)
    return file.getvalue()
