"""Taking in series that a worker fetches from a DICOMweb server: the same series is done once."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from service.intake.acceptance import Acceptance, Accepted
from service.intake.idempotency import fingerprint, undone
from service.intake.served_models import Catalogue
from service.intake.volumes import VolumeIntake, describe
from shared.contract.errors import IdempotencyInProgress, InvalidFields, NotFound, UnknownModel
from shared.contract.names import SegmentationKind, SegmentationStatus
from shared.database.idempotency import Idempotency, InProgress, New, Replay
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs, SegmentationView

NOT_CONFIGURED = "No DICOMweb server is configured here: the operator sets DICOMWEB_SERVERS_FILE."
ONE_SERIES = "Needs several sequences, and such a job fetches one series."
# Another request for the same series holds its place for as long as a row takes to write.
PATIENCE_S, LOOK_AGAIN_S = 2.0, 0.05
# No client can send a header that begins with a space: these keys and theirs cannot meet.
_OURS = " dicomweb "
_NOTHING_CAME_OF_IT = (SegmentationStatus.FAILED, SegmentationStatus.CANCELLED)


@dataclass(frozen=True)
class SeriesRequest:
    """One request to segment a series of a server; `store`: put the segmentation beside it."""

    owner: str
    request_id: str
    server: str
    study: str
    series: str
    store: bool = True
    model: str = "default"
    threshold: float | None = None
    idempotency_key: str | None = None

    def digest(self, model: str) -> str:
        """Of what is asked for, with `model` as it was named or as it was resolved."""
        return fingerprint(
            "dicomweb", self.server, self.study, self.series, model, self.threshold, self.store
        )


class SeriesIntake:
    """Accepts series by their UIDs. Sent again within 24 hours, the same order is the same job, unless that failed."""

    def __init__(
        self,
        *,
        servers: Collection[str],
        catalogue: Catalogue,
        acceptance: Acceptance[NewSegmentation, SegmentationView],
        volumes: VolumeIntake,
        segmentations: SegmentationJobs,
        idempotency: Idempotency,
    ) -> None:
        self.servers = sorted(servers)
        self._catalogue, self._acceptance, self._volumes = catalogue, acceptance, volumes
        self._segmentations, self._idempotency = segmentations, idempotency

    def check_server(self, name: str) -> list[str]:
        """What is wrong with the name of a server."""
        if not self.servers:
            return [NOT_CONFIGURED]
        return [] if name in self.servers else [f"Must be one of: {', '.join(self.servers)}."]

    def resolve(self, model: str) -> tuple[str, str | None]:
        """The model's id, and its alias; raises UnknownModel, and InvalidFields where one series is not enough."""
        try:
            return self._catalogue.resolve_for_volumes(model)
        except UnknownModel:
            raise
        except InvalidFields:
            raise InvalidFields("Some fields are wrong.", errors={"model": [ONE_SERIES]}) from None

    def submit(self, asked: SeriesRequest) -> Accepted[SegmentationView]:
        """Accept the series, of a server that `check_server` has nothing against.

        Raises InvalidFields, UnknownModel, NoWorker, QueueFull, QueueUnavailable, StorageUnavailable,
        IdempotencyInProgress and IdempotencyMismatch; then nothing was accepted.
        """
        model_id, alias = self.resolve(asked.model)
        key = asked.idempotency_key
        replay = self._acceptance.before(asked.owner, key, asked.digest(asked.model))
        if replay is not None:
            return Accepted(replay, replayed=True)
        same = _OURS + asked.digest(model_id)

        def make() -> NewSegmentation:
            self._volumes.require_room()
            return _row(asked, model_id, alias, self._volumes.retention)

        with undone(self._idempotency, asked.owner, key):
            known = self._known(asked.owner, same)
            job = known or self._acceptance.accept(asked.owner, same, make)
            if key is not None:
                # A kill just before leaves the client's key open for two minutes; then it leads here again, by `same`.
                self._idempotency.complete(asked.owner, key, job.id)
        return Accepted(job, replayed=known is not None)

    def _known(self, owner: str, same: str) -> SegmentationView | None:
        """The job that does this already; None when it is ours to make, and then the place is held for us."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            begun = self._idempotency.begin(owner, same, same)
            if isinstance(begun, New):
                return None
            if isinstance(begun, Replay):
                job = self._worth_having(begun.resource_id, owner)
                if job is not None:
                    return job
                # Only this one: of several that see a failed job, one makes the next.
                self._idempotency.forget(owner, same, made=begun.resource_id)
            elif isinstance(begun, InProgress) and time.monotonic() < deadline:
                time.sleep(LOOK_AGAIN_S)
            else:
                raise IdempotencyInProgress("The same series was asked for a moment ago; ask again.")

    def _worth_having(self, job_id: str, owner: str) -> SegmentationView | None:
        try:
            job = self._segmentations.get(job_id, owner=owner)
        except NotFound:  # taken back, or purged
            return None
        return None if job.gone or job.status in _NOTHING_CAME_OF_IT else job


def _row(asked: SeriesRequest, model_id: str, alias: str | None, retention: timedelta) -> NewSegmentation:
    source = {"server": asked.server, "study": asked.study, "series": asked.series, "store": asked.store}
    return NewSegmentation(
        owner=asked.owner,
        request_id=asked.request_id,
        image=describe(format="DICOM", source=source),
        model_id=model_id,
        alias=alias,
        threshold=asked.threshold,
        retention=retention,
        kind=SegmentationKind.DICOMWEB,
    )
