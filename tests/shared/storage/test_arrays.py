"""Arrays as bytes."""

import numpy as np
import pytest

from shared.storage.arrays import from_npy, to_npy


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pixels_survive(dtype):
    pixels_HWC = np.arange(5 * 7 * 3).reshape(5, 7, 3).astype(dtype)
    again = from_npy(to_npy(pixels_HWC))
    assert again.dtype == pixels_HWC.dtype
    np.testing.assert_array_equal(again, pixels_HWC)


def test_a_view_that_is_not_contiguous_survives():
    pixels_HWC = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)[::2, ::-1]
    np.testing.assert_array_equal(from_npy(to_npy(pixels_HWC)), pixels_HWC)


def test_objects_never_pass():
    with pytest.raises(ValueError, match="Object arrays"):
        to_npy(np.array([{}], dtype=object))


@pytest.mark.parametrize("cut", [0, 5, 60, 140])
def test_a_broken_file_is_a_value_error(cut):
    with pytest.raises(ValueError):
        from_npy(to_npy(np.zeros((4, 4), np.uint8))[:cut])
