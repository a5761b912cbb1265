"""What is said about each class of a model that tells several apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shared.masks.rounding import six_digits


def classes_of(
    labels: np.ndarray,
    classes: Sequence[tuple[int, str]],
    *,
    pixel_mm2: float | None,
    voxel_mm3: float | None = None,
) -> list[dict[str, Any]]:
    """uint8 labels of a picture (H, W) or a volume (D, H, W), 0 for none -> the `classes` of a result.

    `classes` are (label, name), in the order in which they are told. `pixel_mm2` and `voxel_mm3` are None where they
    are not known; a picture has no volume.
    """
    counts = np.zeros(256, np.int64)
    for labels_HW in labels if labels.ndim == 3 else labels[None]:
        counts += np.bincount(labels_HW.reshape(-1), minlength=256)
    return [
        {
            "label": label,
            "name": name,
            "area_pixels": int(counts[label]),
            "area_mm2": None if pixel_mm2 is None else six_digits(int(counts[label]) * pixel_mm2),
            "volume_mm3": None if voxel_mm3 is None else six_digits(int(counts[label]) * voxel_mm3),
        }
        for label, name in classes
    ]
