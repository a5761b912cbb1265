"""Pictures for people and browsers, always at the upload's own width and height."""

import math
import re
from collections.abc import Sequence

import cv2
import numpy as np

__all__ = [
    "CLASS_COLORS", "beside", "class_color", "overlay", "overlay_classes", "parse_color", "png",
    "side_by_side", "through_window", "to_display",
]  # fmt: skip

Color = tuple[int, int, int]
# of labels from 1 on; from the last one on they begin anew
CLASS_COLORS: tuple[Color, ...] = ((255, 0, 0), (0, 220, 0), (255, 220, 0), (0, 170, 255), (255, 0, 255))

# 16-bit MRI fills a small part of its range: what lies between these percentiles fills the screen's.
_WINDOW_PERCENTILES = (0.5, 99.5)
_PERCENTILE_PIXELS = 1_000_000
_OUTLINE_FRACTION = 512  # the outline is one pixel wide for every so many of the longer side
# Runs of equal bytes are what masks and probability maps are made of: the smallest files, and fast.
_PNG_OPTIONS = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def to_display(pixels_HWC: np.ndarray) -> np.ndarray:
    """uint8 or uint16 (H, W, 1 or 3) -> uint8 of the same shape, as a screen can show it.

    8 bit stays as it is. 16 bit is windowed: the 0.5th percentile becomes 0 and the 99.5th 255, linear between, one
    window for all channels so that they keep their relation (above a million pixels, percentiles of every n-th).
    """
    if pixels_HWC.dtype == np.uint8:
        return pixels_HWC
    step = max(1, math.isqrt(pixels_HWC.shape[0] * pixels_HWC.shape[1] // _PERCENTILE_PIXELS))
    low, high = np.percentile(pixels_HWC[::step, ::step], _WINDOW_PERCENTILES)
    if low == high:  # a few bright pixels on an even ground: show those
        low, high = float(pixels_HWC.min()), float(pixels_HWC.max())
    window = (np.arange(65536) - low) * (255.0 / max(high - low, 1.0))
    return np.rint(np.clip(window, 0.0, 255.0)).astype(np.uint8)[pixels_HWC]


def through_window(pixels_HWC: np.ndarray, low: float, high: float) -> np.ndarray:
    """A slice (H, W, C) of any type -> uint8 of the same shape: `low` and below are 0, `high` and above 255.

    It is linear between them: one window for all slices of a volume, so that they can be compared. One of no width
    shows `low` as black and what is above it as white.
    """
    if pixels_HWC.dtype in (np.uint8, np.uint16):
        levels = np.arange(int(np.iinfo(pixels_HWC.dtype).max) + 1)
        return _windowed(levels, low, high)[pixels_HWC]
    return _windowed(pixels_HWC, low, high)


def _windowed(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if high <= low:
        return np.where(values > low, 255, 0).astype(np.uint8)
    return np.rint(np.clip((values - low) * (255.0 / (high - low)), 0.0, 255.0)).astype(np.uint8)


def png(array: np.ndarray) -> bytes:
    """bool, uint8 or uint16 (H, W), (H, W, 1) or RGB (H, W, 3) -> PNG; a bool mask becomes 0 and 255."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.ndim == 3 and array.shape[2] == 3:
        array = cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", array, _PNG_OPTIONS)
    if not done:
        raise ValueError(f"cannot encode an array of {array.shape} {array.dtype} as PNG")
    return encoded.tobytes()


def parse_color(text: str) -> Color:
    """`ff0000` or `#ff0000` -> (255, 0, 0); raises ValueError."""
    match = _HEX_COLOR.fullmatch(text)
    if match is None:
        raise ValueError("a colour is six hexadecimal digits, such as ff0000")
    red, green, blue = (int(part, 16) for part in match.groups())
    return red, green, blue


def overlay(
    pixels_HWC: np.ndarray,
    mask_HW: np.ndarray,
    *,
    opacity: float = 0.5,
    color: Color = (255, 0, 0),
    outline: bool = False,
) -> bytes:
    """Picture (H, W, 1 or 3) with the bool mask (H, W) in `color`, filled or only its border -> PNG, RGB 8 bit.

    `opacity` 0..1 mixes the colour in: 0 leaves the picture, 1 hides it.
    """
    rgb_HWC = _rgb(pixels_HWC).copy()
    _paint(rgb_HWC, border(mask_HW) if outline else mask_HW, color, opacity)
    return png(rgb_HWC)


def overlay_classes(
    pixels_HWC: np.ndarray, labels_HW: np.ndarray, *, opacity: float = 0.5, outline: bool = False
) -> np.ndarray:
    """Picture (H, W, 1 or 3) with each label of uint8 (H, W), 0 for none, in its colour -> uint8 RGB (H, W, 3)."""
    rgb_HWC = _rgb(pixels_HWC).copy()
    for label in np.unique(labels_HW[labels_HW > 0]):
        inside_HW = labels_HW == label
        _paint(rgb_HWC, border(inside_HW) if outline else inside_HW, class_color(int(label)), opacity)
    return rgb_HWC


def class_color(label: int) -> Color:
    """The colour of a label, from 1 on; beyond the last of CLASS_COLORS they begin anew."""
    return CLASS_COLORS[(label - 1) % len(CLASS_COLORS)]


def _paint(rgb_HWC: np.ndarray, painted_HW: np.ndarray, color: Color, opacity: float) -> None:
    for channel, value in enumerate(color):
        mixed = np.rint((1.0 - opacity) * np.arange(256) + opacity * value).astype(np.uint8)
        rgb_HWC[painted_HW, channel] = mixed[rgb_HWC[painted_HW, channel]]


def beside(pixels_HWC: np.ndarray, labels_HW: np.ndarray) -> bytes:
    """Picture (H, W, 1 or 3), and to its right the same with the outlines of the labels -> PNG (H, 2 W), RGB 8 bit.

    Labels: a bool mask, or uint8 with 0 for none; each has its colour of CLASS_COLORS.
    """
    return side_by_side([pixels_HWC], pixels_HWC, labels_HW)


def side_by_side(pictures: Sequence[np.ndarray], outlined_HWC: np.ndarray, labels_HW: np.ndarray) -> bytes:
    """Pictures (H, W, 1 or 3), each in its own window, then one with the outlines of the labels -> PNG, RGB 8 bit."""
    painted_HWC = overlay_classes(outlined_HWC, labels_HW.astype(np.uint8), opacity=1.0, outline=True)
    return png(np.hstack([*map(_rgb, pictures), painted_HWC]))


def _rgb(pixels_HWC: np.ndarray) -> np.ndarray:
    """As a screen can show it, uint8 (H, W, 3)."""
    shown = to_display(pixels_HWC)
    return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown


def border(mask_HW: np.ndarray) -> np.ndarray:
    """The mask's own pixels next to what it leaves out (the picture's edge counts as left out)."""
    thickness = max(1, round(max(mask_HW.shape) / _OUTLINE_FRACTION))
    inner_HW = cv2.erode(
        mask_HW.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=thickness,
        borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,),
    )  # fmt: skip
    return mask_HW & (inner_HW == 0)
