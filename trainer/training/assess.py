"""How good a model is on patients that it never saw, through the very steps that serving takes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from shared.datasets.base import Dataset, SliceFile
from shared.datasets.digest import channel_digests
from shared.masks.binary_mask import binary_mask
from shared.masks.measure import confidence
from shared.preprocessing.channels import channel_indices
from shared.preprocessing.preprocess import Preprocessing
from shared.preprocessing.square_pixels import PixelSpacing
from shared.registry.cards import ModelCard
from trainer.engines.engine import Engine
from trainer.engines.model_folder import ModelFolder
from trainer.engines.open_engine import open_engine
from trainer.metrics.basics import area_under_curve, bootstrap_interval
from trainer.training.brightness import levels_of

Pixels = np.ndarray
Change = Callable[[Pixels, np.ndarray], tuple[Pixels, np.ndarray]]
BATCH = 16


@dataclass(frozen=True)
class Finding:
    """What serving would say of one slice, beside the expert's mask: counts of pixels, and no pictures.

    `highest` is the highest value of the published map, 0..255.
    """

    patient: str
    both: int
    found: int
    true: int
    highest: int
    confidence: float
    strangeness: np.ndarray

    @classmethod
    def of(cls, patient: str, truth_HW: np.ndarray, look: "Look", threshold: float) -> "Finding":
        """Of one slice."""
        both, found, true = (int(np.count_nonzero(m)) for m in (look.mask & truth_HW, look.mask, truth_HW))
        sure = confidence(look.mask, look.probability, threshold)
        return cls(patient, both, found, true, int(look.probability.max()), sure, look.strangeness)


@dataclass(frozen=True)
class Volume:
    """One patient's slices, and what the served model says of them; slices may differ in size.

    `truth` and `found` are labels, uint8 (H, W): 0 where there is no tumour. `highest` is the highest probability in
    each slice, 0..1; `digests` are of its channels; `spacing_mm` is that of slices, rows and columns, if known.
    """

    patient: str
    items: tuple[SliceFile, ...]
    truth: tuple[np.ndarray, ...]
    found: tuple[np.ndarray, ...]
    highest: tuple[float, ...]
    digests: tuple[frozenset[bytes], ...]
    spacing_mm: tuple[float, float, float] | None


class Upload(NamedTuple):
    """A slice as serving gets it: pixels (H, W, C), the levels of its volume (see Preprocessing), its pixel spacing."""

    pixels: Pixels
    levels_C2: np.ndarray | None = None
    spacing_mm: PixelSpacing = None


class Look(NamedTuple):
    """What is said of one slice, at its own size: `labels` uint8, 0 outside the mask, else a class from 1."""

    probability: np.ndarray
    mask: np.ndarray
    strangeness: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Served:
    """A model in the engine that serves it on this machine, with its card."""

    engine: Engine
    preprocessing: Preprocessing
    card: ModelCard

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels from 1 on."""
        return tuple(label.name for label in self.card.labels)

    def look(self, uploads: Sequence[Upload]) -> list[Look]:
        """At each upload."""
        fit = self.preprocessing
        inputs = np.stack([fit.to_input(one.pixels, one.levels_C2, one.spacing_mm) for one in uploads])
        found = []
        for upload, p, s, label in zip(uploads, *self.engine.predict(inputs), strict=True):
            place = (*upload.pixels.shape[:2], upload.spacing_mm)
            published = fit.from_output(p, *place)
            smallest = fit.smallest_region(self.card.min_region_pixels, *place)
            mask = binary_mask(published, self.card.threshold, smallest)
            classes = fit.labels_from_output(label, *place)
            found.append(Look(published, mask, s, np.where(mask, classes, 0).astype(np.uint8)))
        return found


def served(
    folder: Path,
    device: str,
    flips: Sequence[str] | None = None,
    engine: str = "auto",
    cache_dir: Path | None = None,
) -> Served:
    """The model in `folder`, warm, on `cpu` or `cuda:N`; with these test-time flips instead of the card's.

    `engine` and `cache_dir` are those of `open_engine`.
    """
    source = ModelFolder(folder, None if flips is None else tuple(flips))
    return Served(open_engine(source, device, engine, cache_dir), source.preprocessing, source.card)


def volumes(served: Served, dataset: Dataset, items: Sequence[SliceFile]) -> Iterator[Volume]:
    """Patient by patient, one in memory at a time; `items` come ordered by patient.

    Raises InvalidFields (model) where the dataset cannot give the channels that the model takes.
    """
    card = served.card
    channels = list(channel_indices(card.channels, card.in_channels, dataset.modalities, dataset.channels))
    for patient, group in groupby(items, key=lambda item: item.patient):
        yield _volume(served, dataset, patient, tuple(group), channels)


def _volume(
    served: Served, dataset: Dataset, patient: str, items: tuple[SliceFile, ...], channels: list[int]
) -> Volume:
    levels = levels_of(served.preprocessing, dataset, items, lambda pixels: pixels[..., channels])
    truth, found, highest, digests = [], [], [], []
    for start in range(0, len(items), BATCH):
        pairs, uploads = [], []
        for item, levels_C2 in zip(items[start : start + BATCH], levels[start:], strict=False):
            pixels, labels = dataset.read_labels(item)
            pairs.append((pixels, labels))
            uploads.append(Upload(pixels[..., channels], levels_C2, dataset.pixel_spacing_mm(item)))
        looks = served.look(uploads)
        truth += [labels for _, labels in pairs]
        found += [look.labels for look in looks]
        highest += [int(look.probability.max()) / 255 for look in looks]
        digests += [channel_digests(pixels) for pixels, _ in pairs]
    spacings = {dataset.spacing_mm(item) for item in items}
    spacing = spacings.pop() if len(spacings) == 1 else None
    return Volume(patient, items, tuple(truth), tuple(found), tuple(highest), tuple(digests), spacing)


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
    served: Served, dataset: Dataset, items: Iterable[SliceFile], change: Change, batch: int = BATCH
) -> list[Finding]:
    """Every slice through the served steps, in batches of one patient."""
    found: list[Finding] = []
    for _, group in groupby(items, key=lambda item: item.patient):
        slices = list(group)
        levels = levels_of(served.preprocessing, dataset, slices, lambda p: change(p, np.zeros(p.shape[:2], bool))[0])
        for start in range(0, len(slices), batch):
            uploads, truths = [], []
            for item, levels_C2 in zip(slices[start : start + batch], levels[start:], strict=False):
                pixels, truth = dataset.read(item)
                changed, truth = change(pixels, truth)
                spacing_mm = _respaced(dataset.pixel_spacing_mm(item), pixels, changed)
                uploads.append(Upload(changed, levels_C2, spacing_mm))
                truths.append(truth)
            looks = served.look(uploads)
            for item, truth, look in zip(slices[start:], truths, looks, strict=False):
                found.append(Finding.of(item.patient, truth, look, served.card.threshold))
    return found


def _respaced(spacing_mm: tuple[float, float] | None, before: Pixels, after: Pixels) -> PixelSpacing:
    """The spacing of a slice that was resized."""
    if spacing_mm is None:
        return None
    row, column = (mm * b / a for mm, b, a in zip(spacing_mm, before.shape, after.shape, strict=False))
    return row, column


def by_patient(found: Sequence[Finding]) -> dict[str, float]:
    """Volume Dice of each patient; 1 where both masks are empty."""
    counts: dict[str, np.ndarray] = {}
    for f in found:
        counts[f.patient] = counts.get(f.patient, np.zeros(2)) + (2 * f.both, f.found + f.true)
    return {name: float(both / total) if total else 1.0 for name, (both, total) in sorted(counts.items())}


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
    truth = np.array([f.true > 0 for f in found])
    said = np.array([f.found > 0 for f in found])
    score = np.array([f.highest for f in found])
    return {
        "slices": len(found),
        "with_tumour": int(truth.sum()),
        "sensitivity": _mean(said[truth]),
        "specificity": _mean(~said[~truth]),
        "auc": round(area_under_curve(score, truth), 4) if 0 < truth.sum() < len(truth) else None,
    }


def calibration_metrics(found: Sequence[Finding]) -> dict[str, Any]:
    """Mean confidence beside what it promises, where tumour was said (share of mask pixels) and where not (slices)."""
    yes, no = [f for f in found if f.found], [f for f in found if not f.found]
    promised = np.array([f.confidence for f in yes])
    kept = np.array([f.both / f.found for f in yes])
    return {
        "found": {"slices": len(yes), "mean_confidence": _mean(promised),
                  "share_of_mask_that_is_tumour": _mean(kept),
                  "expected_calibration_error": round(_calibration_error(promised, kept), 4) if yes else None},
        "not_found": {"slices": len(no), "mean_confidence": _mean([f.confidence for f in no]),
                      "share_truly_without": _mean([not f.true for f in no])},
    }  # fmt: skip


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    """None where there is nothing to take the mean of: a small study may have no slice of a kind."""
    return round(float(np.mean(values)), 4) if len(values) else None


def _calibration_error(promised: np.ndarray, kept: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017): |promised - kept| by bins of promise, weighted by count."""
    place = np.minimum((promised * bins).astype(int), bins - 1)
    parts = [(place == b) for b in range(bins) if (place == b).any()]
    return float(sum(p.mean() * abs(promised[p].mean() - kept[p].mean()) for p in parts))
