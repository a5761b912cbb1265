"""From a slice's stored pixels to what the network sees, and back: one step for training, evaluation, serving."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from shared.preprocessing.square_pixels import PixelSpacing, Squared

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
NORMALIZATIONS = ("percentile", "imagenet", "min_max", "z_score")
# By the range of a patient's whole volume, not of each slice.
BY_VOLUME = ("min_max", "z_score")
MOST_CHANNELS = 8
DEVIATIONS = 4.0  # of z-scores that are told apart: beyond, a voxel is as bright or dark as can be


@dataclass(frozen=True)
class Preprocessing:
    """How one model wants its pixels; stored in the model's card.

    `percentile`: each channel of each slice is divided by its own `percentile`-th percentile, so that the result
    does not depend on the scanner's or the exporting program's brightness, nor on 8 or 16 bit; MRI has no absolute
    units. `imagenet`: divided by the full range of the data type. `min_max`: from the smallest to the largest value of
    the channel in the patient's volume. `z_score`: from four standard deviations below to four above the mean of what
    is not 0 in it. All end with ImageNet's mean and deviation, which pretrained encoders expect.
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
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise ValueError(f"channels must be from 1 to {MOST_CHANNELS}")

    def levels(self, slices: Iterable[np.ndarray]) -> np.ndarray | None:
        """What becomes 0 and what becomes 1 in each channel of a volume, float64 (C, 2); of its slices (H, W, C).

        None where each slice is scaled by itself.
        """
        if self.normalization not in BY_VOLUME:
            return None
        low = high = total = squares = count = np.zeros(self.channels)
        for n, slice_HWC in enumerate(slices):
            values_PC = self._fitted(slice_HWC).reshape(-1, self.channels).astype(np.float64)
            low = values_PC.min(0) if n == 0 else np.minimum(low, values_PC.min(0))
            high = values_PC.max(0) if n == 0 else np.maximum(high, values_PC.max(0))
            total, squares = total + values_PC.sum(0), squares + np.square(values_PC).sum(0)
            count = count + (values_PC != 0).sum(0)
        if self.normalization == "z_score":
            mean = total / np.maximum(count, 1)
            spread = DEVIATIONS * np.sqrt(np.maximum(squares / np.maximum(count, 1) - np.square(mean), 0))
            low, high = mean - spread, mean + spread
        return np.stack([low, np.where(high > low, high, low + 1)], axis=-1)

    def levels_by_slice(self, slices: Sequence[np.ndarray]) -> list[np.ndarray]:
        """`levels` for each slice (H, W, C) of a whole volume, float64 (C, 2) each.

        Where slices are scaled by themselves, one that is dark beside the rest of its volume (air, noise) is not blown
        up to full contrast: `percentile_floor` is meant for 8 bit, so its share of 255 is taken of the brightest slice.
        """
        levels_C2 = self.levels(slices)
        if levels_C2 is not None:
            return [levels_C2] * len(slices)
        if self.normalization == "imagenet":
            top = float(np.iinfo(slices[0].dtype).max)
            return [np.tile([0.0, top], (self.channels, 1))] * len(slices)
        tops_DC = np.array([self._tops(slice_HWC) for slice_HWC in slices])
        floors_C = np.maximum(tops_DC.max(axis=0) * (self.percentile_floor / 255.0), 1.0)
        ones_DC = np.maximum(tops_DC, floors_C) / self.percentile_value
        return [np.stack([np.zeros(self.channels), ones_C], axis=-1) for ones_C in ones_DC]

    def _tops(self, slice_HWC: np.ndarray) -> list[float]:
        fitted_HWC = self._fitted(slice_HWC)
        if slice_HWC.shape[2] == 1:
            return [_percentile(fitted_HWC[..., 0], self.percentile)] * self.channels
        return [_percentile(fitted_HWC[..., c], self.percentile) for c in range(self.channels)]

    def scale(self, pixels_HWC: np.ndarray, levels_C2: np.ndarray | None = None) -> np.ndarray:
        """uint8 or uint16 (H, W, C) -> float32 (H, W, channels) in 0..1.

        Grey pixels fill all channels; for a network of one channel colour is made grey. `levels_C2` are the volume's;
        without them the slice is taken for all of its volume.
        """
        pixels_HWC = self._fitted(pixels_HWC)
        if levels_C2 is None:
            levels_C2 = self.levels([pixels_HWC])
        planes = [pixels_HWC[..., c] for c in range(pixels_HWC.shape[2])]
        return np.ascontiguousarray(
            np.stack([self._scaled(plane, plane, levels_C2, c) for c, plane in enumerate(planes)], axis=-1)
        )

    def letterbox(self, image_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, C) -> (image_size, image_size, C): padded to a square with black, then resized."""
        height, width = image_HWC.shape[:2]
        side = max(height, width)
        if height != width:
            top, left = (side - height) // 2, (side - width) // 2
            image_HWC = cv2.copyMakeBorder(
                image_HWC, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=0
            ).reshape(side, side, -1)  # OpenCV drops a single channel
        if side == self.image_size:
            return image_HWC
        # Area averaging when shrinking: plain bilinear would skip pixels and alias.
        method = cv2.INTER_AREA if side > self.image_size else cv2.INTER_LINEAR
        resized = cv2.resize(image_HWC, (self.image_size, self.image_size), interpolation=method)
        return resized.reshape(self.image_size, self.image_size, -1)

    def fit(
        self, pixels_HWC: np.ndarray, levels_C2: np.ndarray | None = None, spacing_mm: PixelSpacing = None
    ) -> np.ndarray:
        """uint8 or uint16 (H, W, C) -> float32 (image_size, image_size, channels) in 0..1.

        Pixels are scaled (see `scale`), made square by their `spacing_mm` (row, column), padded and resized: in this
        order, so that the stored pixels say how bright a slice is, of a picture and of a volume alike.
        """
        squared = Squared.of(pixels_HWC.shape[0], pixels_HWC.shape[1], spacing_mm)
        return self.letterbox(squared.there(self.scale(pixels_HWC, levels_C2)))

    def standardise(self, image_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, C) in 0..1 -> float32 (C, H, W), ImageNet's mean and deviation."""
        mean_C, std_C = imagenet_statistics(image_HWC.shape[2])
        return ((image_HWC - mean_C) / std_C).transpose(2, 0, 1)

    def to_input(
        self, pixels_HWC: np.ndarray, levels_C2: np.ndarray | None = None, spacing_mm: PixelSpacing = None
    ) -> np.ndarray:
        """uint8 or uint16 (H, W, C) -> float32 (channels, image_size, image_size), contiguous; see `fit`."""
        height, width = pixels_HWC.shape[:2]
        as_it_is = height == width == self.image_size and Squared.of(height, width, spacing_mm).is_square
        if as_it_is and pixels_HWC.dtype == np.uint8:
            return self._by_table(pixels_HWC, levels_C2)
        return np.ascontiguousarray(self.standardise(self.fit(pixels_HWC, levels_C2, spacing_mm)))

    def from_output(
        self, probability_hw: np.ndarray, height: int, width: int, spacing_mm: PixelSpacing = None
    ) -> np.ndarray:
        """Probability (image_size, image_size) in 0..1 -> uint8 (height, width), 0..255: the published map."""
        squared = Squared.of(height, width, spacing_mm)
        return squared.back(self._map(probability_hw, squared.height, squared.width))

    def labels_from_output(
        self, label_hw: np.ndarray, height: int, width: int, spacing_mm: PixelSpacing = None
    ) -> np.ndarray:
        """Labels uint8 (image_size, image_size), or (1, 1) for the same everywhere -> (height, width)."""
        squared = Squared.of(height, width, spacing_mm)
        labels_hw = self._labels(label_hw, squared.height, squared.width)
        return labels_hw if squared.is_square else squared.back(np.ascontiguousarray(labels_hw), labels=True)

    def smallest_region(
        self, model_pixels: int, height: int, width: int, spacing_mm: PixelSpacing = None
    ) -> int:
        """So many pixels of the network's input in pixels of a picture (height, width): its part of the same area."""
        return Squared.of(height, width, spacing_mm).pixels(model_pixels, self.image_size)

    def _map(self, probability_hw: np.ndarray, height: int, width: int) -> np.ndarray:
        side = max(height, width)
        if probability_hw.shape != (side, side):
            method = cv2.INTER_AREA if side < self.image_size else cv2.INTER_LINEAR
            probability_hw = cv2.resize(probability_hw, (side, side), interpolation=method)
        top, left = (side - height) // 2, (side - width) // 2
        cropped = probability_hw[top : top + height, left : left + width]
        return np.rint(np.clip(cropped, 0.0, 1.0) * 255.0).astype(np.uint8)

    def _labels(self, label_hw: np.ndarray, height: int, width: int) -> np.ndarray:
        side = max(height, width)
        if label_hw.shape != (side, side):
            # Exact: plain INTER_NEAREST lies half a pixel beside the map.
            label_hw = cv2.resize(label_hw, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
        top, left = (side - height) // 2, (side - width) // 2
        return label_hw[top : top + height, left : left + width]

    def _by_table(self, pixels_HWC: np.ndarray, levels_C2: np.ndarray | None) -> np.ndarray:
        """`to_input` where nothing is resized: only the 256 values of each channel are computed, to the same bits."""
        values = np.arange(256, dtype=np.uint8)
        if levels_C2 is None:
            levels_C2 = self.levels([pixels_HWC])
        planes = cv2.split(self._fitted(pixels_HWC))
        scaled = [self._scaled(values, plane, levels_C2, c) for c, plane in enumerate(planes)]
        table_CV = self.standardise(np.stack(scaled, axis=-1)[:, None])[:, :, 0]
        return np.stack(
            [
                cv2.LUT(plane, np.ascontiguousarray(table_V))
                for plane, table_V in zip(planes, table_CV, strict=True)
            ]
        )

    def _fitted(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """(H, W, C) -> (H, W, channels)."""
        there = pixels_HWC.shape[2]
        if there == self.channels:
            return pixels_HWC
        if there == 1:
            return np.repeat(pixels_HWC, self.channels, axis=2)
        if self.channels == 1 and there == 3:
            return np.rint(pixels_HWC.mean(axis=2, keepdims=True)).astype(pixels_HWC.dtype)
        raise ValueError(f"{there} channels where the network takes {self.channels}")

    def _scaled(
        self, values: np.ndarray, channel_HW: np.ndarray, levels_C2: np.ndarray | None, channel: int
    ) -> np.ndarray:
        """Raw values of a channel -> float32 in 0..1, by that channel's own range."""
        if levels_C2 is not None:
            low, high = levels_C2[channel]
            scaled = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
            return np.clip(scaled, np.float32(0), np.float32(1))
        if self.normalization == "imagenet":
            return values.astype(np.float32) / np.float32(np.iinfo(channel_HW.dtype).max)
        top = max(_percentile(channel_HW, self.percentile), self.percentile_floor)
        return np.minimum(
            values.astype(np.float32) * np.float32(self.percentile_value / top), np.float32(1.0)
        )


def imagenet_statistics(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of ImageNet's colours, float32 (C,); for other than three channels, of their average."""
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    if channels == len(mean):
        return mean, std
    return np.full(channels, mean.mean(), np.float32), np.full(channels, std.mean(), np.float32)


def _percentile(channel_HW: np.ndarray, percent: float) -> float:
    """The smallest value that at least `percent` % of the pixels do not exceed (histogram: no sort)."""
    if channel_HW.dtype == np.uint8:
        plane_HW = np.ascontiguousarray(channel_HW)
        counts = cv2.calcHist([plane_HW], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    else:
        counts = np.bincount(channel_HW.ravel(), minlength=1)
    return float(np.searchsorted(np.cumsum(counts), channel_HW.size * percent / 100.0))
