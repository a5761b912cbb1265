"""Voxels of any number type as 16 bit, which is what networks and pictures are made from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_TOP = 65535


@dataclass(frozen=True)
class Mapping16:
    """How values became 16 bit: value * scale + offset; what was the background became 0."""

    scale: float = 1.0
    offset: float = 0.0

    def of(self, value: float) -> float:
        """A value as it is in 16 bit, within their range."""
        return min(max(value * self.scale + self.offset, 0.0), float(_TOP))


def to_uint16(voxels_DHW: np.ndarray, out_DHW: np.ndarray | None = None) -> np.ndarray:
    """Whole numbers from 0 to 65535 as they are; else linear: the background 0, the rest 1 to 65535.

    Into `out_DHW` (uint16) where it is given; slice by slice, so that little memory is needed besides.
    """
    if out_DHW is None:
        out_DHW = np.empty(voxels_DHW.shape, np.uint16)
    write_uint16(voxels_DHW, out_DHW)
    return out_DHW


def write_uint16(voxels_DHW: np.ndarray, out_DHW: np.ndarray) -> Mapping16:
    """As `to_uint16`; how it was done."""
    if all(_fits(slice_HW) for slice_HW in voxels_DHW):
        for slice_HW, out_HW in zip(voxels_DHW, out_DHW, strict=True):
            out_HW[:] = slice_HW
        return Mapping16()
    ground = background(voxels_DHW)
    low, high = _range(slice_HW[slice_HW != ground] for slice_HW in voxels_DHW)
    scale = (_TOP - 1) / (high - low) if high > low else 0.0
    for slice_HW, out_HW in zip(voxels_DHW, out_DHW, strict=True):
        inside_HW = slice_HW != ground
        out_HW[:] = 0
        values = slice_HW[inside_HW].astype(np.float64)
        out_HW[inside_HW] = np.rint(1 + (values - low) * scale) if scale else _TOP
    return Mapping16(scale, 1 - low * scale) if scale else Mapping16()


def background(voxels_DHW: np.ndarray) -> float:
    """The value of the air around the head: what most corners have, and where they differ the lowest of all."""
    corners = voxels_DHW[
        :: max(1, len(voxels_DHW) - 1), :: voxels_DHW.shape[1] - 1, :: voxels_DHW.shape[2] - 1
    ]
    values, counts = np.unique(corners, return_counts=True)
    most = int(counts.argmax())
    return values[most] if 2 * counts[most] > corners.size else voxels_DHW.min()


def _fits(slice_HW: np.ndarray) -> bool:
    if float(slice_HW.min()) < 0 or float(slice_HW.max()) > _TOP:
        return False
    return slice_HW.dtype.kind != "f" or bool((slice_HW == np.rint(slice_HW)).all())


def _range(values: Iterable[np.ndarray]) -> tuple[float, float]:
    """Smallest and largest of all; 0 and 0 where there is none."""
    low, high = np.inf, -np.inf
    for some in values:
        if some.size:
            low, high = min(low, float(some.min())), max(high, float(some.max()))
    return (low, high) if low <= high else (0.0, 0.0)
