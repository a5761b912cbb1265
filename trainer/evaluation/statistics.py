"""Tests over patients, each with plain words on what it shows and what it does not. One value a patient, always."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from trainer.evaluation import words
from trainer.evaluation.numbers import interval, number
from trainer.metrics.basics import bootstrap_interval

# Differences below this share of the values are rounding.
_TINY = 1e-12
_LEAST = 2  # patients in a group


def paired_areas(predicted_P: np.ndarray, true_P: np.ndarray, unit: str) -> dict[str, Any]:
    """Paired t-test of each patient's total predicted area against the true one."""
    differences = predicted_P - true_P
    n = len(differences)
    t, p, ends = _paired_t(predicted_P, true_P)
    mean = number(differences.mean()) if n else None
    result = {
        "n": n,
        "unit": unit,
        "of": "total area of a patient's slices, predicted minus true",
        "mean_difference": mean,
        "ci95": interval(ends),
        "t": number(t),
        "p": number(p),
    }
    return result | {"plain": words.paired_areas(result, identical=n > 0 and not differences.any())}


def anova(dice: Mapping[str, float], cohorts: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """One-way analysis of variance of volume Dice by patient, over each way to group the patients."""
    return [_anova(dice, by, groups, len(cohorts)) for by, groups in cohorts.items()]


def bland_altman(predicted_P: np.ndarray, true_P: np.ndarray, unit: str) -> dict[str, Any]:
    """Bias and limits of agreement, with their 95 % intervals.

    Source: Bland and Altman 1999, Statistical Methods in Medical Research 8:135.
    """
    differences = predicted_P - true_P
    n = len(differences)
    bias = float(differences.mean()) if n else math.nan
    reach, of_bias, of_limit = _reaches(differences)
    result = {
        "n": n,
        "unit": unit,
        "bias": number(bias),
        "bias_ci95": interval((bias - of_bias, bias + of_bias)),
    }
    for name, limit in (("lower", bias - reach), ("upper", bias + reach)):
        result |= {name: number(limit), f"{name}_ci95": interval((limit - of_limit, limit + of_limit))}
    return result | {"plain": words.bland_altman(result)}


def _reaches(differences: np.ndarray) -> tuple[float, float, float]:
    """How far the limits lie from the bias; half the intervals of bias and of limits. NaN for fewer than two."""
    n = len(differences)
    if n < 2:
        return math.nan, math.nan, math.nan
    deviation, z, t = float(differences.std(ddof=1)), stats.norm.ppf(0.975), stats.t.ppf(0.975, n - 1)
    return (
        float(z * deviation),
        float(t * deviation / math.sqrt(n)),
        float(t * deviation * math.sqrt(1 / n + z**2 / (2 * (n - 1)))),
    )


def comparison(ours_P: np.ndarray, theirs_P: np.ndarray) -> dict[str, Any]:
    """Two models' volume Dice on the same patients: ours minus theirs."""
    differences = ours_P - theirs_P
    n = len(differences)
    _, t_p, _ = _paired_t(ours_P, theirs_P)
    tied = np.abs(differences) <= _TINY
    result = {
        "n": n,
        "mean": number(differences.mean()) if n else None,
        "median": number(np.median(differences)) if n else None,
        "ci95": interval(bootstrap_interval(differences)) if n > 1 else None,
        "t_p": number(t_p),
        "wilcoxon_p": number(_wilcoxon(differences[~tied])),
        "wins": int((differences[~tied] > 0).sum()),
        "losses": int((differences[~tied] < 0).sum()),
        "ties": int(tied.sum()),
    }
    return result | {"plain": words.comparison(result)}


def _paired_t(one_P: np.ndarray, other_P: np.ndarray) -> tuple[float, float, tuple[float, float]]:
    """t, p, interval of the mean difference; NaN for fewer than two patients or differences that are all the same."""
    differences = one_P - other_P
    if len(differences) < 2 or _constant(differences, np.abs(one_P).max() + np.abs(other_P).max()):
        return math.nan, math.nan, (math.nan, math.nan)
    result = stats.ttest_rel(one_P, other_P)
    low, high = result.confidence_interval(0.95)
    return float(result.statistic), float(result.pvalue), (float(low), float(high))


def _wilcoxon(differences: np.ndarray) -> float:
    """Signed ranks of the patients in which the two differ; NaN where there are fewer than two."""
    return float(stats.wilcoxon(differences).pvalue) if len(differences) > 1 else math.nan


def _anova(dice: Mapping[str, float], by: str, of: Mapping[str, str], groupings: int) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for patient, score in dice.items():
        if patient in of:
            values.setdefault(of[patient], []).append(score)
    groups = {name: scores for name, scores in sorted(values.items()) if len(scores) >= _LEAST}
    f, p = _f_test(list(groups.values()))
    result = {
        "by": by,
        "n": sum(map(len, groups.values())),
        "groups": [
            {"name": name, "n": len(v), "mean": number(float(np.mean(v)))} for name, v in groups.items()
        ],
        "left_out": [{"name": name, "n": len(v)} for name, v in sorted(values.items()) if name not in groups],
        "ungrouped": sum(patient not in of for patient in dice),
        "f": number(f),
        "p": number(p),
    }
    return result | {"plain": words.anova(result, groupings)}


def _f_test(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """NaN for fewer than two groups, and where no group has any spread: nothing to compare the means' with."""
    if len(groups) < 2 or all(_constant(np.array(group), 1.0) for group in groups):
        return math.nan, math.nan
    f, p = stats.f_oneway(*groups)
    return float(f), float(p)


def _constant(values: np.ndarray, scale: float) -> bool:
    return bool(np.ptp(values) <= _TINY * scale)
