"""How far two masks agree: shared pixels, distance of their surfaces. What is not defined is NaN in here.

Definitions: Taha and Hanbury 2015, BMC Medical Imaging 15:29. Names of axes: N masks, 4 counts.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

# Places in the counts: tumour in both, in the prediction alone, in the truth alone, in neither.
TP, FP, FN, TN = range(4)
OVERLAPS = ("dice", "iou", "precision", "recall", "specificity", "accuracy")
# The 95th percentile instead of the largest distance: a single stray pixel does not decide.
PERCENTILE = 95


def confusion(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Counts (4,), int64, of bool masks of the same shape: TP, FP, FN, TN."""
    both = np.count_nonzero(found & truth)
    predicted, true = np.count_nonzero(found), np.count_nonzero(truth)
    return np.array([both, predicted - both, true - both, truth.size - predicted - true + both], np.int64)


def overlaps(counts_N4: np.ndarray) -> dict[str, np.ndarray]:
    """Each of OVERLAPS, float64 (N,); NaN where it would be nothing divided by nothing."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts_N4, np.float64), -1, 0)
    return {
        "dice": ratio(2 * tp, 2 * tp + fp + fn),
        "iou": ratio(tp, tp + fp + fn),
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "accuracy": ratio(tp + tn, tp + fp + fn + tn),
    }


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) != 0)


def hd95(found: np.ndarray, truth: np.ndarray, spacing: Sequence[float] | None = None) -> float:
    """95th percentile of the Hausdorff distance of bool masks in 2 or 3 dimensions; NaN unless both hold something.

    The surface of a mask is its pixels with a neighbour (by a side, not a corner) outside it; the edge of the picture
    counts as outside. From each surface pixel the distance to the nearest of the other surface is taken, both ways;
    the larger of the two 95th percentiles counts. In the unit of `spacing` (one step along each axis), else in pixels.
    """
    if not (found.any() and truth.any()):
        return float("nan")
    box = _box(found | truth)
    surfaces = _surface(found[box]), _surface(truth[box])
    return max(_directed(one, other, spacing) for one, other in (surfaces, surfaces[::-1]))


def _directed(one: np.ndarray, other: np.ndarray, spacing: Sequence[float] | None) -> float:
    to_other = distance_transform_edt(~other, sampling=spacing)
    return float(np.percentile(to_other[one], PERCENTILE))


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~binary_erosion(mask)


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds the whole mask: there is nothing to measure around it."""
    axes = range(mask.ndim)
    filled = (np.flatnonzero(mask.any(axis=tuple(a for a in axes if a != axis))) for axis in axes)
    return tuple(slice(int(places[0]), int(places[-1]) + 1) for places in filled)
