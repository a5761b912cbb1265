"""A decoded upload: its pixels and what the file said about them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.contract.errors import ImageTooSmall, TooManyPixels, UndecodableImage

FormatName = Literal["PNG", "JPEG", "TIFF", "BMP", "NIfTI"]
SpacingSource = Literal["imagej", "ome"]


@dataclass(frozen=True)
class Picture:
    """One picture as every later stage takes it: alpha, palette and orientation are already dealt with.

    `pixels` is C-contiguous (height, width, 1 or 3) uint8 or uint16, native byte order, RGB; a slice of a volume in a
    dataset has as many channels as it has modalities.
    `pixel_spacing_mm` is (row, column) in millimetres, only from calibrated units in the file.
    """

    pixels: np.ndarray
    format: FormatName
    bit_depth: Literal[8, 16]
    pixel_spacing_mm: tuple[float, float] | None = None
    pixel_spacing_source: SpacingSource | None = None

    @property
    def height(self) -> int:
        """Number of rows, in pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Number of columns, in pixels."""
        return self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return self.pixels.shape[2]


@dataclass(frozen=True)
class DecodeLimits:
    """What a header may promise before anything is decoded; sizes in pixels."""

    max_pixels: int = 4096 * 4096
    max_side: int = 16384
    min_side: int = 16  # smaller cannot be a slice; a favicon or a tracking pixel is

    def check(self, width: int, height: int) -> None:
        """Raise UndecodableImage, ImageTooSmall or TooManyPixels unless this size may be decoded."""
        if width <= 0 or height <= 0:
            raise UndecodableImage(
                f"The image's header says {width} x {height} pixels: there is no picture in it."
            )
        if width > self.max_side or height > self.max_side or width * height > self.max_pixels:
            raise TooManyPixels(
                f"The image has {width} x {height} pixels; at most {self.max_pixels} pixels in all"
                f" and {self.max_side} on a side are taken."
            )
        if width < self.min_side or height < self.min_side:
            raise ImageTooSmall(
                f"The image has {width} x {height} pixels; an MRI slice has at least {self.min_side} on each side."
            )
