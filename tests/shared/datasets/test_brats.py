"""BraTS: modalities as channels, labels of every year, slices that show something, and faults by name."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from shared.contract.errors import DatasetError
from shared.datasets import brats_case
from shared.datasets.brats import BratsDataset
from shared.datasets.brats_case import background, to_uint16
from shared.datasets.detect import open_auto
from shared.datasets.source import Archive
from shared.datasets.validate import look_through
from tests.fakes import zips
from tests.fakes.datasets import lay_out
from tests.fakes.volumes import LPS, NAMES, case_files, head, make_brats, nifti, tumour

CASE = "BraTS20_Training_001"
TWO = {"flair": "_flair", "seg": "_seg"}


def only(root: Path, files: dict[str, bytes]) -> BratsDataset:
    return BratsDataset(lay_out(root, files))


def faults(dataset: BratsDataset) -> dict[str, tuple[str, ...]]:
    return {f.code: f.files for f in dataset.contents().findings if f.level == "error"}


def labels_of(root: Path, voxels: np.ndarray, name: str = f"{CASE}_seg") -> set[int]:
    files = case_files(names={"flair": "_flair"}) | {f"{CASE}/{name}.nii.gz": nifti(voxels)}
    dataset = only(root, files)
    return {int(label) for item in dataset.slices() for label in np.unique(dataset.read_labels(item)[1])}


def test_a_slice_has_all_modalities_and_its_labels(tmp_path: Path) -> None:
    dataset = BratsDataset(make_brats(tmp_path))
    assert dataset.modalities == ("t1", "t1ce", "t2", "flair") and dataset.channels == 4
    item = next(item for item in dataset.slices() if item.index == 3)
    assert (item.patient, str(item.image)) == (
        "BraTS20_Training_000", "BraTS20_Training_000/BraTS20_Training_000_flair.nii.gz/3",
    )  # fmt: skip
    pixels, labels = dataset.read_labels(item)
    assert pixels.shape == (24, 20, 4) and pixels.dtype == np.uint16
    for channel in range(4):
        np.testing.assert_array_equal(pixels[..., channel], head(channel)[:, :, 3].T)
    np.testing.assert_array_equal(labels, tumour()[:, :, 3].T)
    np.testing.assert_array_equal(dataset.read(item)[1], labels > 0)
    assert dataset.spacing_mm(item) == (1, 1, 1)


def test_only_slices_with_brain_or_tumour_are_listed(tmp_path: Path) -> None:
    voxels = tumour()
    voxels[9, 10, 5] = 1  # above the brain
    dataset = only(tmp_path, case_files() | {f"{CASE}/{CASE}_seg.nii.gz": nifti(voxels)})
    assert [item.index for item in dataset.slices()] == [1, 2, 3, 4, 5]


def test_axial_slices_are_told_by_the_affine(tmp_path: Path) -> None:
    turned = {
        name: np.ascontiguousarray(voxels.transpose(2, 0, 1))
        for name, voxels in {"flair": head(3), "seg": tumour()}.items()
    }
    affine = LPS[:, [2, 0, 1, 3]]
    files = {f"{CASE}/{CASE}_{name}.nii.gz": nifti(voxels, affine) for name, voxels in turned.items()}
    dataset, plain = only(tmp_path / "a", files), only(tmp_path / "b", case_files())
    assert [item.index for item in dataset.slices()] == [1, 2, 3, 4]
    for one, other in zip(dataset.slices(), plain.slices(), strict=True):
        np.testing.assert_array_equal(
            dataset.read_labels(one)[0][..., 0], plain.read_labels(other)[0][..., 3]
        )


@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 1)])
def test_single_slices_are_cases_too(shape: tuple[int, ...], tmp_path: Path) -> None:
    files = {
        f"{CASE}/{CASE}_flair.nii.gz": nifti(head(0)[:, :, 3].reshape(shape)),
        f"{CASE}/{CASE}_seg.nii.gz": nifti(tumour()[:, :, 3].reshape(shape)),
    }
    dataset = only(tmp_path, files)
    assert [(item.index, item.image.name) for item in dataset.slices()] == [(0, "0")]
    np.testing.assert_array_equal(dataset.read_labels(dataset.slices()[0])[1], tumour()[:, :, 3].T)


def test_an_archive_is_read_like_its_folder(tmp_path: Path) -> None:
    folder = make_brats(tmp_path)
    plain, packed = BratsDataset(folder), open_auto(Archive(io.BytesIO(zips.of_folder(folder))))
    assert packed.format == "brats" and packed.slices() == plain.slices()
    item = plain.slices()[2]
    np.testing.assert_array_equal(packed.read(item)[0], plain.read(item)[0])


def test_scans_of_one_patient_follow_each_other(tmp_path: Path) -> None:
    files = case_files("BraTS-GLI-00005-000") | case_files("BraTS-GLI-00005-001", 1)
    dataset = only(tmp_path, files)
    items = dataset.slices()
    assert {item.patient for item in items} == {"BraTS-GLI-00005"} and dataset.patients() == [
        "BraTS-GLI-00005"
    ]
    assert [item.index for item in items] == [1, 2, 3, 4, 10_001, 10_002, 10_003, 10_004]
    assert [item.image.name for item in items] == ["1", "2", "3", "4"] * 2
    np.testing.assert_array_equal(dataset.read(items[4])[0][..., 0], head(10)[:, :, 1].T)


def test_grades_are_told_by_folders(tmp_path: Path) -> None:
    files = {f"train/HGG/{name}": data for name, data in case_files("A").items()}
    files |= {f"train/lgg/{name}": data for name, data in case_files("B", 1).items()}
    assert only(tmp_path / "a", files).cohorts() == {"grade": {"A": "HGG", "B": "LGG"}}
    assert only(tmp_path / "b", case_files()).cohorts() == {}


def test_one_patients_slices_cost_no_look_at_others(tmp_path: Path) -> None:
    dataset = only(tmp_path, case_files("A") | case_files("B", 1) | {"B/B_t1.nii.gz": b"broken"})
    assert dataset.patients() == ["A", "B"]
    assert [item.index for item in dataset.slices_of("A")] == [1, 2, 3, 4]
    with pytest.raises(DatasetError, match=r"cannot be read.*B/B_t1\.nii\.gz"):
        dataset.slices_of("B")


# --- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("enhancing", [3, 4])
def test_three_and_four_are_both_enhancing(enhancing: int, tmp_path: Path) -> None:
    voxels = tumour(labels=(1, 2, enhancing))
    files = case_files() | {f"{CASE}/{CASE}_seg.nii.gz": nifti(voxels)}
    dataset = only(tmp_path, files)
    found = dataset.read_labels(dataset.slices()[1])[1]
    assert found.dtype == np.uint8 and dataset.classes[3 - 1] == "enhancing"
    np.testing.assert_array_equal(found, tumour(labels=(1, 2, 3))[:, :, 2].T)


def test_beside_a_four_a_three_is_core_as_in_2013(tmp_path: Path) -> None:
    files = case_files() | {f"{CASE}/{CASE}_seg.nii.gz": nifti(tumour(labels=(3, 2, 4)))}
    dataset = only(tmp_path, files)
    np.testing.assert_array_equal(
        dataset.read_labels(dataset.slices()[1])[1], tumour(labels=(1, 2, 3))[:, :, 2].T
    )


@pytest.mark.parametrize(
    ("name", "wanted"), [(f"{CASE}_seg", {0, 3}), ("OTMultiClass", {0, 1}), ("X.OT.5", {0, 1})]
)
def test_a_three_alone_is_core_where_the_name_is_of_2013(name: str, wanted: set[int], tmp_path: Path) -> None:
    assert labels_of(tmp_path, tumour(labels=(3,)), name) == wanted


def read_all(root: Path, cases: dict[str, tuple[int, ...]]) -> tuple[dict[str, list[int]], list[str]]:
    """What the labels of each case, from left to right, become; and what is said of labels."""
    files: dict[str, bytes] = {}
    for seed, (name, labels) in enumerate(cases.items()):
        files |= case_files(name, seed, labels=labels)
    dataset = BratsDataset(lay_out(root, files))
    read = {}
    for item in dataset.slices():
        found = dataset.read_labels(item)[1]
        if found.any():
            row = found[np.flatnonzero(found.any(axis=1))[0]]
            read.setdefault(item.patient, [int(label) for label in np.unique(row) if label])
    said = [each.detail for each in dataset.contents().findings if each.code == "labels_by_year"]
    return read, said


def test_a_cavity_of_2024_changes_no_other_label(tmp_path: Path) -> None:
    cases = {"BraTS-GLI-02060-100": (1, 2, 3), "BraTS-GLI-02061-100": (1, 2, 3, 4), "BraTS-MET-00001-000": (3,)}
    read, said = read_all(tmp_path, cases)
    assert read == {"BraTS-GLI-02060-100": [1, 2, 3], "BraTS-GLI-02061-100": [1, 2, 3], "BraTS-MET-00001-000": [3]}
    assert len(said) == 1 and "label 4" in said[0]


def test_paediatric_labels_have_their_own_meaning_and_that_is_said(tmp_path: Path) -> None:
    read, said = read_all(tmp_path, {"BraTS-PED-00001-000": (1,), "BraTS-PED-00002-000": (4,)})
    assert read == {"BraTS-PED-00001-000": [3], "BraTS-PED-00002-000": [2]}
    assert len(said) == 1 and "label 4" in said[0]


def test_names_that_do_not_tell_are_read_alike_in_the_whole_set(tmp_path: Path) -> None:
    read, said = read_all(tmp_path / "a", {"A1": (3,), "A2": (4,), "A3": (3, 4)})
    assert read == {"A1": [1], "A2": [3], "A3": [1, 3]} and len(said) == 1
    read, said = read_all(tmp_path / "b", {"A1": (3,), "A2": (1, 2)})
    assert read == {"A1": [3], "A2": [1, 2]} and said == []
    read, said = read_all(tmp_path / "c", {"BraTS20_Training_001": (4,), "BraTS20_Training_002": (1, 2)})
    assert read["BraTS20_Training_001"] == [3] and said == []


def test_labels_written_as_floats_are_taken(tmp_path: Path) -> None:
    assert labels_of(tmp_path, tumour().astype(np.float32) * np.float32(0.99999)) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "voxels",
    [tumour(labels=(1, 5)), tumour().astype(np.int16) - 1, tumour() * np.float32(0.4), tumour() * 100],
)
def test_other_values_are_an_error_that_names_the_file(voxels: np.ndarray, tmp_path: Path) -> None:
    files = case_files() | {f"{CASE}/{CASE}_seg.nii.gz": nifti(voxels)}
    dataset = only(tmp_path, files)
    assert faults(dataset) == {"unknown_labels": (f"{CASE}/{CASE}_seg.nii.gz",)}
    with pytest.raises(DatasetError, match="labels are 0 to 4"):
        dataset.slices()


# --- values --------------------------------------------------------------------------------------


def test_whole_numbers_stay_as_they_are() -> None:
    for kind in (np.int16, np.uint8, np.float32, np.int32):
        voxels = np.arange(16 * 16 * 2).reshape(2, 16, 16) % 120
        np.testing.assert_array_equal(to_uint16(voxels.astype(kind)), voxels)


def test_other_values_are_spread_over_the_range_with_the_background_at_0() -> None:
    voxels = np.full((2, 16, 16), -3.5, np.float32)
    voxels[:, 4:12, 4:12] = np.linspace(-2, 8, 128).reshape(2, 8, 8)
    scaled = to_uint16(voxels)
    inside = scaled[:, 4:12, 4:12].ravel().astype(int)
    assert scaled[0, 0, 0] == 0 and (inside.min(), inside.max()) == (1, 65535)
    assert abs(np.diff(inside) - 65534 / 127).max() <= 1


def test_a_background_inside_the_range_is_told_by_the_corners() -> None:
    voxels = np.zeros((2, 16, 16), np.float32)
    voxels[:, 4:12, 4:12] = np.linspace(-2.5, 2, 128).reshape(2, 8, 8)
    assert background(voxels) == 0
    scaled = to_uint16(voxels)
    assert scaled[0, 0, 0] == 0 and scaled[0, 4, 4] == 1 and scaled[1, 11, 11] == 65535
    assert to_uint16(np.full((1, 16, 16), -1.0, np.float32)).max() == 0


def test_voxels_that_are_no_number_are_warned_of(tmp_path: Path) -> None:
    voxels = head(0).astype(np.float32)
    voxels[5, 5, 2] = np.nan
    dataset = only(tmp_path, case_files() | {f"{CASE}/{CASE}_t1.nii.gz": nifti(voxels)})
    _, findings = look_through(dataset)
    assert {finding.code: finding.level for finding in findings}["not_finite"] == "warning"


# --- faults --------------------------------------------------------------------------------------


def test_a_modality_that_one_case_lacks_is_named_with_the_case(tmp_path: Path) -> None:
    files = case_files("A") | case_files("B", 1)
    del files["B/B_t2.nii.gz"]
    dataset = only(tmp_path, files)
    assert faults(dataset) == {"missing_modality": ("B: t2",)} and dataset.channels == 4
    with pytest.raises(DatasetError, match="B: t2"):
        dataset.slices()


def test_a_modality_that_every_case_lacks_only_makes_fewer_channels(tmp_path: Path) -> None:
    dataset = only(tmp_path, case_files("A", names=TWO) | case_files("B", 1, TWO))
    contents = dataset.contents()
    assert dataset.modalities == ("flair",) and dataset.channels == 1
    assert [(f.level, f.code) for f in contents.findings] == [("warning", "fewer_modalities")]
    assert "t1, t1ce, t2" in contents.findings[0].detail
    assert dataset.read(contents.slices[0])[0].shape == (24, 20, 1)


def test_a_missing_segmentation_is_named(tmp_path: Path) -> None:
    files = case_files("A") | case_files("B", 1)
    del files["B/B_seg.nii.gz"]
    assert faults(only(tmp_path, files)) == {"missing_segmentation": ("B",)}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (nifti(head(1, (20, 24, 7))), "grid_mismatch"),
        (nifti(head(1), LPS + np.diag([0, 0, 0.1, 0])), "grid_mismatch"),
        (nifti(head(1), LPS + 5 * np.eye(4, k=3)), "grid_mismatch"),
        (b"", "unreadable_image"),
        (nifti(head(1))[:200], "unreadable_image"),
    ],
)
def test_a_file_that_does_not_fit_its_case_is_named(data: bytes, code: str, tmp_path: Path) -> None:
    name = f"{CASE}/{CASE}_t2.nii.gz"
    assert faults(only(tmp_path, case_files() | {name: data})) == {code: (name,)}


def test_affines_that_differ_by_rounding_are_the_same_grid(tmp_path: Path) -> None:
    files = case_files() | {f"{CASE}/{CASE}_t2.nii.gz": nifti(head(1), LPS + 1e-4 * np.eye(4, k=3))}
    assert faults(only(tmp_path, files)) == {}


def test_a_file_cut_short_is_found_by_looking_through_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{CASE}/{CASE}_t2.nii.gz"
    dataset = only(tmp_path, case_files() | {name: case_files()[name][:-300]})
    read: list[str] = []
    source, plainly = dataset.source, dataset.source.read
    monkeypatch.setattr(source, "read", lambda path: read.append(str(path)) or plainly(path))
    _, findings = look_through(dataset)
    found = {finding.code: finding for finding in findings}["unreadable_image"]
    assert found.count == 4 and name in found.detail and "cut short" in found.detail
    assert read.count(name) == 2  # its header, its voxels


def test_files_of_no_use_and_of_two_uses_are_named(tmp_path: Path) -> None:
    dataset = only(
        tmp_path,
        case_files()
        | {f"{CASE}/brainmask.nii.gz": b"", f"{CASE}/{CASE}_t1.nii": nifti(head(0), packed=False)},
    )
    found = {finding.code: (finding.level, finding.files) for finding in dataset.contents().findings}
    assert found["left_out"] == ("warning", (f"{CASE}/brainmask.nii.gz",))
    assert found["ambiguous_pair"] == ("error", (f"{CASE}/{CASE}_t1.nii.gz",))


def test_without_cases_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no case was found"):
        BratsDataset(lay_out(tmp_path, {"a/brainmask.nii.gz": b"", "README": b""})).slices()


# --- looking through -----------------------------------------------------------------------------


def test_the_report_says_what_a_client_wants_to_know(tmp_path: Path) -> None:
    report, findings = look_through(BratsDataset(make_brats(tmp_path, 12)))
    assert [each.code for each in findings] == ["patients_told"]
    wanted = {
        "format": "brats", "patients": 12, "slices": 48, "tumour_slices": 24, "channels": 4, "bit_depths": [16],
        "modalities": ["t1", "t1ce", "t2", "flair"], "classes": ["necrotic core", "oedema", "enhancing"],
        "label_values": [0, 1, 2, 3], "spacing_mm": [1, 1, 1], "sizes": [{"width": 20, "height": 24, "slices": 48}],
    }  # fmt: skip
    assert wanted.items() <= report.items() and "BraTS" in report["truth"]


def test_progress_is_told_from_the_first_case_on_and_may_break_off(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    look_through(BratsDataset(make_brats(tmp_path, 3)), lambda done, of: told.append((done, of)))
    assert told[:3] == [(1, 3), (2, 3), (3, 3)] and told[-1] == (12, 12) and len(told) == 15

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BratsDataset(tmp_path).contents(stop)


def test_each_case_is_decoded_once_for_all_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, made = BratsDataset(make_brats(tmp_path, 3)), []
    items = dataset.slices()
    plainly = brats_case.read_volume
    monkeypatch.setattr(
        brats_case, "read_volume", lambda source, path: made.append(path) or plainly(source, path)
    )
    for item in items:
        dataset.read_labels(item)
    assert len(made) == 3 * 5
    dataset.read_labels(items[0])
    assert len(made) == 4 * 5  # two cases are kept, and this was the first of three


def test_memory_does_not_grow_with_the_number_of_cases(tmp_path: Path) -> None:
    shape = (64, 64, 16)

    def peak(cases: int) -> int:
        root = tmp_path / str(cases)
        for number in range(cases):
            voxels = {name: head(number, shape) for name in NAMES} | {"seg": tumour(shape)}
            lay_out(
                root,
                {f"C{number}/C{number}_{name}.nii": nifti(v, packed=False) for name, v in voxels.items()},
            )
        tracemalloc.start()
        try:
            look_through(BratsDataset(root))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert peak(12) < peak(3) + 300_000  # one case is 600 kB
