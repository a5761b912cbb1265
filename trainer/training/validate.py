"""What the averaged network finds on the slices of some patients, and how well that agrees with the experts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from shared import catalog
from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor, tumour_logit
from shared.recipe import Recipe
from trainer.training.slices import Slices, standardise

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
    recipe: Recipe,
    device: torch.device,
    change: Change = lambda images: images,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (probability_BHW, strangeness or features_BF), float32, of these slices after `change`, in order."""
    predictor = predictor.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    for x_BCHW in _batches(slices, indices, device, change):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.autocast):
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
    """The network on the validation patients' slices; kept of each are counts alone, and of a few the masks."""
    loss_function = catalog.load(catalog.LOSSES, recipe.loss, "loss")(**recipe.loss_options)
    network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    classes = [None, *range(1, recipe.classes + 1)] if recipe.classes > 1 else [None]
    counts_NK2 = np.zeros((len(indices), len(classes), 2), np.int64)  # found in both; found and true together
    chosen, samples = _chosen(slices, indices), []
    done, losses = 0, []
    for x_BCHW in _batches(slices, indices, device, lambda images: images):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.autocast):
            logits_BKHW = network(x_BCHW)
        logits_BKHW = logits_BKHW.float().cpu()
        truth_BHW = slices.masks_NHW[indices[done : done + len(logits_BKHW)]]
        losses.append(
            float(loss_function(logits_BKHW, torch.from_numpy(truth_BHW)[:, None])) * len(truth_BHW)
        )
        for truth_HW, found_HW in zip(truth_BHW, labels_of(logits_BKHW).numpy(), strict=True):
            counts_NK2[done] = [_overlap(found_HW, truth_HW, label) for label in classes]
            if done in chosen:
                samples.append(_sample(slices, int(indices[done]), recipe, truth_HW, found_HW))
            done += 1
        on_slice(done)
    rows = slices.by_patient(indices)
    dice_PK = {patient: _dice(counts_NK2[own].sum(axis=0)) for patient, own in rows.items()}
    scores = {patient: values[0] for patient, values in dice_PK.items()}
    by_class = {
        label: [values[k] for values in dice_PK.values()]
        for k, label in enumerate(classes)
        if label is not None
    }
    return Validated(sum(losses) / done, scores, by_class, samples)


def labels_of(logits_BKHW: torch.Tensor) -> torch.Tensor:
    """Labels (B, H, W): tumour where it is more likely than not, and then of the likeliest class."""
    tumour_BHW = tumour_logit(logits_BKHW) >= 0
    if logits_BKHW.shape[1] == 1:
        return tumour_BHW
    return torch.where(tumour_BHW, 1 + logits_BKHW[:, 1:].argmax(dim=1), 0)


def _overlap(found_HW: np.ndarray, truth_HW: np.ndarray, label: int | None) -> tuple[int, int]:
    """Pixels of both, and those of either counted together; of one label, or of any."""
    found_HW, truth_HW = (array > 0 if label is None else array == label for array in (found_HW, truth_HW))
    return int((found_HW & truth_HW).sum()), int(found_HW.sum()) + int(truth_HW.sum())


def _dice(counts_K2: np.ndarray) -> list[float]:
    return [2.0 * both / total if total else 1.0 for both, total in counts_K2.tolist()]


def _chosen(slices: Slices, indices: np.ndarray) -> set[int]:
    """Places of the same slices each time: spread over those with tumour."""
    shown = np.flatnonzero([slices.masks_NHW[n].any() for n in indices])
    return set(shown[np.linspace(0, len(shown) - 1, SAMPLES).astype(int)].tolist()) if len(shown) else set()


def _sample(slices: Slices, index: int, recipe: Recipe, truth_HW: np.ndarray, found_HW: np.ndarray) -> Sample:
    """In colour if the slice has three channels."""
    seen = [0, 1, 2] if slices.channels == 3 else [recipe.main_channel] * 3
    return Sample(slices.images_NHWC[index][..., seen], truth_HW > 0, found_HW > 0)
