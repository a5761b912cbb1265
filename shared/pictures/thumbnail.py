"""Small pictures for lists."""

from collections.abc import Sequence

import cv2
import numpy as np

from shared.pictures.proportions import true_size
from shared.pictures.render import to_display

SMALLEST, LARGEST, USUAL = 32, 256, 96  # pixels of the longer side
_QUALITY = 85  # 1.5 kB at 96 pixels, where a PNG takes 14


def small(picture: np.ndarray, side: int, spacing_mm: Sequence[float] | None = None) -> np.ndarray:
    """(H, W), (H, W, 1) or RGB (H, W, 3) -> uint8 RGB in true proportion; a copy.

    `spacing_mm` is that of rows and columns; unknown is square. The longer side has `side` pixels, or as many as the
    picture's own longer side where those are fewer.
    """
    shown = to_display(picture if picture.ndim == 3 else picture[..., None])
    height, width = shown.shape[:2]
    true = true_size(height, width, spacing_mm)
    scale = min(side, max(height, width)) / max(true)
    high, wide = (max(1, round(length * scale)) for length in true)
    # One direction may shrink while the other grows, and averaging is for the one that shrinks.
    least = cv2.resize(shown, (min(wide, width), min(high, height)), interpolation=cv2.INTER_AREA)
    scaled = cv2.resize(least, (wide, high), interpolation=cv2.INTER_LINEAR).reshape(high, wide, -1)
    return np.ascontiguousarray(np.broadcast_to(scaled, (*scaled.shape[:2], 3))).copy()


def thumbnail(picture: np.ndarray, side: int, spacing_mm: Sequence[float] | None = None) -> bytes:
    """The picture, made `small` -> WebP."""
    bgr = cv2.cvtColor(small(picture, side, spacing_mm), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".webp", bgr, (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))
    if not done:
        raise ValueError(f"cannot encode an array of {bgr.shape} {bgr.dtype} as WebP")
    return encoded.tobytes()
