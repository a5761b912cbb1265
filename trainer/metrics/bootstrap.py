"""Intervals by drawing patients again: slices of a patient are alike, so that they come and go together.

Source: cluster bootstrap, percentile interval (Efron and Tibshirani 1993, chapter 13). Names of axes: D draws,
P patients, N values, K columns.
"""

from collections.abc import Callable, Iterator

import numpy as np

DRAWS = 10_000
_AT_ONCE = 1_000  # draws that are worked on together: what they need of memory


class Bootstrap:
    """The same draws of patients for every number, so that a report is the same each time."""

    def __init__(self, patients: int, draws: int = DRAWS, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.times_DP = np.zeros((draws, patients), np.uint16)
        for start in range(0, draws if patients else 0, _AT_ONCE):
            part_DP = self.times_DP[start : start + _AT_ONCE]
            picks_DP = generator.integers(patients, size=part_DP.shape)
            picks_DP += np.arange(len(part_DP))[:, None] * patients  # each draw counts on places of its own
            part_DP[:] = np.bincount(picks_DP.ravel(), minlength=part_DP.size).reshape(part_DP.shape)

    def interval(
        self, columns_PK: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[float, float]:
        """95 % interval of `statistic`, which makes values (D,) of the drawn patients' totals (D, K).

        NaN for fewer than two patients: one alone says nothing of how patients differ. Draws in which the statistic
        is not defined are left out.
        """
        if self.times_DP.shape[1] < 2:
            return np.nan, np.nan
        drawn = np.concatenate([statistic(totals_DK) for totals_DK in self._totals(columns_PK)])
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn):
            return np.nan, np.nan
        low, high = np.percentile(drawn, [2.5, 97.5])
        return float(low), float(high)

    def mean(self, values_N: np.ndarray, patient_N: np.ndarray) -> tuple[float, float]:
        """95 % interval of the mean of values, of which each patient has some; NaN among them are left out."""
        defined = np.isfinite(values_N)
        patients = self.times_DP.shape[1]
        whose = patient_N[defined]
        if len(np.unique(whose)) < 2:
            return np.nan, np.nan
        sums_P = np.bincount(whose, values_N[defined], minlength=patients)
        counts_P = np.bincount(whose, minlength=patients)
        return self.interval(np.stack([sums_P, counts_P], axis=1), _mean)

    def _totals(self, columns_PK: np.ndarray) -> Iterator[np.ndarray]:
        columns_PK = columns_PK.astype(np.float64)
        for start in range(0, len(self.times_DP), _AT_ONCE):
            yield self.times_DP[start : start + _AT_ONCE].astype(np.float64) @ columns_PK


def _mean(totals_D2: np.ndarray) -> np.ndarray:
    sums_D, counts_D = totals_D2.T
    return np.divide(sums_D, counts_D, out=np.full(len(sums_D), np.nan), where=counts_D > 0)
