"""A recipe's view of a dataset: fewer patients, slices as units of the split, pseudonyms instead of names."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from shared import catalog
from shared.imaging.datasets.base import Dataset, SliceFile
from shared.recipe import Recipe


class View:
    """A dataset whose list of slices was changed; pixels are read as before."""

    def __init__(
        self, dataset: Dataset, change: Callable[[Sequence[SliceFile]], Sequence[SliceFile]]
    ) -> None:
        self.dataset, self.channels = dataset, dataset.channels
        self._items = change(dataset.slices())

    def slices(self) -> Sequence[SliceFile]:
        """The changed list."""
        return self._items

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask."""
        return self.dataset.read(item)


def open_dataset(recipe: Recipe, root: Path, options: dict[str, Any], *, pseudonyms: bool) -> Dataset:
    """The dataset that the recipe trains on.

    With `pseudonyms` patients are called by a digest of their folder's name from here on: cards and logs are read
    by people who may not know who was in the study.
    """
    dataset: Dataset = catalog.load(catalog.DATASETS, recipe.dataset_format, "dataset_format")(
        root, **options
    )

    def change(items: Sequence[SliceFile]) -> Sequence[SliceFile]:
        if recipe.limit.patients is not None:
            chosen = _some(items, recipe.limit.patients, recipe.seed)
            items = [item for item in items if item.patient in chosen]
        if pseudonyms:
            items = [replace(item, patient=pseudonym(item.patient)) for item in items]
        if recipe.split == "slice":
            items = [replace(item, patient=f"{item.patient}/{item.index}") for item in items]
        return sorted(items, key=lambda item: (item.patient, item.index))

    return View(dataset, change)


def pseudonym(patient: str) -> str:
    """Stable, so that two models can be asked whether they learned from the same patient."""
    return "p-" + hashlib.sha256(patient.encode()).hexdigest()[:12]


def _some(items: Sequence[SliceFile], count: int, seed: int) -> set[str]:
    patients = sorted({item.patient for item in items})
    return set(Random(seed).sample(patients, min(count, len(patients))))
