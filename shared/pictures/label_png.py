"""Labels of a slice as a palette PNG: the pixel's value is the label, and viewers show each in its colour."""

import io

import numpy as np
from PIL import Image

from shared.pictures.png_writer import indexed_png
from shared.pictures.render import class_color


def label_png(labels_HW: np.ndarray) -> bytes:
    """uint8 (H, W), 0 for none -> palette PNG: black for 0, then the colours of render.CLASS_COLORS, label by label."""
    highest = int(labels_HW.max(initial=0))
    palette = bytes(3) + b"".join(bytes(class_color(label)) for label in range(1, highest + 1))
    return indexed_png(labels_HW, palette)


def read_label_png(data: bytes) -> np.ndarray:
    """What `label_png` made -> uint8 labels (H, W); ValueError for a PNG without a palette."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if picture.mode != "P":
            raise ValueError(f"labels are kept in a palette PNG; this one is of mode {picture.mode}")
        return np.array(picture, np.uint8)
