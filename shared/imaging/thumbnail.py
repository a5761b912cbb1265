"""Small pictures for lists."""

import cv2
import numpy as np

from shared.imaging.render import to_display

SMALLEST, LARGEST, USUAL = 32, 256, 96  # pixels of the longer side
_QUALITY = 85  # 1.5 kB at 96 pixels, where a PNG takes 14


def small(picture: np.ndarray, side: int) -> np.ndarray:
    """(H, W), (H, W, 1) or RGB (H, W, 3) -> uint8 RGB, at most `side` on its longer side, never enlarged; a copy."""
    shown = to_display(picture if picture.ndim == 3 else picture[..., None])
    height, width = shown.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = cv2.resize(shown, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    return np.ascontiguousarray(np.broadcast_to(scaled, (*scaled.shape[:2], 3))).copy()


def thumbnail(picture: np.ndarray, side: int) -> bytes:
    """The picture, made `small` -> WebP."""
    bgr = cv2.cvtColor(small(picture, side), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".webp", bgr, (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))
    if not done:
        raise ValueError(f"cannot encode an array of {bgr.shape} {bgr.dtype} as WebP")
    return encoded.tobytes()
