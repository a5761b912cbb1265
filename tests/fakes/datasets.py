"""Small datasets of images and masks, as dictionaries of files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.fakes import images


def mask(height: int = 40, width: int = 56, tumour: bool = True, value: int = 255) -> np.ndarray:
    """uint8 (H, W): a square of `value`, or nothing."""
    pixels = np.zeros((height, width), np.uint8)
    if tumour:
        pixels[10:20, 10:20] = value
    return pixels


def picture_files(patients: int = 4, slices: int = 3, seed: int = 0) -> dict[str, bytes]:
    """`P0/1.png` with `P0/1_mask.png` and so on; the last slice of each patient has no tumour."""
    files = {}
    for patient in range(patients):
        for index in range(1, slices + 1):
            pixels = images.picture(seed=seed + patient * 100 + index)
            files[f"P{patient}/{index}.png"] = images.png(pixels)
            files[f"P{patient}/{index}_mask.png"] = images.png(mask(tumour=index < slices))
    return files


def lay_out(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files under a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root
