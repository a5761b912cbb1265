"""One patient's volume as numbers: the pixels are let go of as soon as these are taken.

Names of axes: S slices, 4 counts (see metrics), K classes, HW a slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.datasets.base import SliceFile
from trainer.metrics.overlap import FN, FP, TP, confusion, hd95
from trainer.training.assess import Volume

# Labels of the same class in truth and prediction, by their names.
Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class KeptSlice:
    """One slice to look at later: where it is, and both masks, eight pixels a byte."""

    item: SliceFile
    shape: tuple[int, int]
    truth_bits: np.ndarray
    found_bits: np.ndarray

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Truth and prediction, bool (H, W)."""
        truth, found = (_unpacked(bits, self.shape) for bits in (self.truth_bits, self.found_bits))
        return truth, found


@dataclass(frozen=True)
class Measured:
    """What is kept of one patient. Distances are NaN where they are not defined; those in mm without a spacing too.

    `several_sizes` and `gaps`: why slices cannot be stacked, so that the volume has no distance.
    """

    patient: str
    items: tuple[SliceFile, ...]
    digests: tuple[frozenset[bytes], ...]
    counts_S4: np.ndarray
    highest_S: np.ndarray
    hd95_S: np.ndarray
    hd95_mm_S: np.ndarray
    hd95: float
    hd95_mm: float
    classes_K4: np.ndarray
    pixel_mm2: float | None
    several_sizes: bool
    gaps: bool
    place: KeptSlice

    @property
    def counts_4(self) -> np.ndarray:
        """Of the whole volume."""
        return self.counts_S4.sum(axis=0)

    @property
    def true_pixels(self) -> int:
        """In all slices together."""
        return int(self.counts_4[[TP, FN]].sum())

    @property
    def found_pixels(self) -> int:
        """In all slices together."""
        return int(self.counts_4[[TP, FP]].sum())


def measure(volume: Volume, pairs: Pairs = ()) -> Measured:
    """Whole tumour (labels above 0), and each class of `pairs` (label in the truth, label in the prediction)."""
    truth, found = ([labels > 0 for labels in part] for part in (volume.truth, volume.found))
    spacing = volume.spacing_mm
    counts_S4 = np.stack([confusion(f, t) for f, t in zip(found, truth, strict=True)])
    several_sizes = len({mask.shape for mask in truth}) > 1
    gaps = _gaps([item.index for item in volume.items])
    stacks = None if several_sizes or gaps else (_stack(found), _stack(truth))
    return Measured(
        patient=volume.patient,
        items=volume.items,
        digests=volume.digests,
        counts_S4=counts_S4,
        highest_S=np.array(volume.highest, np.float64),
        hd95_S=np.array([hd95(f, t) for f, t in zip(found, truth, strict=True)]),
        hd95_mm_S=np.array([_in_mm(f, t, spacing) for f, t in zip(found, truth, strict=True)]),
        hd95=np.nan if stacks is None else hd95(*stacks),
        hd95_mm=np.nan if stacks is None else _in_mm(*stacks, spacing),
        classes_K4=_classes(volume, pairs),
        pixel_mm2=None if spacing is None else spacing[1] * spacing[2],
        several_sizes=several_sizes,
        gaps=gaps,
        place=_place(volume, counts_S4, truth, found),
    )


def _in_mm(found: np.ndarray, truth: np.ndarray, spacing: tuple[float, float, float] | None) -> float:
    """Of slices by rows and columns, of volumes by slices too."""
    return np.nan if spacing is None else hd95(found, truth, spacing[-found.ndim :])


def _stack(masks: Sequence[np.ndarray]) -> np.ndarray:
    """(D, H, W); a single slice stays one, else all of its pixels would be surface, seen from above."""
    return masks[0] if len(masks) == 1 else np.stack(masks)


def _gaps(indices: Sequence[int]) -> bool:
    return list(indices) != list(range(indices[0], indices[0] + len(indices)))


def _classes(volume: Volume, pairs: Pairs) -> np.ndarray:
    counts_K4 = np.zeros((len(pairs), 4), np.int64)
    for truth, found in zip(volume.truth, volume.found, strict=True):
        for k, (true_label, found_label) in enumerate(pairs):
            counts_K4[k] += confusion(found == found_label, truth == true_label)
    return counts_K4


def _place(
    volume: Volume, counts_S4: np.ndarray, truth: Sequence[np.ndarray], found: Sequence[np.ndarray]
) -> KeptSlice:
    """The slice with the largest true area; with the largest prediction where there is no tumour; else the middle."""
    true_S, found_S = counts_S4[:, [TP, FN]].sum(axis=1), counts_S4[:, [TP, FP]].sum(axis=1)
    largest = next((areas_S.argmax() for areas_S in (true_S, found_S) if areas_S.any()), len(truth) // 2)
    s = int(largest)
    height, width = truth[s].shape
    return KeptSlice(volume.items[s], (height, width), np.packbits(truth[s]), np.packbits(found[s]))


def _unpacked(bits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool)
