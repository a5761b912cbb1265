"""Where the voxels of a volume lie in the patient, and how its slices stand on a screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import nibabel as nib
import numpy as np

Spacing = tuple[float, float, float]
Plane = Literal["axial", "coronal", "sagittal"]

PLAUSIBLE_MM = (1e-3, 1000.0)
# By the world axis (0 to the right, 1 to the front, 2 to the head) that the slices follow one another along: the plane,
# the world axes of slices, rows and columns, and the sign in which each runs on a radiologist's screen.
_PLANES: dict[int, tuple[Plane, tuple[int, int, int], tuple[int, int, int]]] = {
    2: ("axial", (2, 1, 0), (1, -1, -1)),
    1: ("coronal", (1, 2, 0), (1, -1, -1)),
    0: ("sagittal", (0, 2, 1), (-1, -1, -1)),
}
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_FROM_WHD = np.eye(4)[[2, 1, 0, 3]]  # (w, h, d, 1) -> (d, h, w, 1)


class Lying(ValueError):
    """An affine that does not say how the voxels lie."""


@dataclass(frozen=True)
class Grid:
    """How voxels lie in the patient: the file's own array, and what is made of it.

    (D, H, W) are slices, rows and columns as radiologists see them. Axial: slices from the feet to the head, rows from
    the front to the back, columns from the patient's right to the left; coronal: slices from the back to the front,
    rows from the head to the feet, columns as before; sagittal: slices from the right to the left, rows from the head
    to the feet, columns from the front to the back. `axes` are the file's axes of D, H and W, `flips` whether each is
    turned round. `affine` leads from (d, h, w, 1) to millimetres to the right, to the front and to the head;
    `spacing_mm` is that of slices, rows and columns, None where the file says nothing sensible. `space` is NIfTI's code
    of what the millimetres refer to: 1 the scanner, 2 another scan, 3 and 4 an atlas.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    spacing_mm: Spacing | None
    file_shape: tuple[int, ...]
    file_affine: np.ndarray
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    plane: Plane
    space: int = 1

    def from_file(self, voxels_XYZ: np.ndarray) -> np.ndarray:
        """The file's array as (D, H, W): a view."""
        turned = voxels_XYZ.reshape(three(self.file_shape)).transpose(self.axes)
        return np.flip(turned, self._flipped)

    def in_file_order(self, array_DHW: np.ndarray) -> np.ndarray:
        """An array (D, H, W) with the axes and directions of the file, (X, Y, Z): a view."""
        return np.flip(array_DHW, self._flipped).transpose([self.axes.index(axis) for axis in range(3)])

    @property
    def _flipped(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(3) if self.flips[axis])

    def to_file(self, array_DHW: np.ndarray) -> np.ndarray:
        """An array (D, H, W), a mask say, on the grid and in the shape of the file."""
        return np.ascontiguousarray(self.in_file_order(array_DHW)).reshape(self.file_shape)

    @property
    def affine_lps(self) -> np.ndarray:
        """(4, 4) from (column, row, slice, 1) to millimetres to the left, to the back and to the head, as in DICOM."""
        lps: np.ndarray = _TO_LPS @ self.affine @ _FROM_WHD
        return lps

    @property
    def voxel_mm3(self) -> float | None:
        """Of one voxel, in cubic millimetres; right for sheared grids (a tilted gantry) too."""
        return None if self.spacing_mm is None else float(abs(np.linalg.det(self.affine[:3, :3])))


def grid_of(
    affine: np.ndarray, file_shape: tuple[int, ...], *, slice_axis: int | None = None, known: bool = True
) -> Grid:
    """The grid of a file's array whose `affine` leads to millimetres to the right, to the front and to the head.

    The slices follow one another along `slice_axis` of the file's array; without it along the axis that is nearest to
    feet-head. Not `known`: the affine is made up, and nothing is said in millimetres. Raises Lying.
    """
    towards = nib.orientations.io_orientation(affine)  # per axis of the file: the world's axis, and its sign
    if np.isnan(towards).any():
        raise Lying("the affine does not say how the voxels lie")
    worlds = [int(world) for world in towards[:, 0]]
    plane, order, signs = _PLANES[2 if slice_axis is None else worlds[slice_axis]]
    axes = [worlds.index(world) for world in order]
    flips = [bool(towards[axis, 1] != sign) for axis, sign in zip(axes, signs, strict=True)]
    turned = [three(file_shape)[axis] for axis in axes]
    to_file = np.zeros((4, 4))
    to_file[3, 3] = 1
    for place, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        to_file[axis, place], to_file[axis, 3] = (-1, turned[place] - 1) if flip else (1, 0)
    turned_affine = affine @ to_file
    return Grid(
        shape=(turned[0], turned[1], turned[2]),
        affine=turned_affine,
        spacing_mm=_spacing(turned_affine) if known else None,
        file_shape=file_shape,
        file_affine=affine,
        axes=(axes[0], axes[1], axes[2]),
        flips=(flips[0], flips[1], flips[2]),
        plane=plane,
    )


def apart_mm(one: Grid, other: Grid) -> float:
    """How far the corners of two grids of one shape are from each other at most."""
    depth, height, width = (size - 1 for size in one.shape)
    corners = np.array(
        [(d, h, w, 1) for d in (0, depth) for h in (0, height) for w in (0, width)], np.float64
    )
    return float(np.linalg.norm((corners @ (one.affine - other.affine).T)[:, :3], axis=1).max())


def three(shape: Sequence[int]) -> tuple[int, int, int]:
    """Without the axes of one voxel after the third, and with a third one."""
    x, y, z = (*shape, 1)[:3]
    return x, y, z


def _spacing(affine: np.ndarray) -> Spacing | None:
    low, high = PLAUSIBLE_MM
    # Single precision, as NIfTI's header has it: six digits are all that is meant.
    depth, row, column = (float(f"{size:.6g}") for size in np.linalg.norm(affine[:3, :3], axis=0))
    return (depth, row, column) if low <= min(depth, row, column) <= max(depth, row, column) <= high else None
