"""Slices ready to train on: decoded once into a memory-mapped cache, scaled once, drawn by tumour each epoch."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from shared.contract.errors import DatasetError
from shared.imaging.datasets.base import Dataset, SliceFile
from shared.imaging.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from trainer.training.augment import Augment


@dataclass(frozen=True)
class Slices:
    """All slices of a dataset at the network's size; memory-mapped, so memory stays flat."""

    images_NHWC: np.ndarray  # uint8: scaled to 0..1 by Preprocessing.scale, times 255
    masks_NHW: np.ndarray  # bool
    patients: tuple[str, ...]  # of each slice

    @property
    def with_tumour(self) -> np.ndarray:
        """bool (N,)."""
        return np.asarray(self.masks_NHW.any(axis=(1, 2)))

    def of(self, patients: Iterable[str]) -> np.ndarray:
        """Indices of these patients' slices, in order."""
        return np.flatnonzero(np.isin(self.patients, list(patients)))


def prepare(
    dataset: Dataset,
    preprocessing: Preprocessing,
    cache: Path,
    *,
    aside: Path | None = None,
    on_slice: Callable[[int], None] = lambda done: None,
) -> Slices:
    """Decode, scale and letterbox every slice once into `cache`; a cache made for the same slices is used again.

    Another process may do the same at the same time: files are made `aside` (by default within `cache`; it must be on
    the same file system) and moved into place.
    """
    items = dataset.slices()
    key = json.dumps([repr(preprocessing), [f"{i.patient}/{i.image.name}" for i in items]])
    stamp, image_file, mask_file = cache / "slices.json", cache / "images.npy", cache / "masks.npy"
    if not (stamp.is_file() and stamp.read_text() == key):
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=aside or cache) as folder:
            made = Path(folder)
            _decode(dataset, items, preprocessing, made, on_slice)
            (made / stamp.name).write_text(key)
            for file in (image_file, mask_file, stamp):
                (made / file.name).replace(file)
    return Slices(np.load(image_file, "r"), np.load(mask_file, "r"), tuple(item.patient for item in items))


def _decode(
    dataset: Dataset,
    items: Sequence[SliceFile],
    preprocessing: Preprocessing,
    folder: Path,
    on_slice: Callable[[int], None],
) -> None:
    size = preprocessing.image_size
    shape = (len(items), size, size)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (*shape, dataset.channels))
    masks = np.lib.format.open_memmap(folder / "masks.npy", "w+", np.bool_, shape)
    for n, item in enumerate(items):
        pixels_HWC, mask_HW = dataset.read(item)
        images[n] = np.rint(preprocessing.letterbox(preprocessing.scale(pixels_HWC)) * 255)
        mask_HWC = np.repeat(mask_HW[..., None], 3, 2).astype(np.float32)
        masks[n] = preprocessing.letterbox(mask_HWC)[..., 0] >= 0.5
        on_slice(n + 1)
    images.flush()
    masks.flush()


def standardise(image_CHW: torch.Tensor) -> torch.Tensor:
    """Preprocessing.standardise for tensors (C, H, W) or (B, C, H, W) in 0..1."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (image_CHW - mean) / std


class TrainingSlices(TorchDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Augmented slices of one epoch, from the place `first` on; changes depend on seed, epoch and place alone."""

    def __init__(
        self, slices: Slices, order: Sequence[int], augment: Augment, seed: int, first: int = 0
    ) -> None:
        self.slices, self.order, self.augment, self.seed, self.first = slices, order, augment, seed, first

    def __len__(self) -> int:
        return len(self.order) - self.first

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised image (3, H, W) and mask (1, H, W), both float32."""
        place += self.first
        n = self.order[place]
        image = torch.from_numpy(self.slices.images_NHWC[n].transpose(2, 0, 1) / np.float32(255))
        mask = torch.from_numpy(self.slices.masks_NHW[n][None].copy())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 1_000_003 + place)
            image, mask = self.augment(image, mask)
        return standardise(image), mask.float()


def draw_epoch(tumour_N: np.ndarray, allowed: np.ndarray, empty_per_tumour: float, seed: int) -> list[int]:
    """All allowed slices with tumour and a random share of the empty ones, shuffled.

    Raises DatasetError where no slice has tumour.
    """
    generator = np.random.default_rng(seed)
    tumour, empty = allowed[tumour_N[allowed]], allowed[~tumour_N[allowed]]
    if not len(tumour):
        raise DatasetError("no slice of the training patients has a tumour in its mask")
    count = min(len(empty), round(len(tumour) * empty_per_tumour))
    order = np.concatenate([tumour, generator.choice(empty, count, replace=False)])
    return generator.permutation(order).tolist()
