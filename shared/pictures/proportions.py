"""How wide and high a picture is to be shown where its pixels are not square."""

from collections.abc import Sequence

_MOST = 10.0  # beyond, a spacing is a mistake more likely than a picture, and the shown one would be a line


def pixel_ratio(spacing_mm: Sequence[float] | None) -> float:
    """The height of a pixel through its width, of (row, column) spacing; 1 where it is unknown, within 0.1 to 10."""
    row, column = spacing_mm or (1.0, 1.0)
    return min(max(row / column, 1 / _MOST), _MOST) if row > 0 and column > 0 else 1.0


def true_size(height: int, width: int, spacing_mm: Sequence[float] | None) -> tuple[int, int]:
    """(height, width) in true proportion, in whole pixels of the finer spacing; what came, where they are square."""
    ratio = pixel_ratio(spacing_mm)
    return round(height * max(1.0, ratio)), round(width * max(1.0, 1 / ratio))
