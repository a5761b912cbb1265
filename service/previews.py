"""Pictures of a dataset: a slice, and beside it the same with the outline of its mask. No Flask."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


class Previews:
    """Reads single files straight out of the archive in the store, or out of the operator's folder."""

    def __init__(self, files: FileStore, datasets_dir: Path | None, painters: int = 4) -> None:
        self._files, self._datasets_dir = files, datasets_dir
        # as with the pictures of segmentations: a large one takes 100 MB while it is painted
        self._painting = threading.BoundedSemaphore(painters)

    def png(
        self, dataset: DatasetView, patient: str | None, slice_name: str | None, modality: str | None
    ) -> bytes:
        """PNG (H, 2 W). Raises Conflict before it is ready, NotFound, InvalidFields on `modality`, Gone."""
        if dataset.status != DatasetStatus.READY:
            raise Conflict(f"The dataset is {dataset.status}; its pictures are there once it is ready.")
        with self._painting, self._opened(dataset) as reader:
            item = _chosen(reader, dataset, patient, slice_name)
            channel = None if modality is None else _channel(reader, modality)
            try:
                pixels_HWC, mask_HW = reader.read(item)
            except ImageError as error:  # it could be read once, so the operator's folder has changed
                raise Gone(f"{item.image} cannot be read any more: {error.detail}") from error
        if channel is not None:
            pixels_HWC = pixels_HWC[..., channel : channel + 1]
        return render.beside(np.ascontiguousarray(pixels_HWC), mask_HW)

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
    items = reader.slices()
    if patient is None and slice_name is None and (shown := (dataset.report or {}).get("preview")):
        found = [item for item in items if str(item.image) == shown["image"]]
        if found:
            return found[0]
    names = sorted({item.patient for item in items})
    name = names[0] if patient is None else _find(names, patient, str, "patient")
    of_patient = [item for item in items if item.patient == name]
    if slice_name is None:
        some = of_patient[:: -(-len(of_patient) // _MASKS_LOOKED_AT)]
        return max(some, key=lambda item: int(reader.read(item)[1].sum()))
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


def _channel(reader: SliceDataset, modality: str) -> int:
    names = [*reader.modalities]
    if modality.lower() in names:
        return names.index(modality.lower())
    if modality in map(str, range(reader.channels)):
        return int(modality)
    known = ", ".join([*names, f"0 to {reader.channels - 1}"])
    raise InvalidFields("Some parameters are wrong.", errors={"modality": [f"Must be one of: {known}."]})
