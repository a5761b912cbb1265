"""From the published 8-bit probability map to the mask: a rule that a client can repeat exactly.

A pixel belongs to the mask when p >= threshold_level(threshold), p being its value 0..255 in probability.png;
then 8-connected regions of fewer than `min_region_pixels` pixels are dropped.
"""

import math

import numpy as np

from shared.masks.components import components

# 0.6 * 255 may come out a hair above 153 in binary floating point; that hair must not move the level.
_FLOAT_SLACK = 1e-9


def threshold_level(threshold: float) -> int:
    """Smallest 8-bit probability that counts as tumour: ceil(threshold * 255), at least 1 (0 is never tumour)."""
    return max(1, math.ceil(threshold * 255.0 - _FLOAT_SLACK))


def binary_mask(probability_HW: np.ndarray, threshold: float, min_region_pixels: int) -> np.ndarray:
    """uint8 probability (H, W) -> bool mask (H, W): thresholded, small 8-connected regions dropped."""
    mask_HW = probability_HW >= threshold_level(threshold)
    if min_region_pixels <= 1:
        return mask_HW
    found = components(mask_HW, connectivity=8)
    keep = found.areas >= min_region_pixels
    keep[0] = False  # the background
    if not keep[1:].all():
        height, width = found.labels_hw.shape
        mask_HW[found.y : found.y + height, found.x : found.x + width] = keep[found.labels_hw]
    return mask_HW
