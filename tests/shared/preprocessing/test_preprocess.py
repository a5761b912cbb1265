"""Preprocessing gives the network the same slice whatever the upload's size, depth and brightness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.preprocessing.preprocess import NORMALIZATIONS, Preprocessing


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


def volume(channels=4, seed=0):
    generator = np.random.default_rng(seed)
    slices = generator.integers(100, 3000, (5, 32, 32, channels)).astype(np.uint16)
    slices[:, :8] = 0  # background
    return slices * np.arange(1, 6, dtype=np.uint16)[:, None, None, None]


def test_min_max_is_that_of_each_channel_of_the_volume():
    slices = volume()
    preprocessing = Preprocessing(4, 32, "min_max")
    levels = preprocessing.levels(slices)
    scaled = np.stack([preprocessing.scale(piece, levels) for piece in slices])
    for channel in range(4):
        values = slices[..., channel].astype(float)
        expected = (values - values.min()) / (values.max() - values.min())
        assert np.allclose(scaled[..., channel], expected, atol=1e-6)


def test_z_scores_are_those_of_what_is_not_background():
    slices = volume()
    preprocessing = Preprocessing(4, 32, "z_score")
    levels = preprocessing.levels(slices)
    scaled = np.stack([preprocessing.scale(piece, levels) for piece in slices])
    for channel in range(4):
        values = slices[..., channel].astype(float)
        inside = values[values > 0]
        z = np.clip((values - inside.mean()) / inside.std(), -4, 4)
        assert np.allclose(scaled[..., channel] * 8 - 4, z, atol=1e-4)


@pytest.mark.parametrize("normalization", ["min_max", "z_score"])
def test_a_slice_alone_is_taken_for_its_volume(normalization):
    preprocessing = Preprocessing(4, 32, normalization)
    piece = volume()[2]
    assert np.array_equal(
        preprocessing.scale(piece), preprocessing.scale(piece, preprocessing.levels([piece]))
    )


@pytest.mark.parametrize("normalization", ["min_max", "z_score"])
def test_a_channel_of_one_value_is_no_division_by_zero(normalization):
    flat = np.full((16, 16, 3), 7, np.uint16)
    assert np.isfinite(Preprocessing(3, 32, normalization).to_input(flat)).all()


@pytest.mark.parametrize("normalization", ["percentile", "imagenet"])
def test_these_scale_each_slice_by_itself(normalization):
    assert Preprocessing(4, 32, normalization).levels(volume()) is None


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("size", [(32, 32), (20, 48), (64, 64)])
def test_any_number_of_channels_becomes_an_input(channels, size):
    pixels = np.random.default_rng(0).integers(0, 200, (*size, channels)).astype(np.uint8)
    assert Preprocessing(channels, 32).to_input(pixels).shape == (channels, 32, 32)


def test_colour_is_made_grey_for_a_network_of_one_channel():
    colour = np.zeros((32, 32, 3), np.uint8)
    colour[..., 0], colour[..., 1] = 30, 90
    scaled = Preprocessing(1, 32, "imagenet").scale(colour)
    assert np.allclose(scaled, 40 / 255)


def test_channels_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="3 channels where the network takes 4"):
        Preprocessing(4, 32).to_input(np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize("side", [24, 48, 75])
def test_labels_come_back_in_the_place_of_the_map(side):
    inside = np.zeros((32, 32), np.uint8)
    inside[8:24, 8:24] = 1
    preprocessing = Preprocessing(4, 32)
    labels = preprocessing.labels_from_output(inside, side, side) > 0
    mask = preprocessing.from_output(inside.astype(np.float32), side, side) >= 128
    centres = [np.argwhere(found).mean(axis=0) for found in (labels, mask)]
    assert np.abs(centres[0] - centres[1]).max() < 0.25


def test_labels_come_back_at_the_uploads_size():
    labels = np.zeros((32, 32), np.uint8)
    labels[16:, :] = 2
    back = Preprocessing(4, 32).labels_from_output(labels, 64, 32)
    assert back.shape == (64, 32)
    assert (back[:30] == 0).all() and (back[34:] == 2).all()


def test_a_dark_slice_of_a_volume_stays_dark():
    bright = np.zeros((32, 32, 1), np.uint16)
    bright[8:24, 8:24] = 4000
    noise = np.random.default_rng(0).integers(0, 20, (32, 32, 1)).astype(np.uint16)
    preprocessing = Preprocessing(image_size=32)
    alone = preprocessing.scale(noise)
    levels = preprocessing.levels_by_slice([bright, noise])
    beside = preprocessing.scale(noise, levels[1])
    assert alone.max() >= 0.8
    assert beside.max() < 0.15
    np.testing.assert_allclose(preprocessing.scale(bright, levels[0]), preprocessing.scale(bright), rtol=1e-5)


@pytest.mark.parametrize("normalization", ["imagenet", "min_max", "z_score"])
def test_other_normalizations_are_as_they_are_by_slice(normalization):
    slices = [np.random.default_rng(n).integers(0, 3000, (32, 32, 1)).astype(np.uint16) for n in range(3)]
    preprocessing = Preprocessing(channels=1, image_size=32, normalization=normalization)
    whole = preprocessing.levels(slices)
    for pixels, levels in zip(slices, preprocessing.levels_by_slice(slices), strict=True):
        np.testing.assert_allclose(
            preprocessing.scale(pixels, levels), preprocessing.scale(pixels, whole), rtol=1e-5
        )


# --- pixels that are longer one way -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"), [((256, 256), 12), ((512, 512), 48), ((512, 100), 48), ((64, 64), 1), ((16, 16), 1)]
)
def test_the_smallest_region_scales_with_the_longer_side(size, expected):
    assert Preprocessing().smallest_region(12, *size) == expected


@pytest.mark.parametrize(
    ("size", "spacing", "expected"),
    [
        ((256, 24), (1.0, 5.0), 6),  # sagittal slices 5 mm apart, cut across: a fifth of 32
        ((24, 256), (5.0, 1.0), 6),
        ((64, 256), (4.0, 1.0), 8),
        ((512, 512), (0.5, 0.5), 128),
        ((256, 256), (0.5, 2.0), 128),  # 256 x 1024 square pixels
        ((256, 24), None, 32),
        ((256, 24), (None, 5.0), 32),
    ],
)
def test_the_smallest_region_is_as_large_whatever_the_pixels_are(size, spacing, expected):
    assert Preprocessing().smallest_region(32, *size, spacing) == expected


def blob(height, width, row, column):
    """A smooth head with a bright spot, sampled every `row` and `column` mm of 240 mm each way."""
    ys, xs = np.meshgrid((np.arange(height) + 0.5) * row, (np.arange(width) + 0.5) * column, indexing="ij")
    inside = ((ys - 120) / 100) ** 2 + ((xs - 120) / 80) ** 2 < 1
    spot = np.exp(-(((ys - 90) / 20) ** 2 + ((xs - 150) / 20) ** 2))
    return np.rint(np.where(inside, 80 + 120 * spot, 0)).astype(np.uint8)[..., None]


@pytest.mark.parametrize(("row", "column"), [(4, 1), (1, 4), (0.5, 2), (2.5, 1), (1, 1.5)])
def test_a_network_sees_the_same_head_whatever_its_pixels_are(row, column):
    preprocessing = Preprocessing(1, 240)
    square = preprocessing.fit(blob(240, 240, 1, 1), None, (1, 1))
    seen = preprocessing.fit(blob(round(240 / row), round(240 / column), row, column), None, (row, column))
    assert np.abs(seen - square).mean() < 0.02
    unaware = preprocessing.fit(blob(round(240 / row), round(240 / column), row, column))
    assert np.abs(unaware - square).mean() > 0.05


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("spacing", [None, (4.0, 1.0), (0.5, 2.0), (2.0, 0.5)])
def test_a_picture_is_as_bright_as_the_same_slice_of_a_volume(normalization, spacing):
    preprocessing = Preprocessing(1, 64, normalization)
    generator = np.random.default_rng(8)
    pixels = generator.integers(20, 600, (40, 60, 1)).astype(np.uint16)
    pixels[generator.random((40, 60)) < 0.01] = 900
    (levels,) = preprocessing.levels_by_slice([pixels])
    as_volume = preprocessing.fit(pixels, levels, spacing)
    np.testing.assert_allclose(preprocessing.fit(pixels, None, spacing), as_volume, rtol=0, atol=1e-6)


@pytest.mark.parametrize("spacing", [(4.0, 1.0), (1.0, 4.0), (0.5, 2.0)])
def test_maps_and_labels_come_back_to_the_pixels_that_were_sent(spacing):
    preprocessing = Preprocessing(1, 64)
    height, width = 40, 60
    image = np.zeros((height, width, 1), np.uint8)
    image[10:20, 30:50] = 200
    seen = preprocessing.fit(image, None, spacing)[..., 0]
    seen = seen / seen.max()
    back = preprocessing.from_output(seen, height, width, spacing)
    assert back.shape == (height, width)
    there = image[..., 0] > 0
    found = back >= 128
    assert 2 * (there & found).sum() / (there.sum() + found.sum()) > 0.85
    labels = preprocessing.labels_from_output((seen > 0.5).astype(np.uint8), height, width, spacing)
    assert 2 * (there & (labels > 0)).sum() / (there.sum() + labels.sum()) > 0.85


def test_square_pixels_change_nothing():
    pixels = picture(100, 300)
    plain = Preprocessing().to_input(pixels)
    for spacing in (None, (0.7, 0.7), (0.7, 0.72), (None, None)):
        assert np.array_equal(Preprocessing().to_input(pixels, None, spacing), plain)
