"""From a job's pixels to its result, as plain functions; threads, queues and the database are elsewhere.

Shapes: H and W the upload's size, h and w the model's, C channels, S measures of strangeness.
"""

from typing import Any, NamedTuple

import numpy as np

from shared.contract.errors import InferenceFailed
from shared.imaging import rle
from shared.imaging.mask import binary_mask, min_region_at
from shared.imaging.measure import Spacing, measure
from shared.imaging.unlike import unlike_training_data
from shared.storage.arrays import from_npy
from trainer.inference.models import ServedModel
from trainer.inference.png import grey_png

UNLIKE_DETAIL = (
    "This image is unlike those the model was trained on (its card says which they are):"
    " its answer may be meaningless."
)


class Measured(NamedTuple):
    """What a job ends with: `result` as in the API, the published map as PNG bytes, warnings."""

    result: dict[str, Any]
    probability_png: bytes
    warnings: list[dict[str, Any]]


def pixels_of(npy: bytes) -> np.ndarray:
    """.npy bytes -> uint8 or uint16 pixels (H, W, 1 or 3). InferenceFailed if that is not what they hold."""
    try:
        pixels_HWC = from_npy(npy)
    except (ValueError, EOFError) as error:
        raise InferenceFailed("The stored pixels are damaged.") from error
    if (
        pixels_HWC.ndim != 3
        or pixels_HWC.shape[2] not in (1, 3)
        or pixels_HWC.dtype not in (np.uint8, np.uint16)
    ):
        raise InferenceFailed(f"The stored pixels are {pixels_HWC.dtype} of shape {pixels_HWC.shape}.")
    return pixels_HWC


def measured(
    model: ServedModel,
    probability_hw: np.ndarray,
    strangeness_S: np.ndarray,
    size: tuple[int, int],
    spacing: Spacing | None,
    threshold: float | None,
) -> Measured:
    """The network's answer -> the mask from the very 8-bit map that is published, and what is said about it."""
    height, width = size
    level = model.threshold if threshold is None else threshold
    probability_HW = model.preprocessing.from_output(probability_hw, height, width)
    smallest = min_region_at(model.min_region_pixels, model.preprocessing.image_size, height, width)
    mask_HW = binary_mask(probability_HW, level, smallest)
    result = measure(mask_HW, probability_HW, spacing, threshold=level, min_region_pixels=smallest)
    result["mask"] = rle.encode(mask_HW)
    return Measured(result, grey_png(probability_HW), _warnings(model, strangeness_S))


def _warnings(model: ServedModel, strangeness_S: np.ndarray) -> list[dict[str, Any]]:
    limits = model.unlike.get("limits")
    if limits is None or not unlike_training_data(strangeness_S, limits):
        return []
    return [{"code": "unlike_training_data", "detail": UNLIKE_DETAIL}]
