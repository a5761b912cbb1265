"""What is chosen on the validation patients: calibration, threshold and smallest region; the test split stays shut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch.nn import functional

from shared.masks.binary_mask import binary_mask
from trainer.metrics.basics import dice

THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
SMALLEST_REGIONS = (32, 48, 64, 96)
# A few patients cannot tell choices apart whose mean Dice differs by less. Of those within it the smallest region is
# taken, which misses least, and then the threshold nearest to a half, which is what the calibrated probability says.
TOLERANCE = 0.002


@dataclass(frozen=True)
class Selection:
    """Constants of the served model; the region is in pixels at the network's size."""

    scale: float
    bias: float
    threshold: float
    min_region_pixels: int
    validation_dice: float


def fit_calibration(
    logits: np.ndarray, truth: np.ndarray, most: int = 2_000_000, seed: int = 0
) -> tuple[float, float]:
    """Platt scaling (1999): (scale, bias) so that sigmoid(scale * logit + bias) is the share of tumour pixels."""
    flat, target = logits.reshape(-1), truth.reshape(-1)
    if flat.size > most:
        picks = np.sort(np.random.default_rng(seed).choice(flat.size, most, replace=False))
        flat, target = flat[picks], target[picks]
    x, y = (torch.from_numpy(np.array(values, np.float64)) for values in (flat, target))
    parameters = torch.tensor([1.0, 0.0], dtype=torch.double, requires_grad=True)
    solver = torch.optim.LBFGS([parameters], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(parameters[0] * x + parameters[1], y)
        loss.backward()
        return loss

    solver.step(closure)
    scale, bias = parameters.tolist()
    return scale, bias


def select(
    logits_NHW: np.ndarray,
    truth_NHW: np.ndarray,
    patients: Mapping[str, np.ndarray],
    weights: Mapping[str, float] = MappingProxyType({}),
) -> Selection:
    """The constants by mean volume Dice; `patients` are the rows of each validation patient, `weights` how much each
    counts (1 where it is not told).

    Logits and masks may be memory-mapped: one patient at a time is looked at.
    """
    scale, bias = fit_calibration(logits_NHW, truth_NHW)
    choices = [(region, threshold) for region in SMALLEST_REGIONS for threshold in THRESHOLDS]
    dice_PC = np.array(
        [
            _scores(_published(scale * logits_NHW[rows].astype(np.float32) + bias), truth_NHW[rows], choices)
            for rows in patients.values()
        ]
    )
    weight_P = [weights.get(name, 1.0) for name in patients]
    scores = dict(zip(choices, np.average(dice_PC, axis=0, weights=weight_P).tolist(), strict=True))
    good = [choice for choice, score in scores.items() if score >= max(scores.values()) - TOLERANCE]
    region, threshold = min(good, key=lambda choice: (choice[0], abs(choice[1] - 0.5)))
    return Selection(scale, bias, threshold, region, scores[region, threshold])


def _published(logits_DHW: np.ndarray) -> np.ndarray:
    return np.rint(255 / (1 + np.exp(-logits_DHW))).astype(np.uint8)


def _scores(map_DHW: np.ndarray, truth_DHW: np.ndarray, choices: Sequence[tuple[int, float]]) -> list[float]:
    """Volume Dice of one patient for each (smallest region, threshold)."""
    return [dice(_masks(map_DHW, threshold, region), truth_DHW) for region, threshold in choices]


def _masks(map_DHW: np.ndarray, threshold: float, region: int) -> np.ndarray:
    return np.stack([binary_mask(map_HW, threshold, region) for map_HW in map_DHW])
