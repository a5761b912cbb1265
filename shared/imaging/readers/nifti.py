"""NIfTI-1 and -2 volumes, in one file, gzipped or not: only nibabel's header is trusted with strangers' bytes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from shared.contract.errors import (
    EmptyImage,
    ImageTooSmall,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from shared.imaging.readers.detect import HEAD_BYTES, sniff
from shared.imaging.readers.gunzip import Plain, Unzipped, is_gzip

Spacing = tuple[float, float, float]

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
_MAX_OFFSET = 1 << 24  # extensions of the header; real ones have kilobytes
_SLACK = 1 << 12  # what may follow the voxels
_PLAUSIBLE_MM = (1e-3, 1000.0)
_ODD = "The NIfTI's header is damaged: "


@dataclass(frozen=True)
class VolumeLimits:
    """What a header may promise before a voxel is read."""

    max_voxels: int = 1 << 26
    max_side: int = 4096
    min_side: int = 16  # of a slice; there may be a single slice


@dataclass(frozen=True)
class Grid:
    """How voxels lie in the patient: the file's own array, and what is made of it.

    (D, H, W) are slices from the feet to the head, rows from the front to the back, columns from the patient's right
    to the left: the picture stands as radiologists and BraTS viewers show it. `axes` are the file's axes of D, H and
    W, `flips` whether each is turned round. `affine` leads from (d, h, w, 1) to millimetres to the right, to the
    front and to the head; `spacing_mm` is that of slices, rows and columns, None where the file says nothing sensible.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    spacing_mm: Spacing | None
    file_shape: tuple[int, ...]
    file_affine: np.ndarray
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def from_file(self, voxels_XYZ: np.ndarray) -> np.ndarray:
        """The file's array as (D, H, W): a view."""
        turned = voxels_XYZ.reshape(_three(self.file_shape)).transpose(self.axes)
        return np.flip(turned, self._flipped)

    @property
    def _flipped(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(3) if self.flips[axis])

    def to_file(self, array_DHW: np.ndarray) -> np.ndarray:
        """An array (D, H, W), a mask say, on the grid and in the shape of the file."""
        turned = np.flip(array_DHW, self._flipped)
        back = turned.transpose([self.axes.index(axis) for axis in range(3)])
        return np.ascontiguousarray(back).reshape(self.file_shape)


@dataclass(frozen=True)
class Volume:
    """A decoded file: `voxels_DHW` (native byte order, contiguous) on its `grid`.

    Integers stay what they are in the file; scaled values (scl_slope, scl_inter) and floats become float32. Voxels
    that are not a finite number take the lowest value that is one: `not_finite` counts them.
    """

    voxels_DHW: np.ndarray
    grid: Grid
    file_dtype: str
    not_finite: int = 0


@dataclass(frozen=True)
class _Header:
    """The checked header."""

    grid: Grid
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float


DEFAULT_LIMITS = VolumeLimits()


def read(data: bytes, limits: VolumeLimits = DEFAULT_LIMITS) -> Volume:
    """A file's bytes -> Volume. Raises subclasses of ImageError; never inflates more than the header promises."""
    stream = _opened(data)
    header = _header(stream, limits)
    count = math.prod(header.grid.file_shape)
    needed = header.offset + count * header.dtype.itemsize
    content = stream.content(needed)
    if len(content) < needed:
        raise UndecodableImage("The NIfTI file is cut short: it holds fewer voxels than its header says.")
    if stream.left(_SLACK):
        raise UndecodableImage("The NIfTI file is damaged: it holds more than its header says.")
    stored = np.frombuffer(content, header.dtype, count, header.offset)
    stored_XYZ = stored.reshape(_three(header.grid.file_shape), order="F")
    voxels_DHW, bad = _values(header.grid.from_file(stored_XYZ), header)
    return Volume(voxels_DHW, header.grid, header.dtype.name, bad)


def read_grid(data: bytes, limits: VolumeLimits = DEFAULT_LIMITS) -> Grid:
    """Only the header of a file: where its voxels would lie. Raises subclasses of ImageError."""
    return _header(_opened(data), limits).grid


def _opened(data: bytes) -> Plain | Unzipped:
    if not data:
        raise EmptyImage("The file is empty (0 bytes).")
    stream = Unzipped(data) if is_gzip(data) else Plain(data)
    if sniff(stream.head(HEAD_BYTES)) != "NIfTI":
        raise UnsupportedFormat("This is not a NIfTI file, or it is damaged at its beginning.")
    return stream


def _header(stream: Plain | Unzipped, limits: VolumeLimits) -> _Header:
    head = stream.head(540)
    kind = _CLASSES.get(head[:2]) or _CLASSES.get(head[2:4][::-1])
    if kind is None or len(head) < kind.sizeof_hdr:
        raise UndecodableImage(_ODD + "its size is wrong.")
    header = kind(head[: kind.sizeof_hdr], check=False)
    if bytes(header["magic"])[:3] not in _MAGIC:
        raise UnsupportedFormat(
            "Only the header is here (.hdr and .img); save the volume as one .nii or .nii.gz."
        )
    shape = _shape(header, limits)
    dtype = _dtype(header)
    offset = float(header["vox_offset"])
    if not (math.isfinite(offset) and kind.sizeof_hdr <= offset <= _MAX_OFFSET and offset == int(offset)):
        raise UndecodableImage(_ODD + "it does not say where the voxels begin.")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not math.isfinite(slope) or slope == 0:  # the standard: then nothing is scaled
        slope, intercept = 1.0, 0.0
    if not math.isfinite(intercept):
        intercept = 0.0
    return _Header(_grid(header, shape, limits), dtype, int(offset), slope, intercept)


def _shape(header: nib.Nifti1Header, limits: VolumeLimits) -> tuple[int, ...]:
    """Sizes of the two to seven axes, of which only the first three may have more than one voxel."""
    dims = [int(size) for size in header["dim"]]
    if not 1 <= dims[0] <= 7 or any(size < 1 for size in dims[1 : dims[0] + 1]):
        raise UndecodableImage(_ODD + "the number of its voxels makes no sense.")
    shape = tuple(dims[1 : dims[0] + 1])
    if len(shape) < 2 or any(size > 1 for size in shape[3:]):
        listed = " x ".join(map(str, shape))
        raise UnsupportedFormat(
            f"This NIfTI file holds {listed} voxels; one volume or slice a file is taken."
        )
    if max(shape) > limits.max_side or math.prod(shape) > limits.max_voxels:
        listed = " x ".join(map(str, shape))
        raise TooManyPixels(
            f"The volume has {listed} voxels; at most {limits.max_voxels} in all and {limits.max_side} on a side are"
            " taken."
        )
    return shape


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


def _grid(header: nib.Nifti1Header, shape: tuple[int, ...], limits: VolumeLimits) -> Grid:
    """By sform, else qform, else the voxels' sizes alone, which nibabel lays out with the first axis to the left."""
    affine = _affine(header, _three(shape))
    to_ras = nib.orientations.io_orientation(
        affine
    )  # per axis of the file: which of right, front, head, and its sign
    if np.isnan(to_ras).any():
        raise UndecodableImage(_ODD + "it does not say how the voxels lie in the patient.")
    axes = [int(np.flatnonzero(to_ras[:, 0] == world)[0]) for world in (2, 1, 0)]
    # slices towards the head, rows away from the front, columns away from the right
    flips = [bool(to_ras[axis, 1] != sign) for axis, sign in zip(axes, (1, -1, -1), strict=True)]
    turned = tuple(_three(shape)[axis] for axis in axes)
    if min(turned[1:]) < limits.min_side:
        raise ImageTooSmall(
            f"The volume's axial slices have {turned[2]} x {turned[1]} pixels; an MRI slice has at least"
            f" {limits.min_side} on each side."
        )
    to_file = np.zeros((4, 4))
    to_file[3, 3] = 1
    for place, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        to_file[axis, place], to_file[axis, 3] = (-1, turned[place] - 1) if flip else (1, 0)
    return Grid(
        shape=(turned[0], turned[1], turned[2]),
        affine=affine @ to_file,
        spacing_mm=_spacing(affine @ to_file),
        file_shape=shape,
        file_affine=affine,
        axes=(axes[0], axes[1], axes[2]),
        flips=(flips[0], flips[1], flips[2]),
    )


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


def _spacing(affine: np.ndarray) -> Spacing | None:
    low, high = _PLAUSIBLE_MM
    # Single precision, as the header has it: six digits are all that is meant.
    depth, row, column = (float(f"{size:.6g}") for size in np.linalg.norm(affine[:3, :3], axis=0))
    return (depth, row, column) if low <= min(depth, row, column) <= max(depth, row, column) <= high else None


def _values(stored_DHW: np.ndarray, header: _Header) -> tuple[np.ndarray, int]:
    """Contiguous values, scaled as the header says, and how many were no finite number."""
    scaled = (header.slope, header.intercept) != (1.0, 0.0)
    if header.dtype.kind != "f" and not scaled:
        return np.ascontiguousarray(stored_DHW, header.dtype.newbyteorder("=")), 0
    with np.errstate(all="ignore"):
        values_DHW = np.ascontiguousarray(stored_DHW, np.float32)
        if scaled:
            values_DHW = values_DHW * np.float32(header.slope) + np.float32(header.intercept)
    lowest, highest = values_DHW.min(), values_DHW.max()  # NaN where there is one
    if np.isfinite(lowest) and np.isfinite(highest):
        return values_DHW, 0
    finite_DHW = np.isfinite(values_DHW)
    if not finite_DHW.any():
        raise UndecodableImage("The NIfTI file holds no finite number.")
    values_DHW[~finite_DHW] = values_DHW[finite_DHW].min()
    return values_DHW, int(finite_DHW.size - np.count_nonzero(finite_DHW))


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Without the axes of one voxel after the third, and with a third one."""
    x, y, z = (*shape, 1)[:3]
    return x, y, z
