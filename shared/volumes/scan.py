"""A decoded volume, of whatever format, and what its header may promise."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from shared.contract.errors import ImageTooSmall, TooManyPixels
from shared.volumes.grid import Grid, Spacing

VolumeFormat = Literal["DICOM", "NIfTI", "TIFF"]


@dataclass(frozen=True)
class VolumeLimits:
    """What a header may promise before a voxel is read."""

    max_voxels: int = 1 << 26
    max_side: int = 4096
    min_side: int = 16  # of a slice; there may be a single slice
    max_slices: int = 1024  # each costs a pass of the network, however small it is

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise TooManyPixels for more voxels than are taken."""
        voxels = 1
        for size in shape:
            voxels *= size
        if max(shape) > self.max_side or voxels > self.max_voxels:
            raise TooManyPixels(
                f"The volume has {' x '.join(map(str, shape))} voxels; at most {self.max_voxels} in all and"
                f" {self.max_side} on a side are taken."
            )

    def check_slices(self, grid: Grid) -> None:
        """Raise ImageTooSmall where slices show nothing, TooManyPixels where they are too many."""
        slices, height, width = grid.shape
        if slices > self.max_slices:
            raise TooManyPixels(
                f"The volume has {slices} {grid.plane} slices; at most {self.max_slices} are taken."
            )
        if min(height, width) < self.min_side:
            raise ImageTooSmall(
                f"The volume's {grid.plane} slices have {width} x {height} pixels; an MRI slice has at least"
                f" {self.min_side} on each side."
            )


@dataclass(frozen=True)
class Scan:
    """One decoded volume: `voxels_DHWC` on its grid; C is 1 for grey, 3 for colour, or as many as a file holds.

    Values are what the header makes of the stored ones (rescaled; inverted where white is zero), all of them finite.
    `window` is what the header would show as black and as white, in these values. `spacing_mm` (slice, row, column)
    has None for what is not known: all of it, or only the distance of slices. `remarks` are warnings, each with `code`
    and `detail`, without anything about the patient.
    """

    format: VolumeFormat
    voxels_DHWC: np.ndarray
    grid: Grid
    spacing_mm: tuple[float | None, float | None, float | None]
    spacing_source: str | None = None
    bit_depth: int = 16
    window: tuple[float, float] | None = None
    remarks: list[dict[str, Any]] = field(default_factory=list)


__all__ = ["Scan", "Spacing", "VolumeFormat", "VolumeLimits"]
