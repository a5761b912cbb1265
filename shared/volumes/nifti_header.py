"""The headers of NIfTI-1 and -2: every number is held against sense and limits before a voxel is looked at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import nibabel as nib
import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.files.gunzip import Plain, Unzipped
from shared.volumes.grid import Grid, Lying, grid_of, three
from shared.volumes.nifti_placement import Placement, placement_of
from shared.volumes.scan import VolumeLimits

_CLASSES = {
    b"\x5c\x01": nib.Nifti1Header,
    b"\x1c\x02": nib.Nifti2Header,
}  # 348 and 540: the header's own size
_MAGIC = {b"n+1": 1, b"n+2": 2}
_NUMBERS: Mapping[int, str] = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED = {
    1: "single bits", 32: "complex numbers", 128: "colours (RGB)", 1536: "numbers of 128 bits",
    1792: "complex numbers", 2048: "complex numbers", 2304: "colours (RGBA)",
}  # fmt: skip
_SPACES = range(1, 5)  # that every reader knows
_MAX_OFFSET = 1 << 24  # extensions of the header; real ones have kilobytes
_ODD = "The NIfTI's header is damaged: "


@dataclass(frozen=True)
class Header:
    """The checked header of a file of one or several volumes on one grid.

    `remarks` are warnings, with `code` and `detail`, about how it says that they lie.
    """

    grid: Grid
    volumes: int
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    remarks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def scaled(self) -> bool:
        """Whether values are other than the stored ones."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def read_header(
    stream: Plain | Unzipped, limits: VolumeLimits, *, most_volumes: int = 1, any_plane: bool = False
) -> Header:
    """Raises subclasses of ImageError.

    A fourth axis may have up to `most_volumes`. Slices are axial; with `any_plane` those of volumes too thin for that
    follow one another along the thinnest axis.
    """
    head = stream.head(540)
    kind = _CLASSES.get(head[:2]) or _CLASSES.get(head[2:4][::-1])
    if kind is None or len(head) < kind.sizeof_hdr:
        raise UndecodableImage(_ODD + "its size is wrong.")
    header = kind(head[: kind.sizeof_hdr], check=False)
    # The standard: negative turns the third axis round, and anything else, 0 too, does not.
    header["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1
    if bytes(header["magic"])[:3] not in _MAGIC:
        raise UnsupportedFormat(
            "Only the header is here (.hdr and .img); save the volume as one .nii or .nii.gz."
        )
    shape, volumes = _shape(header, limits, most_volumes)
    dtype = _dtype(header)
    offset = float(header["vox_offset"])
    if not (math.isfinite(offset) and kind.sizeof_hdr <= offset <= _MAX_OFFSET and offset == int(offset)):
        raise UndecodableImage(_ODD + "it does not say where the voxels begin.")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not math.isfinite(slope) or slope == 0:  # the standard: then nothing is scaled
        slope, intercept = 1.0, 0.0
    if not math.isfinite(intercept):
        intercept = 0.0
    space = max(int(header["sform_code"]), 0) or max(int(header["qform_code"]), 0)
    placement = placement_of(header, three(shape))
    grid = _grid(placement, shape, limits, any_plane)
    grid = replace(grid, space=space if space in _SPACES else 1)
    return Header(grid, volumes, dtype, int(offset), slope, intercept, placement.remarks)


def _shape(header: nib.Nifti1Header, limits: VolumeLimits, most_volumes: int) -> tuple[tuple[int, ...], int]:
    """Sizes of the axes of one volume, and how many there are along the fourth; axes after it have one voxel."""
    dims = [int(size) for size in header["dim"]]
    if not 1 <= dims[0] <= 7 or any(size < 1 for size in dims[1 : dims[0] + 1]):
        raise UndecodableImage(_ODD + "the number of its voxels makes no sense.")
    shape = tuple(dims[1 : dims[0] + 1])
    volumes = math.prod(shape[3:4])
    if len(shape) < 2 or volumes > most_volumes or any(size > 1 for size in shape[4:]):
        listed, taken = " x ".join(map(str, shape)), "one volume or slice a file is taken"
        if most_volumes > 1:
            taken = f"one volume or slice, or up to {most_volumes} volumes along a fourth axis, are taken"
        raise UnsupportedFormat(f"This NIfTI file holds {listed} voxels; {taken}.")
    limits.check(shape)
    return (shape if volumes == 1 else shape[:3]), volumes


def _dtype(header: nib.Nifti1Header) -> np.dtype:
    code = int(header["datatype"])
    if code not in _NUMBERS:
        held = _REFUSED.get(code, "values of an unknown type")
        raise UnsupportedFormat(
            f"This NIfTI file holds {held}; integers and floating-point numbers are taken."
        )
    dtype = np.dtype(header.endianness + _NUMBERS[code])
    if int(header["bitpix"]) != dtype.itemsize * 8:
        raise UndecodableImage(_ODD + "its type and the bits of a voxel contradict each other.")
    return dtype


def _grid(placement: Placement, shape: tuple[int, ...], limits: VolumeLimits, any_plane: bool) -> Grid:
    sizes, known = three(shape), placement.sized
    try:
        if placement.affine is None:
            raise Lying
        grid = grid_of(placement.affine, shape, known=known)
        if any_plane and min(grid.shape[1:]) < limits.min_side:
            grid = grid_of(placement.affine, shape, slice_axis=sizes.index(min(sizes)), known=known)
    except Lying:
        raise UndecodableImage(_ODD + "it does not say how the voxels lie in the patient.") from None
    limits.check_slices(grid)
    return grid
