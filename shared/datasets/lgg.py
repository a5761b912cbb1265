"""The LGG MRI Segmentation dataset (Buda et al. 2019) as it is published: PATIENT/NAME_N.tif and NAME_N_mask.tif."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from shared.contract.errors import DatasetError
from shared.datasets.base import Contents, Finding, OnProgress, SliceDataset, SliceFile, in_order
from shared.datasets.patients import nameless, regrouped, stated_patients
from shared.datasets.source import Source, source_of
from shared.datasets.spelling import spelled

_SLICE = re.compile(r"(?P<stem>.+)_(?P<index>\d{1,9})\.tif", re.ASCII)
_MASK = re.compile(r".+_\d{1,9}_mask\.tif", re.ASCII)
_PATIENT = re.compile(r"(?P<id>TCGA_(?P<institution>[A-Z0-9]{2})_[A-Z0-9]{4})(_.*)?", re.ASCII)
_CLINICAL = "data.csv"
# The table gives codes and its README does not say what they mean. Grades: as TCGA has them, held against patients
# of both codes. Histological types are in alphabetical order there, which is not proof enough to name them.
_GRADES = {"1": "G2", "2": "G3"}


class LggDataset(SliceDataset):
    """Three channels: pre-contrast, FLAIR, post-contrast; the mask is the FLAIR abnormality.

    The patients' folders may lie anywhere (the archive has them in `kaggle_3m`, and a second time deeper down: the
    copies are left out).
    """

    format = "lgg"
    modalities = ("pre-contrast", "flair", "post-contrast")

    def __init__(self, root: Path | Source, patient_pattern: str | None = None) -> None:
        super().__init__(source_of(root))
        self._pattern = patient_pattern

    @classmethod
    def fits(cls, names: Sequence[str]) -> bool:
        """Whether these files are laid out like this: all of the TIFFs, in the folders that hold masks."""
        paths = [PurePosixPath(name) for name in names]
        folders = {path.parent for path in paths if _MASK.fullmatch(path.name) and len(path.parts) > 1}
        tiffs = [path for path in paths if path.suffix.lower() in (".tif", ".tiff")]
        return bool(folders) and all(
            path.parent in folders and (_SLICE.fullmatch(path.name) or _MASK.fullmatch(path.name))
            for path in tiffs
        )

    def contents(self, on_progress: OnProgress = lambda done, of: None) -> Contents:
        """Raises DatasetError where no slice is found."""
        names = {spelled(name): PurePosixPath(name) for name in self.source.names()}
        images = [path for path in names.values() if _is_slice(path)]
        if not images:
            raise DatasetError("no folder PATIENT with NAME_N.tif and NAME_N_mask.tif in it was found")
        top = min((path.parent.parent for path in images), key=lambda path: (len(path.parts), str(path)))
        found, alone, copies = [], [], []
        for path in images:
            match = _SLICE.fullmatch(path.name)
            mask = names.get(spelled(str(path.with_name(f"{path.stem}_mask.tif"))))
            if path.parent.parent != top:
                copies.append(path)
            elif mask is None:
                alone.append(path)
            elif match:
                patient = path.parent.name
                found.append(SliceFile(patient, int(match["index"]), path, mask, part=_same_person(patient)))
        findings = []
        if alone:
            findings.append(
                Finding.of(
                    "error", "image_without_mask", "These images have no mask beside them.", sorted(alone)
                )
            )
        if copies:
            detail = f"Only the patients' folders in {top} are taken; these files lie elsewhere."
            findings.append(Finding.of("warning", "left_out", detail, sorted(copies)))
        stated = stated_patients([item.image for item in found], self.source, self._pattern)
        if stated is None:
            return Contents(in_order(_by_person(found)), findings, "folder")
        named, without_name = regrouped(found, stated)
        return Contents(named, [*nameless(without_name, stated.told_by), *findings], stated.told_by)

    def cohorts(self) -> Mapping[str, Mapping[str, str]]:
        """By institution, which the name tells; by grade and histological type where the published table is there."""
        names = self.source.names()
        folders = {path.parent.name for path in map(PurePosixPath, names) if _is_slice(path)}
        patients = {folder: match for folder in sorted(folders) if (match := _PATIENT.fullmatch(folder))}
        grades, types = {}, {}
        for row in self._clinical(names):
            if grade := _GRADES.get(row.get("neoplasm_histologic_grade") or ""):
                grades[row["Patient"]] = grade
            if kind := row.get("histological_type"):
                types[row["Patient"]] = f"type {kind}"
        found = {
            "institution": {folder: match["institution"] for folder, match in patients.items()},
            "grade": {f: grades[m["id"]] for f, m in patients.items() if m["id"] in grades},
            "histological type": {f: types[m["id"]] for f, m in patients.items() if m["id"] in types},
        }
        return {grouping: groups for grouping, groups in found.items() if groups}

    def _clinical(self, names: Sequence[str]) -> Iterator[dict[str, str]]:
        """Rows of data.csv; a table of something else has none."""
        tables = [name for name in names if PurePosixPath(name).name == _CLINICAL]
        if not tables:
            return
        text = self.source.read(min(tables, key=lambda name: (name.count("/"), name))).decode(
            "utf-8-sig", "replace"
        )
        try:
            for row in csv.DictReader(io.StringIO(text, newline="")):
                if row.get("Patient"):
                    yield row
        except csv.Error:
            return


def _same_person(folder: str) -> str:
    match = _PATIENT.fullmatch(folder)
    return match["id"] if match else folder


def _by_person(slices: Sequence[SliceFile]) -> list[SliceFile]:
    """Folders of several dates of one person go into one part of a split; others are a part by themselves."""
    dates: defaultdict[str, set[str]] = defaultdict(set)
    for item in slices:
        dates[item.part].add(item.patient)
    return [item if len(dates[item.part]) > 1 else replace(item, part="") for item in slices]


def _is_slice(path: PurePosixPath) -> bool:
    return len(path.parts) > 1 and bool(_SLICE.fullmatch(path.name))
