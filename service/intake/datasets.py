"""Taking a dataset in: look the archive through, store it, queue its validation. No Flask."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from service.intake.idempotency import fingerprint, made_before
from service.job_queue import Jobs
from service.web.uploads import Upload
from shared.contract.config import DatasetSettings
from shared.contract.errors import InvalidFields, QueueUnavailable, StorageUnavailable
from shared.contract.messages import ValidateDatasetMessage
from shared.database.idempotency import Idempotency
from shared.files.paths import dataset_archive_path, dataset_folder
from shared.files.store import FileStore
from shared.files.zip_checks import ArchiveLimits, check
from shared.jobs.datasets import Datasets, DatasetView, NewDataset

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatasetOrder:
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
        datasets: Datasets,
        idempotency: Idempotency,
        files: FileStore,
        jobs: Jobs,
        settings: DatasetSettings,
    ) -> None:
        self._datasets, self._idempotency = datasets, idempotency
        self._files, self._jobs = files, jobs
        self._datasets_dir = settings.datasets_dir
        self._limits = ArchiveLimits(settings.max_dataset_files, settings.max_dataset_unpacked_bytes)
        # the directory of a large archive takes 150 MB while it is looked through: not as many as there are threads
        self._checking = threading.BoundedSemaphore(2)

    def submit(self, order: DatasetOrder) -> tuple[DatasetView, bool]:
        """The dataset, and whether it was there before (Idempotency-Key).

        Raises InvalidFields, UnsafeArchive, QueueUnavailable, StorageUnavailable, IdempotencyInProgress and
        IdempotencyMismatch; then nothing was accepted and nothing is left behind.
        """
        if order.folder is not None:
            require_folder(self._datasets_dir, order.folder)
        if order.upload is not None:
            with self._checking, order.upload.path.open("rb") as file:
                check(file, self._limits)
        made = made_before(self._idempotency, order.owner, order.idempotency_key, order.fingerprint)
        if made is not None:
            return self._datasets.get(made, owner=order.owner), True
        new = NewDataset(
            owner=order.owner,
            name=order.name,
            format=order.format,
            options=dict(order.options),
            request_id=order.request_id,
            folder=order.folder,
            archive_bytes=order.upload.bytes if order.upload else None,
            archive_sha256=order.upload.sha256 if order.upload else None,
        )
        with self._undone(new, order.idempotency_key):
            return self._accept(new, order), False

    def remove(self, dataset: DatasetView) -> None:
        """Delete it and its archive; a second time changes nothing. Workers remove their copies themselves."""
        self._datasets.delete(dataset.id)
        self._files.delete_tree(dataset_folder(dataset.id))
        self._datasets.files_removed([dataset.id])

    def _accept(self, new: NewDataset, order: DatasetOrder) -> DatasetView:
        """File, row, message: in this order, so that each thing is there before somebody is told of it."""
        self._jobs.ping()
        if order.upload is not None:
            order.upload.close()
            self._files.put(dataset_archive_path(new.id), order.upload.path)
        dataset = self._datasets.accept(new, idempotency_key=order.idempotency_key)
        try:
            self._jobs.send(ValidateDatasetMessage(new.id, new.request_id))
        except QueueUnavailable:
            if self._datasets.discard(new.id):  # False: a worker has found it meanwhile
                raise
        return dataset

    @contextmanager
    def _undone(self, new: NewDataset, idempotency_key: str | None) -> Iterator[None]:
        """Leave nothing behind where accepting breaks off."""
        try:
            yield
        except Exception as error:
            self._clean(new, idempotency_key)
            if isinstance(error, (OSError, SQLAlchemyError)):
                _log.exception("dataset_not_accepted")
                raise StorageUnavailable from error
            raise

    def _clean(self, new: NewDataset, idempotency_key: str | None) -> None:
        try:
            self._files.delete_tree(dataset_folder(new.id))
            if idempotency_key is not None:
                self._idempotency.abandon(new.owner, idempotency_key, made=new.id)
        except (OSError, SQLAlchemyError):
            _log.exception("dataset_not_cleaned")


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
