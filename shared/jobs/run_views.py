"""What goes into and comes out of the tables of training runs and their events."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from shared.contract.names import RUN_ENDED, EventKind, RunStatus
from shared.database.tables import new_id


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to accept; `recipe` is the preset it began with, `specification` all that it will do (JSON)."""

    owner: str
    name: str
    dataset_id: str
    recipe: str | None
    specification: dict[str, Any]
    request_id: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class RunView:
    """A row, as it was when it was read. `progress` and `epochs` are JSON as in API.md, {} while it waits."""

    id: str
    owner: str
    name: str
    dataset_id: str
    recipe: str | None
    specification: dict[str, Any]
    status: RunStatus
    progress: dict[str, Any]
    epochs: list[dict[str, Any]]
    checkpoint: dict[str, Any] | None
    model_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: dict[str, str] | None
    request_id: str
    attempts: int

    @property
    def ended(self) -> bool:
        """Nothing will change any more, unless somebody resumes it."""
        return self.status in RUN_ENDED


@dataclass(frozen=True, slots=True)
class RunClaim:
    """A run that is ours, and what is needed to do it; `fence` proves it, `fruitless` counts this attempt too."""

    id: str
    fence: int
    attempts: int
    fruitless: int
    request_id: str
    owner: str
    name: str
    dataset_id: str
    specification: dict[str, Any]
    checkpoint: dict[str, Any] | None
    epochs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What happened to a run; `number` grows by one, from 1."""

    number: int
    at: datetime
    kind: EventKind
    data: dict[str, Any]


def to_view(row: Row[Any]) -> RunView:
    """A view of a whole row."""
    fields = {name: getattr(row, name) for name in RunView.__dataclass_fields__ if name != "error"}
    fields["status"] = RunStatus(row.status)
    error = None if row.error_code is None else {"code": row.error_code, "message": row.error_message or ""}
    return RunView(**fields, error=error)


def to_claim(row: Row[Any]) -> RunClaim:
    """A claim of a whole row."""
    return RunClaim(*(getattr(row, name) for name in RunClaim.__dataclass_fields__))
