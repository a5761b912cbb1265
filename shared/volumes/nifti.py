"""NIfTI-1 and -2 volumes, in one file, gzipped or not: only nibabel's header is trusted with strangers' bytes."""

from dataclasses import dataclass

import numpy as np

from shared.contract.errors import EmptyImage, UndecodableImage, UnsupportedFormat
from shared.files.gunzip import Content, Plain, Unzipped, is_gzip
from shared.files.sniff import HEAD_BYTES, sniff
from shared.volumes.grid import Grid
from shared.volumes.nifti_header import Header, read_header
from shared.volumes.scan import VolumeLimits

_SLACK = 1 << 12  # what may follow the voxels


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


DEFAULT_LIMITS = VolumeLimits()


def read(data: bytes, limits: VolumeLimits = DEFAULT_LIMITS) -> Volume:
    """A file's bytes -> Volume. Raises subclasses of ImageError; never inflates more than the header promises."""
    stream = opened(data)
    header = read_header(stream, limits)
    stream.skip(header.offset)
    voxels_DHW, bad = next_volume(stream, header)
    check_end(stream)
    return Volume(voxels_DHW, header.grid, header.dtype.name, bad)


def read_grid(data: bytes, limits: VolumeLimits = DEFAULT_LIMITS) -> Grid:
    """Only the header of a file: where its voxels would lie. Raises subclasses of ImageError."""
    return read_header(opened(data), limits).grid


def is_eight_bit(data: bytes, limits: VolumeLimits = DEFAULT_LIMITS) -> bool:
    """Whether the voxels are bytes from 0 to 255, and stay so. Raises subclasses of ImageError."""
    header = read_header(opened(data), limits)
    return header.dtype == np.uint8 and not header.scaled


def opened(data: Content) -> Plain | Unzipped:
    """The content of a file, from its beginning; EmptyImage, UnsupportedFormat unless it begins like a NIfTI file."""
    if not len(data):
        raise EmptyImage("The file is empty (0 bytes).")
    stream = Unzipped(data) if is_gzip(data) else Plain(data)
    if sniff(stream.head(HEAD_BYTES)) != "NIfTI":
        raise UnsupportedFormat("This is not a NIfTI file, or it is damaged at its beginning.")
    return stream


def next_volume(stream: Plain | Unzipped, header: Header) -> tuple[np.ndarray, int]:
    """The next volume's contiguous values (D, H, W), scaled as the header says, and how many were no finite number.

    A plane of the file at a time, so that hardly more memory is needed than for the values.
    """
    floats = header.scaled or header.dtype.kind == "f"
    voxels_DHW = np.empty(header.grid.shape, np.float32 if floats else header.dtype.newbyteorder("="))
    voxels_XYZ = header.grid.in_file_order(voxels_DHW)
    columns, rows, planes = voxels_XYZ.shape
    for plane in range(planes):
        needed = columns * rows * header.dtype.itemsize
        content = stream.take(needed)
        if len(content) < needed:
            raise UndecodableImage("The NIfTI file is cut short: it holds fewer voxels than its header says.")
        voxels_XYZ[:, :, plane] = _values(np.frombuffer(content, header.dtype), header).reshape(
            columns, rows, order="F"
        )
    return voxels_DHW, _replace_not_finite(voxels_DHW) if floats else 0


def check_end(stream: Plain | Unzipped) -> None:
    """Raise UndecodableImage unless the voxels were the last of the file."""
    if stream.left(_SLACK):
        raise UndecodableImage("The NIfTI file is damaged: it holds more than its header says.")


def _values(stored_N: np.ndarray, header: Header) -> np.ndarray:
    if header.dtype.kind != "f" and not header.scaled:
        return stored_N
    with np.errstate(all="ignore"):
        values_N = stored_N.astype(np.float32)
        if header.scaled:
            values_N = values_N * np.float32(header.slope) + np.float32(header.intercept)
    return values_N


def _replace_not_finite(voxels_DHW: np.ndarray) -> int:
    """Give them the lowest value that is a number, in place; how many there were."""
    lowest, highest = voxels_DHW.min(), voxels_DHW.max()  # NaN where there is one
    if np.isfinite(lowest) and np.isfinite(highest):
        return 0
    finite_DHW = np.isfinite(voxels_DHW)
    if not finite_DHW.any():
        raise UndecodableImage("The NIfTI file holds no finite number.")
    voxels_DHW[~finite_DHW] = voxels_DHW.min(where=finite_DHW, initial=np.inf)
    return int(finite_DHW.size - np.count_nonzero(finite_DHW))
