import numpy as np
import pytest

from shared.pictures.montage import montage


def tiles(count: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    return [np.full((height, width, 3), 10 * (place + 1), np.uint8) for place in range(count)]


def test_slices_stand_in_rows_with_a_gap_and_the_last_row_is_filled_up():
    got = montage(tiles(5), 3)
    assert (got.shape, got.dtype) == ((2 * 40 + 2, 3 * 60 + 4, 3), np.uint8)
    assert (got[30, 50].tolist(), got[30, 112].tolist(), got[72, 50].tolist()) == (
        [10] * 3,
        [20] * 3,
        [40] * 3,
    )
    assert not got[42:, 124:].any()
    assert not got[40:42].any()


def test_few_slices_make_no_empty_columns():
    assert montage(tiles(2), 8).shape == (40, 122, 3)


def test_each_has_its_number_in_the_corner_and_nothing_else_is_painted():
    plain = tiles(2)
    one, other = montage(plain, 2, [7, 7]), montage(plain, 2, [7, 8])
    assert np.array_equal(one[:, :60], other[:, :60])
    assert (one[:18, 62:82] != other[:18, 62:82]).any()
    assert np.array_equal(one[20:], other[20:])
    assert (plain[0] == 10).all()


def test_large_slices_are_scaled_down_and_small_ones_are_not_scaled_up():
    assert montage(tiles(1, 512, 1024), 1).shape == (128, 256, 3)
    assert montage(tiles(1, 16, 20), 1).shape == (16, 20, 3)
    assert montage(tiles(1, 400, 400), 1, tile=100).shape == (100, 100, 3)


def test_pixels_that_are_not_square_are_shown_in_true_proportion():
    assert montage(tiles(3, 64, 256), 2, tile=100, spacing_mm=[2.0, 0.5]).shape == (202, 202, 3)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1), (300, 500, 1)])
def test_grey_slices_become_rgb(shape):
    assert montage([np.zeros(shape, np.uint8)], 1).shape[2] == 3


@pytest.mark.parametrize(("count", "columns"), [(0, 3), (3, 0)])
def test_without_a_slice_or_a_column_there_is_no_montage(count, columns):
    with pytest.raises(ValueError, match="at least"):
        montage(tiles(count), columns)
