"""How large the voxels of a volume are, by the file or by the request."""

from dataclasses import dataclass

import numpy as np

from shared.volumes.grid import Grid

MaybeSpacing = tuple[float | None, float | None, float | None]  # of slices, rows and columns, in millimetres

NO_PIXELS = "pixel spacing (within slices)"
NO_SLICES = "slice spacing (between slices)"


@dataclass(frozen=True)
class VoxelSize:
    """`spacing_mm` is what counts: the file's, or what the request gave in its stead.

    A file's grid may be sheared (a tilted gantry): then a voxel is smaller than the product of its spacings, and its
    steps say so. Spacings of a request go along the file's directions, taken as perpendicular for areas and volumes.
    """

    grid: Grid
    spacing_mm: MaybeSpacing

    @property
    def _of_the_file(self) -> bool:
        return self.grid.spacing_mm is not None and self.spacing_mm == self.grid.spacing_mm

    @property
    def pixel_mm2(self) -> float | None:
        """Of a pixel within a slice, in square millimetres; None when it is not known."""
        _, row, column = self.spacing_mm
        if row is None or column is None:
            return None
        if self.grid.spacing_mm is not None and self.grid.spacing_mm[1:] == (row, column):
            return float(np.linalg.norm(np.cross(self.grid.affine[:3, 1], self.grid.affine[:3, 2])))
        return row * column

    @property
    def voxel_mm3(self) -> float | None:
        """Of a voxel, in cubic millimetres; None when a spacing is not known."""
        depth, row, column = self.spacing_mm
        if depth is None or row is None or column is None:
            return None
        return self.grid.voxel_mm3 if self._of_the_file else depth * row * column

    @property
    def steps_mm(self) -> np.ndarray | None:
        """(3, 3): a column each for the step to the next slice, row and column; None when a spacing is not known."""
        if None in self.spacing_mm:
            return None
        steps = self.grid.affine[:3, :3]
        if self._of_the_file:
            return steps
        return steps / np.linalg.norm(steps, axis=0) * np.asarray(self.spacing_mm, np.float64)

    @property
    def unknown(self) -> str | None:
        """The spacings that are not known, in words, as a sentence about them begins."""
        depth, row, column = self.spacing_mm
        missing = [NO_PIXELS] * (row is None or column is None) + [NO_SLICES] * (depth is None)
        return f"{' and the '.join(missing)} {'is' if len(missing) == 1 else 'are'}" if missing else None
