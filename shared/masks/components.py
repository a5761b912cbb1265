"""Connected pieces of a mask, looked for only where the mask is: a tumour covers a small part of a slice."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Components:
    """Pieces 1..n of a mask; arrays over pieces have index 0 for the background, of no meaning.

    `labels_hw` covers only the mask's bounding box, whose top left pixel is (`x`, `y`) of the mask; `boxes` holds
    x, y, width, height and `centroids` x, y, both in the mask's own pixels.
    """

    x: int
    y: int
    labels_hw: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray
    centroids: np.ndarray

    def by_area(self) -> list[int]:
        """The pieces' labels, the largest first; equal ones from top to bottom."""
        order = 1 + np.argsort(-self.areas[1:], kind="stable")
        return [int(label) for label in order]

    def inside(self, label: int) -> np.ndarray:
        """Bool (h, w): one piece within its own box."""
        x, y, width, height = self.boxes[label] - (self.x, self.y, 0, 0)
        return self.labels_hw[y : y + height, x : x + width] == label


def components(mask_HW: np.ndarray, connectivity: int) -> Components:
    """Label a bool mask (H, W) with 4- or 8-connectivity; an empty one has no piece."""
    mask_uint8 = mask_HW.astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask_uint8)
    if not width:
        return Components(0, 0, np.zeros((0, 0), np.int32), np.zeros(1), np.zeros((1, 4)), np.zeros((1, 2)))
    box_hw = np.ascontiguousarray(mask_uint8[y : y + height, x : x + width])
    _, labels_hw, stats, centroids = cv2.connectedComponentsWithStats(box_hw, connectivity=connectivity)
    boxes = stats[:, : cv2.CC_STAT_AREA] + np.array((x, y, 0, 0), stats.dtype)
    return Components(x, y, labels_hw, stats[:, cv2.CC_STAT_AREA], boxes, centroids + (x, y))
