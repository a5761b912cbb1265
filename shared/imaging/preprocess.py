"""From a slice's pixels to what the network sees, and back: one frozen object, for training and serving."""

from dataclasses import dataclass

import cv2
import numpy as np

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
NORMALIZATIONS = ("percentile", "imagenet")


@dataclass(frozen=True)
class Preprocessing:
    """How one model wants its pixels; stored in the model's card.

    `percentile`: each channel of each slice is divided by its own `percentile`-th percentile, so that the result
    does not depend on the scanner's or the exporting program's brightness, nor on 8 or 16 bit; MRI has no absolute
    units. `imagenet`: divided by the full range of the data type. Both end with ImageNet's mean and deviation,
    which pretrained encoders expect.
    """

    channels: int = 3
    image_size: int = 256
    normalization: str = "percentile"
    percentile: float = 99.5
    percentile_value: float = (
        0.8  # where that percentile lands in 0..1: leaves room for what is brighter still
    )
    percentile_floor: float = 10.0  # raw units; an empty slice's noise is not blown up to full contrast

    def __post_init__(self) -> None:
        if self.normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization {self.normalization!r} is not one of {', '.join(NORMALIZATIONS)}"
            )
        if self.channels != 3:
            raise ValueError("channels must be 3")

    def scale(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """uint8 or uint16 (H, W, 1 or 3) -> float32 (H, W, 3) in 0..1; a grey slice fills all three channels."""
        channels = [self._scale_channel(pixels_HWC[..., c]) for c in range(pixels_HWC.shape[2])]
        return np.ascontiguousarray(np.stack(channels * (self.channels // len(channels)), axis=-1))

    def letterbox(self, image_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, 3) -> (image_size, image_size, 3): padded to a square with black, then resized."""
        height, width = image_HWC.shape[:2]
        side = max(height, width)
        if height != width:
            top, left = (side - height) // 2, (side - width) // 2
            image_HWC = cv2.copyMakeBorder(
                image_HWC, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=0
            )
        if side == self.image_size:
            return image_HWC
        # Area averaging when shrinking: plain bilinear would skip pixels and alias.
        method = cv2.INTER_AREA if side > self.image_size else cv2.INTER_LINEAR
        return cv2.resize(image_HWC, (self.image_size, self.image_size), interpolation=method)

    def standardise(self, image_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, 3) in 0..1 -> float32 (3, H, W), ImageNet's mean and deviation."""
        mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
        return ((image_HWC - mean) / std).transpose(2, 0, 1)

    def to_input(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """uint8 or uint16 (H, W, 1 or 3) -> float32 (3, image_size, image_size), contiguous."""
        if pixels_HWC.dtype == np.uint8 and pixels_HWC.shape[:2] == (self.image_size, self.image_size):
            return self._by_table(pixels_HWC)
        return np.ascontiguousarray(self.standardise(self.letterbox(self.scale(pixels_HWC))))

    def from_output(self, probability_hw: np.ndarray, height: int, width: int) -> np.ndarray:
        """Probability (image_size, image_size) in 0..1 -> uint8 (height, width), 0..255: the published map."""
        side = max(height, width)
        if probability_hw.shape != (side, side):
            method = cv2.INTER_AREA if side < self.image_size else cv2.INTER_LINEAR
            probability_hw = cv2.resize(probability_hw, (side, side), interpolation=method)
        top, left = (side - height) // 2, (side - width) // 2
        cropped = probability_hw[top : top + height, left : left + width]
        return np.rint(np.clip(cropped, 0.0, 1.0) * 255.0).astype(np.uint8)

    def _by_table(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """`to_input` where nothing is resized: only the 256 values of each channel are computed, to the same bits."""
        values = np.arange(256, dtype=np.uint8)
        planes = cv2.split(pixels_HWC)
        scaled = [self._scaled(values, plane_HW) for plane_HW in planes]
        channels = range(self.channels)
        table_VC = np.stack([scaled[c % len(planes)] for c in channels], axis=-1)
        table_CV = self.standardise(table_VC[:, None])[:, :, 0]
        return np.stack(
            [cv2.LUT(planes[c % len(planes)], np.ascontiguousarray(table_CV[c])) for c in channels]
        )

    def _scale_channel(self, channel_HW: np.ndarray) -> np.ndarray:
        return self._scaled(channel_HW, channel_HW)

    def _scaled(self, values: np.ndarray, channel_HW: np.ndarray) -> np.ndarray:
        """Raw values of a channel -> float32 in 0..1, by that channel's own range."""
        if self.normalization == "imagenet":
            return values.astype(np.float32) / np.float32(np.iinfo(channel_HW.dtype).max)
        top = max(_percentile(channel_HW, self.percentile), self.percentile_floor)
        return np.minimum(
            values.astype(np.float32) * np.float32(self.percentile_value / top), np.float32(1.0)
        )


def _percentile(channel_HW: np.ndarray, percent: float) -> float:
    """The smallest value that at least `percent` % of the pixels do not exceed (histogram: no sort)."""
    if channel_HW.dtype == np.uint8:
        plane_HW = np.ascontiguousarray(channel_HW)
        counts = cv2.calcHist([plane_HW], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    else:
        counts = np.bincount(channel_HW.ravel(), minlength=1)
    return float(np.searchsorted(np.cumsum(counts), channel_HW.size * percent / 100.0))
