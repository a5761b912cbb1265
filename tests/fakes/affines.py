"""Grids as scanners make them, drawn by hypothesis: turned any way, flipped, unevenly spaced, with a tilted gantry."""

import numpy as np
from hypothesis import strategies as st

from shared.volumes.grid import Grid, grid_of


@st.composite
def affines(draw: st.DrawFn, sheared: bool | None = None) -> np.ndarray:
    """(4, 4) from the file's (x, y, z, 1) to RAS mm; the third axis leans where it is sheared (None: sometimes)."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    axes = np.eye(3)[rng.permutation(3)] * rng.choice((-1, 1), 3)
    directions = axes @ turn if draw(st.booleans()) else axes  # oblique, or straight
    affine = np.eye(4)
    affine[:3, :3] = directions * rng.uniform(0.3, 6.0, 3)
    if draw(st.booleans()) if sheared is None else sheared:
        affine[:3, 2] += (
            affine[:3, 1] / np.linalg.norm(affine[:3, 1]) * affine_step(affine) * rng.uniform(0.1, 0.4)
        )
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    return affine


def affine_step(affine: np.ndarray) -> float:
    return float(np.linalg.norm(affine[:3, 2]))


@st.composite
def grids(draw: st.DrawFn, slice_axis: int | None = None, sheared: bool | None = None) -> Grid:
    """Grids of a few voxels; a `slice_axis` of 2 is how DICOM series are."""
    shape = tuple(draw(st.integers(2, 7)) for _ in range(3))
    return grid_of(draw(affines(sheared)), shape, slice_axis=slice_axis)


@st.composite
def marked(draw: st.DrawFn, slice_axis: int | None = None) -> tuple[Grid, tuple[int, int, int]]:
    """A grid and a place (d, h, w) in it."""
    grid = draw(grids(slice_axis))
    depth, row, column = (draw(st.integers(0, size - 1)) for size in grid.shape)
    return grid, (depth, row, column)
