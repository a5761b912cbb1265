"""What of a mask is tumour: labels, two levels, soft edges."""

import cv2
import numpy as np
import pytest

from shared.datasets.pictures import MaskFile

SHAPE = np.hypot(*(np.indices((256, 256)) - 120)) < 50


def tumour(values: np.ndarray) -> np.ndarray:
    return MaskFile(values, False).tumour_HW


@pytest.mark.parametrize("labels", [(1,), (1, 2, 4), (1, 2, 3), (4,), (255,), (1, 255), (85, 170, 255), (128,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_are_tumour_whatever_their_number(labels: tuple[int, ...], dtype: type) -> None:
    values = np.zeros((64, 64), dtype)
    for place, label in enumerate(labels):
        values[10 + 5 * place : 14 + 5 * place, 10:20] = label
    np.testing.assert_array_equal(tumour(values), values > 0)


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.uint8, 100), (np.uint16, 4095)])
def test_soft_edges_are_cut_in_the_middle(sigma: float, dtype: type, top: int) -> None:
    soft = cv2.GaussianBlur(SHAPE.astype(np.float64), (0, 0), sigma)
    got = tumour((soft * top).astype(dtype))
    assert abs(got.sum() / SHAPE.sum() - 1) < 0.03


def test_a_resized_mask_keeps_its_area() -> None:
    small = cv2.resize(SHAPE.astype(np.uint8) * 255, (150, 150), interpolation=cv2.INTER_LINEAR)
    assert abs(tumour(small).mean() / SHAPE.mean() - 1) < 0.03
