import io

import numpy as np
import pytest
from PIL import Image

from shared.pictures.label_png import label_png, read_label_png
from shared.pictures.png_writer import grey_png
from shared.pictures.render import CLASS_COLORS


@pytest.mark.parametrize("highest", [0, 1, 3, 7, 255])
def test_labels_come_back_as_they_were(highest):
    labels = np.random.default_rng(0).integers(0, highest + 1, (23, 37), dtype=np.uint8)
    assert np.array_equal(read_label_png(label_png(labels)), labels)


def test_viewers_show_each_label_in_its_colour():
    labels = np.array([[0, 1, 2], [3, 5, 6]], np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(label_png(labels))).convert("RGB"))
    assert shown[0].tolist() == [[0, 0, 0], list(CLASS_COLORS[0]), list(CLASS_COLORS[1])]
    assert shown[1].tolist() == [list(CLASS_COLORS[2]), list(CLASS_COLORS[4]), list(CLASS_COLORS[0])]


def test_a_picture_without_a_palette_has_no_labels():
    with pytest.raises(ValueError, match="palette"):
        read_label_png(grey_png(np.zeros((3, 3), np.uint8)))
