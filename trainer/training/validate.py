"""What the averaged network finds on the slices of some patients, and how well that agrees with the experts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from shared import catalog
from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor
from shared.recipe import Recipe
from trainer.training.metrics import dice
from trainer.training.slices import Slices, standardise

SAMPLES = 8


@dataclass(frozen=True)
class Sample:
    """A slice as a person looks at it: image_HWC uint8, the expert's mask and the network's, bool (H, W)."""

    image_HWC: np.ndarray
    truth_HW: np.ndarray
    found_HW: np.ndarray


@dataclass(frozen=True)
class Validated:
    """Loss over the slices, volume Dice by patient (threshold 0.5, no flips, no clean-up), some slices to look at."""

    loss: float
    dice: dict[str, float]
    samples: list[Sample]


@torch.inference_mode()
def predict(
    predictor: Predictor,
    slices: Slices,
    indices: np.ndarray,
    device: torch.device,
    change: Callable[[np.ndarray], np.ndarray] = lambda images: images,
    batch_size: int = 32,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (probability_BHW, strangeness or features_BF), float32, of these slices after `change`, in order."""
    predictor = predictor.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    for start in range(0, len(indices), batch_size):
        images = change(slices.images_NHWC[indices[start : start + batch_size]])
        x = standardise(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            probability, features = predictor(x.contiguous(memory_format=torch.channels_last))
        yield probability.float().cpu().numpy(), features.float().cpu().numpy()


def validate(
    network: SegmentationNetwork,
    slices: Slices,
    indices: np.ndarray,
    recipe: Recipe,
    device: torch.device,
    on_slice: Callable[[int], None] = lambda done: None,
) -> Validated:
    """The network on the validation patients' slices."""
    loss_function = catalog.load(catalog.LOSSES, recipe.loss, "loss")(**recipe.loss_options)
    found_NHW = np.empty((len(indices), *slices.masks_NHW.shape[1:]), bool)
    done, losses = 0, []
    for probability_BHW, _ in predict(Predictor(network), slices, indices, device):
        part = slice(done, done + len(probability_BHW))
        truth_BHW = slices.masks_NHW[indices[part]]
        logits = torch.logit(torch.from_numpy(probability_BHW), eps=1e-6)[:, None]
        losses.append(float(loss_function(logits, torch.from_numpy(truth_BHW)[:, None])) * len(truth_BHW))
        found_NHW[part] = probability_BHW >= 0.5
        done = part.stop
        on_slice(done)
    truth_NHW = slices.masks_NHW[indices]
    patients = np.array(slices.patients)[indices]
    scores = {str(p): dice(found_NHW[patients == p], truth_NHW[patients == p]) for p in np.unique(patients)}
    return Validated(sum(losses) / done, scores, _samples(slices, indices, found_NHW, truth_NHW))


def _samples(
    slices: Slices, indices: np.ndarray, found_NHW: np.ndarray, truth_NHW: np.ndarray
) -> list[Sample]:
    """The same slices each time: spread over those with tumour."""
    shown = np.flatnonzero(truth_NHW.any(axis=(1, 2)))
    shown = shown[np.unique(np.linspace(0, len(shown) - 1, SAMPLES).astype(int))] if len(shown) else shown
    return [Sample(slices.images_NHWC[indices[n]], truth_NHW[n], found_NHW[n]) for n in shown]
