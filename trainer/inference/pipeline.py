"""From a job's pixels to its result, as plain functions; threads, queues and the database are elsewhere.

Shapes: H and W the upload's size, h and w the model's, C channels, S measures of strangeness.
"""

from typing import Any, NamedTuple

import numpy as np

from shared.contract.errors import InferenceFailed
from shared.files.npy import from_npy
from shared.masks import rle
from shared.masks.binary_mask import binary_mask
from shared.masks.classes import classes_of
from shared.masks.measure import Spacing, measure
from shared.pictures.label_png import label_png
from shared.pictures.png_writer import grey_png
from shared.preprocessing.unlike import unlike_training_data
from trainer.engines.engine import EngineOutput
from trainer.engines.warm_models import ServedModel

UNLIKE_DETAIL = (
    "This image is unlike those the model was trained on (its card says which they are):"
    " its answer may be meaningless."
)


class MeasuredSlice(NamedTuple):
    """What a job ends with: `result` as in the API, the published map as PNG bytes, warnings.

    `labels_png` where the model tells several classes apart.
    """

    result: dict[str, Any]
    probability_png: bytes
    warnings: list[dict[str, Any]]
    labels_png: bytes | None = None


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
    output: EngineOutput,
    size: tuple[int, int],
    spacing: Spacing | None,
    threshold: float | None,
) -> MeasuredSlice:
    """The network's answer for one image -> the mask, from the very 8-bit map that is published, and what is said."""
    height, width = size
    level = model.threshold if threshold is None else threshold
    preprocessing = model.preprocessing
    probability_HW = preprocessing.from_output(output.probability_BHW, height, width, spacing)
    smallest = preprocessing.smallest_region(model.min_region_pixels, height, width, spacing)
    mask_HW = binary_mask(probability_HW, level, smallest)
    result = measure(mask_HW, probability_HW, spacing, threshold=level, min_region_pixels=smallest)
    result["mask"] = rle.encode(mask_HW)
    labels_png = None
    if model.classes:
        labels_HW = mask_HW * preprocessing.labels_from_output(output.label_BHW, height, width, spacing)
        pixel_mm2 = spacing[0] * spacing[1] if spacing else None
        result["classes"] = classes_of(labels_HW, model.classes, pixel_mm2=pixel_mm2)
        labels_png = label_png(labels_HW)
    return MeasuredSlice(result, grey_png(probability_HW), _warnings(model, output.strangeness_BS), labels_png)


def _warnings(model: ServedModel, strangeness_S: np.ndarray) -> list[dict[str, Any]]:
    limits = model.unlike.get("limits")
    if limits is None or not unlike_training_data(strangeness_S, limits):
        return []
    return [{"code": "unlike_training_data", "detail": UNLIKE_DETAIL}]
