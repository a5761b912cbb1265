"""All slices of a patient come under one name, whatever the layout, and it is said how they were told apart."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.datasets.brats import BratsDataset
from shared.datasets.detect import open_auto
from shared.datasets.image_mask import ImageMaskDataset
from shared.datasets.lgg import LggDataset
from shared.datasets.validate import look_through
from shared.datasets.yes_no import YesNoDataset
from tests.fakes import images
from tests.fakes.datasets import lay_out, mask
from tests.fakes.volumes import head, nifti, tumour

KINDS = ("t1", "t1ce", "t2", "flair")


def picture(seed: int) -> bytes:
    return images.png(np.random.default_rng(seed).integers(20, 200, (40, 56)).astype(np.uint8))


def scans(path: Callable[[int, int, str], str], patients: int = 3, sessions: int = 2) -> dict[str, bytes]:
    """BraTS files of patients with several scans."""
    files = {}
    for patient in range(patients):
        for session in range(sessions):
            for place, kind in enumerate(KINDS):
                files[path(patient, session, kind) + ".nii.gz"] = nifti(head(100 * patient + 10 * session + place))
            files[path(patient, session, "seg") + ".nii.gz"] = nifti(tumour())
    return files


@pytest.mark.parametrize(
    "path",
    [
        lambda p, s, kind: f"Patient-{p:03d}/week-{s:03d}/{kind}",
        lambda p, s, kind: f"Patient-{p:03d}/week-{s:03d}-{s + 1}/{kind}",
        lambda p, s, kind: f"PatientID_{p:04d}/Timepoint_{s + 1}/{kind}",
        lambda p, s, kind: f"UPENN-GBM-0000{p}_{s + 1}1/UPENN-GBM-0000{p}_{s + 1}1_{kind}",
        lambda p, s, kind: f"BraTS-GLI-0000{p}-10{s}/BraTS-GLI-0000{p}-10{s}-{kind}",
        lambda p, s, kind: f"sub-0{p}/ses-0{s}/anat/sub-0{p}_ses-0{s}_{kind}",
        lambda p, s, kind: f"sub-0{p}_ses-0{s}_{kind}",
        lambda p, s, kind: f"P{p}/2019010{s + 1}/{kind}",
        lambda p, s, kind: f"P{p}/{['baseline', 'followup'][s]}/{kind}",
        lambda p, s, kind: f"case{p}_visit{s}/case{p}_visit{s}_{kind}",
        lambda p, s, kind: f"TCGA-02-000{p}_2001.01.0{s + 1}/TCGA-02-000{p}_2001.01.0{s + 1}_{kind}",
    ],
)
def test_scans_of_one_patient_are_one_patient(path: Callable[[int, int, str], str], tmp_path: Path) -> None:
    dataset = BratsDataset(lay_out(tmp_path, scans(path)))
    slices = dataset.slices()
    assert len({item.patient for item in slices}) == 3
    assert len(slices) == 3 * 2 * 4
    positions = [(item.patient, item.index) for item in slices]
    assert len(set(positions)) == len(positions)


@pytest.mark.parametrize(
    "path",
    [
        lambda p, s, kind: f"BraTS20_Training_{2 * p + s:03d}/BraTS20_Training_{2 * p + s:03d}_{kind}",
        lambda p, s, kind: f"BraTS2021_{2 * p + s:05d}/BraTS2021_{2 * p + s:05d}_{kind}",
        lambda p, s, kind: f"site{s}/P{2 * p + s}/{kind}",
    ],
)
def test_cases_that_are_patients_stay_apart(path: Callable[[int, int, str], str], tmp_path: Path) -> None:
    assert len(BratsDataset(lay_out(tmp_path, scans(path))).patients()) == 6


def test_a_pattern_or_a_csv_says_whose_scans_they_are(tmp_path: Path) -> None:
    files = scans(lambda p, s, kind: f"scan{2 * p + s}x/{kind}")
    root = lay_out(tmp_path / "a", files)
    told = BratsDataset(root, patient_pattern=r"scan([012]|3)")
    contents = told.contents()
    assert contents.patients_from == "pattern"
    assert [each.code for each in contents.findings if each.level == "error"] == ["patient_unknown"]
    rows = "file,patient\n" + "".join(f"scan{n}x/flair.nii.gz,P{n // 2}\n" for n in range(6))
    by_csv = BratsDataset(lay_out(tmp_path / "b", files | {"patients.csv": rows.encode()}))
    assert by_csv.contents().patients_from == "csv" and by_csv.patients() == ["P0", "P1", "P2"]


def test_all_readers_take_a_pattern(tmp_path: Path) -> None:
    lgg = {
        f"{site}/TCGA_CS_000{n}_19960101/TCGA_CS_000{n}_19960101_{z}{end}.tif": images.tiff(
            mask() if end else np.zeros((40, 56, 3), np.uint8)
        )
        for site in ("a",) for n in range(3) for z in (1, 2) for end in ("", "_mask")
    }  # fmt: skip
    contents = LggDataset(lay_out(tmp_path / "lgg", lgg), patient_pattern=r"TCGA_CS_000(\d)").contents()
    assert {item.patient for item in contents.slices} == {"0", "1", "2"} and contents.patients_from == "pattern"
    yes_no = {f"{kind}/{n // 2}-{n}.png": picture(n + 50 * (kind == "no")) for kind in ("yes", "no") for n in range(6)}
    contents = YesNoDataset(lay_out(tmp_path / "yn", yes_no), patient_pattern=r"/(\d)-").contents()
    assert {item.patient for item in contents.slices} == {"0", "1", "2"}
    positions = [(item.patient, item.index) for item in contents.slices]
    assert len(set(positions)) == 12
    assert isinstance(open_auto(tmp_path / "yn", patient_pattern=r"/(\d)-"), YesNoDataset)


def test_dates_of_one_tcga_patient_go_into_one_part(tmp_path: Path) -> None:
    files = {
        f"{folder}/{folder}_1{end}.tif": images.tiff(mask() if end else np.zeros((40, 56, 3), np.uint8))
        for folder in ("TCGA_CS_0001_19960101", "TCGA_CS_0001_19970101", "TCGA_CS_0002_19960101")
        for end in ("", "_mask")
    }
    units = {item.patient: item.unit for item in LggDataset(lay_out(tmp_path, files)).slices()}
    assert units == {
        "TCGA_CS_0001_19960101": "TCGA_CS_0001",
        "TCGA_CS_0001_19970101": "TCGA_CS_0001",
        "TCGA_CS_0002_19960101": "TCGA_CS_0002_19960101",
    }


@pytest.mark.parametrize(
    "kinds",
    [
        ("glioma", "meningioma", "pituitary"),
        ("glioma_tumor", "no_tumor", "pituitary_tumor"),
        ("yes", "no", "normal"),
        ("HGG", "LGG", "Healthy"),
        ("benign", "malignant", "normal"),
        ("Class 1", "Class 2", "Class 3"),
        ("images/Tumour", "images/No Tumour", "images/metastases"),
    ],
)
def test_folders_of_kinds_are_no_patients(kinds: tuple[str, ...], tmp_path: Path) -> None:
    files = {}
    for n in range(18):
        files[f"train/{kinds[n // 6]}/{n % 6}.png"] = picture(n)
        files[f"train/{kinds[n // 6]}/{n % 6}_mask.png"] = images.png(mask())
    report, findings = look_through(ImageMaskDataset(lay_out(tmp_path, files)))
    assert report["patients"] == 18 and report["patients_from"] == "file_name"
    assert "folders_are_kinds" in {each.code for each in findings}


def test_patients_whose_names_begin_with_a_kind_are_patients(tmp_path: Path) -> None:
    files = {}
    for n in range(6):
        for slice_ in ("a_1", "b_1"):
            files[f"GBM_{n:03d}/{slice_}.png"] = picture(10 * n + ord(slice_[0]))
            files[f"GBM_{n:03d}/{slice_}_mask.png"] = images.png(mask())
    contents = ImageMaskDataset(lay_out(tmp_path, files)).contents()
    assert {item.patient for item in contents.slices} == {f"GBM_{n:03d}" for n in range(6)}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_cases_with_composed_and_decomposed_names_are_one(form: str, tmp_path: Path) -> None:
    files = {}
    for place, kind in enumerate((*KINDS, "seg")):
        spelling = form if place % 2 else {"NFC": "NFD", "NFD": "NFC"}[form]
        name = unicodedata.normalize(spelling, f"Müller/Müller_{kind}.nii.gz")
        files[name] = nifti(tumour() if kind == "seg" else head(place))
    dataset = BratsDataset(lay_out(tmp_path, files))
    assert len(dataset.slices()) == 4 and dataset.channels == 4


def test_patients_inside_folders_of_kinds_are_found(tmp_path: Path) -> None:
    files = {}
    for n in range(12):
        files[f"{('glioma', 'no_tumor')[n % 2]}/P{n}/1.png"] = picture(n)
        files[f"{('glioma', 'no_tumor')[n % 2]}/P{n}/1_mask.png"] = images.png(mask())
    report, _ = look_through(ImageMaskDataset(lay_out(tmp_path, files)))
    assert (report["patients"], report["patients_from"]) == (12, "folder")


def test_what_looks_wrong_about_patients_is_warned_of(tmp_path: Path) -> None:
    files = {}
    for name, count in (("hospital_a", 30), ("hospital_b", 5), ("hospital_c", 5)):
        for n in range(count):
            files[f"{name}/P{n}/1.png"] = picture(hash((name, n)) % 1000)
            files[f"{name}/P{n}/1_mask.png"] = images.png(mask())
    _, findings = look_through(ImageMaskDataset(lay_out(tmp_path / "a", files)))
    assert "one_patient_holds_most" in {each.code for each in findings}
    twice = {}
    for place in ("train", "test"):
        for n in range(4):
            twice[f"{place}/P{n}/{place}.png"] = picture(n + 10 * len(place))
            twice[f"{place}/P{n}/{place}_mask.png"] = images.png(mask())
    _, findings = look_through(ImageMaskDataset(lay_out(tmp_path / "b", twice)))
    (found,) = [each for each in findings if each.code == "same_name_in_several_places"]
    assert found.files == ("P0", "P1", "P2", "P3")


def test_one_name_under_several_kinds_is_warned_of(tmp_path: Path) -> None:
    files = {}
    for n, (kind, stem) in enumerate([("yes", "P7_1"), ("yes", "P8_1"), ("no", "P7_2"), ("no", "P9_1")]):
        files[f"{kind}/{stem}.png"] = picture(n)
        files[f"{kind}/{stem}_mask.png"] = images.png(mask())
    report, findings = look_through(ImageMaskDataset(lay_out(tmp_path, files)))
    assert (report["patients"], report["patients_from"]) == (4, "file_name")
    (found,) = [each for each in findings if each.code == "same_name_under_several_kinds"]
    assert (found.level, found.files) == ("warning", ("P7",))


@pytest.mark.parametrize(("one", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_composed_and_decomposed_pair(one: str, other: str, tmp_path: Path) -> None:
    files = {}
    for n, name in enumerate(("Müller", "Žofia", "Åse")):
        files[unicodedata.normalize(one, f"images/{name}/{n}é.png")] = picture(n)
        files[unicodedata.normalize(other, f"masks/{name}/{n}é.png")] = images.png(mask())
    contents = ImageMaskDataset(lay_out(tmp_path, files)).contents()
    assert len(contents.slices) == 3 and not [each for each in contents.findings if each.level == "error"]
    composed = {unicodedata.normalize("NFC", name) for name in ("Müller", "Žofia", "Åse")}
    assert {item.patient for item in contents.slices} == composed
