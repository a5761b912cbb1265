import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.masks.contours import contours
from shared.masks.volume_contours import contours_of_volume
from tests.fakes.affines import grids

LPS = np.array([[0.5, 0, 0, -10], [0, 0.7, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])


def box() -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[5:8, 10:14] = True
    return mask


def test_in_pixels_the_outlines_are_those_of_pictures():
    got = contours_of_volume({7: box(), 3: box()})
    assert (got["type"], got["coordinate_system"]) == ("FeatureCollection", "pixels")
    assert [feature["properties"] for feature in got["features"]] == [
        {"slice": 3, "area_pixels": 12}, {"slice": 7, "area_pixels": 12}
    ]  # fmt: skip
    assert got["features"][0]["geometry"] == contours(box())["features"][0]["geometry"]
    json.dumps(got)


def test_a_known_pixel_has_an_area_without_an_affine():
    assert contours_of_volume({3: box()}, pixel_mm2=0.25)["features"][0]["properties"]["area_mm2"] == 3.0


def test_in_the_patient_the_corners_of_pixels_are_half_a_pixel_from_their_centres():
    got = contours_of_volume({4: box()}, LPS)
    (feature,) = got["features"]
    assert got["coordinate_system"] == "patient_lps_mm"
    assert feature["properties"] == {"slice": 4, "area_pixels": 12, "area_mm2": pytest.approx(4.2)}
    (ring,) = feature["geometry"]["coordinates"]
    lefts, backs, heads = zip(*ring, strict=True)
    assert (min(lefts), max(lefts)) == (-10 + 9.5 * 0.5, -10 + 13.5 * 0.5)
    assert (min(backs), max(backs)) == pytest.approx((-20 + 4.5 * 0.7, -20 + 7.5 * 0.7))
    assert set(heads) == {17.0}
    assert ring[0] == ring[-1]
    json.dumps(got)


def test_an_empty_mask_has_no_features_and_the_collection_no_member_that_geojson_forbids():
    got = contours_of_volume({0: np.zeros((5, 5), bool)}, LPS)
    assert got["features"] == []
    assert not {"coordinates", "geometries", "geometry", "properties"} & set(got)


@settings(max_examples=40, deadline=None)
@given(grids(), st.data())
def test_the_middle_of_a_pixels_outline_is_where_the_grid_has_its_centre(grid, data):
    depth, height, width = grid.shape
    d, h, w = (data.draw(st.integers(0, size - 1)) for size in (depth, height, width))
    mask = np.zeros((height, width), bool)
    mask[h, w] = True
    (feature,) = contours_of_volume({d: mask}, grid.affine_lps)["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert np.allclose(np.mean(ring[:-1], axis=0), (grid.affine_lps @ (w, h, d, 1))[:3], atol=1e-3)
