"""Small pictures."""

import cv2
import numpy as np
import pytest

from shared.imaging.thumbnail import small, thumbnail


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
