"""Taking a dataset in: look the archive through, store it, queue its validation."""

import threading
from dataclasses import dataclass
from pathlib import Path

from service.intake.acceptance import Acceptance, Accepted
from service.intake.idempotency import fingerprint
from service.job_queue import JobQueue
from service.web.uploads import Upload
from shared.contract.config import DatasetSettings
from shared.contract.errors import InvalidFields
from shared.files.paths import dataset_archive_path, dataset_folder
from shared.files.store import FileStore
from shared.files.zip_checks import ArchiveLimits, check
from shared.jobs.datasets import Datasets, DatasetView, NewDataset


@dataclass(frozen=True)
class DatasetRequest:
    """One valid request: an upload, or a folder of the operator's."""

    owner: str
    request_id: str
    name: str
    format: str
    options: dict[str, str]
    upload: Upload | None = None
    folder: str | None = None
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of what the client asked for."""
        content = self.upload.sha256 if self.upload else self.folder
        return fingerprint("datasets", self.name, self.format, self.options, self.upload is None, content)


class DatasetIntake:
    """Accepts datasets. Workers look for them in the database themselves; a message only wakes them up."""

    def __init__(
        self,
        *,
        acceptance: Acceptance[NewDataset, DatasetView],
        datasets: Datasets,
        files: FileStore,
        queue: JobQueue,
        settings: DatasetSettings,
    ) -> None:
        self._acceptance, self._datasets = acceptance, datasets
        self._files, self._queue = files, queue
        self._datasets_dir = settings.datasets_dir
        self._limits = ArchiveLimits(settings.max_dataset_files, settings.max_dataset_unpacked_bytes)
        # the directory of a large archive takes 150 MB while it is looked through: not as many as there are threads
        self._checking = threading.BoundedSemaphore(2)

    def submit(self, asked: DatasetRequest) -> Accepted[DatasetView]:
        """Accept the dataset.

        Raises InvalidFields, UnsafeArchive, QueueUnavailable, StorageUnavailable, IdempotencyInProgress and
        IdempotencyMismatch; then nothing was accepted and nothing is left behind.
        """
        if asked.folder is not None:
            require_folder(self._datasets_dir, asked.folder)
        if asked.upload is not None:
            with self._checking, asked.upload.path.open("rb") as file:
                check(file, self._limits)
        return self._acceptance.submit(
            asked.owner,
            asked.idempotency_key,
            asked.fingerprint,
            lambda: _row(asked),
            lambda new: self._keep(new.id, asked.upload),
        )

    def remove(self, dataset: DatasetView) -> None:
        """Delete it and its archive; a second time changes nothing. Workers remove their copies themselves."""
        self._datasets.delete(dataset.id)
        self._files.delete_tree(dataset_folder(dataset.id))
        self._datasets.files_removed([dataset.id])

    def _keep(self, id: str, upload: Upload | None) -> None:
        self._queue.ping()
        if upload is not None:
            upload.close()
            self._files.put(dataset_archive_path(id), upload.path)


def _row(asked: DatasetRequest) -> NewDataset:
    return NewDataset(
        owner=asked.owner,
        name=asked.name,
        format=asked.format,
        options=dict(asked.options),
        request_id=asked.request_id,
        folder=asked.folder,
        archive_bytes=asked.upload.bytes if asked.upload else None,
        archive_sha256=asked.upload.sha256 if asked.upload else None,
    )


def require_folder(datasets_dir: Path | None, name: str) -> Path:
    """The operator's folder of this name; raises InvalidFields on `folder`."""
    if datasets_dir is None:
        why = (
            "The operator of this service has set no folder of datasets (DATASETS_DIR); upload a zip instead."
        )
    elif not (datasets_dir / name).is_dir():
        why = "There is no such folder among the operator's datasets."
    else:
        return datasets_dir / name
    raise InvalidFields("Some fields are wrong; `errors` names each.", errors={"folder": [why]})
