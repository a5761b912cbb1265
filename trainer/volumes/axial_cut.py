"""How a volume is cut into slices for the network: along which plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.volumes.grid import Plane
from shared.volumes.voxel_size import MaybeSpacing

LEAST_ACROSS = 16


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
