"""A tiny study laid out as the LGG dataset is published: bright discs in FLAIR on a grey brain."""

from pathlib import Path

import numpy as np
from PIL import Image


def make_study(
    root: Path, patients: int = 6, slices: int = 4, size: int = 64, seed: int = 0, *, grey: bool = False
) -> Path:
    """Every patient has slices without tumour at both ends; `grey` repeats FLAIR in all channels."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    brain = (rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (0.42 * size) ** 2
    for number in range(patients):
        name = f"TCGA_XX_{number:04d}_20000101"
        folder = root / "kaggle_3m" / name
        folder.mkdir(parents=True)
        y, x = generator.uniform(0.35, 0.65, 2) * size
        for index in range(slices):
            inside = 0 < index < slices - 1
            disc = ((rows - y) ** 2 + (columns - x) ** 2 < (0.14 * size) ** 2) & inside
            image = (
                np.where(brain[..., None], 60, 0)
                + generator.integers(0, 12, (size, size, 3)) * brain[..., None]
            )
            image[..., 1] += disc * 120
            if grey:
                image = np.repeat(image[..., 1:2], 3, axis=2)
            Image.fromarray(image.astype(np.uint8)).save(folder / f"{name}_{index + 1}.tif")
            Image.fromarray(disc.astype(np.uint8) * 255).save(folder / f"{name}_{index + 1}_mask.tif")
    return root
