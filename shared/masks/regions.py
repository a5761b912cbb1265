"""The 3-D regions of a volume's mask: voxels that touch by a face, an edge or a corner (26-connected)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from shared.masks.measure import MAX_REGIONS, hull
from shared.masks.rounding import six_digits
from shared.volumes.voxel_size import VoxelSize

_TOUCHING = np.ones((3, 3, 3), bool)
_CORNERS = np.array([(d, h, w) for d in (-0.5, 0.5) for h in (-0.5, 0.5) for w in (-0.5, 0.5)])
_PAIRS_AT_ONCE = 1 << 22
Box = tuple[slice, slice, slice]


def largest_regions(mask_DHW: np.ndarray, areas: Sequence[int], size: VoxelSize) -> list[dict[str, Any]]:
    """Regions of a bool or 0/1 mask whose slices have `areas` voxels, the largest first, at most MAX_REGIONS."""
    if not any(areas):
        return []
    box = _bounding_box(mask_DHW, areas)
    ranks_dhw, voxels = _ranked(mask_DHW[box])
    inside = ndimage.find_objects(ranks_dhw, max_label=len(voxels))
    return [
        _region(ranks_dhw[own] == rank, _moved(own, box), count, size)
        for rank, (own, count) in enumerate(zip(inside, voxels, strict=True), 1)
    ]


def max_diameter_mm(region_dhw: np.ndarray, steps_mm: np.ndarray) -> float:
    """Largest distance between outer corners of the voxels of a bool region (d, h, w), in millimetres.

    `steps_mm` (3, 3) has in its columns the steps to the next slice, row and column; they need not be perpendicular.
    Only corners of voxels on the convex hull can be farthest apart. Of voxels, never of their centres, so that a
    region of one voxel or one slice has a hull too.
    """
    centres = [
        np.column_stack((np.full(len(xy), depth), xy[:, 1], xy[:, 0]))
        for depth, xy in (
            (depth, hull(slice_hw)) for depth, slice_hw in enumerate(region_dhw) if slice_hw.any()
        )
    ]
    corners = (np.concatenate(centres)[:, None, :] + _CORNERS).reshape(-1, 3)
    outer_mm = corners[ConvexHull(corners).vertices] @ steps_mm.T
    step = max(1, _PAIRS_AT_ONCE // len(outer_mm))
    farthest = 0.0
    for first in range(0, len(outer_mm), step):
        apart = outer_mm[first : first + step, None, :] - outer_mm[None, :, :]
        farthest = max(farthest, float(np.einsum("ijk,ijk->ij", apart, apart).max()))
    return float(np.sqrt(farthest))


def _bounding_box(mask_DHW: np.ndarray, areas: Sequence[int]) -> Box:
    filled = np.flatnonzero(areas)
    _, height, width = mask_DHW.shape
    rows, columns = np.zeros(height, bool), np.zeros(width, bool)
    for index in filled:
        rows |= mask_DHW[index].any(axis=1)
        columns |= mask_DHW[index].any(axis=0)
    return _span(filled), _span(np.flatnonzero(rows)), _span(np.flatnonzero(columns))


def _span(places: np.ndarray) -> slice:
    return slice(int(places[0]), int(places[-1]) + 1)


def _ranked(mask_dhw: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """uint8 (d, h, w): 1 for the largest region, 2 for the next, 0 for none and for those beyond MAX_REGIONS.

    And their voxels; regions of one size come in the order of their first voxel.
    """
    labels_dhw = np.empty(mask_dhw.shape, np.int32)
    found = ndimage.label(mask_dhw, _TOUCHING, output=labels_dhw)
    counts = np.zeros(found + 1, np.int64)
    for labels_hw in labels_dhw:  # the whole at once would be copied in 64 bits
        counts += np.bincount(labels_hw.reshape(-1), minlength=found + 1)
    largest = 1 + np.argsort(-counts[1:], kind="stable")[:MAX_REGIONS]
    rank = np.zeros(found + 1, np.uint8)
    rank[largest] = np.arange(1, len(largest) + 1)
    ranks_dhw = np.empty(mask_dhw.shape, np.uint8)
    for index, labels_hw in enumerate(labels_dhw):
        ranks_dhw[index] = rank[labels_hw]
    return ranks_dhw, [int(count) for count in counts[largest]]


def _moved(own: Box, box: Box) -> tuple[range, range, range]:
    """The places of a region's box in the whole mask: slices, rows, columns."""
    depth, row, column = (
        range(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(box, own, strict=True)
    )
    return depth, row, column


def _region(
    region_dhw: np.ndarray, places: tuple[range, range, range], voxels: int, size: VoxelSize
) -> dict[str, Any]:
    depths, rows, columns = places
    x, y, index = _centroid(region_dhw, voxels) + (columns.start, rows.start, depths.start)
    in_patient = size.grid.affine_lps @ (x, y, index, 1.0) if size.grid.spacing_mm is not None else None
    voxel, steps = size.voxel_mm3, size.steps_mm
    return {
        "voxels": voxels,
        "volume_mm3": None if voxel is None else six_digits(voxels * voxel),
        "bbox": [columns.start, rows.start, depths.start, len(columns), len(rows), len(depths)],
        "centroid": [round(float(value), 2) for value in (x, y, index)],
        "centroid_mm": None if in_patient is None else [round(float(value), 2) for value in in_patient[:3]],
        "slices": [depths.start, depths.stop - 1],
        "max_diameter_mm": None if steps is None else six_digits(max_diameter_mm(region_dhw, steps)),
    }


def _centroid(region_dhw: np.ndarray, voxels: int) -> np.ndarray:
    """(x, y, slice) of the mean voxel centre within the region's own box."""
    depth, height, width = region_dhw.shape
    by_depth, by_row, by_column = np.zeros(depth), np.zeros(height), np.zeros(width)
    for index, slice_hw in enumerate(region_dhw):
        rows = np.count_nonzero(slice_hw, axis=1)
        by_depth[index] = rows.sum()
        by_row += rows
        by_column += np.count_nonzero(slice_hw, axis=0)
    sums = (by_column @ np.arange(width), by_row @ np.arange(height), by_depth @ np.arange(depth))
    return np.array(sums) / voxels
