"""How a volume is cut into slices for the network: along which plane, and with square pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from shared.volumes.grid import Plane
from shared.volumes.voxel_size import MaybeSpacing

LEAST_ACROSS = 16
# Networks learn from square pixels; ones that are this much longer one way are made square first.
_SQUARE_ENOUGH = 1.05
_LONGEST = 4096


@dataclass(frozen=True)
class Cut:
    """Along which plane the network is given slices: the volume's own, or axial ones cut across others.

    Networks learn from axial slices, and many a sequence is acquired in another plane, with voxels as deep as wide.
    """

    plane: Plane
    across: bool

    @classmethod
    def of(cls, plane: Plane, shape: Sequence[int]) -> "Cut":
        """Of a volume (D, H, W): axial slices need `LEAST_ACROSS` voxels each way."""
        D, _, W = shape[:3]
        return cls(plane, plane != "axial" and min(D, W) >= LEAST_ACROSS)

    def view(self, volume: np.ndarray) -> np.ndarray:
        """(D, H, W, ...) as stored -> the same voxels as the network's slices, rows and columns; see Grid."""
        if not self.across:
            return volume
        rest = range(3, volume.ndim)
        if self.plane == "coronal":
            return volume[::-1].transpose(1, 0, 2, *rest)
        return volume.transpose(1, 2, 0, *rest)

    def spacing(self, spacing_mm: MaybeSpacing) -> tuple[float | None, float | None]:
        """(row, column) of the network's slices."""
        depth, row, column = spacing_mm
        if not self.across:
            return row, column
        return (depth, column) if self.plane == "coronal" else (column, depth)


@dataclass(frozen=True)
class Squared:
    """Slices with pixels that are longer one way, as the network sees them: (H, W) -> (height, width), and back."""

    H: int
    W: int
    height: int
    width: int

    @classmethod
    def of(cls, H: int, W: int, spacing: tuple[float | None, float | None]) -> "Squared":
        """`spacing` (row, column) in millimetres; unknown ones are taken for square."""
        row, column = spacing
        if row is None or column is None or max(row, column) <= _SQUARE_ENOUGH * min(row, column):
            return cls(H, W, H, W)
        finer = min(row, column)
        height, width = round(H * row / finer), round(W * column / finer)
        shrink = min(1.0, _LONGEST / max(height, width))
        return cls(H, W, max(1, round(height * shrink)), max(1, round(width * shrink)))

    def there(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """Pixels made square."""
        if (self.height, self.width) == (self.H, self.W):
            return pixels_HWC
        resized = cv2.resize(pixels_HWC, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return resized.reshape(self.height, self.width, -1)  # OpenCV drops a single channel

    def back(self, image_hw: np.ndarray, *, labels: bool = False) -> np.ndarray:
        """A map (height, width) -> (H, W)."""
        if image_hw.shape == (self.H, self.W):
            return image_hw
        method = cv2.INTER_NEAREST_EXACT if labels else cv2.INTER_AREA
        back: np.ndarray = cv2.resize(image_hw, (self.W, self.H), interpolation=method)
        return back
