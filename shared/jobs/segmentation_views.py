"""What goes into and comes out of the table of segmentations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row

from shared.contract.names import ENDED, SegmentationKind, SegmentationStatus
from shared.database.tables import new_id


@dataclass(frozen=True, slots=True)
class NewSegmentation:
    """A job to accept; the pixels are in the file store under `id` already."""

    owner: str
    request_id: str
    image: dict[str, Any]
    model_id: str
    alias: str | None = None
    threshold: float | None = None
    retention: timedelta = timedelta(hours=24)
    kind: SegmentationKind = SegmentationKind.PICTURE
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class SegmentationView:
    """A row, as it was when it was read. `image`, `result`, `warnings`, `timings` are JSON as in API.md."""

    id: str
    owner: str
    kind: SegmentationKind
    status: SegmentationStatus
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    gone_at: datetime | None
    error: dict[str, str] | None
    request_id: str
    image: dict[str, Any]
    model_id: str
    alias: str | None
    threshold: float | None
    result: dict[str, Any] | None
    warnings: list[dict[str, Any]]
    timings: dict[str, Any]
    attempts: int
    fence: int
    lease_owner: str | None
    lease_until: datetime | None
    enqueued_at: datetime | None

    @property
    def ended(self) -> bool:
        """Nothing will change any more (but that it goes away)."""
        return self.status in ENDED

    @property
    def gone(self) -> bool:
        """Expired or deleted: pixels and result may not be given out any more (410)."""
        return self.gone_at is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours until `lease_until`, and what the worker needs to do it; `fence` proves it."""

    id: str
    fence: int
    attempts: int
    request_id: str
    owner: str
    kind: str
    image: dict[str, Any]
    model_id: str
    alias: str | None
    threshold: float | None
    created_at: datetime
    enqueued_at: datetime | None
    expires_at: datetime
    lease_owner: str
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a claim: `result` as in API.md, timings in ms, warnings with `code` and `detail`.

    `image` where the worker knows more of it than the API did.
    """

    claim: Claim
    result: dict[str, Any]
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    image: dict[str, Any] | None = None


class DueJob(NamedTuple):
    """A job whose message is to be sent (again), and when one was sent last."""

    id: str
    request_id: str
    enqueued_at: datetime | None
    kind: str
    status: str


def to_view(row: Row[Any]) -> SegmentationView:
    """A view of a row of `segmentation_statements.VIEW_COLUMNS`."""
    fields = dict(row._mapping)
    fields["status"] = SegmentationStatus(fields["status"])
    fields["kind"] = SegmentationKind(fields["kind"])
    code, message = fields.pop("error_code"), fields.pop("error_message")
    return SegmentationView(
        **fields, error=None if code is None else {"code": code, "message": message or ""}
    )
