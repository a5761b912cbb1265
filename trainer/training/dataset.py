"""A dataset as a run or an evaluation takes it: fewer patients or channels, slices as units, pseudonyms for names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any

import numpy as np

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.datasets.base import Dataset, SliceFile
from shared.datasets.pseudonym import pseudonym
from shared.recipe import Recipe
from trainer.training.brightness import Changed


class View:
    """A dataset with another list of slices: those that `choose` leaves, patients called what `rename` says.

    With `by_slice` each slice is a unit of the split by itself, `PATIENT/INDEX`. Of the channels only `modalities`, if
    any are given; raises InvalidFields (modalities) for one that the dataset does not have.
    """

    def __init__(
        self,
        dataset: Dataset,
        choose: Callable[[Sequence[SliceFile]], Sequence[SliceFile]] = lambda items: items,
        modalities: Sequence[str] = (),
        rename: Callable[[str], str] = str,
        *,
        by_slice: bool = False,
    ) -> None:
        self.dataset, self.classes, self._rename = dataset, dataset.classes, rename
        self._channels = _places(dataset, modalities)
        self.modalities = tuple(modalities) or tuple(dataset.modalities)
        self.channels = len(self._channels) if modalities else dataset.channels
        items = [replace(item, patient=rename(item.patient)) for item in choose(dataset.slices())]
        if by_slice:
            items = [replace(item, part=f"{item.patient}/{item.index}") for item in items]
        self._items = sorted(items, key=lambda item: (item.patient, item.index))

    def slices(self) -> Sequence[SliceFile]:
        """The changed list."""
        return self._items

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask."""
        pixels_HWC, mask_HW = self.dataset.read(item)
        return self._chosen(pixels_HWC), mask_HW

    def read_labels(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels."""
        pixels_HWC, labels_HW = self.dataset.read_labels(item)
        return self._chosen(pixels_HWC), labels_HW

    def place_of(self, item: SliceFile) -> tuple[PurePosixPath, int] | None:
        """As the dataset's."""
        return self.dataset.place_of(item)

    def volume(self, item: SliceFile) -> Sequence[np.ndarray]:
        """As the dataset's, of the channels that are left."""
        return Changed(self.dataset.volume(item), self._chosen)

    def spacing_mm(self, item: SliceFile) -> tuple[float, float, float] | None:
        """As the dataset's."""
        return self.dataset.spacing_mm(item)

    def pixel_spacing_mm(self, item: SliceFile) -> tuple[float, float] | None:
        """As the dataset's."""
        return self.dataset.pixel_spacing_mm(item)

    def cohorts(self) -> Mapping[str, Mapping[str, str]]:
        """As the dataset's, by what patients are called here."""
        return {
            name: {self._rename(patient): group for patient, group in groups.items()}
            for name, groups in self.dataset.cohorts().items()
        }

    def _chosen(self, pixels_HWC: np.ndarray) -> np.ndarray:
        return pixels_HWC[..., self._channels] if self._channels else pixels_HWC


def open_dataset(recipe: Recipe, root: Path, options: dict[str, Any], *, pseudonyms: bool) -> Dataset:
    """The dataset that the recipe trains on.

    With `pseudonyms` patients are called by a digest of their folder's name from here on: cards and logs are read
    by people who may not know who was in the study. Raises InvalidFields where the dataset cannot give what the
    recipe wants.
    """
    dataset: Dataset = catalog.load(catalog.DATASETS, recipe.dataset_format, "dataset_format")(
        root, **options
    )

    def choose(items: Sequence[SliceFile]) -> Sequence[SliceFile]:
        if recipe.limit.patients is None:
            return items
        chosen = _some(items, recipe.limit.patients, recipe.seed)
        return [item for item in items if item.patient in chosen]

    rename = pseudonym if pseudonyms else str
    view = View(dataset, choose, recipe.modalities, rename, by_slice=recipe.split == "slice")
    if view.channels != recipe.in_channels:
        raise InvalidFields(errors={"in_channels": [f"must be {view.channels}, as the dataset's"]})
    if recipe.classes not in (1, len(view.classes)):
        raise InvalidFields(errors={"classes": [f"must be 1, or {len(view.classes)} as the dataset's"]})
    return view


def _places(dataset: Dataset, modalities: Sequence[str]) -> list[int]:
    known = list(dataset.modalities)
    if missing := [name for name in modalities if name not in known]:
        there = ", ".join(known) or "none with a name"
        raise InvalidFields(
            errors={"modalities": [f"{', '.join(missing)} not in the dataset, which has: {there}"]}
        )
    return [known.index(name) for name in modalities]


def _some(items: Sequence[SliceFile], count: int, seed: int) -> set[str]:
    patients = sorted({item.patient for item in items})
    return set(Random(seed).sample(patients, min(count, len(patients))))
