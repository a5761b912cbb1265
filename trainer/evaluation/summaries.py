"""Every measure by slice, by patient and pooled, with intervals; what was left out is counted.

What is done where truth or prediction are empty: see policy. Names of axes: S slices, P patients, 4 counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from trainer.evaluation.measured import Measured
from trainer.evaluation.numbers import interval, number
from trainer.metrics.bootstrap import Bootstrap
from trainer.metrics.overlap import FN, FP, OVERLAPS, TN, TP, overlaps

Values = dict[str, np.ndarray]
# Of two empty volumes: nothing was to be found, and nothing was.
_BOTH_EMPTY = 1.0
_AGREEMENT = ("dice", "iou")


@dataclass(frozen=True)
class Units:
    """What distances and areas are in; millimetres only where every patient's spacing is known."""

    millimetres: bool

    @classmethod
    def of(cls, measured: Iterable[Measured]) -> "Units":
        """Of all patients that appear in the same result."""
        known = [one.pixel_mm2 is not None for one in measured]
        return cls(bool(known) and all(known))

    @property
    def distance(self) -> str:
        """As the result names it."""
        return "mm" if self.millimetres else "pixels"

    @property
    def area(self) -> str:
        """As the result names it."""
        return "mm2" if self.millimetres else "pixels"

    def of_pixel(self, one: Measured) -> float:
        """The area of a pixel."""
        return one.pixel_mm2 if self.millimetres and one.pixel_mm2 is not None else 1.0


@dataclass(frozen=True)
class PatientSample:
    """Some patients, as arrays; `bootstrap` draws from these very patients."""

    measured: Sequence[Measured]
    units: Units

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """One for all numbers."""
        return Bootstrap(len(self.measured))

    @cached_property
    def counts_S4(self) -> np.ndarray:
        """Of every slice, patient by patient."""
        return np.concatenate([one.counts_S4 for one in self.measured] or [np.zeros((0, 4), np.int64)])

    @cached_property
    def patient_S(self) -> np.ndarray:
        """Whose slice it is, as a place in `measured`."""
        return np.repeat(np.arange(len(self.measured)), [len(one.items) for one in self.measured])

    @cached_property
    def counts_P4(self) -> np.ndarray:
        """Of every patient's volume."""
        return np.array([one.counts_4 for one in self.measured], np.int64).reshape(-1, 4)

    @cached_property
    def pixel_P(self) -> np.ndarray:
        """Area of a pixel of each patient."""
        return np.array([self.units.of_pixel(one) for one in self.measured], np.float64)

    @cached_property
    def by_slice(self) -> Values:
        """Each measure of every slice; NaN where it is not defined."""
        suffix = "hd95_mm_S" if self.units.millimetres else "hd95_S"
        distances = [getattr(one, suffix) for one in self.measured]
        return overlaps(self.counts_S4) | {
            "hd95": np.concatenate(distances or [np.zeros(0)]),
            "area_error": np.where(
                _both_empty(self.counts_S4),
                np.nan,
                _area_error(self.counts_S4) * self.pixel_P[self.patient_S],
            ),
        }

    @cached_property
    def by_patient(self) -> Values:
        """Each measure of every patient's volume; NaN where it is not defined."""
        name = "hd95_mm" if self.units.millimetres else "hd95"
        return volume_overlaps(self.counts_P4) | {
            "hd95": np.array([getattr(one, name) for one in self.measured], np.float64),
            "area_error": _area_error(self.counts_P4) * self.pixel_P,
        }

    @cached_property
    def predicted_areas_P(self) -> np.ndarray:
        """Total area of each patient's prediction."""
        return self.counts_P4[:, [TP, FP]].sum(axis=1) * self.pixel_P

    @cached_property
    def true_areas_P(self) -> np.ndarray:
        """Total area of each patient's truth."""
        return self.counts_P4[:, [TP, FN]].sum(axis=1) * self.pixel_P


def volume_overlaps(counts_P4: np.ndarray) -> Values:
    """Overlaps of volumes: Dice and IoU of two empty ones are 1."""
    values = overlaps(counts_P4)
    empty = _both_empty(counts_P4)
    return values | {name: np.where(empty, _BOTH_EMPTY, values[name]) for name in _AGREEMENT}


def summarise(sample: PatientSample) -> dict[str, Any]:
    """Each measure -> {slice, patient, pooled}, each {mean, median, ci95, n, excluded}."""
    patients = np.arange(len(sample.measured))
    pooled = _pooled(sample)
    result: dict[str, Any] = {}
    for name in (*OVERLAPS, "hd95", "area_error"):
        result[name] = {
            "slice": spread(sample.by_slice[name], sample.patient_S, sample.bootstrap),
            "patient": spread(sample.by_patient[name], patients, sample.bootstrap),
            "pooled": pooled[name],
        }
    result["hd95"]["unit"], result["area_error"]["unit"] = sample.units.distance, sample.units.area
    return result


def spread(values_N: np.ndarray, patient_N: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    """Mean and median of what is defined, and the interval of the mean by patient."""
    defined = values_N[np.isfinite(values_N)]
    n, excluded = len(defined), len(values_N) - len(defined)
    if not n:
        return {"mean": None, "median": None, "ci95": None, "n": 0, "excluded": excluded}
    return {
        "mean": number(defined.mean()),
        "median": number(np.median(defined)),
        "ci95": interval(bootstrap.mean(values_N, patient_N)),
        "n": n,
        "excluded": excluded,
    }


def class_dice(sample: PatientSample, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Volume Dice of each class, in the order of the pairs that were measured."""
    patients = np.arange(len(sample.measured))
    found = []
    for k, name in enumerate(classes):
        counts_P4 = np.array([one.classes_K4[k] for one in sample.measured], np.int64).reshape(-1, 4)
        dice = spread(volume_overlaps(counts_P4)["dice"], patients, sample.bootstrap)
        both_empty = int(_both_empty(counts_P4).sum())
        found.append({"label": k + 1, "name": name, "dice": {"patient": dice | {"both_empty": both_empty}}})
    return found


def counted(sample: PatientSample) -> dict[str, int]:
    """How many there are, and how many of the kinds that the policy is about."""
    found_S, true_S = not_empty(sample.counts_S4, FP), not_empty(sample.counts_S4, FN)
    found_P, true_P = not_empty(sample.counts_P4, FP), not_empty(sample.counts_P4, FN)
    return {
        "patients": len(sample.measured),
        "slices": len(sample.counts_S4),
        "slices_with_tumour": int(true_S.sum()),
        "both_empty_slices": int((~found_S & ~true_S).sum()),
        "slices_only_predicted": int((found_S & ~true_S).sum()),
        "slices_missed": int((~found_S & true_S).sum()),
        "patients_with_tumour": int(true_P.sum()),
        "both_empty_patients": int((~found_P & ~true_P).sum()),
        "patients_only_predicted": int((found_P & ~true_P).sum()),
        "patients_missed": int((~found_P & true_P).sum()),
        "volumes_of_several_sizes": sum(one.several_sizes for one in sample.measured),
        "volumes_with_gaps": sum(one.gaps for one in sample.measured),
    }


def _pooled(sample: PatientSample) -> dict[str, dict[str, Any]]:
    """All pixels together: one value each, so that there is no median; distances cannot be pooled."""
    n, bootstrap = len(sample.counts_S4), sample.bootstrap
    values = {
        name: (
            float(overlaps(sample.counts_P4.sum(axis=0))[name]),
            bootstrap.interval(sample.counts_P4, partial(_overlap, name=name)),
        )
        for name in OVERLAPS
    }
    errors_P1 = sample.by_patient["area_error"][:, None]
    total = float(errors_P1.sum()) if n else np.nan
    values["area_error"] = total, bootstrap.interval(errors_P1, lambda totals_D1: totals_D1[:, 0])
    values["hd95"] = np.nan, (np.nan, np.nan)
    return {
        name: {
            "mean": number(value),
            "median": None,
            "ci95": interval(ends),
            "n": n if np.isfinite(value) else 0,
            "excluded": 0 if np.isfinite(value) else n,
        }
        for name, (value, ends) in values.items()
    }


def _overlap(counts_N4: np.ndarray, name: str) -> np.ndarray:
    return overlaps(counts_N4)[name]


def _area_error(counts_N4: np.ndarray) -> np.ndarray:
    """Predicted minus true, in pixels."""
    return (counts_N4[:, FP] - counts_N4[:, FN]).astype(np.float64)


def _both_empty(counts_N4: np.ndarray) -> np.ndarray:
    return counts_N4[:, TN] == counts_N4.sum(axis=1)


def not_empty(counts_N4: np.ndarray, besides: int) -> np.ndarray:
    """bool (N,): whether there is any of the truth (besides: FN) or of the prediction (FP)."""
    return np.asarray(counts_N4[:, TP] + counts_N4[:, besides] > 0)
