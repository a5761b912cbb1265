"""BraTS: cases of up to four modalities and a segmentation as NIfTI, seen as axial slices."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from shared.contract.errors import DatasetError, ImageError
from shared.datasets.base import (
    Contents,
    Finding,
    OnProgress,
    SliceDataset,
    SliceFile,
    in_order,
    sound,
)
from shared.datasets.brats_case import (
    CLASSES,
    CaseImages,
    CaseOutline,
    UnknownLabels,
    differing_grids,
    outline,
    read_case,
)
from shared.datasets.brats_labels import Meaning, meaning_by_name, meaning_of_set, needs_a_word
from shared.datasets.brats_names import MODALITIES, Case, Cases, find_cases
from shared.datasets.patients import Patients, nameless, stated_patients
from shared.datasets.pictures import MaskFile
from shared.datasets.recent import Recent
from shared.datasets.source import Source, source_of
from shared.pictures.picture import Picture

_CASES_KEPT = 2
_SCANS_APART = 10_000  # between the positions of two scans of one patient
_GRADES = ("HGG", "LGG")
_ERRORS = {
    "missing_modality": "These cases lack a modality that others have.",
    "missing_segmentation": "These cases have no segmentation.",
    "unreadable_image": "These files cannot be read.",
    "grid_mismatch": "These files do not lie on the grid of the other modalities of their case.",
    "unknown_labels": "These segmentations cannot be understood.",
    "ambiguous_pair": "Another file of the case claims to be the same modality as these.",
}


class BratsDataset(SliceDataset):
    """Channels are those of t1, t1ce, t2 and flair that the cases have; slices without brain and tumour are left out.

    A slice is called CASE/FILE/77: the case's FLAIR file (or its first) and the number of the axial slice from 0,
    counted from the feet.
    """

    format = "brats"
    classes = CLASSES
    truth = "segmentations of the BraTS challenges (drawn or corrected by experts)"
    in_colour = False
    numbered = True

    def __init__(self, root: Path | Source, patient_pattern: str | None = None) -> None:
        super().__init__(source_of(root))
        self._pattern = patient_pattern
        self._outlines: dict[str, CaseOutline] = {}
        self._recent: Recent[str, CaseImages] = Recent(self._read_case, _CASES_KEPT)

    @classmethod
    def fits(cls, names: Sequence[str]) -> bool:
        """Whether there is a case with a modality and a segmentation among these files."""
        return any(case.segmentation for case in find_cases(names).cases)

    @property
    def channels(self) -> int:
        """As many as there are modalities."""
        return len(self.modalities)

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """Those that any case has, in the order of MODALITIES."""
        there = {modality for case in self._cases for modality in case.modalities}
        return tuple(modality for modality in MODALITIES if modality in there)

    def contents(self, on_progress: OnProgress = lambda done, of: None) -> Contents:
        """Looks into every case for the slices that show something; `on_progress(cases, of)`."""
        faults: defaultdict[str, dict[str, str]] = defaultdict(dict)
        found: list[SliceFile] = []
        for done, case in enumerate(self._cases, 1):
            found += self._look(case, faults)
            on_progress(done, len(self._cases))
        faults["ambiguous_pair"] = {str(path): "" for path in self._found.ambiguous}
        findings = [
            Finding.of("error", code, f"{detail} {next(iter(faults[code].values()))}".strip(), faults[code])
            for code, detail in _ERRORS.items()
            if faults[code]
        ]
        findings += [*nameless(self._untold, self._told_by), *self._warnings()]
        return Contents(in_order(found), findings, self._told_by)

    def patients(self) -> Sequence[str]:
        """By the names of files alone."""
        return sorted({case.patient for case in self._cases})

    def slices_of(self, patient: str) -> Sequence[SliceFile]:
        """Looks into this patient's cases only."""
        faults: defaultdict[str, dict[str, str]] = defaultdict(dict)
        found = [item for case in self._cases if case.patient == patient for item in self._look(case, faults)]
        findings = [
            Finding.of("error", code, _ERRORS[code], files) for code, files in faults.items() if files
        ]
        return sound(Contents(in_order(found), findings, self._told_by))

    def picture(self, item: SliceFile) -> Picture:
        """A slice of all modalities: 16 bit (H, W, modalities); raises ImageError, DatasetError."""
        case, number = self._case_of(item)
        return Picture(self._recent.get(case.name).pixels_DHWC[number], "NIfTI", 16)

    def mask(self, item: SliceFile) -> MaskFile:
        """The labels of a slice, each from 1 a place in `classes`; raises ImageError, DatasetError."""
        case, number = self._case_of(item)
        images = self._recent.get(case.name)
        return MaskFile(images.labels_DHW[number], False, "not_finite" if images.not_finite else None)

    def read_labels(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image as `read`, and labels uint8 (H, W)."""
        return self.picture(item).pixels, self.mask(item).values_HW

    def place_of(self, item: SliceFile) -> tuple[PurePosixPath, int] | None:
        """The scan, of which a patient may have several, and the number of the slice in it."""
        return item.image.parent, int(item.image.name)

    def volume(self, item: SliceFile) -> Sequence[np.ndarray]:
        """The whole scan, empty slices too; raises ImageError, DatasetError."""
        images = self._recent.get(self._case_of(item)[0].name)
        return list(images.pixels_DHWC.astype(np.uint8) if images.eight_bit else images.pixels_DHWC)

    def spacing_mm(self, item: SliceFile) -> tuple[float, float, float] | None:
        """Of slices, rows and columns, as the case's files say."""
        case, _ = self._case_of(item)
        return self._outline(case).grid.spacing_mm

    def cohorts(self) -> Mapping[str, Mapping[str, str]]:
        """By grade, where the cases lie in folders HGG and LGG, as up to 2019."""
        grades = {
            case.patient: part.upper()
            for case in self._cases
            for part in case.reference.parts
            if part.upper() in _GRADES
        }
        return {"grade": grades} if grades else {}

    @cached_property
    def _found(self) -> Cases:
        found = find_cases(self.source.names())
        if not found.cases:
            raise DatasetError(
                "no case was found: a folder with NIfTI files whose names end with t1, t1ce, t2, flair and seg"
            )
        return found

    @cached_property
    def _stated(self) -> Patients | None:
        """By a pattern or a table, which may name a case, its FLAIR or its folder."""
        return stated_patients([case.reference for case in self._found.cases], self.source, self._pattern)

    @property
    def _told_by(self) -> str:
        return self._stated.told_by if self._stated else "folder"

    @cached_property
    def _cases(self) -> Sequence[Case]:
        cases = self._found.cases
        if self._stated is None:
            return cases
        told = zip(cases, self._stated.names, strict=True)
        return sorted(
            (replace(case, patient=name) for case, name in told if name), key=lambda case: (case.patient, case.name)
        )

    @cached_property
    def _untold(self) -> list[PurePosixPath]:
        """Cases that the pattern or the table says nothing of."""
        if self._stated is None:
            return []
        return [c.reference for c, name in zip(self._found.cases, self._stated.names, strict=True) if not name]

    def _meaning(self, case: Case) -> Meaning:
        """Of the labels of a case: by its name, or by all cases of the set whose names do not tell."""
        by_name = meaning_by_name(case.task, case.non_enhancing_3)
        return by_name or self._meaning_of_set

    @cached_property
    def _meaning_of_set(self) -> Meaning:
        labels: set[int] = set()
        for case in self._cases:
            if case.segmentation and meaning_by_name(case.task, case.non_enhancing_3) is None:
                with suppress(ImageError, DatasetError):  # said where the case itself is looked at
                    labels |= self._outline(case).labels
        return meaning_of_set(labels)

    @cached_property
    def _by_reference(self) -> Mapping[PurePosixPath, Case]:
        return {case.reference: case for case in self._cases}

    @cached_property
    def _offsets(self) -> Mapping[str, int]:
        """By case: what is added to its slices' numbers so that a patient's scans follow each other."""
        scans: defaultdict[str, int] = defaultdict(int)
        offsets = {}
        for case in self._cases:
            offsets[case.name] = scans[case.patient] * _SCANS_APART
            scans[case.patient] += 1
        return offsets

    def _case_of(self, item: SliceFile) -> tuple[Case, int]:
        case = self._by_reference.get(item.image.parent)
        if case is None:
            raise DatasetError(f"{item.image} is not of this dataset.")
        return case, int(item.image.name)

    def _read_case(self, name: str) -> CaseImages:
        case = next(case for case in self._cases if case.name == name)
        return read_case(self.source, case, self.modalities, self._meaning(case))

    def _outline(self, case: Case) -> CaseOutline:
        """Once for each case, and small."""
        if case.name not in self._outlines:
            self._outlines[case.name] = outline(self.source, case)
        return self._outlines[case.name]

    def _look(self, case: Case, faults: dict[str, dict[str, str]]) -> Iterator[SliceFile]:
        """The case's slices; what is wrong with it goes into `faults`, by code and file with a sentence."""
        lacking = [modality for modality in self.modalities if modality not in case.modalities]
        for modality in lacking:
            faults["missing_modality"][f"{case.name}: {modality}"] = (
                f"The first is {case.name}, without {modality}."
            )
        if case.segmentation is None:
            faults["missing_segmentation"][case.name] = ""
        if lacking or case.segmentation is None:
            return
        try:
            if differing := differing_grids(self.source, case):
                faults["grid_mismatch"].update(differing)
                return
            shown = self._outline(case).slices
        except UnknownLabels as error:
            faults["unknown_labels"][str(case.segmentation)] = error.detail
            return
        except (ImageError, DatasetError) as error:  # the sentence begins with the file's name
            faults["unreadable_image"][str(_culprit(case, error.detail))] = error.detail
            return
        for number in shown:
            position = self._offsets[case.name] + number
            yield SliceFile(
                case.patient, position, case.reference / str(number), case.segmentation / str(number)
            )

    def _warnings(self) -> Iterator[Finding]:
        absent = [modality for modality in MODALITIES if modality not in self.modalities]
        if absent:
            detail = (
                f"No case has {', '.join(absent)}: there are {self.channels} channels, not {len(MODALITIES)}."
            )
            yield Finding("warning", "fewer_modalities", detail)
        words: defaultdict[str, list[str]] = defaultdict(list)
        for case in self._cases:
            outlined = self._outlines.get(case.name)
            if outlined and needs_a_word(self._meaning(case), outlined.labels):
                words[self._meaning(case).said].append(case.name)
        for said, names in words.items():
            yield Finding.of("warning", "labels_by_year", said, names)
        if self._found.unknown:
            detail = "These NIfTI files are of no modality that is known by name, and are not used."
            yield Finding.of("warning", "left_out", detail, self._found.unknown)


def _culprit(case: Case, said: str) -> PurePosixPath:
    """The file of the case that a sentence begins with."""
    files = [*case.modalities.values(), *([case.segmentation] if case.segmentation else [])]
    return max(
        (file for file in files if said.startswith(str(file))),
        default=case.reference,
        key=lambda f: len(str(f)),
    )
