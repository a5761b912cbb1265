import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.masks.contours import contours


def twice_area(ring: list[list[int]]) -> int:
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(ring, ring[1:], strict=False))


def test_a_rectangle_is_four_corners_on_the_edges_of_its_pixels():
    mask = np.zeros((20, 30), bool)
    mask[5:8, 10:14] = True
    got = contours(mask)
    assert got["type"] == "FeatureCollection"
    (feature,) = got["features"]
    assert feature["type"] == "Feature"
    assert feature["properties"] == {"area_pixels": 12}
    assert feature["geometry"]["type"] == "Polygon"
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert sorted(ring[:-1]) == [[10, 5], [10, 8], [14, 5], [14, 8]]
    json.dumps(got)


def test_a_hole_is_a_second_ring_the_other_way_round():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:6] = False
    (feature,) = contours(mask)["features"]
    outer, hole = feature["geometry"]["coordinates"]
    assert (twice_area(outer), twice_area(hole)) == (2 * 49, -2 * 6)


def test_an_island_in_a_hole_is_a_polygon_of_its_own():
    mask = np.ones((9, 9), bool)
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    assert [len(f["geometry"]["coordinates"]) for f in contours(mask)["features"]] == [2, 1]


def test_pieces_that_touch_at_a_corner_stay_apart():
    mask = np.zeros((6, 6), bool)
    mask[0:2, 0:2] = mask[2:5, 2:5] = True
    assert [f["properties"]["area_pixels"] for f in contours(mask)["features"]] == [9, 4]


def test_an_empty_mask_has_no_feature():
    assert contours(np.zeros((5, 5), bool)) == {"type": "FeatureCollection", "features": []}


@given(arrays.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_polygons_are_simple_and_cover_exactly_the_mask(mask):
    filled = np.zeros(mask.shape, int)
    for feature in contours(mask)["features"]:
        rings = feature["geometry"]["coordinates"]
        areas = [twice_area(ring) for ring in rings]
        assert areas[0] > 0
        assert all(area < 0 for area in areas[1:])
        assert sum(areas) == 2 * feature["properties"]["area_pixels"]
        for ring in rings:
            assert ring[0] == ring[-1]
            assert len({tuple(point) for point in ring}) == len(ring) - 1 >= 4
        filled += inside(rings, mask.shape)
    assert np.array_equal(filled, mask)


def inside(rings: list[list[list[int]]], shape: tuple[int, int]) -> np.ndarray:
    """Even-odd rule: each vertical edge flips the pixels to its right."""
    flips = np.zeros(shape, int)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, ring[1:], strict=False):
            if x0 == x1:
                flips[min(y0, y1) : max(y0, y1), x0:] += 1
    return flips % 2


# --- beside --------------------------------------------------------------------------------------
