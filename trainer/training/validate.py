"""What the averaged network finds on the slices of some patients, and how well that agrees with the experts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from shared import catalog
from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor, tumour_logit
from shared.recipe import Recipe
from trainer.training.metrics import dice
from trainer.training.slices import Slices, standardise, volume_of

SAMPLES = 8
Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Sample:
    """A slice as a person looks at it: image_HWC uint8, the expert's mask and the network's, bool (H, W)."""

    image_HWC: np.ndarray
    truth_HW: np.ndarray
    found_HW: np.ndarray


@dataclass(frozen=True)
class Validated:
    """Loss over the slices, volume Dice by patient (threshold 0.5, no flips, no clean-up), some slices to look at.

    `class_dice` has for each label the patients' volume Dice, where there are several.
    """

    loss: float
    dice: dict[str, float]
    class_dice: dict[int, list[float]]
    samples: list[Sample]

    def by_class(self, names: Sequence[str]) -> dict[str, float]:
        """Mean over the patients; `names` of the labels from 1."""
        return {names[label - 1]: float(np.mean(scores)) for label, scores in self.class_dice.items()}


def _batches(
    slices: Slices, indices: np.ndarray, device: torch.device, change: Change, batch_size: int = 32
) -> Iterator[torch.Tensor]:
    for start in range(0, len(indices), batch_size):
        images = change(slices.images_NHWC[indices[start : start + batch_size]])
        x_BCHW = standardise(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).to(device)
        yield x_BCHW.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(
    predictor: Predictor,
    slices: Slices,
    indices: np.ndarray,
    device: torch.device,
    change: Change = lambda images: images,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (probability_BHW, strangeness or features_BF), float32, of these slices after `change`, in order."""
    predictor = predictor.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    for x_BCHW in _batches(slices, indices, device, change):
        with torch.autocast(device.type, dtype=torch.bfloat16):
            probability, features, *_ = predictor(x_BCHW)
        yield probability.float().cpu().numpy(), features.float().cpu().numpy()


@torch.inference_mode()
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
    network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    found_NHW = np.empty((len(indices), *slices.masks_NHW.shape[1:]), slices.masks_NHW.dtype)
    done, losses = 0, []
    for x_BCHW in _batches(slices, indices, device, lambda images: images):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.autocast):
            logits_BKHW = network(x_BCHW)
        logits_BKHW = logits_BKHW.float().cpu()
        part = slice(done, done + len(logits_BKHW))
        truth_B1HW = torch.from_numpy(slices.masks_NHW[indices[part]])[:, None]
        losses.append(float(loss_function(logits_BKHW, truth_B1HW)) * len(truth_B1HW))
        found_NHW[part] = labels_of(logits_BKHW).numpy()
        done = part.stop
        on_slice(done)
    truth_NHW = slices.masks_NHW[indices]
    patients = np.array([volume_of(slices.patients[n]) for n in indices])
    rows = {str(p): patients == p for p in np.unique(patients)}
    scores = {p: dice(found_NHW[own] > 0, truth_NHW[own] > 0) for p, own in rows.items()}
    by_class = {
        label: [dice(found_NHW[own] == label, truth_NHW[own] == label) for own in rows.values()]
        for label in range(1, recipe.classes + 1 if recipe.classes > 1 else 1)
    }
    samples = _samples(slices, indices, recipe.main_channel, found_NHW > 0, truth_NHW > 0)
    return Validated(sum(losses) / done, scores, by_class, samples)


def labels_of(logits_BKHW: torch.Tensor) -> torch.Tensor:
    """Labels (B, H, W): tumour where it is more likely than not, and then of the likeliest class."""
    tumour_BHW = tumour_logit(logits_BKHW) >= 0
    if logits_BKHW.shape[1] == 1:
        return tumour_BHW
    return torch.where(tumour_BHW, 1 + logits_BKHW[:, 1:].argmax(dim=1), 0)


def _samples(
    slices: Slices, indices: np.ndarray, channel: int, found_NHW: np.ndarray, truth_NHW: np.ndarray
) -> list[Sample]:
    """The same slices each time: spread over those with tumour; in colour if they have three channels."""
    shown = np.flatnonzero(truth_NHW.any(axis=(1, 2)))
    shown = shown[np.unique(np.linspace(0, len(shown) - 1, SAMPLES).astype(int))] if len(shown) else shown
    seen = [0, 1, 2] if slices.channels == 3 else [channel] * 3
    return [Sample(slices.images_NHWC[indices[n]][..., seen], truth_NHW[n], found_NHW[n]) for n in shown]
