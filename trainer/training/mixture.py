"""Several datasets as one, so that what comes behind knows only one: each slice says which it is from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.datasets.base import Dataset, SliceFile
from shared.recipe import Recipe
from trainer.training.sources import ListedDataset, read_sources
from trainer.training.split import Split, split_by_patient

PARTS = ("train", "validation", "test")


class Mixture:
    """Several datasets as one: a slice of `lgg` is of patient `lgg/NAME`, its path begins with `lgg/`."""

    def __init__(self, sources: Mapping[str, ListedDataset], datasets: Mapping[str, Dataset]) -> None:
        self.sources, self.datasets = dict(sources), dict(datasets)
        named = {tuple(d.modalities) for d in datasets.values() if d.modalities}
        self.modalities: Sequence[str] = named.pop() if len(named) == 1 else ()
        first = next(iter(datasets.values()))
        self.channels, self.classes = first.channels, first.classes
        self._own: dict[PurePosixPath, SliceFile] = {}
        self._items = [item for name in sorted(datasets) for item in self._slices_of(name)]

    @property
    def shares(self) -> dict[str, float]:
        """Of each source."""
        return {name: source.share for name, source in self.sources.items()}

    def slices(self) -> Sequence[SliceFile]:
        """All of them, source by source."""
        return self._items

    def of(self, name: str) -> list[SliceFile]:
        """Those of one source."""
        return [item for item in self._items if item.source == name]

    def split(self, recipe: Recipe) -> Split:
        """Each source's own; raises ValueError where a source has too few patients to be dealt out."""
        parts: dict[str, list[str]] = {part: [] for part in PARTS}
        for name, source in self.sources.items():
            units = {item.unit for item in self.of(name)}
            if source.validation or source.test:
                dealt = {part: [unit for unit in units if unit == f"{name}/{part}"] for part in PARTS}
            else:
                dealt = split_by_patient(units, recipe.split_fractions, recipe.seed).to_dict()
            for part, own in dealt.items():
                parts[part] += own
        return Split(*(tuple(sorted(parts[part])) for part in PARTS))

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask."""
        return self.datasets[item.source].read(self._own[item.image])

    def read_labels(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels."""
        return self.datasets[item.source].read_labels(self._own[item.image])

    def place_of(self, item: SliceFile) -> tuple[PurePosixPath, int] | None:
        """As the slice's own dataset says: volumes and pictures go together, each scaled as it is sent."""
        place = self.datasets[item.source].place_of(self._own[item.image])
        return None if place is None else (PurePosixPath(item.source) / place[0], place[1])

    def volume(self, item: SliceFile) -> Sequence[np.ndarray]:
        """As the slice's own dataset says."""
        return self.datasets[item.source].volume(self._own[item.image])

    def spacing_mm(self, item: SliceFile) -> tuple[float, float, float] | None:
        """As the slice's own dataset says."""
        return self.datasets[item.source].spacing_mm(self._own[item.image])

    def pixel_spacing_mm(self, item: SliceFile) -> tuple[float, float] | None:
        """As the slice's own dataset says."""
        return self.datasets[item.source].pixel_spacing_mm(self._own[item.image])

    def cohorts(self) -> Mapping[str, Mapping[str, str]]:
        """Patients by source."""
        return {"source": {item.patient: item.source for item in self._items}}

    def described(self) -> dict[str, dict[str, Any]]:
        """What a card says of the sources: all but where they lie."""
        return {
            name: {n: v for n, v in asdict(source).items() if n != "folder"} | {"slices": len(self.of(name))}
            for name, source in self.sources.items()
        }

    def _slices_of(self, name: str) -> list[SliceFile]:
        source, items = self.sources[name], []
        for own in self.datasets[name].slices():
            if any(fnmatchcase(str(own.image), pattern) for pattern in source.leave_out):
                continue
            image, part = PurePosixPath(name) / own.image, source.part_of(own.image)
            patient = str(image.with_suffix("")) if source.by == "slice" else f"{name}/{own.patient}"
            self._own[image] = own
            mask = PurePosixPath(name) / own.mask
            unit = f"{name}/{part}" if part else patient
            items.append(SliceFile(patient, own.index, image, mask, unit, name))
        return sorted(items, key=lambda item: (item.patient, item.index))


def open_mixture(recipe: Recipe, path: Path) -> Mixture:
    """The datasets of a file; raises InvalidFields, DatasetError, and ValueError where patients would be in two parts.

    A dataset in grey fills all channels of the recipe.
    """
    sources = read_sources(path)
    datasets: dict[str, Dataset] = {
        name: catalog.load(catalog.DATASETS, source.format, f"data.{name}.format")(
            path.parent / source.folder, **source.options
        )
        for name, source in sources.items()
    }
    for name, dataset in datasets.items():
        if dataset.channels != recipe.in_channels:
            message = f"has {dataset.channels} channels where the recipe has {recipe.in_channels}"
            raise InvalidFields(errors={f"data.{name}": [message]})
    if recipe.classes > 1 or recipe.split == "slice" or recipe.modalities or recipe.limit.patients:
        message = "goes with one class, all channels, all patients and a split by patient"
        raise InvalidFields(errors={"data": [f"more than one dataset {message}"]})
    mixture = Mixture(sources, datasets)
    _no_leak(mixture)
    return mixture


def _no_leak(mixture: Mixture) -> None:
    """Parts by path must not tear a patient apart whose name is known."""
    parts: dict[str, str] = {}
    for item in mixture.slices():
        if parts.setdefault(item.patient, item.unit) != item.unit:
            raise ValueError(f"{item.source}: validation and test tear a patient's slices apart")
