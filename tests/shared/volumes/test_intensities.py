"""A few values that are no tissue do not decide how bright the rest is."""

import numpy as np
import pytest

from shared.volumes.intensities import bounds_of, to_uint16

RANDOM = np.random.default_rng(7)


def head(dtype: type = np.int16, top: int = 900) -> np.ndarray:
    """Air of 0 around noisy tissue with a bright spot."""
    voxels = np.zeros((6, 40, 40), dtype)
    voxels[:, 8:32, 8:32] = RANDOM.integers(80, top // 2, (6, 24, 24))
    voxels[2:4, 12:18, 12:18] = RANDOM.integers(top - 100, top, (2, 6, 6))
    return voxels


def stray(value: float, dtype: type = np.int16) -> np.ndarray:
    voxels = head(dtype)
    voxels[3, 30, 30] = value
    return voxels


@pytest.mark.parametrize("value", [-32767, -300, -1])
def test_a_stray_voxel_below_air_is_air(value: int) -> None:
    voxels = stray(value)
    expected = np.where(voxels < 0, 0, voxels)
    np.testing.assert_array_equal(to_uint16(voxels), expected)


@pytest.mark.parametrize("value", [1e30, 1e9, 70_000.0])
def test_a_stray_voxel_far_above_tissue_is_clipped(value: float) -> None:
    voxels = stray(value, np.float32)
    got = to_uint16(voxels)
    tissue = voxels < 1000
    np.testing.assert_array_equal(got[tissue], voxels[tissue])


@pytest.mark.parametrize("value", [-1e30, np.nan, np.inf, -np.inf])
def test_what_is_no_sensible_number_does_not_matter(value: float) -> None:
    voxels = stray(value, np.float32)
    tissue = np.isfinite(voxels) & (voxels >= 0)
    np.testing.assert_array_equal(to_uint16(voxels)[tissue], voxels[tissue])


def test_many_hot_voxels_leave_tissue_its_range() -> None:
    voxels = head(np.float32) - 0.5
    voxels[voxels < 0] = 0
    plain = to_uint16(voxels).astype(float)
    hot = voxels.copy()
    hot[:, 20, 9:16] = RANDOM.uniform(20_000, 30_000, (6, 7))  # 1.2 % of the tissue
    got = to_uint16(hot).astype(float)
    same = hot == voxels
    assert np.corrcoef(got[same], plain[same])[0, 1] > 0.999
    # Brightness is by percentiles: a fifth of the range is enough to see everything.
    assert got[same].max() > 0.18 * 65535


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (-2000, np.s_[:, :3, :]),
        (-2000, np.s_[:, :, -4:]),
        (-32768, np.s_[:, :6, :40]),
    ],
)
def test_padding_that_nobody_declares_is_background(value: int, where: tuple[slice, ...]) -> None:
    voxels = head()
    voxels[where] = value
    np.testing.assert_array_equal(to_uint16(voxels), np.where(voxels == value, 0, voxels))


def test_a_border_of_the_highest_value_all_around_is_background() -> None:
    voxels = head(np.uint16)
    voxels[:, :2], voxels[:, -2:], voxels[:, :, :2], voxels[:, :, -2:] = 4095, 4095, 4095, 4095
    np.testing.assert_array_equal(to_uint16(voxels), np.where(voxels == 4095, 0, voxels))


def test_padding_of_one_value_far_above_all_others_is_background() -> None:
    voxels = head(np.uint16)
    voxels[:, :, :3] = 65535
    np.testing.assert_array_equal(to_uint16(voxels), np.where(voxels == 65535, 0, voxels))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_an_ordinary_volume_stays_as_it_is(dtype: type) -> None:
    voxels = head(dtype)
    np.testing.assert_array_equal(to_uint16(voxels), voxels)


def test_scores_keep_their_darkest_and_their_brightest() -> None:
    voxels = np.zeros((6, 40, 40), np.float32)
    voxels[:, 8:32, 8:32] = RANDOM.normal(0, 1, (6, 24, 24))
    bounds = bounds_of(voxels)
    inside = voxels[:, 8:32, 8:32]
    assert (bounds.ground, bounds.low, bounds.high) == (0, inside.min(), inside.max())


@pytest.mark.parametrize("value", [-2000, -32768, 4095, 32767, np.nan])
@pytest.mark.parametrize("where", [np.s_[:, -5:, :], np.s_[:, :, :3], np.s_[:1], np.s_[:, [0, 1, -2, -1]]])
def test_padding_in_the_corners_of_scores_is_not_their_air(value: float, where: tuple[slice, ...]) -> None:
    voxels = np.zeros((6, 40, 40), np.float32)
    voxels[:, 8:32, 8:32] = RANDOM.normal(0, 1, (6, 24, 24))
    padded = voxels.copy()
    padded[where] = value
    got, same = to_uint16(padded), padded == voxels
    assert got[~same].max() == 0
    assert got[same & (voxels == 0)].max() == 0
    tissue = same & (voxels != 0)
    assert np.corrcoef(got[tissue], voxels[tissue])[0, 1] > 0.999


def test_even_tissue_far_from_its_air_is_tissue() -> None:
    voxels = np.zeros((4, 40, 40), np.float32)
    voxels[:, 8:32, 8:32] = 200.5 + RANDOM.integers(0, 3, (4, 24, 24))
    assert to_uint16(voxels)[:, 8:32, 8:32].min() > 0


def test_where_nothing_is_a_number_all_is_background() -> None:
    assert to_uint16(np.full((2, 16, 16), np.nan, np.float32)).max() == 0


def test_a_lesion_far_brighter_than_even_tissue_is_not_taken_for_padding() -> None:
    voxels = np.zeros((4, 40, 40), np.uint16)
    voxels[:, 8:32, 8:32] = 200
    voxels[1:3, 14:20, 14:20] = 900
    np.testing.assert_array_equal(to_uint16(voxels), voxels)


def test_with_noise_in_the_corners_two_stray_voxels_are_air() -> None:
    voxels = head() + RANDOM.integers(1, 9, (6, 40, 40)).astype(np.int16)
    voxels[0, 5, 5], voxels[5, 20, 20] = -32767, -20000
    got = to_uint16(voxels)
    tissue = voxels > 20
    np.testing.assert_array_equal(got[tissue], voxels[tissue])
