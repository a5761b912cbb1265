"""How good a model is on patients that it never saw, through the very steps that serving takes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from shared.imaging.datasets.base import Dataset, SliceFile
from shared.imaging.mask import binary_mask, min_region_at
from shared.imaging.measure import confidence
from shared.imaging.preprocess import Preprocessing
from trainer.inference.engine import Engine, open_engine
from trainer.inference.source import ModelFolder
from trainer.training.metrics import area_under_curve, bootstrap_interval, dice

Pixels = np.ndarray
Change = Callable[[Pixels, np.ndarray], tuple[Pixels, np.ndarray]]


@dataclass(frozen=True)
class Finding:
    """What serving would say of one slice, beside the expert's mask."""

    patient: str
    truth: np.ndarray
    mask: np.ndarray
    probability: np.ndarray
    confidence: float
    strangeness: np.ndarray


@dataclass(frozen=True)
class Served:
    """A model in the engine that serves it on this machine, with the constants of its card."""

    engine: Engine
    preprocessing: Preprocessing
    threshold: float
    min_region_pixels: int

    def look(self, pixels: Sequence[Pixels]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(probability uint8, mask, strangeness) of each upload, at its own size."""
        output = self.engine.predict(np.stack([self.preprocessing.to_input(p) for p in pixels]))
        found = []
        for upload, p, s in zip(pixels, output.probability_BHW, output.strangeness_BS, strict=True):
            height, width = upload.shape[:2]
            published = self.preprocessing.from_output(p, height, width)
            smallest = min_region_at(self.min_region_pixels, self.preprocessing.image_size, height, width)
            found.append((published, binary_mask(published, self.threshold, smallest), s))
        return found


def served(folder: Path, device: str) -> Served:
    """The model in `folder`, warm, on `cpu` or `cuda:N`."""
    source = ModelFolder(folder)
    card = source.card
    return Served(open_engine(source, device), source.preprocessing, card.threshold, card.min_region_pixels)


def as_uploaded(pixels: Pixels, mask: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """The slice as it is."""
    return pixels, mask


def grey(pixels: Pixels, mask: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """FLAIR alone, as a grey upload."""
    return pixels[..., 1:2], mask


def sixteen_bit(pixels: Pixels, mask: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """12 bits used of 16, as scanners write."""
    return (pixels.astype(np.uint16) * 16 if pixels.dtype == np.uint8 else pixels), mask


def resized(size: tuple[int, int]) -> Change:
    """The slice at another (height, width); the truth follows by nearest neighbour."""

    def change(pixels: Pixels, mask: np.ndarray) -> tuple[Pixels, np.ndarray]:
        height, width = size
        image = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        return image, cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0

    return change


VARIANTS: dict[str, Change] = {
    "as_uploaded": as_uploaded,
    "grey_flair": grey,
    "sixteen_bit": sixteen_bit,
    "512x512": resized((512, 512)),
    "180x180": resized((180, 180)),
    "320x240": resized((320, 240)),
}


def findings(
    served: Served, dataset: Dataset, items: Iterable[SliceFile], change: Change, batch: int = 16
) -> list[Finding]:
    """Every slice through the served steps, in batches."""
    found: list[Finding] = []
    items = list(items)
    for start in range(0, len(items), batch):
        part = items[start : start + batch]
        pairs = [change(*dataset.read(item)) for item in part]
        looks = served.look([pixels for pixels, _ in pairs])
        for item, (_, truth), (published, mask, features) in zip(part, pairs, looks, strict=True):
            sure = confidence(mask, published, served.threshold)
            found.append(Finding(item.patient, truth, mask, published, sure, features))
    return found


def by_patient(found: Sequence[Finding]) -> dict[str, float]:
    """Volume Dice of each patient."""
    names = sorted({f.patient for f in found})
    return {p: dice(*(np.concatenate([getattr(f, part).ravel() for f in found if f.patient == p])
                      for part in ("mask", "truth"))) for p in names}  # fmt: skip


def volume_metrics(found: Sequence[Finding]) -> dict[str, Any]:
    """Mean and median volume Dice over patients, with 95 % bootstrap intervals by patient."""
    scores = by_patient(found)
    values = np.array(list(scores.values()))
    return {
        "mean": round(float(values.mean()), 4),
        "median": round(float(np.median(values)), 4),
        "ci95": [round(v, 4) for v in bootstrap_interval(values)],
        "median_ci95": [round(v, 4) for v in bootstrap_interval(values, np.median)],
        "patients": len(values),
        "per_patient": {name: round(score, 4) for name, score in scores.items()},
    }


def slice_metrics(found: Sequence[Finding]) -> dict[str, Any]:
    """Tumour yes/no by slice: sensitivity, specificity, and AUC of the highest probability; None: nothing to go by."""
    truth = np.array([f.truth.any() for f in found])
    said = np.array([f.mask.any() for f in found])
    score = np.array([f.probability.max() for f in found])
    return {
        "slices": len(found),
        "with_tumour": int(truth.sum()),
        "sensitivity": _mean(said[truth]),
        "specificity": _mean(~said[~truth]),
        "auc": round(area_under_curve(score, truth), 4) if 0 < truth.sum() < len(truth) else None,
    }


def calibration_metrics(found: Sequence[Finding]) -> dict[str, Any]:
    """Mean confidence beside what it promises, where tumour was said (share of mask pixels) and where not (slices)."""
    yes, no = [f for f in found if f.mask.any()], [f for f in found if not f.mask.any()]
    promised = np.array([f.confidence for f in yes])
    kept = np.array([f.truth[f.mask].mean() for f in yes])
    return {
        "found": {"slices": len(yes), "mean_confidence": _mean(promised),
                  "share_of_mask_that_is_tumour": _mean(kept),
                  "expected_calibration_error": round(_calibration_error(promised, kept), 4) if yes else None},
        "not_found": {"slices": len(no), "mean_confidence": _mean([f.confidence for f in no]),
                      "share_truly_without": _mean([not f.truth.any() for f in no])},
    }  # fmt: skip


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    """None where there is nothing to take the mean of: a small study may have no slice of a kind."""
    return round(float(np.mean(values)), 4) if len(values) else None


def _calibration_error(promised: np.ndarray, kept: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017): |promised - kept| by bins of promise, weighted by count."""
    place = np.minimum((promised * bins).astype(int), bins - 1)
    parts = [(place == b) for b in range(bins) if (place == b).any()]
    return float(sum(p.mean() * abs(promised[p].mean() - kept[p].mean()) for p in parts))
