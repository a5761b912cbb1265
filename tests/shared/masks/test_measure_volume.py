import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.masks.measure import MAX_REGIONS, max_diameter_mm, measure
from shared.masks.measure_volume import measure_volume
from shared.masks.regions import max_diameter_mm as max_diameter_3d
from shared.volumes.grid import Grid, grid_of
from tests.fakes.affines import grids

STEPS = (3.0, 0.5, 0.7)  # of slices, rows and columns


def grid(shape: tuple[int, int, int], spacing=STEPS, known: bool = True) -> Grid:
    """Axial, standing as it is shown: (D, H, W) = `shape`."""
    depth, row, column = spacing
    affine = np.array([[-column, 0, 0, 40], [0, -row, 0, 50], [0, 0, depth, -60], [0, 0, 0, 1.0]])
    return grid_of(affine, shape[::-1], known=known)


def boxes(*regions: tuple[int, int, int, int, int, int], shape=(12, 30, 40)) -> np.ndarray:
    """A mask with boxes (x, y, slice, width, height, slices)."""
    mask = np.zeros(shape, bool)
    for x, y, z, width, height, slices in regions:
        mask[z : z + slices, y : y + height, x : x + width] = True
    return mask


def of(mask: np.ndarray, where: Grid | None = None, spacing=STEPS, probability=None, threshold=0.5):
    where = where or grid(mask.shape)
    probability = mask.astype(np.uint8) * np.uint8(204) if probability is None else probability
    return measure_volume(mask, probability, where, spacing, threshold=threshold, min_region_pixels=12)


def test_the_fields_are_those_of_a_picture_and_a_volumes_own():
    mask = boxes((10, 20, 3, 4, 5, 2))
    got = of(mask)
    of_picture = measure(mask[3], mask[3].astype(np.uint8), (0.5, 0.7), threshold=0.5, min_region_pixels=12)
    assert set(got) == set(of_picture) | {"volume_mm3", "volume_mm3_reason", "slices", "largest_slice"}
    assert set(got["regions"][0]) == {
        "voxels", "volume_mm3", "bbox", "centroid", "centroid_mm", "slices", "max_diameter_mm"
    }  # fmt: skip
    assert json.loads(json.dumps(got)) == got


def test_areas_are_of_all_slices_together_and_each_slice_is_listed():
    got = of(boxes((10, 20, 3, 4, 5, 2), (0, 0, 4, 2, 1, 1)))
    assert (got["tumor_detected"], got["area_pixels"]) == (True, 42)
    assert got["coverage_percent"] == round(100 * 42 / (12 * 30 * 40), 4)
    assert got["area_mm2"] == pytest.approx(42 * 0.35)
    assert got["volume_mm3"] == pytest.approx(42 * 1.05)
    assert [entry["area_pixels"] for entry in got["slices"]] == [0, 0, 0, 20, 22] + [0] * 7
    assert got["slices"][4] == {"index": 4, "area_pixels": 22, "area_mm2": pytest.approx(7.7)}
    assert got["largest_slice"] == 4
    assert got["area_mm2_reason"] is got["volume_mm3_reason"] is got["brain_coverage_percent"] is None


def test_regions_come_by_size_with_box_and_centroid():
    got = of(boxes((10, 20, 3, 4, 5, 2), (0, 0, 8, 3, 3, 3)))["regions"]
    assert [region["voxels"] for region in got] == [40, 27]
    assert got[0]["bbox"] == [10, 20, 3, 4, 5, 2]
    assert got[0]["centroid"] == [11.5, 22.0, 3.5]
    assert got[0]["slices"] == [3, 4]
    assert got[0]["volume_mm3"] == pytest.approx(42.0)
    assert got[0]["max_diameter_mm"] == pytest.approx(math.hypot(4 * 0.7, 5 * 0.5, 2 * 3.0), rel=1e-5)
    # 40 and 50 mm are to the right and to the front; columns run to the left, rows to the back.
    assert got[0]["centroid_mm"] == pytest.approx([-40 + 11.5 * 0.7, -50 + 22 * 0.5, -60 + 3.5 * 3])


def test_voxels_that_touch_at_a_corner_are_one_region():
    mask = boxes((5, 5, 2, 1, 1, 1), (6, 6, 3, 1, 1, 1), (8, 8, 3, 1, 1, 1))
    assert [region["voxels"] for region in of(mask)["regions"]] == [2, 1]


def test_an_empty_mask_has_no_region_and_no_largest_slice():
    got = of(boxes())
    assert (got["tumor_detected"], got["regions"], got["largest_slice"]) == (False, [], None)
    assert (got["volume_mm3"], got["area_mm2"], got["area_pixels"]) == (0.0, 0.0, 0)
    assert len(got["slices"]) == 12


@pytest.mark.parametrize(
    ("spacing", "missing"),
    [
        ((None, None, None), ("pixel spacing", "slice spacing")),
        ((None, 0.5, 0.7), ("slice spacing",)),
        ((3.0, None, None), ("pixel spacing",)),
    ],
)
def test_what_is_not_known_is_not_told_but_why(spacing, missing):
    got = of(boxes((10, 20, 3, 4, 5, 2)), spacing=spacing)
    assert (
        got["volume_mm3"] is got["regions"][0]["volume_mm3"] is got["regions"][0]["max_diameter_mm"] is None
    )
    for name in ("pixel spacing", "slice spacing"):
        assert (name in got["volume_mm3_reason"]) == (name in missing)
    assert (" is not known" in got["volume_mm3_reason"]) == (len(missing) == 1)
    assert (got["area_mm2"] is None) == (spacing[1] is None) == (got["area_mm2_reason"] is not None)
    assert (got["slices"][3]["area_mm2"] is None) == (spacing[1] is None)


def test_a_grid_that_is_made_up_gives_no_place_in_the_patient():
    mask = boxes((10, 20, 3, 4, 5, 2))
    got = of(mask, grid(mask.shape, (1.0, 1.0, 1.0), known=False), STEPS)["regions"][0]
    assert got["centroid_mm"] is None
    assert got["volume_mm3"] == pytest.approx(42.0)
    assert got["max_diameter_mm"] == pytest.approx(math.hypot(2.8, 2.5, 6.0), rel=1e-5)


def test_of_a_tilted_gantry_a_voxel_is_smaller_than_its_spacings_say():
    affine = np.array([[-0.7, 0, 0, 0], [0, -0.5, 2.0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1.0]])
    tilted = grid_of(affine, (40, 30, 12), slice_axis=2)
    mask = boxes((10, 20, 3, 4, 5, 2))
    got = of(mask, tilted, tilted.spacing_mm)
    assert got["volume_mm3"] == pytest.approx(40 * 0.7 * 0.5 * 3.0)
    # The request's spacing counts where it differs: nothing is known of how those slices lean.
    assert of(mask, tilted, (3.0, 0.5, 0.7))["volume_mm3"] == pytest.approx(42.0)


def test_confidence_is_over_all_slices():
    probability = np.zeros((4, 20, 20), np.uint8)
    probability[1, 2:4, 2:4], probability[2, 2:4, 2:4] = 255, 153
    assert of(probability >= 128, probability=probability)["confidence"] == pytest.approx(0.8)
    probability[3], probability[3, 5] = 51, 250  # a region that was dropped as too small
    empty = np.zeros(probability.shape, bool)
    probability[1:3] = 0
    assert of(empty, probability=probability)["confidence"] == pytest.approx(0.8)


def test_a_mask_of_noughts_and_ones_is_measured_as_one_of_truths(tmp_path):
    mask = boxes((10, 20, 3, 4, 5, 2), (0, 0, 8, 3, 3, 3))
    np.save(tmp_path / "mask.npy", mask.astype(np.uint8))
    assert of(np.load(tmp_path / "mask.npy", mmap_mode="r")) == of(mask)


def test_a_mask_of_specks_lists_only_the_largest_regions():
    mask = np.zeros((20, 40, 40), bool)
    mask[::2, ::2, ::2] = True
    mask[10, 10:13, 10] = True
    got = of(mask)
    assert len(got["regions"]) == MAX_REGIONS
    assert got["regions"][0]["voxels"] == 3


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, st.tuples(*[st.integers(1, 8)] * 3)))
def test_regions_add_up_to_the_whole(mask):
    got = of(mask)
    assert sum(region["voxels"] for region in got["regions"]) == got["area_pixels"] == mask.sum()
    for region in got["regions"]:
        x, y, z, width, height, slices = region["bbox"]
        assert mask[z : z + slices, y : y + height, x : x + width].sum() >= region["voxels"]
        assert region["slices"] == [z, z + slices - 1]


@settings(max_examples=60, deadline=None)
@given(grids(), st.integers(0, 2**32 - 1))
def test_the_diameter_is_the_longest_of_all_pairs_of_corners_of_any_grid(where, seed):
    region = np.random.default_rng(seed).random(where.shape) < 0.2
    region[0, 0, 0] = True
    steps = where.affine[:3, :3]
    corners = {
        (d + a, h + b, w + c)
        for d, h, w in np.argwhere(region)
        for a, b, c in itertools.product((0, 1), repeat=3)
    }
    mm = np.array(sorted(corners)) @ steps.T
    longest = np.linalg.norm(mm[:, None] - mm[None], axis=2).max()
    assert max_diameter_3d(region, steps) == pytest.approx(longest)


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any))
def test_a_slice_that_is_thin_has_the_diameter_of_a_picture(region):
    flat = max_diameter_3d(region[None], np.diag([1e-9, 0.5, 0.7]))
    assert flat == pytest.approx(max_diameter_mm(region, (0.5, 0.7)))
