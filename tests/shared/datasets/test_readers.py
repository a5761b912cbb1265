"""Every reader of the table lists patients and positions without decoding, and reads slice by slice."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shared import catalog
from shared.contract.errors import DatasetError
from shared.datasets.detect import OPTIONS, open_auto
from shared.datasets.image_mask import ImageMaskDataset
from shared.datasets.lgg import LggDataset
from shared.datasets.source import Archive
from tests.fakes import images, zips
from tests.fakes.datasets import lay_out, mask, picture_files
from tests.fakes.study import make_study
from tests.fakes.volumes import make_brats

PNG, TUMOUR = images.png(images.picture()), images.png(mask())


def pairs(root: Path, **options: str) -> list[tuple[str, str]]:
    return [(str(item.image), str(item.mask)) for item in ImageMaskDataset(root, **options).slices()]


def make_yes_no(root: Path) -> Path:
    files = {
        f"{word}/{n}.png": images.png(images.picture(seed=n)) for n, word in enumerate(("yes", "yes", "no"))
    }
    return lay_out(root, files)


MADE = {
    "auto": partial(make_study, patients=2, slices=3),
    "lgg": partial(make_study, patients=2, slices=3),
    "image_mask": lambda root: lay_out(root, picture_files(2)),
    "brats": make_brats,
    "yes_no": make_yes_no,
}


@pytest.mark.parametrize("name", sorted(catalog.DATASETS))
def test_each_format_can_be_opened_and_read(name: str, tmp_path: Path) -> None:
    dataset = catalog.load(catalog.DATASETS, name, "format")(MADE[name](tmp_path))
    items = dataset.slices()
    assert items == sorted(items, key=lambda item: (item.patient, item.index))
    assert dataset.patients() == sorted({item.patient for item in items}) and len(dataset.patients()) >= 2
    assert [item for patient in dataset.patients() for item in dataset.slices_of(patient)] == items
    assert dataset.format in catalog.DATASETS and dataset.truth and dataset.classes
    assert len(dataset.modalities) in (0, dataset.channels)
    assert all(groups.keys() <= set(dataset.patients()) for groups in dataset.cohorts().values())
    for item in items:
        pixels, truth = dataset.read(item)
        assert pixels.shape == (*truth.shape, dataset.channels) and pixels.dtype in (np.uint8, np.uint16)
        again, labels = dataset.read_labels(item)
        np.testing.assert_array_equal(pixels, again)
        assert truth.dtype == bool and labels.dtype == np.uint8 and labels.max() <= len(dataset.classes)
        np.testing.assert_array_equal(labels > 0, truth)
        assert (spacing := dataset.spacing_mm(item)) is None or min(spacing) > 0
    assert any(dataset.read(item)[1].any() for item in items)


@pytest.mark.parametrize("name", sorted(catalog.DATASETS.keys() - {"image_mask"}))
def test_auto_finds_each_format(name: str, tmp_path: Path) -> None:
    assert open_auto(MADE[name](tmp_path)).format == name.replace("auto", "lgg")


def test_every_format_says_which_options_it_takes() -> None:
    assert OPTIONS.keys() == catalog.DATASETS.keys()


def test_an_archive_is_read_like_its_folder(tmp_path: Path) -> None:
    folder = make_study(tmp_path, patients=2, slices=3)
    packed = LggDataset(Archive(io.BytesIO(zips.of_folder(folder))))
    plain = LggDataset(folder)
    assert packed.slices() == plain.slices()
    for item in plain.slices():
        for one, other in zip(packed.read(item), plain.read(item), strict=True):
            np.testing.assert_array_equal(one, other)


# --- lgg -----------------------------------------------------------------------------------------


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    study = make_study(tmp_path, patients=2, slices=3)
    missing = next(study.rglob("*_2_mask.tif"))
    missing.unlink()
    with pytest.raises(DatasetError, match=missing.name.replace("_mask", "")):
        LggDataset(study).slices()


def test_the_second_copy_in_the_published_archive_is_left_out(tmp_path: Path) -> None:
    study = make_study(tmp_path, patients=2, slices=3)
    make_study(tmp_path / "lgg-mri-segmentation", patients=2, slices=3)
    contents = LggDataset(study).contents()
    assert len(contents.slices) == 6
    assert [(finding.code, finding.count) for finding in contents.findings] == [("left_out", 6)]


def test_a_folder_without_slices_is_said(tmp_path: Path) -> None:
    for reader in (LggDataset, ImageMaskDataset, open_auto):
        with pytest.raises(DatasetError, match="found|layout"):
            reader(lay_out(tmp_path, {"README.md": b"", "P/a.png": PNG})).slices()


# --- detecting -----------------------------------------------------------------------------------


def test_auto_finds_the_layout_by_names(tmp_path: Path) -> None:
    assert open_auto(make_study(tmp_path / "a", patients=1)).format == "lgg"
    assert open_auto(lay_out(tmp_path / "b", picture_files())).format == "image_mask"
    mixed = make_study(tmp_path / "c", patients=1)
    lay_out(mixed, {"kaggle_3m/TCGA_XX_0000_20000101/other.tif": b""})
    assert open_auto(mixed).format == "image_mask"


def test_auto_with_options_is_a_reader_that_takes_them(tmp_path: Path) -> None:
    study = make_study(tmp_path, patients=2)
    assert open_auto(study, patient_pattern="_(00..)_").slices()[0].patient == "0000"


# --- image_mask ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "truth"),
    [
        ("a.png", "a_mask.png"), ("a.jpg", "a_mask.png"), ("p/a.png", "p/a-mask.png"), ("a.png", "a_seg.png"),
        ("a.png", "a_Label.PNG"), ("images/a.png", "masks/a.png"), ("Images/a.png", "Labels/a.tif"),
        ("train/images/p1/a.png", "train/masks/p1/a.png"), ("p1/images/a.png", "p1/masks/a_mask.png"),
        ("p1/a.png", "p1/masks/a.png"), ("images/a.png", "images/a_mask.png"),
        ("images/a_label.png", "masks/a_label.png"),
        ("segmentation/images/a.png", "segmentation/masks/a.png"), ("a.bmp", "a_ground_truth.bmp"),
        ("imgs/a_seg.png", "gt/a_seg_mask.png"),
    ],
)  # fmt: skip
def test_images_and_masks_are_paired_by_name(image: str, truth: str, tmp_path: Path) -> None:
    lay_out(tmp_path, {image: PNG, truth: TUMOUR, "README.md": b"", "notes/a.txt": b""})
    assert pairs(tmp_path) == [(image, truth)]


def test_a_suffix_of_ones_own_is_the_only_one(tmp_path: Path) -> None:
    lay_out(tmp_path, {"a_mask.png": PNG, "a_mask_expert2.png": TUMOUR})
    assert pairs(tmp_path, mask_suffix="_expert2") == [("a_mask.png", "a_mask_expert2.png")]


def test_what_is_left_over_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path, {"a.png": PNG, "a_mask.png": TUMOUR, "b.png": PNG, "c_mask.png": TUMOUR, "a.jpg": PNG})
    dataset = ImageMaskDataset(tmp_path)
    found = {
        finding.code: finding.files for finding in dataset.contents().findings if finding.level == "error"
    }
    assert found == {
        "image_without_mask": ("b.png",), "mask_without_image": ("c_mask.png",), "ambiguous_pair": ("a.png",)
    }  # fmt: skip
    with pytest.raises(DatasetError, match=r"b\.png"):
        dataset.slices()


@pytest.mark.parametrize(
    ("data", "depth"),
    [
        (images.png(images.picture(channels=1)), 8),
        (images.png(images.picture(channels=1, dtype=np.uint16)), 16),
        (images.tiff(images.picture(dtype=np.uint16)), 16),
        (images.jpeg(images.picture()), 8),
        (images.saved(images.Image.fromarray(images.picture()), "BMP"), 8),
        (images.saved(images.Image.fromarray(images.picture(channels=1)), "BMP"), 8),
        (images.saved(images.Image.fromarray(images.picture()).convert("RGBA"), "PNG"), 8),
    ],
)
def test_every_kind_of_picture_has_three_channels(data: bytes, depth: int, tmp_path: Path) -> None:
    dataset = ImageMaskDataset(lay_out(tmp_path, {"a.png": data, "a_mask.png": TUMOUR}))
    pixels, truth = dataset.read(dataset.slices()[0])
    assert pixels.shape == (40, 56, 3) and pixels.itemsize * 8 == depth
    assert truth.sum() == 100


def test_a_bmp_has_its_own_pixels(tmp_path: Path) -> None:
    pixels = images.picture()
    data = images.saved(images.Image.fromarray(pixels), "BMP")
    dataset = ImageMaskDataset(lay_out(tmp_path, {"a.bmp": data, "a_mask.png": TUMOUR}))
    np.testing.assert_array_equal(dataset.read(dataset.slices()[0])[0], pixels)
    for broken in (data[:80], data[:18] + b"\xff\xff\xff\x7f" + data[22:], b"BM" + bytes(60)):
        (tmp_path / "a.bmp").write_bytes(broken)
        with pytest.raises(Exception, match="BMP|pixels|image") as caught:
            dataset.read(dataset.slices()[0])
        assert type(caught.value).__module__ == "shared.contract.errors"


@pytest.mark.parametrize("value", [1, 2, 128, 255])
def test_every_value_above_zero_is_tumour(value: int, tmp_path: Path) -> None:
    dataset = ImageMaskDataset(lay_out(tmp_path, {"a.png": PNG, "a_mask.png": images.png(mask(value=value))}))
    assert dataset.read(dataset.slices()[0])[1].sum() == 100


def test_the_faint_marks_of_a_jpeg_are_no_tumour(tmp_path: Path) -> None:
    blurred = images.jpeg(mask(), quality=50)
    dataset = ImageMaskDataset(lay_out(tmp_path, {"a.png": PNG, "a_mask.jpg": blurred}))
    assert 80 <= dataset.read(dataset.slices()[0])[1].sum() <= 120


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    dataset = ImageMaskDataset(lay_out(tmp_path, {"a.png": PNG, "a_mask.png": images.png(mask(41, 56))}))
    with pytest.raises(DatasetError, match=r"a\.png"):
        dataset.read(dataset.slices()[0])


def test_links_in_a_folder_lead_nowhere(tmp_path: Path) -> None:
    lay_out(tmp_path / "outside", picture_files(1))
    inside = lay_out(
        tmp_path / "inside", {"P/a.png": PNG, "P/a_mask.png": TUMOUR, ".hidden/b_mask.png": TUMOUR}
    )
    (inside / "link").symlink_to(tmp_path / "outside")
    assert pairs(inside) == [("P/a.png", "P/a_mask.png")]
