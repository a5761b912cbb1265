"""Looking through a dataset before anybody trains on it: every pair decoded once, one slice in memory at a time."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from shared.contract.errors import DatasetError, ImageError
from shared.datasets.base import LEVELS, MAX_FILES_NAMED, Finding, OnProgress, SliceDataset, SliceFile
from shared.datasets.digest import picture_digest
from shared.datasets.pictures import MaskFile
from shared.datasets.told_apart import findings_of_patients
from shared.pictures.picture import Picture

FEW_PATIENTS = 10
SPLIT_PARTS = 3  # train, validation, test
MAX_LISTED = 20  # sizes and label values in the report
_NEARLY_ALL = 0.9  # of one slice
_MOSTLY = 0.5  # a tumour that fills more than this of all slices is an inverted mask

Report = dict[str, Any]


def look_through(
    dataset: SliceDataset, on_progress: OnProgress = lambda done, of: None
) -> tuple[Report, list[Finding]]:
    """Report (JSON) and findings; a finding of level `error` means that the dataset cannot be trained on.

    `on_progress(slices, of)` is called after each slice, before that while listing takes long, and may raise to break
    off. Raises DatasetError where there is no slice to look at, OSError as the disk does.
    """
    contents = dataset.contents(on_progress)
    tally = _Tally(of_classes=len(dataset.classes) > 1)
    for done, item in enumerate(contents.slices, 1):
        _look(dataset, item, tally)
        on_progress(done, len(contents.slices))
    report = {
        "format": dataset.format,
        "patients_from": contents.patients_from,
        "channels": dataset.channels,
        "modalities": list(dataset.modalities),
        "classes": list(dataset.classes),
        "truth": dataset.truth,
        **tally.report(),
    }
    findings = [*contents.findings, *tally.findings(), *findings_of_patients(contents)]
    return report, sorted(findings, key=lambda finding: LEVELS.index(finding.level))


@dataclass
class _Files:
    """The first files of a kind, and how many there are."""

    first: list[str] = field(default_factory=list)
    count: int = 0
    why: str = ""

    def add(self, file: object, why: str = "") -> None:
        self.count += 1
        self.why = self.why or why
        if len(self.first) < MAX_FILES_NAMED:
            self.first.append(str(file))


@dataclass
class _Tally:
    """What all slices together come to."""

    of_classes: bool  # the values of masks are classes, and not just tumour or none
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    labels: set[int] = field(default_factory=set)
    slices: int = 0
    tumour_slices: int = 0
    pixels: int = 0
    tumour_pixels: int = 0
    patients: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))  # slices with tumour
    spacings: set[tuple[float, float, float] | None] = field(default_factory=set)
    # by digest of the pixels: the patient and path that had it first
    seen: dict[bytes, tuple[str, PurePosixPath]] = field(default_factory=dict)
    trouble: defaultdict[str, _Files] = field(default_factory=lambda: defaultdict(_Files))
    largest: dict[str, tuple[int, str]] = field(default_factory=dict)  # by patient: tumour pixels, image

    def report(self) -> Report:
        """The numbers; `preview` is the slice with the largest tumour of the first patient who has one."""
        first = min(self.largest, key=lambda patient: (not self.largest[patient][0], patient), default=None)
        spacing = next(iter(self.spacings)) if len(self.spacings) == 1 else None
        return {
            "patients": len(self.patients),
            "slices": self.slices,
            "tumour_slices": self.tumour_slices,
            "tumour_share": round(self.tumour_pixels / self.pixels, 6) if self.pixels else 0.0,
            "bit_depths": sorted(self.depths),
            "label_values": sorted(self.labels)[:MAX_LISTED],
            "sizes": [
                {"width": width, "height": height, "slices": count}
                for (width, height), count in self.sizes.most_common(MAX_LISTED)
            ],
            "spacing_mm": list(spacing) if spacing else None,
            "split_feasible": len(self.patients) >= SPLIT_PARTS,
            "preview": {"patient": first, "image": self.largest[first][1]} if first is not None else None,
        }

    def findings(self) -> list[Finding]:
        """What is wrong, errors first."""
        found = [*self._of_files(), *self._of_patients()]
        if self.slices and not self.tumour_slices:
            found.append(Finding("error", "no_tumour", "Every mask is empty: there is nothing to learn."))
        elif self.pixels and self.tumour_pixels > _MOSTLY * self.pixels:
            detail = (
                f"By the masks {self.tumour_pixels / self.pixels:.1%} of all pixels are tumour: they are inverted, or"
                " written with two levels of which white is zero. Save them with tumour bright and the rest 0."
            )
            found.append(Finding("error", "mostly_tumour", detail))
        if len(self.labels) > 2 and not self.of_classes:
            listed = ", ".join(str(value) for value in sorted(self.labels)[:MAX_LISTED])
            detail = f"The masks hold the values {listed}: everything above 0 is taken as tumour."
            found.append(Finding("warning", "many_labels", detail))
        return found

    def _of_files(self) -> Iterator[Finding]:
        for code, (level, detail) in _OF_FILES.items():
            if (files := self.trouble.get(code)) is not None:
                text = f"{detail} {files.why}".strip()
                yield Finding(level, code, text, tuple(files.first), files.count)

    def _of_patients(self) -> Iterator[Finding]:
        count = len(self.patients)
        if count < SPLIT_PARTS:
            yield Finding(
                "warning",
                "split_not_feasible",
                f"A split by patient into train, validation and test needs {SPLIT_PARTS} patients; there are {count}.",
            )
        elif count < FEW_PATIENTS:
            yield Finding(
                "warning", "few_patients", f"Only {count} patients: what a test on so few says is uncertain."
            )
        without = sorted(patient for patient, slices in self.patients.items() if not slices)
        if without and self.tumour_slices:
            yield Finding.of(
                "warning", "patients_without_tumour", "All masks of these patients are empty.", without
            )


_OF_FILES = {
    "unreadable_image": ("error", "These images cannot be read."),
    "unreadable_mask": ("error", "These masks cannot be read."),
    "size_mismatch": ("error", "These images are not of the size of their masks."),
    "inverted_mask": (
        "error",
        "In these masks nearly every pixel is tumour: they are inverted. Save them with tumour bright and the rest 0.",
    ),
    "two_patients": ("warning", "These images are also there under another patient, with the same pixels."),
    "no_brain": (
        "warning",
        "No brain was found in these pictures; the circle lies at their brightest place.",
    ),
    "not_finite": (
        "warning",
        "These have voxels that are no number; they took the lowest value of their volume.",
    ),
}


def _look(dataset: SliceDataset, item: SliceFile, tally: _Tally) -> None:
    """One slice; whatever is wrong with it is noted, and it counts only when nothing is."""
    tally.patients[item.patient] += 0
    try:
        picture, name = dataset.picture(item), "unreadable_mask"
    except (ImageError, DatasetError) as error:
        tally.trouble["unreadable_image"].add(item.image, error.detail)
        return
    try:
        mask = dataset.mask(item)
    except (ImageError, DatasetError) as error:
        tally.trouble[name].add(item.mask, error.detail)
        return
    if mask.values_HW.shape != picture.pixels.shape[:2]:
        height, width = mask.values_HW.shape
        why = f"The first is {picture.width} x {picture.height}, its mask {width} x {height}."
        tally.trouble["size_mismatch"].add(item.image, why)
        return
    if np.count_nonzero(mask.tumour_HW) > _NEARLY_ALL * mask.values_HW.size:
        tally.trouble["inverted_mask"].add(item.mask)
    if mask.remark is not None:
        tally.trouble[mask.remark].add(item.image)
    tally.spacings.add(dataset.spacing_mm(item))
    _count(picture, mask, item, tally)


def _count(picture: Picture, mask: MaskFile, item: SliceFile, tally: _Tally) -> None:
    tumour = int(np.count_nonzero(mask.tumour_HW))
    tally.slices += 1
    tally.sizes[picture.width, picture.height] += 1
    tally.depths[picture.bit_depth] += 1
    tally.pixels += mask.values_HW.size
    tally.tumour_pixels += tumour
    if not mask.lossy and len(tally.labels) <= MAX_LISTED:
        tally.labels.update(np.unique(mask.values_HW)[: MAX_LISTED + 1].tolist())
    if tumour:
        tally.tumour_slices += 1
        tally.patients[item.patient] += 1
    if tumour > tally.largest.get(item.patient, (-1, ""))[0]:
        tally.largest[item.patient] = tumour, str(item.image)
    if (digest := picture_digest(picture.pixels)) is not None:  # the black slices above a head are all alike
        patient, _ = tally.seen.setdefault(digest, (item.patient, item.image))
        if patient != item.patient:
            tally.trouble["two_patients"].add(item.image)
