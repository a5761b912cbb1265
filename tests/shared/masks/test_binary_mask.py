import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.masks.binary_mask import binary_mask, threshold_level


def test_a_client_repeats_the_threshold_by_the_ceiling():
    assert [threshold_level(t) for t in (0.5, 0.25, 0.2, 1.0, 0.501)] == [128, 64, 51, 255, 128]


@given(st.integers(1, 255))
def test_a_threshold_on_a_step_of_the_map_keeps_that_step(level):
    assert threshold_level(level / 255) == level
    assert threshold_level(float(f"{level / 255:.12f}")) == level


@given(st.floats(0, 1))
def test_the_level_is_what_probabilities_over_255_say(threshold):
    values = np.arange(1, 256)
    exact = values / 255 >= threshold - 1e-11
    assert np.array_equal(values >= threshold_level(threshold), exact)


def test_probability_zero_is_never_tumour():
    assert not binary_mask(np.zeros((8, 8), np.uint8), 0.0, 1).any()


def map_of(*regions: tuple[int, int, int, int]) -> np.ndarray:
    """A probability map with boxes (y, x, height, width) of 200."""
    probability = np.zeros((40, 50), np.uint8)
    for y, x, height, width in regions:
        probability[y : y + height, x : x + width] = 200
    return probability


def test_regions_below_the_smallest_are_dropped_and_others_kept_whole():
    got = binary_mask(map_of((2, 3, 3, 4), (20, 30, 2, 5), (39, 49, 1, 1)), 0.5, 11)
    assert np.array_equal(got, map_of((2, 3, 3, 4)) > 0)
    assert np.array_equal(binary_mask(map_of((2, 3, 3, 4)), 0.5, 12), map_of((2, 3, 3, 4)) > 0)
    assert not binary_mask(map_of((2, 3, 3, 4)), 0.5, 13).any()


def test_pixels_that_touch_at_a_corner_are_one_region():
    assert binary_mask(map_of((0, 0, 2, 2), (2, 2, 2, 2)), 0.5, 8).sum() == 8


def test_the_probability_map_is_left_as_it_was():
    probability = map_of((0, 0, 2, 2), (10, 10, 9, 9))
    probability.setflags(write=False)
    assert binary_mask(probability, 0.5, 10).sum() == 81
