"""The headers of NIfTI-1 and -2: every number is held against sense and limits before a voxel is looked at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.files.gunzip import Plain, Unzipped
from shared.volumes.grid import Grid, Lying, grid_of, three
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
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}  # xyzt_units: not said, metre, millimetre, micrometre
_SPACES = range(1, 5)  # that every reader knows
_MAX_OFFSET = 1 << 24  # extensions of the header; real ones have kilobytes
_ODD = "The NIfTI's header is damaged: "


@dataclass(frozen=True)
class Header:
    """The checked header of a file of one or several volumes on one grid.

    `stated`: whether it says by sform or qform how the voxels lie; `apart_mm`: how far from each other the two put
    them, where it has both.
    """

    grid: Grid
    volumes: int
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    stated: bool
    apart_mm: float = 0.0

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
    sized = int(header["sform_code"]) > 0 or all(0 < size < np.inf for size in header["pixdim"][1:4])
    grid = _grid(header, shape, limits, any_plane, sized)
    grid = replace(grid, space=space if space in _SPACES else 1)
    return Header(
        grid, volumes, dtype, int(offset), slope, intercept, space > 0, _apart_mm(header, three(shape))
    )


def _apart_mm(header: nib.Nifti1Header, shape: tuple[int, int, int]) -> float:
    """Of the volume's corners by sform and by qform; 0 where the file has but one of them, or one makes no sense."""
    try:
        with np.errstate(all="ignore"):
            by_both = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
            if by_both[0] is None or by_both[1] is None:
                return 0.0
            corners = np.array([*np.ndindex(2, 2, 2)]) * (np.array(shape) - 1)
            apart = corners @ (by_both[0] - by_both[1])[:3, :3].T + (by_both[0] - by_both[1])[:3, 3]
            largest = float(np.linalg.norm(apart, axis=1).max())
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        return 0.0
    return largest if math.isfinite(largest) else 0.0


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


def _grid(
    header: nib.Nifti1Header, shape: tuple[int, ...], limits: VolumeLimits, any_plane: bool, sized: bool
) -> Grid:
    """By sform, else qform, else the voxels' sizes alone, which nibabel lays out with the first axis to the left."""
    sizes = three(shape)
    try:
        affine = _affine(header, sizes)
        grid = grid_of(affine, shape, known=sized)
        if any_plane and min(grid.shape[1:]) < limits.min_side:
            grid = grid_of(affine, shape, slice_axis=sizes.index(min(sizes)), known=sized)
    except Lying:
        raise UndecodableImage(_ODD + "it does not say how the voxels lie in the patient.") from None
    limits.check_slices(grid)
    return grid


def _affine(header: nib.Nifti1Header, shape: tuple[int, int, int]) -> np.ndarray:
    """(4, 4) from the file's voxels to millimetres."""
    sizes = header["pixdim"]
    header["dim"][:] = (3, *shape, 1, 1, 1, 1)
    sizes[1:4] = [size if np.isfinite(size) and size else 1.0 for size in sizes[1:4]]
    scale = _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    try:
        with np.errstate(all="ignore"):
            affine = np.asarray(header.get_best_affine(), np.float64)
            affine[:3] *= scale
            usable = (
                np.isfinite(affine).all() and abs(affine).max() < 1e9 and abs(np.linalg.det(affine)) > 1e-12
            )
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        usable = False
    if not usable:
        raise UndecodableImage(_ODD + "it does not say how the voxels lie in the patient.")
    return affine
