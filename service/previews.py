"""Pictures of a dataset: a slice, and beside it the same with the outlines of its labels. No Flask."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from shared import catalog
from shared.contract.errors import Conflict, Gone, ImageError, InvalidFields, NotFound
from shared.contract.names import DatasetStatus
from shared.imaging import render
from shared.imaging.datasets.base import SliceDataset, SliceFile
from shared.imaging.datasets.source import Archive, Folder, Source
from shared.storage.datasets import DatasetView
from shared.storage.files import FileStore
from shared.storage.paths import dataset_archive_path

T = TypeVar("T")
_MASKS_LOOKED_AT = 200  # to find the largest tumour of a patient
_ALL = "all"
_OUTLINED = "flair"  # shows the whole tumour


class Previews:
    """Reads single files straight out of the archive in the store, or out of the operator's folder."""

    def __init__(self, files: FileStore, datasets_dir: Path | None, painters: int = 4) -> None:
        self._files, self._datasets_dir = files, datasets_dir
        # as with the pictures of segmentations: a large one takes 100 MB while it is painted
        self._painting = threading.BoundedSemaphore(painters)

    def png(
        self, dataset: DatasetView, patient: str | None, slice_name: str | None, modality: str | None
    ) -> bytes:
        """PNG, the outlined picture last. Raises Conflict before it is ready, NotFound, InvalidFields, Gone."""
        if dataset.status != DatasetStatus.READY:
            raise Conflict(f"The dataset is {dataset.status}; its pictures are there once it is ready.")
        with self._painting, self._opened(dataset) as reader:
            shown = _shown(reader, modality)
            item = _chosen(reader, dataset, patient, slice_name)
            try:
                pixels_HWC, labels_HW = reader.read_labels(item)
            except ImageError as error:  # it could be read once, so the operator's folder has changed
                raise Gone(f"{item.image} cannot be read any more: {error.detail}") from error
        if shown is None:
            return render.beside(pixels_HWC, labels_HW)
        pictures = [
            np.ascontiguousarray(pixels_HWC[..., channel : channel + 1]) for channel in shown.channels
        ]
        return render.side_by_side(pictures, pictures[shown.outlined], labels_HW)

    @contextmanager
    def _opened(self, dataset: DatasetView) -> Iterator[SliceDataset]:
        with ExitStack() as stack:
            try:
                source = self._source(dataset, stack)
            except FileNotFoundError:
                raise Gone("The files of this dataset are not there any more.") from None
            yield catalog.load(catalog.DATASETS, dataset.format, "format")(source, **dataset.options)

    def _source(self, dataset: DatasetView, stack: ExitStack) -> Source:
        if dataset.folder is None:
            return Archive(stack.enter_context(self._files.open(dataset_archive_path(dataset.id))))
        folder = self._datasets_dir / dataset.folder if self._datasets_dir else None
        if folder is None or not folder.is_dir():
            raise FileNotFoundError(dataset.folder)
        return Folder(folder)


def _chosen(
    reader: SliceDataset, dataset: DatasetView, patient: str | None, slice_name: str | None
) -> SliceFile:
    preview = (dataset.report or {}).get("preview") or {}
    if patient is None and slice_name is None and preview:
        found = [item for item in reader.slices_of(preview["patient"]) if str(item.image) == preview["image"]]
        if found:
            return found[0]
    names = reader.patients()
    of_patient = reader.slices_of(names[0] if patient is None else _find(names, patient, str, "patient"))
    if slice_name is None:
        some = of_patient[:: -(-len(of_patient) // _MASKS_LOOKED_AT)]
        return max(some, key=lambda item: int(np.count_nonzero(reader.mask(item).tumour_HW)))
    for spell in (lambda item: str(item.image), lambda item: item.image.name, lambda item: item.image.stem):
        if named := [item for item in of_patient if spell(item) == slice_name]:
            return named[0]
    return _find(of_patient, slice_name, lambda item: str(item.image), "slice")


def _find(things: Sequence[T], wanted: str, name: Callable[[T], str], what: str) -> T:
    """By name, else by number from 0."""
    for thing in things:
        if name(thing) == wanted:
            return thing
    if wanted.isascii() and wanted.isdecimal() and len(wanted) < 10 and int(wanted) < len(things):
        return things[int(wanted)]
    raise NotFound(f"The dataset has no such {what}; there are {len(things)}, counted from 0.")


@dataclass(frozen=True)
class _Shown:
    """Channels to show in grey, and the place among them of the one that is outlined as well."""

    channels: Sequence[int]
    outlined: int = 0


def _shown(reader: SliceDataset, modality: str | None) -> _Shown | None:
    """What is shown of a slice: one modality, all of them, or (None) the picture in its colours."""
    names, count = [*reader.modalities], reader.channels
    if modality is None and (reader.in_colour or count == 1):
        return None
    if modality is None or modality.lower() == _ALL:
        return _Shown(range(count), names.index(_OUTLINED) if _OUTLINED in names else 0)
    if modality.lower() in names:
        return _Shown([names.index(modality.lower())])
    if modality in map(str, range(count)):
        return _Shown([int(modality)])
    known = ", ".join([*names, f"0 to {count - 1}", _ALL])
    raise InvalidFields("Some parameters are wrong.", errors={"modality": [f"Must be one of: {known}."]})
