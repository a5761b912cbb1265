"""What is to be said of how patients were told apart: by what, with examples, and where that looks wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from shared.datasets.base import Contents, Finding

_BY = {
    "folder": "by the names of folders and scans",
    "file_name": "by the names of files",
    "pattern": "by the patient_pattern",
    "csv": "by a CSV in the dataset",
    "content": "by their content: each picture is a patient, but copies are one",
}
_EXAMPLES = 3
_MOST = 0.5  # of all slices under one name, where there are several: hardly a patient
_MANY_SLICES = 20


def findings_of_patients(contents: Contents) -> Iterator[Finding]:
    """A note, and warnings."""
    slices = contents.slices
    first: dict[str, str] = {}
    for item in slices:
        first.setdefault(item.patient, str(item.image))
    if not first:
        return
    shown = "; ".join(f"{patient}: {image}" for patient, image in list(first.items())[:_EXAMPLES])
    told = _BY.get(contents.patients_from, contents.patients_from)
    yield Finding("note", "patients_told", f"{len(first)} patients were told apart {told}, such as {shown}.")
    counts = Counter(item.patient for item in slices)
    patient, most = counts.most_common(1)[0]
    if len(counts) > 1 and len(slices) >= _MANY_SLICES and most > _MOST * len(slices):
        detail = (
            f"{patient} holds {most} of {len(slices)} slices: if that is no patient, give a patient_pattern or a CSV."
        )
        yield Finding("warning", "one_patient_holds_most", detail)
    several = _in_several_places(contents)
    if several:
        detail = "These names stand in several places, and were taken for one patient each."
        yield Finding.of("warning", "same_name_in_several_places", detail, several)
    apart = _under_several_kinds(contents)
    if apart:
        detail = (
            "These names stand below folders of different kinds, and were taken for a patient in each. If they are the "
            "same people, a split by patient leaks: give a patient_pattern or a CSV."
        )
        yield Finding.of("warning", "same_name_under_several_kinds", detail, apart)


def _in_several_places(contents: Contents) -> list[str]:
    """Patients whose name is a folder below different ones."""
    above: defaultdict[str, set[PurePosixPath]] = defaultdict(set)
    for item in contents.slices:
        parts = item.image.parts[:-1]
        if item.patient in parts:
            above[item.patient].add(PurePosixPath(*parts[: parts.index(item.patient)]))
    return sorted(patient for patient, places in above.items() if len(places) > 1)


def _under_several_kinds(contents: Contents) -> list[str]:
    """Names of files that are different patients only because their folders are of different kinds."""
    if contents.patients_from != "file_name":
        return []
    patients: defaultdict[str, set[str]] = defaultdict(set)
    for item in contents.slices:
        patients[item.patient.rpartition("/")[2]].add(item.patient)
    return sorted(name for name, told in patients.items() if len(told) > 1)
