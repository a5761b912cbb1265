"""Messages on the queue: an id and what is needed to find its log lines, never pixels (claim check)."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from shared.contract.errors import InvalidMessage

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Message:
    """The work with this id is due; raises InvalidMessage when a field is not what it should be."""

    job_id: str
    request_id: str

    def __post_init__(self) -> None:
        _check("job_id", self.job_id, _ID)
        _check("request_id", self.request_id, _REQUEST_ID)

    def to_json(self) -> dict[str, str]:
        """As the keyword arguments of the Celery task."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """From the keyword arguments of the Celery task; unknown and missing fields are named."""
        expected = {"job_id", "request_id"}
        missing, unknown = expected - fields.keys(), fields.keys() - expected
        if missing or unknown:
            raise InvalidMessage(f"missing fields: {sorted(missing)}, unknown fields: {sorted(unknown)}")
        return cls(**fields)


class SegmentMessage(Message):
    """Segment the upload with this id."""

    __slots__ = ()


class SegmentVolumeMessage(Message):
    """Segment the volume with this id."""

    __slots__ = ()


class ValidateDatasetMessage(Message):
    """Look through the dataset with this id."""

    __slots__ = ()


class TrainMessage(Message):
    """Do the training run with this id."""

    __slots__ = ()


class EvaluateMessage(Message):
    """Do the evaluation with this id."""

    __slots__ = ()


def _check(name: str, value: object, pattern: re.Pattern[str]) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidMessage(f"{name} is not valid: {value!r:.80}")
