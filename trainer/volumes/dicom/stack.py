"""Frames -> a stack of parallel slices in order, an even distance apart; anything else is refused by name."""

from dataclasses import dataclass

import numpy as np

from shared.contract.errors import (
    DuplicatePositions,
    MissingSlices,
    MixedGeometry,
    MixedOrientation,
    TooFewSlices,
    UnevenGaps,
)
from trainer.volumes.dicom.frames import Frame

# 0.1 degree turns a slice by 0.3 mm at 180 mm from its centre, less than a pixel of a brain; cosines with three digits
# are right to 0.06 degrees. The planes of a localiser differ by tens of degrees.
MAX_DEGREES = 0.1
MAX_SPACING_PART = 1e-3  # of the pixel spacing: half a pixel at the edge of 512
SAME_PLACE_MM = 0.01
GAP_PART, GAP_MM = 0.01, 0.02  # gaps may differ by the larger of 1 % and of what rounding to 0.01 mm does
MAX_DRIFT_MM = 1.0  # of a slice from the straight line through the first and the last
MAX_TILT_DEGREES = 45.0  # a gantry tilts by 30 at most
_COARSEST = 0.1  # a tolerance of more than this part of a gap says nothing about multiples of it


@dataclass(frozen=True)
class Stack:
    """`frames` along the normal, cross(row, column); `affine_ras` (4, 4) leads from (column, row, slice, 1) to RAS.

    `apart_mm` is the distance of slices along the normal; None for a single slice that does not say it (the affine has
    1 mm then).
    """

    frames: list[Frame]
    affine_ras: np.ndarray
    apart_mm: float | None


def stack_of(frames: list[Frame]) -> Stack:
    """Raises MixedOrientation, MixedGeometry, DuplicatePositions, TooFewSlices, MissingSlices, UnevenGaps."""
    _check_parallel(frames)
    first = frames[0]
    normal = np.cross(first.row, first.column)
    normal /= np.linalg.norm(normal)
    heights = np.array([frame.position @ normal for frame in frames])
    order = np.argsort(heights, kind="stable")
    ordered, heights = [frames[index] for index in order], heights[order]
    if len(frames) == 1:
        return Stack(ordered, _affine(first, normal * (first.apart_mm or 1.0)), first.apart_mm)
    gaps = np.diff(heights)
    _check_gaps(gaps)
    positions = np.array([frame.position for frame in ordered])
    step = (positions[-1] - positions[0]) / (len(frames) - 1)
    _check_line(positions, step, normal)
    return Stack(ordered, _affine(ordered[0], step), float(heights[-1] - heights[0]) / (len(frames) - 1))


def _affine(first: Frame, step: np.ndarray) -> np.ndarray:
    """The step between slices is the true one: with a tilted gantry it is not at right angles to them."""
    between_rows, between_columns = first.spacing_mm
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = first.row * between_columns, first.column * between_rows
    lps[:3, 2], lps[:3, 3] = step, first.position
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def _check_parallel(frames: list[Frame]) -> None:
    first = frames[0]
    for frame in frames[1:]:
        turned = max(np.linalg.norm(frame.row - first.row), np.linalg.norm(frame.column - first.column))
        if turned > np.radians(MAX_DEGREES):
            raise MixedOrientation(
                "The slices are not parallel: a localiser, or several stacks. Send one stack at a time."
            )
    for frame in frames[1:]:
        if not np.allclose(frame.spacing_mm, first.spacing_mm, rtol=MAX_SPACING_PART, atol=0):
            raise MixedGeometry("The slices have different pixel spacings.")


def _check_gaps(gaps: np.ndarray) -> None:
    """`gaps` (slices - 1,) in millimetres, none below zero."""
    same = np.flatnonzero(gaps <= SAME_PLACE_MM)
    if same.size:
        at = int(same[0]) + 1
        raise DuplicatePositions(
            f"Slices {at} and {at + 1} (in order of position) lie at the same place: a file twice, or several echoes,"
            " b-values or time points. Send one image of each place."
        )
    if len(gaps) == 1:
        raise TooFewSlices("Two slices have one gap, so nothing shows that none is missing between them.")
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    tolerance = max(GAP_PART * usual, GAP_MM)
    times = np.maximum(np.round(gaps / usual), 1)
    if tolerance <= _COARSEST * usual and (abs(gaps - times * usual) <= tolerance * times).all():
        holes = np.flatnonzero(times > 1)
        if holes.size:
            raise MissingSlices(_missing(holes, times, usual))
    off = np.flatnonzero(abs(gaps - usual) > tolerance)
    if off.size:
        at = int(off[0])
        raise UnevenGaps(
            f"After slice {at + 1} (in order of position) the next one is {gaps[at]:.2f} mm away,"
            f" others {usual:.2f} mm."
        )


def _missing(holes: np.ndarray, times: np.ndarray, usual: float) -> str:
    count = int(times[holes].sum() - len(holes))
    listed = ", ".join(f"{int(times[hole]) - 1} after slice {hole + 1}" for hole in holes[:5])
    more = " and further ones" if len(holes) > 5 else ""
    number = "1 slice is" if count == 1 else f"{count} slices are"
    return f"{number} missing ({listed}{more}, in order of position); slices are {usual:.2f} mm apart."


def _check_line(positions: np.ndarray, step: np.ndarray, normal: np.ndarray) -> None:
    along = float(step @ normal)
    if along < np.cos(np.radians(MAX_TILT_DEGREES)) * np.linalg.norm(step):
        raise MixedGeometry("The slices are shifted sideways by more than the distance between them.")
    off = positions - positions[0] - np.arange(len(positions))[:, None] * step
    if np.linalg.norm(off, axis=1).max() > MAX_DRIFT_MM or abs(off @ normal).max() > along / 2:
        raise UnevenGaps("The slices do not lie along a straight line.")
