"""Looking through: every fault is named with its files, and numbers are right."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.contract.errors import DatasetError
from shared.datasets.image_mask import ImageMaskDataset
from shared.datasets.lgg import LggDataset
from shared.datasets.validate import look_through
from tests.fakes import images
from tests.fakes.datasets import lay_out, mask, picture_files
from tests.fakes.study import make_study


def looked(root: Path, files: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    report, findings = look_through(ImageMaskDataset(lay_out(root, files)))
    return report, {finding.code: finding for finding in findings}


def test_the_report_counts_right(tmp_path: Path) -> None:
    report, findings = looked(tmp_path, picture_files(patients=4, slices=3))
    assert report == {
        "format": "image_mask", "patients_from": "folder", "channels": 3, "modalities": [],
        "classes": ["tumour"], "truth": "masks of the dataset", "spacing_mm": None, "patients": 4, "slices": 12,
        "tumour_slices": 8, "tumour_share": round(800 / (12 * 40 * 56), 6), "bit_depths": [8],
        "label_values": [0, 255], "sizes": [{"width": 56, "height": 40, "slices": 12}], "split_feasible": True,
        "preview": {"patient": "P0", "image": "P0/1.png"},
    }  # fmt: skip
    assert list(findings) == ["few_patients", "patients_told"] and findings["few_patients"].level == "warning"
    told = findings["patients_told"]
    assert told.level == "note" and "4 patients" in told.detail and "P0: P0/1.png; P1: P1/1.png" in told.detail


def test_a_good_study_has_no_findings(tmp_path: Path) -> None:
    report, findings = look_through(LggDataset(make_study(tmp_path, patients=12, slices=3)))
    assert [each.code for each in findings] == ["patients_told"]
    assert report["format"] == "lgg" and report["patients"] == 12


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("P1/2.png", b"", "unreadable_image"),
        ("P1/2.png", images.png(images.picture())[:-50], "unreadable_image"),
        ("P1/2.png", b"text", "unreadable_image"),
        ("P1/2_mask.png", b"GIF89a", "unreadable_mask"),
        ("P1/2_mask.png", images.png(mask(40, 57)), "size_mismatch"),
    ],
)
def test_a_broken_pair_is_an_error_that_names_the_file(
    name: str, data: bytes, code: str, tmp_path: Path
) -> None:
    report, findings = looked(tmp_path, picture_files() | {name: data})
    found = findings[code]
    shown = "P1/2.png" if code == "size_mismatch" else name
    assert (found.level, found.files, found.count) == ("error", (shown,), 1)
    assert report["slices"] == 11


def test_only_the_first_twenty_files_are_named(tmp_path: Path) -> None:
    broken = {name: b"" for name in picture_files(1, 30) if not name.endswith("_mask.png")}
    _, findings = looked(tmp_path, picture_files(2, 30) | broken)
    assert len(findings["unreadable_image"].files) == 20 and findings["unreadable_image"].count == 30
    assert findings["unreadable_image"].to_dict()["files"] == list(findings["unreadable_image"].files)


def test_masks_without_any_tumour_are_an_error(tmp_path: Path) -> None:
    empty = {name: images.png(mask(tumour=False)) for name in picture_files() if name.endswith("_mask.png")}
    _, findings = looked(tmp_path, picture_files() | empty)
    assert findings["no_tumour"].level == "error"


def test_inverted_masks_are_an_error_and_labels_are_warned_of(tmp_path: Path) -> None:
    values = mask()
    values[values == 0] = 2
    odd = {name: images.png(values) for name in picture_files() if name.endswith("_mask.png")}
    _, findings = looked(tmp_path, picture_files() | odd | {"P1/1_mask.png": images.png(mask(value=4))})
    mostly = findings["mostly_tumour"]
    assert mostly.level == "error" and "% of all pixels are tumour" in mostly.detail
    assert findings["many_labels"].level == "warning"
    assert "0, 2, 4, 255" in findings["many_labels"].detail


def test_a_picture_of_two_patients_is_warned_of_and_black_ones_are_not(tmp_path: Path) -> None:
    files = picture_files()
    files |= {"P2/1.png": files["P1/1.png"], "P1/2.png": files["P1/1.png"]}
    black = images.png(np.zeros((40, 56, 3), np.uint8))
    files |= {"P0/3.png": black, "P3/3.png": black}
    _, findings = looked(tmp_path, files)
    assert findings["two_patients"].files == ("P2/1.png",)


def test_the_same_pixels_in_another_file_are_the_same_picture(tmp_path: Path) -> None:
    grey = images.picture(channels=1)
    files = picture_files() | {"P1/1.png": images.png(grey), "P2/1.png": images.tiff(np.dstack([grey] * 3))}
    _, findings = looked(tmp_path, files)
    assert findings["two_patients"].files == ("P2/1.png",)


@pytest.mark.parametrize(
    ("patients", "code", "feasible"), [(2, "split_not_feasible", False), (3, "few_patients", True)]
)
def test_too_few_patients_are_warned_of(patients: int, code: str, feasible: bool, tmp_path: Path) -> None:
    report, findings = looked(tmp_path, picture_files(patients))
    assert findings[code].level == "warning" and report["split_feasible"] is feasible


def test_patients_without_tumour_are_named(tmp_path: Path) -> None:
    empty = {f"P2/{n}_mask.png": images.png(mask(tumour=False)) for n in (1, 2, 3)}
    _, findings = looked(tmp_path, picture_files() | empty)
    assert findings["patients_without_tumour"].files == ("P2",)


def test_what_pairing_found_is_among_the_findings(tmp_path: Path) -> None:
    _, findings = looked(tmp_path, picture_files() | {"P0/9.png": b""})
    assert findings["image_without_mask"].level == "error"


def test_nothing_to_look_at_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        look_through(ImageMaskDataset(tmp_path))


def test_progress_is_told_and_may_break_off(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def twice(done: int, of: int) -> None:
        told.append((done, of))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_through(ImageMaskDataset(lay_out(tmp_path, picture_files())), twice)
    assert told == [(1, 12), (2, 12)]


def test_memory_does_not_grow_with_the_number_of_slices(tmp_path: Path) -> None:
    def peak(slices: int) -> int:
        root = tmp_path / str(slices)
        large = {f"P/{n}.png": images.png(images.picture(300, 300, seed=n)) for n in range(slices)}
        masks = {f"P/{n}_mask.png": images.png(mask(300, 300)) for n in range(slices)}
        dataset = ImageMaskDataset(lay_out(root, large | masks))
        tracemalloc.start()
        try:
            look_through(dataset)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert peak(40) < peak(4) + 300_000  # one slice is 270 kB
