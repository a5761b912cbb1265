
import cv2
import numpy as np
import pytest

from shared.pictures.decode import decode
from shared.pictures.render import (
    CLASS_COLORS,
    beside,
    class_color,
    overlay,
    overlay_classes,
    parse_color,
    png,
    side_by_side,
    through_window,
    to_display,
)
from tests.fakes import images


def read(data: bytes) -> np.ndarray:
    """PNG -> (H, W) or RGB (H, W, 3)."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else pixels[..., ::-1]


# --- to_display ----------------------------------------------------------------------------------


def test_eight_bits_are_shown_as_they_are():
    pixels = images.picture()
    assert to_display(pixels) is pixels


def test_sixteen_bits_fill_the_screen_between_the_percentiles():
    values = np.linspace(1000, 3000, 100 * 100).reshape(100, 100, 1).astype(np.uint16)
    values[0, 0], values[-1, -1] = 0, 65535
    shown = to_display(values)
    assert shown.dtype == np.uint8
    assert shown.shape == (100, 100, 1)
    assert shown[0, 10] == 0
    assert shown[-1, -10] == 255
    assert abs(int(shown[50, 0, 0]) - 128) <= 2


def test_channels_share_one_window():
    values = np.zeros((20, 20, 3), np.uint16)
    values[..., 0], values[..., 1] = 1000, 500
    assert to_display(values)[0, 0].tolist() == [255, 128, 0]


@pytest.mark.parametrize("level", [0, 7, 65535])
def test_an_even_picture_can_be_shown(level):
    assert to_display(np.full((16, 16, 1), level, np.uint16)).shape == (16, 16, 1)


def test_a_few_bright_pixels_on_an_even_ground_are_shown():
    values = np.full((100, 100, 1), 100, np.uint16)
    values[5, 5] = 4000
    assert to_display(values)[5, 5] == 255


# --- png and overlay -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        images.picture(channels=1),
        images.picture(channels=1)[..., None],
        images.picture(),
        images.picture(dtype=np.uint16),
        images.picture(channels=1, dtype=np.uint16),
    ],
)
def test_a_png_holds_the_same_values(array):
    assert np.array_equal(decode(png(array)).pixels, array.reshape(*array.shape[:2], -1))


def test_a_mask_becomes_0_and_255():
    mask = images.picture(channels=1) > 100
    assert np.array_equal(read(png(mask)), mask * 255)


def test_a_fill_mixes_the_colour_in_and_leaves_the_rest():
    pixels = np.full((20, 30, 3), 100, np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:10, 5:10] = True
    got = read(overlay(pixels, mask, opacity=0.5, color=(200, 0, 50)))
    assert got.shape == (20, 30, 3)
    assert got[5, 5].tolist() == [150, 50, 75]
    assert np.array_equal(got[~mask], pixels[~mask])
    assert np.array_equal(read(overlay(pixels, mask, opacity=0.0)), pixels)
    assert read(overlay(pixels, mask, opacity=1.0, color=(1, 2, 3)))[7, 7].tolist() == [1, 2, 3]
    assert (pixels == 100).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_overlay_has_the_uploads_own_size_whatever_the_upload(channels, dtype):
    pixels = images.picture(33, 57, channels, dtype).reshape(33, 57, channels)
    assert read(overlay(pixels, np.zeros((33, 57), bool))).shape == (33, 57, 3)


def test_an_outline_paints_only_the_border_of_the_mask():
    pixels = np.zeros((20, 30, 1), np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[0:6, 5:10] = True  # reaches the picture's edge
    got = read(overlay(pixels, mask, opacity=1.0, color=(255, 255, 255), outline=True))[..., 0] > 0
    expected = mask.copy()
    expected[1:5, 6:9] = False
    assert np.array_equal(got, expected)


def test_an_outline_is_wider_on_a_large_picture():
    mask = np.zeros((2048, 2048), bool)
    mask[500:600, 500:600] = True
    pixels = np.zeros((2048, 2048, 1), np.uint8)
    got = read(overlay(pixels, mask, opacity=1.0, outline=True))[..., 0] > 0
    assert got[550, 500:550].sum() == 4


def test_colours_are_six_hexadecimal_digits():
    assert parse_color("ff8000") == parse_color("#FF8000") == (255, 128, 0)
    for text in ("", "red", "ff80", "ff80000", "ff80zz", "ff8000\n", "##ff8000", "f\u0665ff00"):
        with pytest.raises(ValueError, match="hexadecimal"):
            parse_color(text)


def test_each_class_has_its_own_colour():
    pixels = np.full((20, 30, 1), 100, np.uint8)
    labels = np.zeros((20, 30), np.uint8)
    labels[2:8, 2:8], labels[10:16, 10:16] = 1, 3
    got = overlay_classes(pixels, labels, opacity=1.0)
    assert (got.shape, got.dtype) == ((20, 30, 3), np.uint8)
    assert (tuple(got[4, 4]), tuple(got[12, 12])) == (CLASS_COLORS[0], CLASS_COLORS[2])
    assert (got[labels == 0] == 100).all()
    lines = overlay_classes(pixels, labels, opacity=1.0, outline=True)
    assert (lines[4, 4].tolist(), tuple(lines[2, 4])) == ([100] * 3, CLASS_COLORS[0])
    assert overlay_classes(pixels, labels, opacity=0.5)[4, 4].tolist() == [178, 50, 50]


def test_colours_of_classes_begin_anew_after_the_last():
    assert [class_color(label) for label in (1, 5, 6)] == [CLASS_COLORS[0], CLASS_COLORS[4], CLASS_COLORS[0]]


# --- through_window ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_a_window_is_black_below_white_above_and_linear_between(dtype):
    values = np.array([0, 50, 60, 100, 120], dtype).reshape(1, 5, 1)
    shown = through_window(values, 50, 100)
    assert (shown.dtype, shown.shape) == (np.uint8, (1, 5, 1))
    assert shown.ravel().tolist() == [0, 0, 51, 255, 255]


def test_a_window_of_no_width_tells_above_from_below():
    assert through_window(np.array([[[4], [5], [6]]], np.uint16), 5, 5).ravel().tolist() == [0, 0, 255]


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (3, np.uint16)])
def test_a_picture_stands_beside_itself_with_the_outline(channels, dtype):
    pixels = images.picture(channels=channels, dtype=dtype).reshape(40, 56, channels)
    mask = np.zeros((40, 56), bool)
    mask[10:20, 10:20] = True
    shown = read(beside(pixels, mask))
    left, right = shown[:, :56], shown[:, 56:]
    assert (left == np.broadcast_to(to_display(pixels), (40, 56, 3))).all()
    changed = (left != right).any(axis=2)
    assert (right[10, 10] == (255, 0, 0)).all() and changed.sum() == 36 and not changed[12:18, 12:18].any()


def test_modalities_stand_side_by_side_each_in_its_own_window_and_classes_have_colours():
    dim = np.linspace(0, 90, 40 * 56).reshape(40, 56, 1).astype(np.uint16)
    bright = dim * np.uint16(700)
    labels = np.zeros((40, 56), np.uint8)
    labels[10:20, 10:20], labels[10:20, 20:30], labels[30, 30] = 1, 3, 7
    shown = read(side_by_side([dim, bright], bright, labels))
    assert shown.shape == (40, 3 * 56, 3)
    np.testing.assert_allclose(shown[:, :56].astype(int), shown[:, 56:112].astype(int), atol=3)
    painted = shown[:, 112:]
    assert [tuple(painted[y, x]) for y, x in ((10, 10), (10, 25), (30, 30))] == [
        CLASS_COLORS[0], CLASS_COLORS[2], CLASS_COLORS[1],
    ]  # fmt: skip
    assert (painted[15, 15] == to_display(bright)[15, 15]).all()
