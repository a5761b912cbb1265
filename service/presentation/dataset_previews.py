"""Pictures of a dataset: a slice, and beside it the same with the outlines of its labels."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from shared import catalog
from shared.contract.errors import Conflict, Gone, ImageError, InvalidFields, NotFound
from shared.contract.names import DatasetStatus
from shared.datasets.base import SliceDataset, SliceFile
from shared.datasets.source import Archive, Folder, Source
from shared.files.paths import dataset_archive_path
from shared.files.store import FileStore
from shared.jobs.datasets import DatasetView
from shared.pictures import render

T = TypeVar("T")
_MASKS_LOOKED_AT = 200  # to find the largest tumour of a patient
_ALL = "all"
_OUTLINED = "flair"  # shows the whole tumour


@dataclass(frozen=True)
class Wanted:
    """A slice as it is asked for: by name, which may be a number where nothing has that name, or by place from 0."""

    patient: str | None = None
    slice: str | None = None
    patient_index: int | None = None
    slice_index: int | None = None


@dataclass(frozen=True)
class Preview:
    """A slice, and where it stands: its patient among all, and itself among the patient's."""

    item: SliceFile
    patient_index: int
    slice_index: int
    slices: int
    _reader: SliceDataset

    def png(self, modality: str | None) -> bytes:
        """The outlined picture last. Raises InvalidFields, Gone."""
        shown = _shown(self._reader, modality)
        try:
            pixels_HWC, labels_HW = self._reader.read_labels(self.item)
        except ImageError as error:  # it could be read once, so the operator's folder has changed
            raise Gone(f"{self.item.image} cannot be read any more: {error.detail}") from error
        if shown is None:
            return render.beside(pixels_HWC, labels_HW)
        pictures = [
            np.ascontiguousarray(pixels_HWC[..., channel : channel + 1]) for channel in shown.channels
        ]
        return render.side_by_side(pictures, pictures[shown.outlined], labels_HW)


class DatasetPreviews:
    """Reads single files straight out of the archive in the store, or out of the operator's folder."""

    def __init__(self, files: FileStore, datasets_dir: Path | None, painters: int = 4) -> None:
        self._files, self._datasets_dir = files, datasets_dir
        # as with the pictures of segmentations: a large one takes 100 MB while it is painted
        self._painting = threading.BoundedSemaphore(painters)

    @contextmanager
    def find(self, dataset: DatasetView, wanted: Wanted) -> Iterator[Preview]:
        """The slice that is meant. Raises Conflict before the dataset is ready, NotFound, Gone."""
        if dataset.status != DatasetStatus.READY:
            raise Conflict(f"The dataset is {dataset.status}; its pictures are there once it is ready.")
        with self._painting, self._opened(dataset) as reader:
            yield _chosen(reader, dataset, wanted)

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


def _chosen(reader: SliceDataset, dataset: DatasetView, wanted: Wanted) -> Preview:
    names = reader.patients()
    largest = (dataset.report or {}).get("preview") or {}  # as the worker found it, which need not look again
    known = wanted == Wanted() and largest.get("patient") in names
    patient = largest["patient"] if known else _patient(names, wanted)
    of_patient = reader.slices_of(patient)
    if not of_patient:
        raise NotFound("This patient has no slice that shows anything.")
    named = [item for item in of_patient if known and str(item.image) == largest["image"]]
    item = named[0] if named else _slice(reader, of_patient, wanted)
    return Preview(item, names.index(patient), of_patient.index(item), len(of_patient), reader)


def _patient(names: Sequence[str], wanted: Wanted) -> str:
    if wanted.patient is not None and wanted.patient in names:
        return wanted.patient
    number = _number(wanted.patient) if wanted.patient is not None else wanted.patient_index or 0
    return _at(names, number, "patient")


def _slice(reader: SliceDataset, of_patient: Sequence[SliceFile], wanted: Wanted) -> SliceFile:
    if wanted.slice_index is not None:
        return _at(of_patient, wanted.slice_index, "slice")
    if wanted.slice is None:
        some = of_patient[:: -(-len(of_patient) // _MASKS_LOOKED_AT)]
        return max(some, key=lambda item: int(np.count_nonzero(reader.mask(item).tumour_HW)))
    for spell in (lambda item: str(item.image), lambda item: item.image.name, lambda item: item.image.stem):
        if named := [item for item in of_patient if spell(item) == wanted.slice]:
            return named[0]
    if reader.numbered:  # a number is a name there, and another slice must not be shown under it
        raise NotFound(
            f"The patient has no such slice; there are {len(of_patient)}, "
            f"from {of_patient[0].image.name} to {of_patient[-1].image.name}."
        )
    return _at(of_patient, _number(wanted.slice), "slice")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _at(things: Sequence[T], number: int | None, what: str) -> T:
    if number is None or number >= len(things):
        raise NotFound(f"The dataset has no such {what}; there are {len(things)}, counted from 0.")
    return things[number]


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
