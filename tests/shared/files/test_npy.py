"""Arrays as bytes."""

import io
from pathlib import Path

import numpy as np
import pytest

from shared.files.npy import from_npy, item_of_npy, to_npy


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


def test_one_item_is_read_and_nothing_else(tmp_path: Path) -> None:
    array = np.arange(4 * 5 * 6 * 2, dtype=np.uint16).reshape(4, 5, 6, 2)
    path = tmp_path / "a.npy"
    path.write_bytes(to_npy(array))
    for index in range(4):
        with path.open("rb") as file:
            assert np.array_equal(item_of_npy(file, index), array[index])
            assert file.tell() == path.stat().st_size - (3 - index) * array[0].nbytes
    for beyond in (-1, 4):
        with path.open("rb") as file, pytest.raises(IndexError):
            item_of_npy(file, beyond)


@pytest.mark.parametrize("array", [np.asfortranarray(np.zeros((3, 4))), np.array([None, 1])])
def test_items_of_other_arrays_are_refused(array: np.ndarray) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    stream.seek(0)
    with pytest.raises(ValueError, match="C order"):
        item_of_npy(stream, 0)
