"""Which NIfTI files make a case of BraTS, by their names: those of 2013 to 2023, in any letter case and mix."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix
from pathlib import PurePosixPath

from shared.datasets.spelling import spelled_path

MODALITIES = ("t1", "t1ce", "t2", "flair")
SEGMENTATION = "seg"
_SPELLED = {
    "t1": "t1", "t1n": "t1", "t1w": "t1",
    "t1ce": "t1ce", "t1c": "t1ce", "t1gd": "t1ce", "t1post": "t1ce",
    "t2": "t2", "t2w": "t2",
    "flair": "flair", "t2f": "flair", "t2flair": "flair",
    "seg": SEGMENTATION, "segm": SEGMENTATION, "segmentation": SEGMENTATION,
    "otmulticlass": SEGMENTATION, "ot": SEGMENTATION,
}  # fmt: skip
_VOLUME = re.compile(r"(?P<stem>.+)\.nii(\.gz)?", re.IGNORECASE | re.DOTALL)
_SEPARATORS = " ._-"
_BETWEEN = re.compile(f"[{_SEPARATORS}]+")
_EXPERTS_OF_2013 = {
    "otmulticlass",
    "ot",
}  # in these files 3 is non-enhancing tumour, whatever else is in them
# A word for one of several scans of a patient, and its number: ses-02, week-012, Timepoint_1, baseline.
_TIME = (
    r"(?:ses|session|scan|visit|week|wk|month|mo|day|year|yr|timepoint|time|tp|fu|follow-?up|date)[-_ ]?\d[\w-]*"
    r"|t\d{1,2}|baseline|followup|follow-up|pre-?op|post-?op|preoperative|postoperative|\d{8}|\d{4}-\d{2}-\d{2}"
)
# A patient who was scanned more than once: BraTS-GLI-00005-001, brats_tcia_pat105_0120, Brats18_TCIA01_147_1,
# UPENN-GBM-00001_11, UCSD-PTGBM-0002_01, TCGA_CS_4941_19960909, and sub-01_ses-02 of BIDS.
# The numbers of BraTS20_Training_001 and BraTS2021_00495 are patients.
_SCAN = re.compile(
    r"(?P<patient>brats-[a-z]+-\d+|brats_(?:2013|tcia)_pat\d+|brats1[789]_(?:2013|cbica|tcia\d*)_[a-z0-9]+"
    r"|(?:upenn-gbm|ucsd-ptgbm|ucsf-pdgm|mu-glioma-post|rhuh-gbm|lumiere|ivygap)[-_][a-z0-9]+)[-_]\d+"
    r"|(?P<tcga>tcga[-_][a-z0-9]{2}[-_][a-z0-9]{4})[-_].+"
    rf"|(?P<subject>.*\d.*?)[-_ .](?:{_TIME})",
    re.IGNORECASE | re.ASCII,
)
_SESSION = re.compile(_TIME, re.IGNORECASE | re.ASCII)
# Folders between a session's and its files that say nothing of patients.
_WITHIN_SESSION = frozenset({"anat", "nifti", "nii", "images", "image", "scans", "mri", "mr", "dwi", "perf", "func"})
# Names that came with a meaning of the labels that is their own.
_FROM_2023 = re.compile(r"brats-(?P<task>[a-z]+)(?:-[a-z]+)?-\d+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Case:
    """One scan: its files by modality, and the segmentation; `patient` may have several."""

    name: str
    patient: str
    folder: PurePosixPath
    modalities: Mapping[str, PurePosixPath]
    segmentation: PurePosixPath | None

    @property
    def reference(self) -> PurePosixPath:
        """The file that stands for the case: FLAIR, or the first that is there."""
        return self.modalities.get("flair") or next(iter(self.modalities.values()))

    @property
    def task(self) -> str | None:
        """`gli`, `ped`, `men` and so on, in names as they are from 2023 on; else None."""
        match = _FROM_2023.match(PurePosixPath(self.name).name) or _FROM_2023.match(self.reference.name)
        return match["task"].lower() if match else None

    @property
    def non_enhancing_3(self) -> bool:
        """Whether the segmentation's name says that its label 3 is non-enhancing tumour (BraTS 2013)."""
        return self.segmentation is not None and not _EXPERTS_OF_2013.isdisjoint(
            _BETWEEN.split(self.segmentation.name.lower())
        )


@dataclass(frozen=True)
class Cases:
    """The cases by name, and the NIfTI files that are of no use."""

    cases: Sequence[Case]
    unknown: Sequence[PurePosixPath]  # of no modality that is known
    ambiguous: Sequence[PurePosixPath]  # of a modality that the case has already


@dataclass(frozen=True)
class _File:
    path: PurePosixPath
    kind: str
    case: str  # what the name says besides the modality, its words joined by _
    stem: str  # the same as it is spelled


def find_cases(names: Iterable[str]) -> Cases:
    """All cases among these files that have a modality.

    A folder in which no modality comes twice is a case. Where one does, cases lie side by side in it, and the name
    without the modality tells them apart.
    """
    folders: defaultdict[PurePosixPath, list[_File]] = defaultdict(list)
    unknown = []
    for path in map(PurePosixPath, sorted(names)):
        if not _VOLUME.fullmatch(path.name):
            continue
        folder, file = _folder(spelled_path(path)), _recognised(path)
        if file is None:
            unknown.append(path)
        else:
            folders[folder].append(file)
    found, ambiguous = [], []
    called = _names(folders)
    for folder, files in folders.items():
        kinds = [file.kind for file in files]
        together = len(set(kinds)) == len(kinds)
        groups: defaultdict[str, list[_File]] = defaultdict(list)
        for file in files:
            groups["" if together else file.case].append(file)
        for name, group in groups.items():
            # As it is spelled: what says that two scans are one patient's has its own signs between the words.
            case, twice = _case(folder, group[0].stem if name else called[folder], group)
            ambiguous += twice
            if case.modalities:
                found.append(case)
            else:
                unknown += [file.path for file in group]
    return Cases(_told_apart(found), sorted(unknown), sorted(ambiguous))


def _folder(path: PurePosixPath) -> PurePosixPath:
    """Where the file's case is: some archives wrap each file into a folder of the file's own name."""
    folder = path.parent
    return folder.parent if _VOLUME.fullmatch(folder.name) else folder


def _recognised(path: PurePosixPath) -> _File | None:
    """By the last word of the name, else by the only word that says a modality, else by the folder around the file."""
    spelling = spelled_path(path)
    for name in (spelling.name, spelling.parent.name):
        match = _VOLUME.fullmatch(name)
        stem = match["stem"] if match else ""
        words = _BETWEEN.split(stem)
        said = [place for place, word in enumerate(words) if word.lower() in _SPELLED]
        if said and (said[-1] == len(words) - 1 or len(said) == 1):
            place = said[-1]
            case = "_".join(words[:place] + words[place + 1 :])
            return _File(path, _SPELLED[words[place].lower()], case, _without(stem, place))
    return None


def _without(stem: str, place: int) -> str:
    """The file's name without the word there and what is between the words around it."""
    pieces = re.split(f"({_BETWEEN.pattern})", stem)  # words, and what is between each two
    before, after = "".join(pieces[: 2 * place]), "".join(pieces[2 * place + 1 :])
    return (before.rstrip(_SEPARATORS) + after).strip(_SEPARATORS)


def _names(folders: Mapping[PurePosixPath, Sequence[_File]]) -> dict[PurePosixPath, str]:
    """What a case is called that has a folder of its own: by the folder, unless several have its name.

    Then by what its files share, where that differs: sub-01/anat/sub-01_t1.nii.gz, sub-02/anat/sub-02_t1.nii.gz.
    """
    shared = {folder: commonprefix([file.stem for file in files]) for folder, files in folders.items()}
    stems = {folder: stem.strip(_SEPARATORS) for folder, stem in shared.items()}
    of_name: defaultdict[str, set[str]] = defaultdict(set)
    for folder, stem in stems.items():
        of_name[folder.name].add(stem)
    return {
        folder: (stem if len(of_name[folder.name]) > 1 else folder.name) or folder.name or stem or "case"
        for folder, stem in stems.items()
    }


def _case(folder: PurePosixPath, name: str, files: Sequence[_File]) -> tuple[Case, list[PurePosixPath]]:
    by_kind: dict[str, PurePosixPath] = {}
    twice = [file.path for file in files if by_kind.setdefault(file.kind, file.path) != file.path]
    modalities = {kind: by_kind[kind] for kind in MODALITIES if kind in by_kind}
    return Case(name, name, folder, modalities, by_kind.get(SEGMENTATION)), twice


def _patient(case: Case) -> str:
    """Whose scan it is, by the folder of a session or by the case's name."""
    folders = list(case.folder.parts)
    while folders and folders[-1].lower() in _WITHIN_SESSION:
        folders.pop()
    if len(folders) > 1 and _SESSION.fullmatch(folders[-1]):
        return "/".join(folders[:-1])
    match = _SCAN.fullmatch(case.name)
    return (match["patient"] or match["tcga"] or match["subject"]) if match else case.name


def _told_apart(cases: Sequence[Case]) -> list[Case]:
    """With names of their own, and patients: scans of one patient, and cases of one name, are the same patient's."""
    names = Counter(case.name for case in cases)
    scans = defaultdict(list)
    for case in cases:
        scans[_patient(case)].append(case)
    found = []
    for patient, group in scans.items():
        for case in group:
            inside = case.folder if case.folder.name == case.name else case.folder / case.name
            name = str(inside) if names[case.name] > 1 else case.name
            found.append(replace(case, name=name, patient=patient if len(group) > 1 else name))
    return sorted(found, key=lambda case: (case.patient, case.name))
