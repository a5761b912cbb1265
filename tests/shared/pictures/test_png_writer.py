"""The PNG that we write ourselves is one that everybody reads."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from shared.pictures.png_writer import grey_png

IMAGES = [
    np.zeros((1, 1), np.uint8),
    np.arange(256, dtype=np.uint8).reshape(1, 256),
    np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8),
    np.asfortranarray(np.random.default_rng(1).integers(0, 256, (64, 48), dtype=np.uint8)),
]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: "x".join(map(str, image.shape)))
def test_other_readers_see_the_same_pixels(image):
    data = grey_png(image)
    read = Image.open(io.BytesIO(data))
    read.load()
    assert (read.mode, read.size) == ("L", (image.shape[1], image.shape[0]))
    assert np.array_equal(np.asarray(read), image)
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), image)


def test_a_map_without_tumour_takes_next_to_nothing():
    assert len(grey_png(np.zeros((256, 256), np.uint8))) < 500
