"""Pictures with and without tumour: folders of any name, copies, and circles in the place of masks."""

from pathlib import Path

import numpy as np
import pytest

from shared.contract.errors import DatasetError, ImageError
from shared.datasets.detect import open_auto
from shared.datasets.validate import look_through
from shared.datasets.yes_no import YesNoDataset
from tests.fakes import images
from tests.fakes.datasets import lay_out
from tests.shared.datasets.test_synthetic_circle import head

YES, NO, OTHER = (images.png(head(64, seed=seed)) for seed in range(3))


def codes(root: Path, files: dict[str, bytes]) -> dict[str, tuple[str, int]]:
    findings = YesNoDataset(lay_out(root, files)).contents().findings
    return {finding.code: (finding.level, finding.count) for finding in findings}


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("yes", "no"), ("YES", "No"), ("tumor", "no_tumor"), ("Tumour", "notumour"), ("positive", "negative"),
        ("Training/glioma", "Training/notumor"), ("Testing/meningioma_tumor", "Testing/no_tumor"),
        ("pituitary", "healthy"), ("brain_tumor_dataset/yes", "brain_tumor_dataset/no"), ("tumor/yes", "tumor/normal"),
    ],
)  # fmt: skip
def test_folders_tell_who_has_a_tumour(yes: str, no: str, tmp_path: Path) -> None:
    dataset = open_auto(lay_out(tmp_path, {f"{yes}/a.png": YES, f"{no}/a.png": NO}))
    assert dataset.format == "yes_no" and dataset.channels == 1
    truth = {str(item.image.parent): dataset.read(item)[1].any() for item in dataset.slices()}
    assert truth == {yes: True, no: False}


def test_pictures_with_masks_are_not_taken_for_it(tmp_path: Path) -> None:
    files = {f"{kind}/a{end}.png": YES for kind in ("yes", "no") for end in ("", "_mask")}
    assert open_auto(lay_out(tmp_path, files)).format == "image_mask"


def test_without_two_kinds_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="yes and no"):
        YesNoDataset(lay_out(tmp_path, {"yes/a.png": YES, "other/b.png": NO})).contents()


def test_each_picture_is_a_patient_except_copies(tmp_path: Path) -> None:
    files = {"yes/a.png": YES, "yes/b.png": YES, "no/c.png": NO, "no/d.png": OTHER}
    dataset = YesNoDataset(lay_out(tmp_path, files))
    assert [(item.patient, item.index, str(item.image)) for item in dataset.slices()] == [
        ("no/c.png", 0, "no/c.png"), ("no/d.png", 0, "no/d.png"), ("yes/a.png", 0, "yes/a.png"),
        ("yes/a.png", 1, "yes/b.png"),
    ]  # fmt: skip
    assert codes(tmp_path, {}) == {"synthetic_masks": ("warning", 0), "copies": ("warning", 1)}


def test_a_picture_in_both_folders_is_an_error_that_names_both(tmp_path: Path) -> None:
    dataset = YesNoDataset(lay_out(tmp_path, {"yes/a.png": YES, "no/b.png": YES, "no/c.png": NO}))
    found = {finding.code: finding for finding in dataset.contents().findings}["contradiction"]
    assert (found.level, sorted(found.files)) == ("error", ["no/b.png", "yes/a.png"])
    with pytest.raises(DatasetError, match=r"yes/a\.png"):
        dataset.slices()


def test_pictures_elsewhere_are_left_out_and_named(tmp_path: Path) -> None:
    assert codes(tmp_path, {"yes/a.png": YES, "no/b.png": NO, "c.png": OTHER})["left_out"] == ("warning", 1)


def test_colours_become_grey_by_luminance(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 1] = head(64)
    dataset = YesNoDataset(lay_out(tmp_path, {"yes/a.png": images.png(pixels), "no/b.png": NO}))
    grey, truth = dataset.read(dataset.slices()[1])
    assert grey.shape == (64, 64, 1) and truth.shape == (64, 64) and truth.any()
    np.testing.assert_allclose(grey[..., 0], pixels[..., 1] * 0.587, atol=1)


def test_every_depth_and_format_is_taken(tmp_path: Path) -> None:
    files = {
        "yes/a.jpg": images.jpeg(head(64)), "yes/b.TIF": images.tiff(head(64).astype(np.uint16) * 200),
        "no/c.bmp": images.saved(images.Image.fromarray(head(64, seed=9)), "BMP"), "no/d.png": b"broken",
    }  # fmt: skip
    dataset = YesNoDataset(lay_out(tmp_path, files))
    items = {item.image.name: item for item in dataset.slices()}
    assert [dataset.picture(items[name]).bit_depth for name in ("a.jpg", "b.TIF", "c.bmp")] == [8, 16, 8]
    with pytest.raises(ImageError):
        dataset.picture(items["d.png"])


def test_looking_through_says_that_the_masks_are_synthetic(tmp_path: Path) -> None:
    black = images.png(np.zeros((64, 64), np.uint8))
    files = {"yes/a.png": YES, "yes/z.png": black, "no/b.png": NO}
    report, findings = look_through(YesNoDataset(lay_out(tmp_path, files)))
    assert (report["patients"], report["tumour_slices"], report["patients_from"]) == (3, 2, "content")
    assert "synthetic" in report["truth"] and report["modalities"] == [] and report["classes"] == ["tumour"]
    assert report["preview"]["image"] == "yes/a.png"
    found = {finding.code: finding for finding in findings}
    assert found["synthetic_masks"].level == found["no_brain"].level == "warning"
    assert found["no_brain"].files == ("yes/z.png",)
