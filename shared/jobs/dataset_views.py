"""What goes into and comes out of the table of datasets."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from shared.contract.names import DatasetStatus
from shared.database.tables import new_id


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset to accept: its archive is in the file store under `id` already, or it is the operator's `folder`."""

    owner: str
    name: str
    format: str
    options: dict[str, Any]
    request_id: str
    folder: str | None = None
    archive_bytes: int | None = None
    archive_sha256: str | None = None
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A row, as it was when it was read. `report` and `findings` are what the validation said."""

    id: str
    owner: str
    name: str
    format: str
    options: dict[str, Any]
    folder: str | None
    archive_bytes: int | None
    archive_sha256: str | None
    status: DatasetStatus
    created_at: datetime
    finished_at: datetime | None
    error: dict[str, str] | None
    report: dict[str, Any] | None
    findings: list[dict[str, Any]]
    request_id: str


@dataclass(frozen=True, slots=True)
class DatasetClaim:
    """A dataset that is ours to validate, and what is needed for it; `fence` proves it."""

    id: str
    fence: int
    attempts: int
    request_id: str
    format: str
    options: dict[str, Any]
    folder: str | None
    archive_bytes: int | None
    archive_sha256: str | None


def to_view(row: Row[Any]) -> DatasetView:
    """A view of a whole row."""
    fields = {name: getattr(row, name) for name in DatasetView.__dataclass_fields__ if name != "error"}
    fields["status"] = DatasetStatus(row.status)
    error = None if row.error_code is None else {"code": row.error_code, "message": row.error_message or ""}
    return DatasetView(**fields, error=error)


def to_claim(row: Row[Any]) -> DatasetClaim:
    """A claim of a whole row."""
    return DatasetClaim(*(getattr(row, name) for name in DatasetClaim.__dataclass_fields__))
