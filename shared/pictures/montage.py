"""Many slices of a volume as one picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from shared.pictures.thumbnail import small

TILE = 256  # pixels of a tile's longer side, at most
_GAP = 2
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def montage(
    tiles: Sequence[np.ndarray],
    columns: int,
    numbers: Sequence[int] | None = None,
    tile: int = TILE,
    spacing_mm: Sequence[float] | None = None,
) -> np.ndarray:
    """Slices of one size, (H, W), (H, W, 1) or RGB (H, W, 3), in rows of `columns` -> uint8 RGB (H', W', 3).

    Each has its number in its corner: those of `numbers`, or 0, 1, 2 and so on. One larger than `tile` is scaled
    down; where `spacing_mm` (row, column) says that pixels are not square, each has its true proportions (see
    `small`). ValueError without a slice or a column.
    """
    if not tiles or columns < 1:
        raise ValueError("a montage needs a slice and a column at least")
    named = zip(numbers if numbers is not None else range(len(tiles)), tiles, strict=True)
    shown = [_numbered(small(picture, tile, spacing_mm), number) for number, picture in named]
    height, width, _ = shown[0].shape
    rows = -(-len(shown) // columns)
    whole = np.zeros(
        (rows * (height + _GAP) - _GAP, min(columns, len(shown)) * (width + _GAP) - _GAP, 3), np.uint8
    )
    for place, picture in enumerate(shown):
        row, column = divmod(place, columns)
        y, x = row * (height + _GAP), column * (width + _GAP)
        whole[y : y + height, x : x + width] = picture
    return whole


def _numbered(picture: np.ndarray, number: int) -> np.ndarray:
    """White on a dark edge, so that it is read on any ground; 0.4 is about ten pixels high."""
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, str(number), (3, 13), _FONT, 0.4, color, thickness, cv2.LINE_AA)
    return picture
