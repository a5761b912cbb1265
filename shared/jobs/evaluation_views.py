"""What goes into and comes out of the table of evaluations."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from shared.contract.names import EvaluationStatus
from shared.database.tables import new_id


@dataclass(frozen=True, slots=True)
class NewEvaluation:
    """An evaluation to accept; `test_time_augmentation` None: as in the model's card."""

    owner: str
    model_id: str
    against_id: str | None
    dataset_id: str
    split: str
    test_time_augmentation: bool | None
    request_id: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """A row, as it was when it was read; once it has succeeded its report is stored under its `fence`."""

    id: str
    owner: str
    model_id: str
    against_id: str | None
    dataset_id: str
    split: str
    test_time_augmentation: bool | None
    status: EvaluationStatus
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: dict[str, str] | None
    result: dict[str, Any] | None
    request_id: str
    attempts: int
    fence: int

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self.status in (EvaluationStatus.SUCCEEDED, EvaluationStatus.FAILED)


@dataclass(frozen=True, slots=True)
class EvaluationClaim:
    """An evaluation that is ours, and what is needed to do it; `fence` proves it."""

    id: str
    fence: int
    attempts: int
    request_id: str
    model_id: str
    against_id: str | None
    dataset_id: str
    split: str
    test_time_augmentation: bool | None


def to_view(row: Row[Any]) -> EvaluationView:
    """A view of a whole row."""
    fields = {name: getattr(row, name) for name in EvaluationView.__dataclass_fields__ if name != "error"}
    fields["status"] = EvaluationStatus(row.status)
    error = None if row.error_code is None else {"code": row.error_code, "message": row.error_message or ""}
    return EvaluationView(**fields, error=error)


def to_claim(row: Row[Any]) -> EvaluationClaim:
    """A claim of a whole row."""
    return EvaluationClaim(*(getattr(row, name) for name in EvaluationClaim.__dataclass_fields__))
