"""Small pictures."""

import cv2
import numpy as np
import pytest

from shared.pictures.thumbnail import small, thumbnail


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((300, 200), (96, 64, 3)),
        ((10, 20, 1), (10, 20, 3)),
        ((1000, 2, 3), (96, 1, 3)),
        ((96, 96, 3), (96, 96, 3)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_longer_side_is_as_asked_and_nothing_is_enlarged(
    shape: tuple[int, ...], expected: tuple[int, ...], dtype: type
) -> None:
    made = small(np.full(shape, 7, dtype), 96)
    assert made.shape == expected and made.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "spacing", "side", "expected"),
    [
        ((64, 256), (2.0, 0.5), 96, (96, 96, 3)),
        ((256, 64, 1), (0.5, 2.0), 256, (256, 256, 3)),
        ((256, 64, 3), (2.0, 0.5), 96, (96, 6, 3)),
        ((10, 20), (1.0, 0.5), 96, (20, 20, 3)),  # as many pixels as its longer side has, and no more
        ((300, 200), (0.7, 0.7), 96, (96, 64, 3)),
    ],
)
def test_pixels_that_are_not_square_are_shown_in_true_proportion(
    shape: tuple[int, ...], spacing: tuple[float, float], side: int, expected: tuple[int, ...]
) -> None:
    made = small(np.full(shape, 7, np.uint8), side, spacing)
    assert made.shape == expected and (made == 7).all()


def test_a_direction_that_shrinks_is_averaged_while_the_other_grows() -> None:
    stripes = np.zeros((32, 256), np.uint8)
    stripes[:, ::2] = 200
    made = small(stripes, 64, (4.0, 0.5))
    assert made.shape == (64, 64, 3) and (made == 100).all()


def test_a_small_picture_is_a_copy() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    small(picture, 96)[:] = 1
    assert not picture.any()


def test_a_thumbnail_is_a_webp_in_its_colours() -> None:
    picture = np.zeros((200, 100, 3), np.uint8)
    picture[..., 0] = 200
    data = thumbnail(picture, 50)
    assert data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    blue, green, red = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[25, 12].astype(int)
    assert red > 190 and max(blue, green) < 15
