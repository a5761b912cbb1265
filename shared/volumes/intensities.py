"""Voxels of any number type as 16 bit, which is what networks and pictures are made from.

Scanners, converters and masks leave values that are no tissue: a stray voxel, a border of -2000, padding around a
turned volume. By the exact minimum and maximum such a value would decide how bright everything else is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_TOP = 65535
_SAMPLE = 1_000_000  # voxels that stand for all of them
# Percentiles of what is not background: up to 2 % of it may be stray at either end.
_TAILS = (2.0, 98.0)
# Fat, vessels and contrast agent are brighter than nearly all tissue, but not by more than so many times its range.
_REACH = 4.0
# A single value so many times that range above all others is padding, not tissue.
_FAR = 8.0
# Below the air there is nothing: a value of its own by this part of the range is padding.
_APART = 0.25
_PADDING_SHARE = 0.002  # of what is not background has this one value; less is stray, and told by the percentiles
_AIR_SHARE = 0.2  # of scores is air at least, where the corners hold padding
_PADDING_VALUES = 4  # a value and its range limit, at both ends of what a converter made of them


@dataclass(frozen=True)
class Mapping16:
    """How values became 16 bit: value * scale + offset; what was the background became 0."""

    scale: float = 1.0
    offset: float = 0.0

    def of(self, value: float) -> float:
        """A value as it is in 16 bit, within their range."""
        return min(max(value * self.scale + self.offset, 0.0), float(_TOP))


@dataclass(frozen=True)
class Bounds:
    """The range of tissue: what is below `low` or above `padding` is background, what is above `high` is clipped.

    `ground` is the value of the air around the head. An ordinary volume has all its values within.
    """

    ground: float
    low: float
    high: float
    padding: float = np.inf

    def background(self, slice_HW: np.ndarray) -> np.ndarray:
        """Where a slice (H, W) shows no tissue (bool), the air aside; NaN shows none."""
        return ~((slice_HW >= self.low) & (slice_HW < self.padding))


def to_uint16(voxels_DHW: np.ndarray, out_DHW: np.ndarray | None = None) -> np.ndarray:
    """Whole numbers from 0 to 65535 as they are; else linear: the background 0, the rest 1 to 65535.

    Within the `bounds_of` the volume. Into `out_DHW` (uint16) where it is given; slice by slice, so that little memory
    is needed besides.
    """
    if out_DHW is None:
        out_DHW = np.empty(voxels_DHW.shape, np.uint16)
    write_uint16(voxels_DHW, out_DHW)
    return out_DHW


def write_uint16(voxels_DHW: np.ndarray, out_DHW: np.ndarray) -> Mapping16:
    """As `to_uint16`; how it was done."""
    bounds = bounds_of(voxels_DHW)
    if bounds.low >= 0 and bounds.high <= _TOP and _whole(voxels_DHW, bounds):
        for slice_HW, out_HW in zip(voxels_DHW, out_DHW, strict=True):
            out_HW[:] = np.where(bounds.background(slice_HW), 0, np.clip(slice_HW, 0, bounds.high))
            if bounds.ground > bounds.high:
                out_HW[slice_HW == bounds.ground] = 0
        return Mapping16()
    scale = (_TOP - 1) / (bounds.high - bounds.low) if bounds.high > bounds.low else 0.0
    for slice_HW, out_HW in zip(voxels_DHW, out_DHW, strict=True):
        inside_HW = (slice_HW != bounds.ground) & ~bounds.background(slice_HW)
        out_HW[:] = 0
        values = np.minimum(slice_HW[inside_HW].astype(np.float64), bounds.high)
        out_HW[inside_HW] = np.rint(1 + (values - bounds.low) * scale) if scale else _TOP
    return Mapping16(scale, 1 - bounds.low * scale) if scale else Mapping16()


def bounds_of(voxels_DHW: np.ndarray) -> Bounds:
    """What of a volume's values is tissue, by percentiles of what is neither air nor padding."""
    ground = float(background(voxels_DHW))
    sample = _sample(voxels_DHW)
    sample = sample[np.isfinite(sample) & (sample != ground)]
    sample, least = _without_low_padding(sample, ground)
    sample, padding = _without_high_padding(sample, ground)
    if not sample.size:
        low, high = _ends(voxels_DHW, lambda slice_HW: np.isfinite(slice_HW) & (slice_HW != ground))
        return Bounds(ground, low, high)
    low, high = (float(end) for end in np.percentile(sample, _TAILS))
    # Where hardly anything is darker than air, what is darker is stray; else (z-scores) air is among the tissue.
    least = max(least, ground if low >= ground else low - (high - low))
    most = high + _REACH * (high - min(low, ground))
    inside = _ends(
        voxels_DHW,
        lambda slice_HW: (slice_HW >= least) & (slice_HW < padding) & (slice_HW != ground),
    )
    return Bounds(ground, inside[0], min(inside[1], most), padding)


def background(voxels_DHW: np.ndarray) -> float:
    """The value of the air around the head: what most corners have; where they differ, the lowest that is not stray.

    Padding in half of the corners does not count; around scores, which have 0 for air, padding in all neither.
    """
    sample = _sample(voxels_DHW)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0
    corners = voxels_DHW[
        :: max(1, len(voxels_DHW) - 1), :: voxels_DHW.shape[1] - 1, :: voxels_DHW.shape[2] - 1
    ]
    corners = corners[np.isfinite(corners)].astype(np.float64)
    ground = _most(corners)
    if ground is None:
        ground = _most(np.array([value for value in corners if value == 0 or not _is_far(value, sample)]))
        if ground is not None:
            return ground
    if voxels_DHW.dtype.kind == "f" and (not corners.size or (ground is not None and _is_far(ground, sample))):
        low, high = np.percentile(sample[sample != ground], _TAILS)
        if low < 0 < high and np.count_nonzero(sample == 0) >= _AIR_SHARE * sample.size:
            return 0.0
    if ground is not None:
        return ground
    low, high = np.percentile(sample, _TAILS)
    least = low - (high - low)
    return _ends(voxels_DHW, lambda slice_HW: slice_HW >= least)[0]


def _most(values_N: np.ndarray) -> float | None:
    """The value that more than half of them have, if any."""
    values, counts = np.unique(values_N, return_counts=True)
    return float(values[counts.argmax()]) if 2 * counts.max(initial=0) > values_N.size else None


def _is_far(value: float, sample_N: np.ndarray) -> bool:
    """Whether a value is so far from all others that it may be padding."""
    rest = sample_N[sample_N != value]
    if not rest.size:
        return False
    low, high = np.percentile(rest, _TAILS)
    return bool(max(low - value, value - high) > _FAR * (high - low))


def _sample(voxels_DHW: np.ndarray) -> np.ndarray:
    step = max(1, round((voxels_DHW.size / _SAMPLE) ** (1 / 3)))
    return voxels_DHW[::step, ::step, ::step].astype(np.float64, copy=False).ravel()


def _without_low_padding(sample_N: np.ndarray, ground: float) -> tuple[np.ndarray, float]:
    """Without single values below the air that are far from all others; and what is above them."""
    least = -np.inf
    for _ in range(_PADDING_VALUES):
        lowest = sample_N.min(initial=np.inf)
        rest = sample_N[sample_N > lowest]
        if lowest >= ground or not _is_common(sample_N, rest):
            break
        if min(rest.min(), ground) - lowest <= _APART * _range(rest, ground):
            break
        sample_N, least = rest, float(rest.min())
    return sample_N, min(least, ground) if np.isfinite(least) else least


def _without_high_padding(sample_N: np.ndarray, ground: float) -> tuple[np.ndarray, float]:
    """Without single values far above all others; and the lowest of them."""
    padding = np.inf
    for _ in range(_PADDING_VALUES):
        highest = sample_N.max(initial=-np.inf)
        rest = sample_N[sample_N < highest]
        if not _is_common(sample_N, rest) or highest - rest.max() <= _FAR * _range(rest, ground):
            break
        sample_N, padding = rest, float(highest)
    return sample_N, padding


def _is_common(sample_N: np.ndarray, rest_N: np.ndarray) -> bool:
    """Whether so much of the sample is not in the rest that it cannot be by chance; and there is a rest."""
    return rest_N.size > 0 and sample_N.size - rest_N.size >= _PADDING_SHARE * sample_N.size


def _range(values_N: np.ndarray, ground: float) -> float:
    low, high = np.percentile(values_N, _TAILS)
    return float(max(high, ground) - min(low, ground))


def _ends(voxels_DHW: np.ndarray, wanted: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Smallest and largest of the wanted values; 0 and 0 where there is none."""
    low, high = np.inf, -np.inf
    for slice_HW in voxels_DHW:
        values = slice_HW[wanted(slice_HW)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _whole(voxels_DHW: np.ndarray, bounds: Bounds) -> bool:
    """Whether all tissue is of whole numbers."""
    if voxels_DHW.dtype.kind != "f":
        return True
    for slice_HW in voxels_DHW:
        values = slice_HW[~bounds.background(slice_HW) & (slice_HW <= bounds.high)]
        if (values != np.rint(values)).any():
            return False
    return True
