"""Overlap of masks, and bootstrap intervals by patient. Definitions: Taha and Hanbury 2015, BMC Med Imaging 15:29."""

from collections.abc import Callable

import numpy as np


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of boolean arrays of any shape; 1 where both are empty."""
    total = int(predicted.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((predicted & truth).sum()) / total


def bootstrap_interval(
    values: np.ndarray, statistic: Callable[..., np.ndarray] = np.mean, draws: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of `statistic` over resampled values (one value a patient)."""
    picks = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    low, high = np.percentile(statistic(np.asarray(values)[picks], axis=1), [2.5, 97.5])
    return float(low), float(high)


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half."""
    ranks = np.unique(scores, return_inverse=True, return_counts=True)
    upper = np.cumsum(ranks[2])
    midrank = (upper - (ranks[2] - 1) / 2)[ranks[1]]
    n, m = int(positive.sum()), int((~positive).sum())
    return float((midrank[positive].sum() - n * (n + 1) / 2) / (n * m))
