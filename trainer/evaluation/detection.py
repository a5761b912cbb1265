"""Tumour yes or no, by slice and by patient: sensitivity, specificity, accuracy, AUC of the highest probability.

Names of axes: N slices or patients, P patients, L levels of probability, D draws.
"""

import math
from typing import Any

import numpy as np

from trainer.evaluation.numbers import interval, number
from trainer.evaluation.summaries import PatientSample, not_empty
from trainer.metrics.basics import area_under_curve
from trainer.metrics.bootstrap import Bootstrap
from trainer.metrics.overlap import FN, FP

# Of the normal distribution: 95 % lie within so many deviations.
Z = 1.959963984540054


def detection(sample: PatientSample) -> dict[str, Any]:
    """{slice, patient}: the mask says yes where it holds anything; of a patient's slices the highest counts."""
    patients = np.arange(len(sample.measured))
    highest_S = np.concatenate([one.highest_S for one in sample.measured] or [np.zeros(0)])
    highest_P = np.array([one.highest_S.max() for one in sample.measured], np.float64)
    return {
        "slice": _one(sample.counts_S4, highest_S, sample.patient_S, sample.bootstrap),
        "patient": _one(sample.counts_P4, highest_P, patients, sample.bootstrap),
    }


def _one(
    counts_N4: np.ndarray, highest_N: np.ndarray, patient_N: np.ndarray, bootstrap: Bootstrap
) -> dict[str, Any]:
    true_N, said_N = not_empty(counts_N4, FN), not_empty(counts_N4, FP)
    right_N = (true_N == said_N).astype(np.float64)
    alone = len(np.unique(patient_N)) == len(patient_N)
    shares = {
        "sensitivity": np.where(true_N, right_N, np.nan),
        "specificity": np.where(true_N, np.nan, right_N),
        "accuracy": right_N,
    }
    return {
        "n": len(true_N),
        "with_tumour": int(true_N.sum()),
        **{name: _share(values_N, patient_N, bootstrap, alone=alone) for name, values_N in shares.items()},
        "auc": _auc(highest_N, true_N, patient_N, bootstrap),
    }


def _share(
    right_N: np.ndarray, patient_N: np.ndarray, bootstrap: Bootstrap, *, alone: bool
) -> dict[str, Any]:
    """`alone`: one value a patient, so that Wilson's interval holds; slices are drawn with their patients."""
    defined_N = right_N[np.isfinite(right_N)]
    n, right = len(defined_N), int(defined_N.sum())
    if not n:
        return {"value": None, "ci95": None, "n": 0}
    ends = wilson(right, n) if alone else bootstrap.mean(right_N, patient_N)
    return {"value": number(right / n), "ci95": interval(ends), "n": n}


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % score interval of a proportion. Source: Wilson 1927, JASA 22:209."""
    share, spread = right / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    # At the ends of the scale the formula gives 0 and 1 but for rounding.
    return (0.0 if right == 0 else middle - half), (1.0 if right == n else middle + half)


def _auc(
    highest_N: np.ndarray, true_N: np.ndarray, patient_N: np.ndarray, bootstrap: Bootstrap
) -> dict[str, Any]:
    if not 0 < true_N.sum() < len(true_N):
        return {"value": None, "ci95": None, "n": 0}
    ends = auc_interval(highest_N, true_N, patient_N, bootstrap)
    return {
        "value": number(area_under_curve(highest_N, true_N)),
        "ci95": interval(ends),
        "n": len(true_N),
    }


def auc_interval(
    highest_N: np.ndarray, true_N: np.ndarray, patient_N: np.ndarray, bootstrap: Bootstrap
) -> tuple[float, float]:
    """95 % interval by patient: each patient is two histograms over the levels of probability, and draws add them."""
    levels, level_N = np.unique(highest_N, return_inverse=True)
    count, patients = len(levels), bootstrap.times_DP.shape[1]
    histograms_PK = np.zeros((patients, 2 * count))
    np.add.at(histograms_PK, (patient_N, np.where(true_N, 0, count) + level_N), 1)

    def drawn(totals_DK: np.ndarray) -> np.ndarray:
        positive_DL, negative_DL = totals_DK[:, :count], totals_DK[:, count:]
        below_DL = np.cumsum(negative_DL, axis=1) - negative_DL / 2  # ties count half
        pairs_D = positive_DL.sum(axis=1) * negative_DL.sum(axis=1)
        in_order_D = (positive_DL * below_DL).sum(axis=1)
        return np.divide(in_order_D, pairs_D, out=np.full(len(pairs_D), np.nan), where=pairs_D > 0)

    return bootstrap.interval(histograms_PK, drawn)
