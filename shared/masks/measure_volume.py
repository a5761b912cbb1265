"""What is said about a volume's mask: the fields of a picture's result, of all slices together, and what a volume adds.

D slices of H x W. Slice by slice, so that memory stays at what was given and the labels of the mask's bounding box.
"""

from typing import Any

import numpy as np

from shared.masks.binary_mask import threshold_level
from shared.masks.measure import NO_SPACING_REASON
from shared.masks.regions import largest_regions
from shared.masks.rounding import six_digits
from shared.volumes.grid import Grid
from shared.volumes.voxel_size import MaybeSpacing, VoxelSize

NO_VOLUME_REASON = (
    "The {} not known: neither the file nor the request says it, so there are no cubic millimetres."
)


def measure_volume(
    mask_DHW: np.ndarray,
    probability_DHW: np.ndarray,
    grid: Grid,
    spacing_mm: MaybeSpacing,
    *,
    threshold: float,
    min_region_pixels: int,
) -> dict[str, Any]:
    """Bool or 0/1 mask and uint8 probability (D, H, W) -> the fields of a volume's result, all but `mask`.

    `spacing_mm` (slice, row, column) may differ from that of the grid, where the request gave another, and has None
    for what is not known.
    """
    size = VoxelSize(grid, spacing_mm)
    areas = [int(np.count_nonzero(mask_HW)) for mask_HW in mask_DHW]
    voxels = sum(areas)
    return {
        "tumor_detected": voxels > 0,
        "confidence": _confidence(mask_DHW, probability_DHW, threshold),
        "threshold": threshold,
        "min_region_pixels": min_region_pixels,
        "area_pixels": voxels,
        "coverage_percent": round(100.0 * voxels / mask_DHW.size, 4),
        "brain_coverage_percent": None,
        "area_mm2": _times(voxels, size.pixel_mm2),
        "area_mm2_reason": NO_SPACING_REASON if size.pixel_mm2 is None else None,
        "volume_mm3": _times(voxels, size.voxel_mm3),
        "volume_mm3_reason": None if size.unknown is None else NO_VOLUME_REASON.format(size.unknown),
        "slices": [
            {"index": index, "area_pixels": area, "area_mm2": _times(area, size.pixel_mm2)}
            for index, area in enumerate(areas)
        ],
        "largest_slice": int(np.argmax(areas)) if voxels else None,
        "regions": largest_regions(mask_DHW, areas, size),
    }


def _confidence(mask_DHW: np.ndarray, probability_DHW: np.ndarray, threshold: float) -> float:
    """As of a picture: the mean inside the mask; of an empty one, 1 minus the highest that small regions leave."""
    total = inside = left = 0
    level = threshold_level(threshold)
    for mask_HW, probability_HW in zip(mask_DHW, probability_DHW, strict=True):
        found = probability_HW[np.asarray(mask_HW, bool)]
        total, inside = total + int(found.sum(dtype=np.int64)), inside + found.size
        if not inside:
            left = max(left, int(probability_HW[probability_HW < level].max(initial=0)))
    return round(total / inside / 255.0, 4) if inside else round(1.0 - left / 255.0, 4)


def _times(number: int, size: float | None) -> float | None:
    return None if size is None else six_digits(number * size)
