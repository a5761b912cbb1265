"""A volume's folder on this host: its files while they are read, and its results until they are in the store."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from shared.database.tables import utc_now
from shared.files.paths import (
    labels_zip_path,
    nifti_path,
    probability_zip_path,
    segmentation_object_path,
    source_path,
    volume_path,
)
from shared.files.store import FileStore
from shared.jobs.segmentations import SegmentationJobs
from trainer.jobs.sweep import attempt_folder, found, is_under_way, sweep
from trainer.volumes.volume_order import VOLUME

PROBABILITY_ZIP, LABELS_ZIP, NIFTI, SEGMENTATION = (
    "probability.zip",
    "labels.zip",
    "mask.nii.gz",
    "segmentation.dcm",
)
LOOK_BACK = timedelta(minutes=10)
_PUBLISHED: dict[str, Callable[[str], str]] = {
    VOLUME: volume_path,
    PROBABILITY_ZIP: probability_zip_path,
    LABELS_ZIP: labels_zip_path,
    NIFTI: nifti_path,
    SEGMENTATION: segmentation_object_path,
}


class VolumeWorkspace:
    """There within the `with`; whatever must last is in the file store."""

    def __init__(self, root: Path, files: FileStore, job_id: str, fence: int) -> None:
        self._files, self._job_id = files, job_id
        self.folder = attempt_folder(root, job_id, fence)
        self.log = (
            self.folder / "log.txt"
        )  # what libraries print may name the patient: it dies with the folder

    def __enter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def source(self) -> Path:
        """The stored zip as a local file; it is not there where the store has none."""
        stored = source_path(self._job_id)
        local = self._files.local_path(stored)
        if local is None:
            local = self.folder / "source.zip"
            try:
                self._files.fetch(stored, local)
            except FileNotFoundError:
                return local
        return local

    def publish(self) -> None:
        """All that was made, to the store."""
        for name, path in _PUBLISHED.items():
            if (self.folder / name).exists():
                self._files.put(path(self._job_id), self.folder / name)


def forget_source(job_id: str, jobs: SegmentationJobs, files: FileStore) -> None:
    """Delete the files as they were sent, if their job has ended: they hold more of the patient than is needed."""
    with suppress(SQLAlchemyError, OSError):  # then `sweep` does it
        job = found(jobs.get, job_id)
        if job is None or job.ended:
            files.delete_tree(source_path(job_id))


class VolumeSweeper:
    """What killed workers left: folders of this host, and files as they were sent of volumes that have ended."""

    def __init__(self, root: Path, jobs: SegmentationJobs, files: FileStore) -> None:
        self._root, self._jobs, self._files = root, jobs, files
        self._since: datetime | None = None  # at first, all that are there

    def run(self) -> None:
        """Now and then."""
        sweep(self._root, partial(is_under_way, self._jobs.get))
        now = utc_now()
        left = [
            job_id
            for job_id in self._jobs.ended_volumes(self._since)
            if not self._files.try_delete_tree(source_path(job_id))
        ]
        if not left:
            self._since = now - LOOK_BACK
