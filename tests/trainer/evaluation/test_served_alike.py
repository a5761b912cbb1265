"""An evaluation sees and says of a volume what serving sees and says, whatever its pixels are."""

import numpy as np
import pytest

from shared.datasets.brats import BratsDataset
from shared.files.npy import to_npy
from shared.masks import rle
from shared.preprocessing.preprocess import Preprocessing
from tests.fakes.cards import card
from tests.fakes.inference import MEASURES, served
from tests.fakes.volumes import nifti
from trainer.engines.engine import EngineOutput
from trainer.inference.pipeline import measured, pixels_of
from trainer.training.assess import Served, Upload, volumes
from trainer.volumes.export import export
from trainer.volumes.forward import pass_slices
from trainer.volumes.reading import read_study
from trainer.volumes.volume_order import VolumeChildOrder

SIZE = 64
SMALLEST = 12
SEEN = Preprocessing(1, SIZE)


class Bright:
    """What is brighter than most is tumour: an engine that needs no weights."""

    max_batch = 8

    def predict(self, x_BCHW):
        tumour_BHW = (x_BCHW[:, 0] > 0.9).astype(np.float32)
        count = len(x_BCHW)
        return EngineOutput(tumour_BHW, np.zeros((count, MEASURES), np.float32), np.ones((count, 1, 1), np.uint8))


def head(shape, spacing):
    """int16 (X, Y, Z): a noisy head with a tumour and specks, in an array of this shape and spacing; and the tumour."""
    generator = np.random.default_rng(3)
    middle = np.array(shape) * spacing / 2
    at = [(np.indices(shape)[axis] + 0.5) * spacing[axis] - middle[axis] for axis in range(3)]
    inside = sum((one / (0.42 * 2 * m)) ** 2 for one, m in zip(at, middle, strict=True)) < 1
    tumour = sum((one - off) ** 2 for one, off in zip(at, (18, -12, 4), strict=True)) < 14**2
    voxels = np.where(inside, generator.integers(300, 500, shape), 0)
    voxels[inside & (generator.random(shape) < 0.004)] = 1500
    voxels[tumour] = generator.integers(1200, 1500, np.count_nonzero(tumour))
    return voxels.astype(np.int16), tumour.astype(np.uint8)


def evaluated(folder, seen):
    dataset = BratsDataset(folder)
    model = Served(Bright(), seen, card(in_channels=1, min_region_pixels=SMALLEST, threshold=0.5))
    (volume,) = volumes(model, dataset, dataset.slices())
    return {item.index: found > 0 for item, found in zip(volume.items, volume.found, strict=True)}


def network(item, then):
    tumour_BHW, strangeness_BS, label_BHW = Bright().predict(item.x_CHW[None])
    then(EngineOutput(tumour_BHW[0], strangeness_BS[0], label_BHW[0]))


def answered(path, folder, seen):
    order = VolumeChildOrder(
        folder=str(folder), source=None, dicomweb=None, in_channels=1, channels=[], labels=[],
        model={"id": "m", "version": "1", "architecture": "unet", "weights_sha256": "0" * 64}, threshold=0.5,
        min_region_pixels=SMALLEST, image_size=SIZE, pixel_spacing_mm=None, slice_spacing_mm=None,
        sequence_order=None, seed="s", made="2026-01-31T12:00:00+00:00", max_voxels=1 << 22, max_bytes=1 << 30,
        memory_bytes=1 << 40, seconds=60, nice=0,
    )  # fmt: skip
    study = read_study({"image": [path]}, order)
    pass_slices(
        served(preprocessing=seen), folder, study.channels, study.grid.plane, study.spacing_mm,
        submit=network, on_slice=lambda done, of: None,
    )  # fmt: skip
    result, _ = export(study, order, lambda share: None)
    return study, result


@pytest.mark.parametrize("normalization", ["percentile", "min_max"])
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((48, 48, 12), (2.0, 2.0, 5.0)),
        ((96, 24, 12), (1.0, 4.0, 5.0)),
        ((24, 96, 12), (4.0, 1.0, 5.0)),
        ((40, 96, 12), (2.4, 1.0, 5.0)),
        ((96, 20, 20), (1.0, 5.0, 5.0)),
    ],
)
def test_an_evaluation_finds_what_is_served(tmp_path, shape, spacing, normalization):
    seen = Preprocessing(1, SIZE, normalization)
    voxels, tumour = head(shape, np.array(spacing))
    lies = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    folder = tmp_path / "study" / "BraTS-GLI-00001-000"
    folder.mkdir(parents=True)
    (folder / "BraTS-GLI-00001-000-t2f.nii.gz").write_bytes(nifti(voxels, lies))
    (folder / "BraTS-GLI-00001-000-seg.nii.gz").write_bytes(nifti(tumour, lies))
    study, result = answered(folder / "BraTS-GLI-00001-000-t2f.nii.gz", tmp_path, seen)
    found = evaluated(tmp_path / "study", seen)
    masks = {each["index"]: rle.rle_slice(result["mask"], each["index"]) for each in result["mask"]["slices"]}
    assert sum(mask.sum() for mask in masks.values()) > 0
    for index, mask_HW in found.items():
        served_HW = masks.get(index, np.zeros(mask_HW.shape, bool))
        np.testing.assert_array_equal(mask_HW, served_HW, f"slice {index}")
    if normalization != "min_max":  # each slice is as bright as the next: what is bright says nothing of tumours
        return
    truth_DHW = study.grid.from_file(tumour) > 0
    found_DHW = np.stack([masks.get(n, np.zeros(truth_DHW.shape[1:], bool)) for n in range(len(truth_DHW))])
    overlap = 2 * (truth_DHW & found_DHW).sum() / (truth_DHW.sum() + found_DHW.sum())
    assert overlap > 0.8, "specks are left out, the tumour is not"


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0), (4.0, 1.0), (0.5, 2.0)])
def test_a_picture_with_a_spacing_is_evaluated_as_it_is_served(spacing):
    voxels, _ = head((96, 24, 1), np.array((1.0, 4.0, 1.0)))
    pixels = pixels_of(to_npy(np.ascontiguousarray(voxels[:, :, 0].T[..., None].astype(np.uint16))))
    model = Served(Bright(), SEEN, card(in_channels=1, min_region_pixels=SMALLEST, threshold=0.5))
    (look,) = model.look([Upload(pixels, None, spacing)])
    x_CHW = SEEN.to_input(pixels, spacing_mm=spacing)
    output = EngineOutput(*(part[0] for part in Bright().predict(x_CHW[None])))
    serving = served(preprocessing=SEEN, min_region_pixels=SMALLEST)
    answer = measured(serving, output, pixels.shape[:2], spacing, 0.5)
    np.testing.assert_array_equal(look.mask, rle.decode(answer.result["mask"]))
