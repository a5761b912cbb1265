"""Taking a volume in: stored raw, as it was sent; a worker decodes it."""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from service.intake.acceptance import Acceptance, Accepted
from service.intake.idempotency import fingerprint
from service.intake.served_models import Catalogue, Workforce
from service.intake.slices import Spacing
from service.intake.upload_kinds import Sent
from service.job_queue import JobQueue
from service.web.uploads import Upload, Uploads
from shared.contract.errors import QueueFull
from shared.contract.names import SegmentationKind
from shared.files.paths import source_path
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs, SegmentationView

# The oldest date a zip can have: when a file was made says something of its patient, and nothing that we need.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_STEP = 1 << 20


@dataclass(frozen=True)
class VolumeRequest:
    """One valid request to segment a volume."""

    owner: str
    request_id: str
    sent: Sent
    model: str
    threshold: float | None = None
    pixel_spacing_mm: Spacing | None = None
    slice_spacing_mm: float | None = None
    sequence_order: tuple[str, ...] | None = None
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of what the client asked for, in whatever order its files came."""
        spacing = (self.pixel_spacing_mm, self.slice_spacing_mm)
        order = () if self.sequence_order is None else (self.sequence_order,)
        return fingerprint("volumes", self.model, self.threshold, spacing, _digests(self.sent.files), *order)


class VolumeIntake:
    """Accepts volumes whose files were sent; says whether there is room for those that a worker fetches."""

    def __init__(
        self,
        *,
        acceptance: Acceptance[NewSegmentation, SegmentationView],
        segmentations: SegmentationJobs,
        catalogue: Catalogue,
        workforce: Workforce,
        files: FileStore,
        queue: JobQueue,
        uploads: Uploads,
        max_queued: int,
        retention: timedelta,
    ) -> None:
        self._acceptance, self._segmentations = acceptance, segmentations
        self._catalogue, self._workforce = catalogue, workforce
        self._files, self._queue, self._uploads = files, queue, uploads
        self._max_queued = max_queued
        self.retention = retention

    def submit(self, asked: VolumeRequest) -> Accepted[SegmentationView]:
        """Accept the volume.

        Raises InvalidFields, UnknownModel, NoWorker, QueueFull, QueueUnavailable, StorageUnavailable,
        IdempotencyInProgress and IdempotencyMismatch; then nothing was accepted and nothing is left behind.
        """
        sent = asked.sent
        model_id, alias = self._catalogue.resolve_for_volumes(
            asked.model, sent.modalities, may_hold_all=sent.may_hold_all
        )
        def make() -> NewSegmentation:
            self.require_room()
            return NewSegmentation(
                owner=asked.owner,
                request_id=asked.request_id,
                image=describe(
                    format=sent.format,
                    sha256=sha256_of(sent.files),
                    files=sum(map(len, sent.files.values())),
                    modalities=sent.modalities,
                    pixel_spacing_mm=asked.pixel_spacing_mm,
                    slice_spacing_mm=asked.slice_spacing_mm,
                    sequence_order=asked.sequence_order,
                ),
                model_id=model_id,
                alias=alias,
                threshold=asked.threshold,
                retention=self.retention,
                kind=SegmentationKind.VOLUME,
            )

        return self._acceptance.submit(
            asked.owner, asked.idempotency_key, asked.fingerprint, make, lambda new: self._keep(new.id, sent.files)
        )

    def require_room(self) -> None:
        """Raise NoWorker, QueueUnavailable or QueueFull, rather than after a gigabyte has arrived."""
        self._workforce.require()
        self._queue.ping()
        if self._segmentations.queued_volumes() >= self._max_queued:
            raise QueueFull(f"{self._max_queued} volumes wait already; come back in a moment.")

    def _keep(self, id: str, files: Mapping[str, Sequence[Upload]]) -> None:
        with self._packed(files) as source:
            self._files.put(source_path(id), source)

    @contextmanager
    def _packed(self, files: Mapping[str, Sequence[Upload]]) -> Iterator[Path]:
        with self._uploads.scratch() as path:
            pack(files, path)
            yield path


def pack(files: Mapping[str, Sequence[Upload]], path: Path) -> None:
    """One zip of all files, as they were sent: `image/00000` or `t1/00000` and so on, in the order of the form.

    Nothing that the client called them, and no time, is in it.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for folder, uploads in files.items():
            for place, upload in enumerate(uploads):
                info = zipfile.ZipInfo(f"{folder}/{place:05}", _NO_DATE)
                info.file_size = upload.bytes  # says whether the entry needs 64 bit
                with upload.open() as source, archive.open(info, "w") as entry:
                    shutil.copyfileobj(source, entry, _STEP)


def sha256_of(files: Mapping[str, Sequence[Upload]]) -> str:
    """Of the one file; of several: of their hexadecimal digests joined, sorted by field and then by digest."""
    digests = [digest for _, digest in _digests(files)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def describe(
    *,
    format: str | None = None,
    sha256: str | None = None,
    files: int | None = None,
    modalities: Sequence[str] = (),
    pixel_spacing_mm: Spacing | None = None,
    slice_spacing_mm: float | None = None,
    sequence_order: Sequence[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """`image` of a row before the worker has decoded the volume: what is not known yet is None.

    A spacing is the request's and wins over the file's. `more`: what else the worker needs to know.
    """
    return {
        "format": format,
        "width": None,
        "height": None,
        "slices": None,
        "channels": None,
        "bit_depth": None,
        "sha256": sha256,
        "pixel_spacing_mm": list(pixel_spacing_mm) if pixel_spacing_mm else None,
        "pixel_spacing_source": "request" if pixel_spacing_mm else None,
        "slice_spacing_mm": slice_spacing_mm,
        "plane": None,
        "modalities": list(modalities),
        "affine": None,
        "window": None,
        "files": files,
        **({"sequence_order": list(sequence_order)} if sequence_order is not None else {}),
        **more,
    }


def _digests(files: Mapping[str, Sequence[Upload]]) -> list[tuple[str, str]]:
    return sorted((field, upload.sha256) for field, uploads in files.items() for upload in uploads)
