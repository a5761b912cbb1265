"""What the averaged network finds on the slices of some patients, and how well that agrees with the experts."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor
from trainer.training.metrics import dice
from trainer.training.slices import Slices, standardise


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


def volume_dice(
    network: SegmentationNetwork,
    slices: Slices,
    patients: Sequence[str],
    device: torch.device,
    threshold: float = 0.5,
) -> dict[str, float]:
    """Dice of each patient's whole volume, without flips or clean-up."""
    predictor, scores = Predictor(network), {}
    for patient in patients:
        indices = slices.of([patient])
        found = [probability >= threshold for probability, _ in predict(predictor, slices, indices, device)]
        scores[patient] = dice(np.concatenate(found), slices.masks_NHW[indices])
    return scores
