"""A network sees a slice of a dataset as serving shows it: as bright, and with pixels as square."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shared.datasets.base import SliceDataset
from shared.datasets.brats import BratsDataset
from shared.datasets.image_mask import ImageMaskDataset
from shared.datasets.yes_no import YesNoDataset
from shared.preprocessing.preprocess import NORMALIZATIONS, Preprocessing
from tests.fakes import images
from tests.fakes.datasets import lay_out
from tests.fakes.volumes import nifti
from trainer.training.brightness import levels_of
from trainer.training.dataset import View
from trainer.training.mixture import Mixture
from trainer.training.sources import ListedDataset
from trainer.volumes.axial_cut import Cut
from trainer.volumes.forward import VolumeSlices
from trainer.volumes.reading import read_study
from trainer.volumes.volume_order import VOLUME, VolumeChildOrder

SIZE = 32
SHAPE = (SIZE, SIZE, 8)
LIES = np.diag([-1.0, -1.0, 3.0, 1.0])
NAMES = ("t1n", "t2f")


def volume(seed: int, dtype: type, top: int) -> np.ndarray:
    """(X, Y, Z): a block of tissue that gets brighter towards the head, in air."""
    generator = np.random.default_rng(seed)
    voxels = np.zeros(SHAPE, np.float64)
    inside = (slice(6, 26), slice(8, 28), slice(1, 7))
    voxels[inside] = generator.integers(top // 4, top, (20, 20, 6)) * np.linspace(0.5, 1, 6)
    return voxels.astype(dtype)


def case(root: Path, name: str, modalities: dict[str, np.ndarray]) -> dict[str, Path]:
    """A case's files; the path of each modality."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[12:18, 12:18, 3:5] = 1
    files = {f"{name}/{name}-{kind}.nii.gz": nifti(voxels, LIES) for kind, voxels in modalities.items()}
    lay_out(root, {**files, f"{name}/{name}-seg.nii.gz": nifti(labels, LIES)})
    return {kind: root / name / f"{name}-{kind}.nii.gz" for kind in modalities}


def as_served(paths: dict[str, Path], folder: Path, seen: Preprocessing) -> list[np.ndarray]:
    """What the network is given of each slice of a volume that is sent."""
    fields = {{"t1n": "t1", "t2f": "flair"}[kind]: [path] for kind, path in paths.items()}
    order = VolumeChildOrder(
        folder=str(folder), source=None, dicomweb=None, in_channels=2, channels=["t1", "flair"], labels=[],
        model={}, threshold=0.5, min_region_pixels=1, image_size=SIZE, pixel_spacing_mm=None, slice_spacing_mm=None,
        sequence_order=None, seed="s", made="2026-01-31T12:00:00+00:00", max_voxels=1 << 22, max_bytes=1 << 30,
        memory_bytes=1 << 40, seconds=60, nice=0,
    )  # fmt: skip
    folder.mkdir()
    study = read_study(fields, order)
    stored = np.load(folder / VOLUME)
    cut = Cut.of(study.grid.plane, stored.shape)
    slices = VolumeSlices(cut.view(stored), study.channels)
    spacing = cut.spacing(study.spacing_mm)
    levels = seen.levels_by_slice(slices)
    return [seen.to_input(slices[n], levels[n], spacing) for n in range(len(slices))]


def as_learned(dataset: SliceDataset | View, seen: Preprocessing) -> Iterator[tuple[str, np.ndarray]]:
    """The same of each slice of a dataset, by the slice's path."""
    items = list(dataset.slices())
    for patient in {item.patient for item in items}:
        own = [item for item in items if item.patient == patient]
        for item, levels_C2 in zip(own, levels_of(seen, dataset, own), strict=True):
            yield str(item.image), seen.to_input(dataset.read(item)[0], levels_C2, dataset.pixel_spacing_mm(item))


def calibrated(pixels: np.ndarray, row_mm: float, column_mm: float) -> bytes:
    """A TIFF as ImageJ saves it, whose pixels have a size."""
    return images.tiff(
        pixels, imagej=True, resolution=(1 / column_mm, 1 / row_mm), metadata={"unit": "mm"}, resolutionunit=1
    )


def assert_alike(root: Path, sent: dict[str, dict[str, Path]], seen: Preprocessing) -> None:
    learned = dict(as_learned(View(BratsDataset(root)), seen))
    assert {path.split("/")[0] for path in learned} == set(sent)
    for name, paths in sent.items():
        served = as_served(paths, root.parent / f"{name}-served", seen)
        for path, x_CHW in learned.items():
            if path.startswith(f"{name}/"):
                np.testing.assert_array_equal(x_CHW, served[int(path.rsplit("/", 1)[1])], path)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(
    ("dtype", "top"), [(np.uint8, 200), (np.int16, 3000), (np.uint16, 900), (np.float32, 1.0)]
)
def test_a_volume_of_any_number_type(tmp_path: Path, normalization: str, dtype: type, top: float) -> None:
    scale = 1000 if dtype is np.float32 else 1
    modalities = {
        kind: (volume(seed, np.float64, int(top * scale)) / scale).astype(dtype)
        for seed, kind in enumerate(NAMES)
    }
    root = tmp_path / "study"
    sent = case(root, "BraTS-GLI-00001-000", modalities)
    assert_alike(root, {"BraTS-GLI-00001-000": sent}, Preprocessing(2, SIZE, normalization))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_volume_of_8_bit_whose_air_is_not_black_and_with_a_stray_voxel(tmp_path: Path, normalization: str) -> None:
    modalities = {kind: volume(seed, np.uint8, 40) + np.uint8(7) for seed, kind in enumerate(NAMES)}
    modalities["t2f"][16, 16, 3] = 255
    root = tmp_path / "study"
    sent = case(root, "BraTS-GLI-00001-000", modalities)
    assert_alike(root, {"BraTS-GLI-00001-000": sent}, Preprocessing(2, SIZE, normalization))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_scans_of_one_patient_are_scaled_one_by_one(tmp_path: Path, normalization: str) -> None:
    root, sent = tmp_path / "study", {}
    for scan, top in enumerate((300, 3000)):
        name = f"BraTS-GLI-00001-00{scan}"
        sent[name] = case(root, name, {kind: volume(scan, np.int16, top) for kind in NAMES})
    assert_alike(root, sent, Preprocessing(2, SIZE, normalization))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_slices_that_are_left_out_count_for_brightness(tmp_path: Path, normalization: str) -> None:
    modalities = {kind: volume(seed, np.int16, 500) for seed, kind in enumerate(NAMES)}
    modalities["t1n"][10:14, 10:14, 7] = 2000  # where the FLAIR, which decides what is listed, shows nothing
    root = tmp_path / "study"
    sent = case(root, "BraTS-GLI-00001-000", modalities)
    assert_alike(root, {"BraTS-GLI-00001-000": sent}, Preprocessing(2, SIZE, normalization))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_pictures_are_scaled_each_by_itself_as_they_are_sent(tmp_path: Path, normalization: str) -> None:
    generator = np.random.default_rng(5)
    files = {}
    for n, top in enumerate((60, 250)):
        files[f"a_{n}.png"] = images.png(generator.integers(0, top, (SIZE, SIZE, 3), np.uint8))
        files[f"a_{n}_mask.png"] = images.png(np.pad(np.full((4, 4), 255, np.uint8), 14))
    dataset, seen = ImageMaskDataset(lay_out(tmp_path, files)), Preprocessing(3, SIZE, normalization)
    by_path = {str(item.image): dataset.read(item)[0] for item in dataset.slices()}
    for path, x_CHW in as_learned(dataset, seen):
        np.testing.assert_array_equal(x_CHW, seen.to_input(by_path[path]), path)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_several_datasets_in_one_run_are_scaled_as_each_alone(tmp_path: Path, normalization: str) -> None:
    for number, top in enumerate((300, 3000)):
        name = f"BraTS-GLI-0000{number}-000"
        case(tmp_path / "volumes", name, {kind: volume(number, np.int16, top) for kind in NAMES})
    shown = np.random.default_rng(7).integers(0, 250, (SIZE, SIZE, 3), np.uint8)
    mask = np.pad(np.full((4, 4), 255, np.uint8), 14)
    lay_out(tmp_path / "pictures", {"a.png": images.png(shown), "a_mask.png": images.png(mask)})
    datasets = {"v": BratsDataset(tmp_path / "volumes"), "p": ImageMaskDataset(tmp_path / "pictures")}
    both = Mixture({name: ListedDataset(name) for name in datasets}, datasets)
    assert {item.source for item in both.slices()} == {"v", "p"}
    for name, dataset in datasets.items():
        seen = Preprocessing(dataset.channels, SIZE, normalization)
        alone = dict(as_learned(dataset, seen))
        items = both.of(name)
        for item, levels_C2 in zip(items, levels_of(seen, both, items), strict=True):
            x_CHW = seen.to_input(both.read(item)[0], levels_C2, both.pixel_spacing_mm(item))
            np.testing.assert_array_equal(x_CHW, alone[str(item.image).partition("/")[2]])


@pytest.mark.parametrize(("row_mm", "column_mm"), [(0.5, 2.0), (2.0, 0.5), (1.0, 1.0)])
def test_calibrated_pictures_are_made_square_whatever_reads_them(
    tmp_path: Path, row_mm: float, column_mm: float
) -> None:
    colour = np.random.default_rng(6).integers(0, 255, (40, SIZE, 3), np.uint8)
    marked = np.zeros((40, SIZE), np.uint8)
    marked[10:20, 10:20] = 255
    files = {"a.tif": calibrated(colour, row_mm, column_mm), "a_mask.png": images.png(marked)}
    both = {f"{kind}/{n}.tif": calibrated(colour + n, row_mm, column_mm) for n, kind in enumerate(("yes", "no"))}
    readers = [ImageMaskDataset(lay_out(tmp_path / "a", files)), YesNoDataset(lay_out(tmp_path / "b", both))]
    for dataset in readers:
        for item in dataset.slices():
            assert dataset.pixel_spacing_mm(item) == pytest.approx((row_mm, column_mm)), dataset.format
        seen = Preprocessing(dataset.channels, SIZE)
        for item, (path, x_CHW) in zip(dataset.slices(), sorted(as_learned(dataset, seen)), strict=True):
            assert str(item.image) == path
            pixels = dataset.read(item)[0]
            np.testing.assert_array_equal(x_CHW, seen.to_input(pixels, spacing_mm=(row_mm, column_mm)), path)
