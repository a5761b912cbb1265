"""Slices ready to train on: decoded once into a memory-mapped cache, scaled once, drawn by tumour each epoch."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from shared.contract.errors import TrainingFailed
from shared.datasets.base import Dataset, SliceFile
from shared.datasets.digest import BYTES, picture_digest
from shared.preprocessing.preprocess import Preprocessing, imagenet_statistics
from shared.preprocessing.square_pixels import PixelSpacing, Squared
from trainer.training.augment import Augment
from trainer.training.brightness import levels_of

VERSION = 5  # of what the cache holds


@dataclass(frozen=True)
class Slices:
    """All slices of a dataset at the network's size; memory-mapped, so memory stays flat."""

    images_NHWC: np.ndarray  # uint8: Preprocessing.fit, 0..1, times 255
    masks_NHW: np.ndarray  # bool, or labels uint8 from 0 where there are several classes
    patients: tuple[str, ...]  # of each slice
    units: tuple[str, ...]  # of the split, of each slice
    digests_NCD: np.ndarray  # uint8, of each channel in its file; 0 where it has one value
    sources: tuple[str, ...] = ()  # of each slice, where there are several datasets; else empty

    @property
    def with_tumour(self) -> np.ndarray:
        """bool (N,)."""
        return np.asarray(self.masks_NHW.any(axis=(1, 2)))

    @property
    def channels(self) -> int:
        """Of the images."""
        return int(self.images_NHWC.shape[-1])

    def digests(self, indices: np.ndarray) -> list[bytes]:
        """Of these slices' channels (shared.datasets.digest)."""
        return [d.tobytes() for d in self.digests_NCD[indices].reshape(-1, BYTES) if d.any()]

    def of(self, units: Iterable[str]) -> np.ndarray:
        """Indices of the slices of these units of the split, in order."""
        wanted = set(units)
        return np.array([n for n, unit in enumerate(self.units) if unit in wanted], int)

    def by_source(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """These indices by the dataset that they are from, in the order of the names; one without a name: all."""
        if not self.sources:
            return {"": indices}
        names = np.array([self.sources[n] for n in indices], str)
        return {str(name): indices[names == name] for name in np.unique(names)}

    def by_patient(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The places in `indices` of each patient's slices."""
        names = np.array([self.patients[n] for n in indices])
        return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}


def prepare(
    dataset: Dataset,
    preprocessing: Preprocessing,
    cache: Path,
    *,
    classes: int = 1,
    aside: Path | None = None,
    on_slice: Callable[[int], None] = lambda done: None,
) -> Slices:
    """Decode, scale and letterbox every slice once into `cache`; a cache made for the same slices is used again.

    Another process may do the same at the same time: files are made `aside` (by default within `cache`; it must be on
    the same file system) and moved into place.
    """
    items = dataset.slices()
    pictures = [f"{i.patient}/{i.index}/{i.image.name}" for i in items]
    key = json.dumps([VERSION, repr(preprocessing), classes, [*dataset.modalities], pictures])
    stamp, *files = (cache / name for name in ("slices.json", "images.npy", "masks.npy", "digests.npy"))
    if not (stamp.is_file() and stamp.read_text() == key):
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=aside or cache) as folder:
            made = Path(folder)
            _decode(dataset, items, preprocessing, classes, made, on_slice)
            (made / stamp.name).write_text(key)
            for file in (*files, stamp):
                (made / file.name).replace(file)
    images, masks, digests = (np.load(file, "r") for file in files)
    patients, units = (tuple(names) for names in zip(*((i.patient, i.unit) for i in items), strict=True))
    sources = tuple(i.source for i in items) if any(i.source for i in items) else ()
    return Slices(images, masks, patients, units, digests, sources)


def _decode(
    dataset: Dataset,
    items: Sequence[SliceFile],
    preprocessing: Preprocessing,
    classes: int,
    folder: Path,
    on_slice: Callable[[int], None],
) -> None:
    size, channels = preprocessing.image_size, preprocessing.channels
    shape = (len(items), size, size)
    make = np.lib.format.open_memmap
    images = make(folder / "images.npy", "w+", np.uint8, (*shape, channels))
    masks = make(folder / "masks.npy", "w+", np.bool_ if classes == 1 else np.uint8, shape)
    digests = make(folder / "digests.npy", "w+", np.uint8, (len(items), channels, BYTES))
    n = 0
    for _, group in groupby(items, key=lambda item: item.patient):
        slices = list(group)
        for item, levels_C2 in zip(slices, levels_of(preprocessing, dataset, slices), strict=True):
            pixels_HWC, labels_HW = dataset.read_labels(item)
            spacing_mm = dataset.pixel_spacing_mm(item)
            images[n] = np.rint(preprocessing.fit(pixels_HWC, levels_C2, spacing_mm) * 255)
            masks[n] = fitted_labels(preprocessing, labels_HW if classes > 1 else labels_HW > 0, spacing_mm)
            joined = b"".join(picture_digest(pixels_HWC[..., [c]]) or bytes(BYTES) for c in range(channels))
            digests[n] = np.frombuffer(joined, np.uint8).reshape(channels, BYTES)
            n += 1
            on_slice(n)
    for array in (images, masks, digests):
        array.flush()


def fitted_labels(
    preprocessing: Preprocessing, labels_HW: np.ndarray, spacing_mm: PixelSpacing = None
) -> np.ndarray:
    """Labels or a mask (H, W) at the network's size: tumour where it fills at least half, of the class with most."""
    fitted = np.zeros((preprocessing.image_size, preprocessing.image_size), labels_HW.dtype)
    labels = np.unique(labels_HW[labels_HW > 0])
    if not len(labels):
        return fitted
    shares_HWK = (labels_HW[..., None] == labels).astype(np.float32)
    squared = Squared.of(labels_HW.shape[0], labels_HW.shape[1], spacing_mm)
    shares_HWK = preprocessing.letterbox(squared.there(shares_HWK))
    tumour_HW = shares_HWK.sum(axis=2) >= 0.5
    fitted[tumour_HW] = labels[shares_HWK.argmax(axis=2)][tumour_HW]
    return fitted


def standardise(image_CHW: torch.Tensor) -> torch.Tensor:
    """Preprocessing.standardise for tensors (C, H, W) or (B, C, H, W) in 0..1."""
    statistics = imagenet_statistics(image_CHW.shape[-3])
    mean, std = (torch.from_numpy(values).view(-1, 1, 1) for values in statistics)
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
        """Standardised image (C, H, W) and mask or labels (1, H, W), both float32."""
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

    Raises TrainingFailed where no slice has tumour.
    """
    return draw_sources(tumour_N, {"": allowed}, {}, empty_per_tumour, seed)


def draw_sources(
    tumour_N: np.ndarray,
    by_source: Mapping[str, np.ndarray],
    shares: Mapping[str, float],
    empty_per_tumour: float,
    seed: int,
) -> list[int]:
    """`draw_epoch` of several datasets: each gives `shares` (1 where none is told) of its slices with tumour.

    A share of 0.5 is a random half of them, one of 2.5 is each of them twice and half of them once more.
    """
    generator = np.random.default_rng(seed)
    drawn = []
    for source, allowed in by_source.items():
        tumour, empty = allowed[tumour_N[allowed]], allowed[~tumour_N[allowed]]
        if not len(tumour):
            of = f" of {source}" if source else ""
            raise TrainingFailed(f"No slice of the training patients{of} has a tumour in its mask.")
        share = shares.get(source, 1.0)
        count = min(round(len(empty) * share), round(len(tumour) * share * empty_per_tumour))
        drawn.append(tumour if share == 1 else _times(tumour, round(len(tumour) * share), generator))
        drawn.append(_times(empty, count, generator))
    return generator.permutation(np.concatenate(drawn)).tolist()


def _times(indices: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """`count` of them: all as often as goes, then some at random."""
    if count <= len(indices):
        return generator.choice(indices, count, replace=False)
    whole, rest = divmod(count, len(indices))
    return np.concatenate([*[indices] * whole, generator.choice(indices, rest, replace=False)])
