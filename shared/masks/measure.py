"""What is said about a mask: yes or no, confidence, coverage, area, regions. Pixels count as unit squares.

Measured in the upload's own pixels. `spacing` is (row, column) in millimetres.
"""

from typing import Any

import cv2
import numpy as np

from shared.masks.binary_mask import threshold_level
from shared.masks.components import Components, components
from shared.masks.rounding import six_digits

Spacing = tuple[float, float]

NO_SPACING_REASON = (
    "The pixel spacing is not known: the file carries no calibrated units and the request did not give"
    " pixel_spacing_mm."
)
# A mask of noise at 16 megapixels would have a million; nobody reads past the largest ones.
MAX_REGIONS = 100


def measure(
    mask_HW: np.ndarray,
    probability_HW: np.ndarray,
    spacing: Spacing | None,
    *,
    threshold: float,
    min_region_pixels: int,
) -> dict[str, Any]:
    """Bool mask and uint8 probability (H, W), of the same picture -> the fields of a result, all but `mask`."""
    area_pixels = int(np.count_nonzero(mask_HW))
    return {
        "tumor_detected": area_pixels > 0,
        "confidence": confidence(mask_HW, probability_HW, threshold),
        "threshold": threshold,
        "min_region_pixels": min_region_pixels,
        "area_pixels": area_pixels,
        "coverage_percent": round(100.0 * area_pixels / mask_HW.size, 4),
        "brain_coverage_percent": None,
        "area_mm2": area_mm2(area_pixels, spacing),
        "area_mm2_reason": NO_SPACING_REASON if spacing is None else None,
        "regions": regions(mask_HW, spacing) if area_pixels else [],
    }


def confidence(mask_HW: np.ndarray, probability_HW: np.ndarray, threshold: float) -> float:
    """Mean probability inside the mask; of an empty one, 1 minus the highest that small regions leave, 0..1.

    With an empty mask, whatever reaches the threshold was in a region that was dropped as too small.
    """
    if mask_HW.any():
        return round(float(probability_HW[mask_HW].mean()) / 255.0, 4)
    left = probability_HW[probability_HW < threshold_level(threshold)]
    return round(1.0 - float(left.max(initial=0)) / 255.0, 4)


def area_mm2(area_pixels: int, spacing: Spacing | None) -> float | None:
    """Pixels times the area of one, in square millimetres; None when the spacing is not known."""
    return None if spacing is None else six_digits(area_pixels * spacing[0] * spacing[1])


def regions(mask_HW: np.ndarray, spacing: Spacing | None) -> list[dict[str, Any]]:
    """The 8-connected regions of a bool mask (H, W), the largest first, at most MAX_REGIONS of them."""
    found = components(mask_HW, connectivity=8)
    return [_region(found, label, spacing) for label in found.by_area()[:MAX_REGIONS]]


def max_diameter_mm(region_HW: np.ndarray, spacing: Spacing) -> float:
    """Largest Feret diameter of a bool region (H, W): between the outer corners of its pixels, in millimetres.

    Source: the maximum caliper of the convex hull. The hull of unit squares is the hull of their centres widened by
    half a pixel each way, so two centres dx, dy apart have corners up to |dx| + 1 and |dy| + 1 apart. Scaling to
    millimetres per axis keeps a hull a hull, so anisotropic spacing needs no other one.
    """
    hull_xy = hull(region_HW)
    apart_xy = np.abs(hull_xy[:, None, :] - hull_xy[None, :, :]) + 1.0
    row_mm, column_mm = spacing
    return float(np.hypot(apart_xy[..., 0] * column_mm, apart_xy[..., 1] * row_mm).max())


def hull(region_HW: np.ndarray) -> np.ndarray:
    """float64 (N, 2): x and y of the pixels' centres at the corners of the convex hull of a bool region (H, W)."""
    ys = np.flatnonzero(region_HW.any(axis=1))
    first_x, last_x = (
        region_HW[ys].argmax(axis=1),
        region_HW.shape[1] - 1 - region_HW[ys, ::-1].argmax(axis=1),
    )
    ends_xy = np.stack((np.concatenate((first_x, last_x)), np.concatenate((ys, ys))), axis=1).astype(
        np.float32
    )
    # Of each row, only the ends can be on it.
    return cv2.convexHull(ends_xy)[:, 0, :].astype(np.float64)


def _region(found: Components, label: int, spacing: Spacing | None) -> dict[str, Any]:
    area = int(found.areas[label])
    x, y = found.centroids[label]
    diameter = None if spacing is None else six_digits(max_diameter_mm(found.inside(label), spacing))
    return {
        "area_pixels": area,
        "area_mm2": area_mm2(area, spacing),
        "bbox": [int(value) for value in found.boxes[label]],
        "centroid": [round(float(x), 2), round(float(y), 2)],
        "max_diameter_mm": diameter,
    }
