"""Every engine of this machine makes the masks of torch in fp32 with the shipped model."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.masks.binary_mask import binary_mask
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits
from tests.fakes.study import make_study
from trainer.engines.model_folder import ModelFolder
from trainer.engines.open_engine import open_engine
from trainer.engines.torch_engine import TorchCudaEngine

MODELS = Path(__file__).resolve().parents[3] / "models"
SHIPPED = sorted(path.parent for path in MODELS.glob("*/card.json"))
LGG = os.environ.get("LGG_DIR")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
OTHERS = [
    pytest.param(lambda source: open_engine(source, "cpu", "openvino"), id="openvino"),
    pytest.param(
        lambda source: TorchCudaEngine(source, "cuda:0"), id="cuda", marks=[needs_cuda, pytest.mark.gpu]
    ),
]
pytestmark = pytest.mark.skipif(not SHIPPED, reason="no model is shipped in models/")


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda folder: folder.name)
def source(request):
    return ModelFolder(request.param)


@pytest.fixture(scope="module", params=OTHERS)
def engines(request, source):
    """The reference and another."""
    return open_engine(source, "cpu", "torch"), request.param(source)


def masks(engine, source, paths):
    """The published masks of picture files, as the worker makes them."""
    for path in paths:
        pixels = decode(path.read_bytes(), DecodeLimits()).pixels
        # A model of four sequences is shown one of three twice: it is about the engines, not about tumours.
        pixels = pixels[..., np.arange(source.preprocessing.channels) % pixels.shape[2]]
        height, width = pixels.shape[:2]
        output = engine.predict(source.preprocessing.to_input(pixels)[None])
        probability = source.preprocessing.from_output(output.probability_BHW[0], height, width)
        smallest = source.preprocessing.smallest_region(source.card.min_region_pixels, height, width)
        yield binary_mask(probability, source.card.threshold, smallest)


def dice(intersection, total):
    """Two empty masks agree."""
    return 1.0 if total == 0 else 2 * intersection / total


def compare(engines, source, paths):
    """Dice of each slice, and of all together."""
    counts = np.array(
        [
            (np.count_nonzero(a & b), np.count_nonzero(a) + np.count_nonzero(b))
            for a, b in zip(*(masks(engine, source, paths) for engine in engines), strict=True)
        ]
    )
    return np.array([dice(*count) for count in counts]), dice(*counts.sum(axis=0))


def test_masks_of_drawn_slices_agree(engines, source, tmp_path):
    study = make_study(tmp_path, patients=3, slices=4, size=256)
    paths = sorted(path for path in study.rglob("*.tif") if not path.stem.endswith("_mask"))
    _, together = compare(engines, source, paths)
    assert together >= 0.995


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not LGG, reason="LGG_DIR is not set: the folder with PATIENT/*.tif of the LGG dataset")
def test_masks_and_volumes_of_real_patients_agree(engines, source):
    if source.card.in_channels != 3:
        pytest.skip("the model is not for slices of LGG")
    patients = sorted(path for path in Path(LGG).iterdir() if path.is_dir())
    chosen = patients[:: max(1, len(patients) // int(os.environ.get("LGG_PATIENTS", "10")))]
    volumes, slices, truths = [], [], []
    for patient in chosen:
        paths = sorted(path for path in patient.glob("*.tif") if not path.stem.endswith("_mask"))
        each, together = compare(engines, source, paths)
        slices.append(each)
        volumes.append(together)
        truths.append([score(engine, source, paths) for engine in engines])
    print(
        "mask Dice", np.mean(np.concatenate(slices)), "volume Dice", min(volumes), "against the truth", truths
    )
    assert np.mean(np.concatenate(slices)) >= 0.995
    assert max(abs(a - b) for a, b in truths) <= 0.003


def score(engine, source, paths):
    """Volume Dice of a patient against the published masks."""
    intersection = total = 0
    for path, mask in zip(paths, masks(engine, source, paths), strict=True):
        truth = (
            decode(path.with_name(f"{path.stem}_mask.tif").read_bytes(), DecodeLimits()).pixels[..., 0] > 127
        )
        intersection += np.count_nonzero(mask & truth)
        total += np.count_nonzero(mask) + np.count_nonzero(truth)
    return dice(intersection, total)
