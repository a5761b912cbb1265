"""Datasets as folders on this host: an archive is unpacked once, an operator's folder is taken as it is."""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from shared.contract.config import DatasetSettings
from shared.contract.errors import DatasetGone, DiskFull, UnsafeArchive
from shared.files.paths import dataset_archive_path, dataset_folder
from shared.files.store import FileStore
from shared.files.zip_checks import ArchiveLimits, check, unpack
from trainer.jobs.failures import NO_SPACE
from trainer.jobs.sweep import hidden_beside, remove, sweep

_STEP = 1 << 20
OnProgress = Callable[[int, int], None]


class PlacedDataset(Protocol):
    """What a row (DatasetView) and a claim (DatasetClaim) have in common."""

    @property
    def id(self) -> str: ...
    @property
    def folder(self) -> str | None: ...
    @property
    def archive_sha256(self) -> str | None: ...


class LocalDatasets:
    """`cache_dir`/datasets holds unpacked archives by id; whatever lies there can be made again at any time."""

    def __init__(self, files: FileStore, cache_dir: Path, settings: DatasetSettings) -> None:
        self._files = files
        self._cache = cache_dir / "datasets"
        self._datasets_dir = settings.datasets_dir
        self._limits = ArchiveLimits(settings.max_dataset_files, settings.max_dataset_unpacked_bytes)
        self._unpacking = threading.Lock()  # a run and the validation may want the same dataset

    def folder(self, dataset: PlacedDataset, on_progress: OnProgress = lambda done, of: None) -> Path:
        """The dataset's files; `on_progress(bytes, of)` while they are unpacked, and it may raise to break off.

        Raises DatasetGone, UnsafeArchive, DiskFull, and OSError where the store cannot be reached.
        """
        if dataset.folder is not None:
            return self._of_operator(dataset.folder)
        target = self._cache / dataset.id
        with self._unpacking:
            if not target.is_dir():
                self._make(dataset, target, on_progress)
        return target

    def try_remove(self, dataset_id: str) -> bool:
        """Delete the unpacked copy, and the archive from the store; False if that is still there."""
        self.forget(dataset_id)
        return self._files.try_delete_tree(dataset_folder(dataset_id))

    def forget(self, dataset_id: str) -> None:
        """Remove the unpacked copy; nothing happens if there is none."""
        target = self._cache / dataset_id
        if target.is_dir():
            remove(target)

    def sweep(self, wanted: Callable[[str], bool]) -> None:
        """Remove unpacked copies whose ids nobody wants, and what processes that died left half done."""
        sweep(self._cache, wanted)

    def _of_operator(self, name: str) -> Path:
        if self._datasets_dir is None:
            raise DatasetGone("This worker has no DATASETS_DIR, so it cannot see the operator's datasets.")
        folder = self._datasets_dir / name
        if not folder.is_dir():
            raise DatasetGone(f"There is no folder {name} among the operator's datasets on this worker.")
        return folder

    def _make(self, dataset: PlacedDataset, target: Path, on_progress: OnProgress) -> None:
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = hidden_beside(target)
        with _no_space_said():
            try:
                temporary.mkdir(mode=0o700)
                archive = self._archive(dataset, temporary)
                _check_digest(archive, dataset.archive_sha256, on_progress)
                self._unpack(archive, temporary / "files", on_progress)
                os.sync()  # or a power cut could leave a folder of empty files that looks whole
                _put_in_place(temporary / "files", target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def _archive(self, dataset: PlacedDataset, temporary: Path) -> Path:
        """The archive as a local file: where it lies, or fetched."""
        stored = dataset_archive_path(dataset.id)
        try:
            if (local := self._files.local_path(stored)) is None:
                local = temporary / "archive.zip"
                self._files.fetch(stored, local)
        except FileNotFoundError:
            local = temporary / "archive.zip"
        if not local.is_file():
            raise DatasetGone("The archive of this dataset is not in the file store any more.")
        return local

    def _unpack(self, archive: Path, folder: Path, on_progress: OnProgress) -> None:
        folder.mkdir(mode=0o700)
        with archive.open("rb") as file:
            needed, free = check(file, self._limits).bytes, shutil.disk_usage(folder).free
            if needed > free:
                raise DiskFull(f"Unpacking needs {needed} bytes; {free} are free on this worker.")
            unpack(file, folder, self._limits, on_progress)


def _put_in_place(made: Path, target: Path) -> None:
    """Whole or not at all; another process may have been faster, and its copy is as good."""
    try:
        made.replace(target)
    except OSError:
        if not target.is_dir():
            raise


def _check_digest(archive: Path, sha256: str | None, on_progress: OnProgress) -> None:
    digest, size = hashlib.sha256(), archive.stat().st_size
    with archive.open("rb") as file:
        while piece := file.read(_STEP):
            digest.update(piece)
            on_progress(0, size)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise UnsafeArchive("The archive in the file store is not the one that was uploaded (SHA-256).")


@contextmanager
def _no_space_said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFull("There is no space left to unpack the dataset on this worker.") from error
        raise
