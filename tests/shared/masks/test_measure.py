import json
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.masks.binary_mask import binary_mask
from shared.masks.measure import MAX_REGIONS, max_diameter_mm, measure


def boxes(*regions: tuple[int, int, int, int], shape: tuple[int, int] = (50, 100)) -> np.ndarray:
    """A mask with boxes (x, y, width, height)."""
    mask = np.zeros(shape, bool)
    for x, y, width, height in regions:
        mask[y : y + height, x : x + width] = True
    return mask


def of(mask: np.ndarray, probability: np.ndarray | None = None, spacing=None, threshold=0.5, smallest=12):
    if probability is None:
        probability = mask.astype(np.uint8) * np.uint8(204)
    return measure(mask, probability, spacing, threshold=threshold, min_region_pixels=smallest)


def test_the_fields_are_those_of_the_contract_without_the_mask():
    got = of(boxes((10, 20, 40, 5)), spacing=(0.5, 0.5))
    assert set(got) == {
        "tumor_detected", "confidence", "threshold", "min_region_pixels", "area_pixels", "coverage_percent",
        "brain_coverage_percent", "area_mm2", "area_mm2_reason", "regions",
    }  # fmt: skip
    assert set(got["regions"][0]) == {"area_pixels", "area_mm2", "bbox", "centroid", "max_diameter_mm"}
    assert json.loads(json.dumps(got)) == got


def test_area_coverage_and_millimetres():
    got = of(boxes((10, 20, 40, 5), (0, 0, 4, 4)), spacing=(0.5, 0.7))
    assert got["tumor_detected"] is True
    assert got["area_pixels"] == 216
    assert got["coverage_percent"] == 4.32
    assert got["area_mm2"] == pytest.approx(216 * 0.35)
    assert got["area_mm2_reason"] is None
    assert got["brain_coverage_percent"] is None
    assert (got["threshold"], got["min_region_pixels"]) == (0.5, 12)


def test_without_spacing_there_are_no_millimetres_but_a_reason_in_words():
    got = of(boxes((10, 20, 40, 5)))
    assert got["area_mm2"] is None
    assert "pixel spacing is not known" in got["area_mm2_reason"]
    assert got["regions"][0]["area_mm2"] is None
    assert got["regions"][0]["max_diameter_mm"] is None


def test_regions_come_by_area_with_box_and_centroid_in_x_y():
    got = of(boxes((0, 0, 4, 4), (10, 20, 41, 5), (60, 40, 5, 5)), spacing=(1.0, 1.0))["regions"]
    assert [region["area_pixels"] for region in got] == [205, 25, 16]
    assert [region["bbox"] for region in got] == [[10, 20, 41, 5], [60, 40, 5, 5], [0, 0, 4, 4]]
    assert [region["centroid"] for region in got] == [[30.0, 22.0], [62.0, 42.0], [1.5, 1.5]]


def test_an_empty_mask_has_no_region_and_an_area_of_zero():
    got = of(boxes(), spacing=(1.0, 1.0))
    assert got["tumor_detected"] is False
    assert (got["area_pixels"], got["coverage_percent"], got["area_mm2"], got["regions"]) == (0, 0.0, 0.0, [])


def test_confidence_of_a_find_is_the_mean_probability_inside():
    probability = np.full((10, 10), 30, np.uint8)
    probability[2:4, 2:4] = (255, 153)
    assert of(probability >= 128, probability)["confidence"] == pytest.approx(0.8)


def test_confidence_of_none_is_one_minus_the_highest_left_after_removing_small_regions():
    probability = np.zeros((20, 20), np.uint8)
    probability[5, 5:8] = 250  # too small: removed
    probability[10:20] = 51
    mask = binary_mask(probability, 0.5, 12)
    assert not mask.any()
    assert of(mask, probability)["confidence"] == pytest.approx(0.8)
    assert of(mask, np.zeros_like(probability))["confidence"] == 1.0
    assert of(mask, np.full_like(probability, 250))["confidence"] == 1.0


def test_the_diameter_runs_between_outer_corners():
    assert max_diameter_mm(np.ones((1, 1), bool), (1.0, 1.0)) == pytest.approx(math.sqrt(2))
    assert max_diameter_mm(np.ones((1, 1), bool), (0.5, 2.0)) == pytest.approx(math.hypot(0.5, 2.0))
    assert max_diameter_mm(np.ones((3, 4), bool), (1.0, 1.0)) == pytest.approx(5.0)
    assert max_diameter_mm(np.ones((3, 4), bool), (4.0, 0.5)) == pytest.approx(math.hypot(12.0, 2.0))


def test_the_diameter_of_a_disc_is_its_diameter():
    disc = np.zeros((101, 101), np.uint8)
    cv2.circle(disc, (50, 50), 40, 1, -1)
    assert max_diameter_mm(disc > 0, (0.5, 0.5)) == pytest.approx(40.5, abs=0.6)


@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any),
    st.floats(0.1, 5), st.floats(0.1, 5),
)  # fmt: skip
def test_the_diameter_is_the_longest_of_all_pairs_of_corners(region, row, column):
    ys, xs = np.nonzero(region)
    corners = np.array(
        [(y + dy, x + dx) for y, x in zip(ys, xs, strict=True) for dy in (0, 1) for dx in (0, 1)]
    )
    apart = (corners[:, None] - corners[None]) * (row, column)
    assert max_diameter_mm(region, (row, column)) == pytest.approx(
        np.hypot(apart[..., 0], apart[..., 1]).max()
    )


@given(arrays.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_regions_add_up_to_the_whole(mask):
    got = of(mask, spacing=(0.5, 0.5))
    assert sum(region["area_pixels"] for region in got["regions"]) == got["area_pixels"] == mask.sum()
    for region in got["regions"]:
        x, y, width, height = region["bbox"]
        assert mask[y : y + height, x : x + width].sum() >= region["area_pixels"]


def test_a_mask_of_specks_lists_only_the_largest_regions():
    mask = np.zeros((100, 100), bool)
    mask[::2, ::2] = True
    got = of(mask, spacing=(1.0, 1.0))
    assert got["area_pixels"] == 2500
    assert len(got["regions"]) == MAX_REGIONS
