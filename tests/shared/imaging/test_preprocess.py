"""Preprocessing gives the network the same slice whatever the upload's size, depth and brightness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.imaging.preprocess import Preprocessing


def picture(height=256, width=256, dtype=np.uint8, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 200, (height, width, 3)).astype(dtype)


def test_input_has_the_networks_shape_and_type():
    x = Preprocessing().to_input(picture(100, 300))
    assert x.shape == (3, 256, 256)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous


def test_twice_the_brightness_gives_the_same_input():
    dim = picture() // 2
    assert np.allclose(Preprocessing().to_input(dim), Preprocessing().to_input(dim * 2), atol=0.02)


def test_sixteen_bits_give_the_same_input_as_eight():
    eight = picture()
    sixteen = eight.astype(np.uint16) * 16
    assert np.allclose(Preprocessing().to_input(eight), Preprocessing().to_input(sixteen), atol=1e-5)


def test_a_grey_slice_fills_all_channels():
    x = Preprocessing(normalization="imagenet").scale(picture()[..., :1])
    assert np.array_equal(x[..., 0], x[..., 1])
    assert np.array_equal(x[..., 0], x[..., 2])


def test_noise_of_an_empty_slice_is_not_blown_up():
    dark = np.random.default_rng(0).integers(0, 3, (64, 64, 3)).astype(np.uint8)
    assert Preprocessing().scale(dark).max() <= 0.25


def test_an_unknown_normalization_is_named():
    with pytest.raises(ValueError, match="histogram"):
        Preprocessing(normalization="histogram")


@given(st.integers(100, 600), st.integers(100, 600))
def test_the_map_has_the_uploads_size_and_covers_the_same_place(height, width):
    preprocessing = Preprocessing()
    upload = np.zeros((height, width, 3), np.uint8)
    upload[: height // 2, : width // 2] = 200
    scaled = preprocessing.letterbox(preprocessing.scale(upload))[..., 0]
    back = preprocessing.from_output(scaled / scaled.max(), height, width)
    assert back.shape == (height, width)
    assert back.dtype == np.uint8
    # Edges blur by a pixel or two of either grid; the places themselves must not move.
    assert np.mean((back > 127) == (upload[..., 0] > 0)) > 0.9


@pytest.mark.parametrize("normalization", ["percentile", "imagenet"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_short_cut_for_slices_of_the_networks_size_changes_no_bit(normalization, channels):
    preprocessing = Preprocessing(normalization=normalization)
    pixels = picture()[..., :channels]
    step_by_step = preprocessing.standardise(preprocessing.letterbox(preprocessing.scale(pixels)))
    assert np.array_equal(preprocessing.to_input(pixels), step_by_step)
