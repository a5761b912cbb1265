import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.masks.rle import decode, encode, rle_slice, rle_slices


def test_the_text_is_cocos_own():
    """Column-major runs 6, 1, 40, 4, 5, 4, 5, 4, 21."""
    mask = np.zeros((9, 10), bool)
    mask[2:6, 5] = mask[2:6, 6] = mask[2:6, 7] = mask[6, 0] = True
    assert encode(mask) == {"encoding": "rle", "size": [9, 10], "counts": "61X13mN000`0"}


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_a_mask_comes_back(mask):
    assert np.array_equal(decode(encode(mask)), mask)


def test_empty_and_full_masks_come_back():
    for mask in (np.zeros((300, 200), bool), np.ones((300, 200), bool)):
        encoded = encode(mask)
        assert encoded["size"] == [300, 200]
        assert len(encoded["counts"]) < 12
        assert np.array_equal(decode(encoded), mask)


def test_runs_that_do_not_fill_the_mask_are_refused():
    encoded = encode(np.eye(9, dtype=bool))
    with pytest.raises(ValueError, match="9 x 8"):
        decode(encoded | {"size": [9, 8]})


@given(arrays.arrays(bool, st.tuples(*[st.integers(1, 12)] * 3)))
def test_slices_of_a_volume_come_back_and_only_those_with_something_are_listed(mask):
    encoded = rle_slices(mask)
    assert [entry["index"] for entry in encoded["slices"]] == np.flatnonzero(mask.any(axis=(1, 2))).tolist()
    assert (encoded["encoding"], encoded["size"]) == ("rle", list(mask.shape[1:]))
    for index, mask_HW in enumerate(mask):
        assert np.array_equal(rle_slice(encoded, index), mask_HW)


def test_a_slice_of_noughts_and_ones_is_as_one_of_truths():
    mask = np.zeros((3, 9, 10), np.uint8)
    mask[1, 2:6, 5:8] = mask[1, 6, 0] = 1
    assert rle_slices(mask)["slices"] == [{"index": 1, "counts": encode(mask[1] > 0)["counts"]}]
