"""Slices whose pixels are longer one way than the other: made square for the network, and back."""

from dataclasses import dataclass

import cv2
import numpy as np

# (row, column) in millimetres, where they are known
PixelSpacing = tuple[float | None, float | None] | None

# Networks learn from square pixels; ones that are this much longer one way are made square first.
_SQUARE_ENOUGH = 1.05
_LONGEST = 4096


@dataclass(frozen=True)
class Squared:
    """Slices with pixels that are longer one way, as the network sees them: (H, W) -> (height, width), and back."""

    H: int
    W: int
    height: int
    width: int

    @classmethod
    def of(cls, H: int, W: int, spacing_mm: PixelSpacing) -> "Squared":
        """`spacing_mm` (row, column); unknown ones are taken for square."""
        row, column = spacing_mm or (None, None)
        if row is None or column is None or max(row, column) <= _SQUARE_ENOUGH * min(row, column):
            return cls(H, W, H, W)
        finer = min(row, column)
        height, width = round(H * row / finer), round(W * column / finer)
        shrink = min(1.0, _LONGEST / max(height, width))
        return cls(H, W, max(1, round(height * shrink)), max(1, round(width * shrink)))

    @property
    def is_square(self) -> bool:
        """Whether nothing is to be done."""
        return (self.height, self.width) == (self.H, self.W)

    def there(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """Pixels made square."""
        if self.is_square:
            return pixels_HWC
        resized = cv2.resize(pixels_HWC, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return resized.reshape(self.height, self.width, -1)  # OpenCV drops a single channel

    def back(self, image_hw: np.ndarray, *, labels: bool = False) -> np.ndarray:
        """A map (height, width) -> (H, W)."""
        if self.is_square:
            return image_hw
        method = cv2.INTER_NEAREST_EXACT if labels else cv2.INTER_AREA
        back: np.ndarray = cv2.resize(image_hw, (self.W, self.H), interpolation=method)
        return back

    def pixels(self, model_pixels: int, model_size: int) -> int:
        """So many pixels of the network's input of `model_size` squared, in pixels (H, W), at least 1.

        The longer side is what the letterbox scales to `model_size`.
        """
        scale = max(self.height, self.width) / model_size
        stored = self.H * self.W / (self.height * self.width)
        return max(1, round(model_pixels * scale * scale * stored))
