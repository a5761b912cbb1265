"""Cases of BraTS by the names of their files, as the years spelled them."""

import pytest

from shared.datasets.brats_names import MODALITIES, find_cases

ALL = [*MODALITIES, "seg"]


def files(folder: str, *names: str, end: str = ".nii.gz") -> list[str]:
    return [f"{folder}/{name}{end}" for name in names]


def kinds(names: list[str]) -> dict[str, set[str]]:
    """Case -> what it has."""
    return {
        case.name: set(case.modalities) | ({"seg"} if case.segmentation else set())
        for case in find_cases(names).cases
    }


@pytest.mark.parametrize("end", [".nii", ".nii.gz", ".NII.GZ"])
@pytest.mark.parametrize(
    "names",
    [
        ["A_t1", "A_t1ce", "A_t2", "A_flair", "A_seg"],
        ["A-t1n", "A-t1c", "A-t2w", "A-t2f", "A-seg"],
        ["A-t1n", "A-t1c", "A-t2W", "A-t2f", "A-seg"],
        ["A_T1", "A_T1GD", "A_T2", "A_FLAIR", "A_segm"],
        ["A_t1", "A_t1Gd", "A_t2", "A_Flair", "A_segmentation"],
        ["T1_subtrMeanDivStd", "T1c_subtrMeanDivStd", "T2_subtrMeanDivStd", "Flair_subtrMeanDivStd", "OTMultiClass"],
        ["VSD.X.O.MR_T1.5", "VSD.X.O.MR_T1c.6", "VSD.X.O.MR_T2.7", "VSD.X.O.MR_Flair.8", "VSD.X.O.OT.9"],
        ["A_t1", "A_t1ce", "A_t2", "A_flair", "W39_1998.09.19_Segm"],
        ["t1", "t1ce", "t2", "flair", "seg"],
    ],
)  # fmt: skip
def test_every_year_has_its_names(names: list[str], end: str) -> None:
    for folder in ("A", "train/HGG/A"):
        assert kinds(files(folder, *names, end=end)) == {"A": set(ALL)}


def test_cases_may_lie_side_by_side() -> None:
    names = [f"{case}_{kind}.nii.gz" for case in ("BraTS_1", "BraTS_2") for kind in ALL]
    for folder in ("", "all/"):
        assert kinds([folder + name for name in names]) == {"BraTS_1": set(ALL), "BraTS_2": set(ALL)}


def test_a_single_case_without_a_folder_is_called_by_what_its_files_share() -> None:
    assert kinds([f"BraTS_1_{kind}.nii.gz" for kind in ALL]) == {"BraTS_1": set(ALL)}
    assert kinds([f"{kind}.nii.gz" for kind in ALL]) == {"case": set(ALL)}


def test_a_folder_around_each_file_is_looked_through() -> None:
    names = [f"A/A_{kind}.nii/0057_brain_{kind}.nii" for kind in MODALITIES] + ["A/A_seg.nii/final.nii"]
    assert kinds(names) == {"A": set(ALL)}


def test_a_name_that_says_nothing_or_two_things_is_not_guessed() -> None:
    found = find_cases(files("A", "A_flair", "A_seg", "brainmask", "t1_t2_registered"))
    assert [path.name for path in found.unknown] == ["brainmask.nii.gz", "t1_t2_registered.nii.gz"]
    assert set(found.cases[0].modalities) == {"flair"}


def test_two_files_of_one_modality_are_named() -> None:
    found = find_cases([*files("A", "A_t1", "A_t2", "A_seg"), "A/A_t1.nii"])
    assert [str(path) for path in found.ambiguous] == ["A/A_t1.nii.gz"] and len(found.cases) == 1


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["BraTS-GLI-00005-000", "BraTS-GLI-00005-001", "BraTS-GLI-00006-000"],
         ["BraTS-GLI-00005", "BraTS-GLI-00005", "BraTS-GLI-00006-000"]),
        (["brats_tcia_pat105_0001", "brats_tcia_pat105_0120"], ["brats_tcia_pat105"] * 2),
        (["Brats18_TCIA01_147_1", "Brats18_TCIA01_147_2"], ["Brats18_TCIA01_147"] * 2),
        (["BraTS20_Training_001", "BraTS20_Training_002"], ["BraTS20_Training_001", "BraTS20_Training_002"]),
        (["BraTS2021_00001", "BraTS2021_00002"], ["BraTS2021_00001", "BraTS2021_00002"]),
    ],
)  # fmt: skip
def test_scans_of_one_patient_come_together(names: list[str], patients: list[str]) -> None:
    expected = list(zip(names, patients, strict=True))
    in_folders = find_cases([path for name in names for path in files(name, f"{name}_flair", f"{name}_seg")])
    assert [(case.name, case.patient) for case in in_folders.cases] == expected
    flat = find_cases([path for name in names for path in files("all", f"{name}-t2f", f"{name}-seg")])
    assert [(case.name, case.patient) for case in flat.cases] == expected


def test_folders_that_all_have_one_name_are_told_apart_by_their_files() -> None:
    names = [
        path
        for n in ("sub-01", "sub-02", "sub-03")
        for path in files(f"{n}/anat", f"{n}_T1w", f"{n}_FLAIR", f"{n}_seg")
    ]
    found = find_cases([*names, *files("sub-04/anat", "T1w", "FLAIR", "seg")])
    assert [case.patient for case in found.cases] == ["anat", "sub-01", "sub-02", "sub-03"]
    assert [case.name for case in found.cases] == ["anat", "sub-01", "sub-02", "sub-03"]
    assert {len(case.modalities) for case in found.cases} == {2}


def test_sessions_of_one_subject_come_together() -> None:
    scans = ("sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1")
    names = [p for s in scans for p in files(f"{s.replace('_', '/')}/anat", f"{s}_T1w", f"{s}_seg")]
    found = find_cases(names)
    assert [(case.name, case.patient) for case in found.cases] == [
        ("sub-01_ses-1", "sub-01"),
        ("sub-01_ses-2", "sub-01"),
        ("sub-02_ses-1", "sub-02_ses-1"),
    ]


@pytest.mark.parametrize("stem", ["BraTS_001_", "brain.", ""])
def test_folders_of_one_name_whose_files_share_their_names_are_one_patient(stem: str) -> None:
    names = [f"{stem}t1", f"{stem}seg"]
    found = find_cases(files("site1/BraTS_001", *names) + files("site2/BraTS_001", *names))
    assert [(case.name, case.patient) for case in found.cases] == [
        ("site1/BraTS_001", "BraTS_001"),
        ("site2/BraTS_001", "BraTS_001"),
    ]


def test_cases_of_one_name_in_two_folders_are_one_patient() -> None:
    found = find_cases(files("train/A", "A_flair", "A_seg") + files("val/A", "A_flair", "A_seg"))
    assert [(case.name, case.patient) for case in found.cases] == [("train/A", "A"), ("val/A", "A")]
