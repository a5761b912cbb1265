"""Outlines of a mask as GeoJSON polygons along the edges of its pixels, so that their area is the mask's area."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from shared.masks.components import Components, components

Point = tuple[int, int]
Ring = list[Point]
Sides = dict[Point, dict[Point, Point]]  # corner -> direction (x, y) -> corner at the end of the side

# The pixel on the right of a side (y down), seen from the corner that the side leaves.
_PIXEL_BESIDE = {(1, 0): (0, 0), (0, 1): (-1, 0), (-1, 0): (-1, -1), (0, -1): (0, -1)}


def contours(mask_HW: np.ndarray) -> dict[str, Any]:
    """Bool mask (H, W) -> GeoJSON FeatureCollection (RFC 7946) of Polygons with holes, in pixel coordinates.

    [0, 0] is the outer corner of the top left pixel, x runs right and y down, so pixel (x, y) is the square from
    [x, y] to [x + 1, y + 1]. One feature a 4-connected piece, the largest first; pixels that only touch at a corner
    belong to two polygons, because a polygon whose outline touches itself is not a valid one.
    """
    found = components(mask_HW, connectivity=4)
    pieces: list[list[Ring]] = [[] for _ in found.areas]
    for label, ring in _rings(found.labels_hw):
        # The piece lies on the same side of all its edges, so the sign of the area tells outline from hole.
        pieces[label].insert(0 if _twice_area(ring) > 0 else len(pieces[label]), ring)
    features = [_feature(found, pieces[label], int(found.areas[label])) for label in found.by_area()]
    return {"type": "FeatureCollection", "features": features}


def _feature(found: Components, rings: list[Ring], area_pixels: int) -> Mapping[str, Any]:
    coordinates = [[[x + found.x, y + found.y] for x, y in (*ring, ring[0])] for ring in rings]
    return {
        "type": "Feature",
        "properties": {"area_pixels": area_pixels},
        "geometry": {"type": "Polygon", "coordinates": coordinates},
    }


def _rings(labels_hw: np.ndarray) -> Iterator[tuple[int, Ring]]:
    """All closed outlines with the label of the piece beside them; corners only, none twice in a ring."""
    sides = _sides(labels_hw > 0)
    open_sides = {(point, direction) for point, leaving in sides.items() for direction in leaving}
    for point, leaving in sides.items():
        for direction in leaving:
            if (point, direction) not in open_sides:
                continue
            beside_x, beside_y = _PIXEL_BESIDE[direction]
            label = int(labels_hw[point[1] + beside_y, point[0] + beside_x])
            for ring in _simple_rings(_walk(point, direction, sides, open_sides)):
                yield label, ring


def _sides(mask_hw: np.ndarray) -> Sides:
    """Corner -> the straight sides that leave it; two of them where pixels touch only there."""
    padded = np.pad(mask_hw, 1).astype(np.int8)
    # Between vertical neighbours run the horizontal sides, and the other way round.
    across, along = np.diff(padded, axis=0)[:, 1:-1], np.diff(padded, axis=1)[1:-1].T
    sides: Sides = {}
    for line, first, last in _runs(across == 1):  # tops of pixels, to the right
        sides.setdefault((first, line), {})[1, 0] = (last, line)
    for line, first, last in _runs(along == -1):  # right sides, down
        sides.setdefault((line, first), {})[0, 1] = (line, last)
    for line, first, last in _runs(across == -1):  # bottoms, to the left
        sides.setdefault((last, line), {})[-1, 0] = (first, line)
    for line, first, last in _runs(along == 1):  # left sides, up
        sides.setdefault((line, last), {})[0, -1] = (line, first)
    return sides


def _runs(edges: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Runs of unit edges along the rows of a bool array: (row, first corner, last corner)."""
    bounds = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, firsts = np.nonzero(bounds == 1)
    _, lasts = np.nonzero(bounds == -1)
    return zip(rows.tolist(), firsts.tolist(), lasts.tolist(), strict=True)


def _walk(point: Point, direction: Point, sides: Sides, open_sides: set[tuple[Point, Point]]) -> Ring:
    """The corners of the closed way that begins with this side; its sides are taken out of `open_sides`."""
    path: Ring = []
    while (point, direction) in open_sides:
        open_sides.remove((point, direction))
        path.append(point)
        point = sides[point][direction]
        # Where pixels touch only at a corner, turn right: round the same pixel, so that pieces stay apart.
        right = (-direction[1], direction[0])
        direction = right if right in sides[point] else next(iter(sides[point]))
    return path


def _simple_rings(path: Ring) -> Iterator[Ring]:
    """A closed path, cut wherever it meets itself."""
    ring: Ring = []
    place: dict[Point, int] = {}
    for point in path:
        if point in place:
            first = place[point]
            yield ring[first:]
            for passed in ring[first:]:
                del place[passed]
            del ring[first:]
        place[point] = len(ring)
        ring.append(point)
    yield ring


def _twice_area(ring: Ring) -> int:
    """Shoelace formula: positive for an outer ring."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True))
