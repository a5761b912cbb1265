"""Errors across a pipe: what of them may be told, and the code that a child process named as the exception again."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from shared.contract.errors import (
    DatasetError,
    DatasetGone,
    DiskFull,
    ImageError,
    JobFailed,
    OutOfMemory,
    ServiceError,
)

AnyError = TypeVar("AnyError", bound=ServiceError)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
UNREADABLE = (
    "A picture of the dataset cannot be read any more; look at the dataset's findings, or upload it again."
)


@dataclass(frozen=True, slots=True)
class FailureWords:
    """What a person reads of why a job failed; the same of every kind of job, in the words of its own."""

    failed: type[JobFailed]  # where nothing better is known
    broke_off: str  # with {} for the kind of the error
    disk_full: str
    out_of_memory: str
    killed_for_memory: str
    dataset_gone: str = DatasetGone.title


def kind_of(error: BaseException) -> str:
    """An error without its text, which may name files: those of datasets are called after patients."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__}: {os.strerror(error.errno)}"
    return type(error).__name__


def failure_in(error: BaseException, words: FailureWords) -> JobFailed:
    """Of any error: what is known of it, and never its text."""
    text = str(error)
    if isinstance(error, JobFailed):
        return error
    if (isinstance(error, OSError) and error.errno in NO_SPACE) or "No space left" in text:
        return DiskFull(words.disk_full)
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "allocate memory" in text:
        return OutOfMemory(words.out_of_memory)
    return words.failed(words.broke_off.format(kind_of(error)))


def failure_on_dataset(error: BaseException, data: Path, words: FailureWords) -> JobFailed:
    """As `failure_in`, of work on the dataset that lies in `data`."""
    if isinstance(error, JobFailed) and not isinstance(error, DatasetError):
        return error
    if not data.exists():
        return DatasetGone(words.dataset_gone)
    if isinstance(error, (DatasetError, ImageError)):  # their texts name files
        return DatasetError(UNREADABLE)
    if isinstance(error, ServiceError):
        fields = "; ".join(f"{name}: {' '.join(said)}" for name, said in (error.errors or {}).items())
        return words.failed(fields or error.detail)
    return failure_in(error, words)


def error_of(code: str, message: str, otherwise: type[ServiceError]) -> ServiceError:
    """As `failure_of`, of all errors that there are: a volume may be refused for what it is."""
    kinds = {kind.code: kind for kind in _all_kinds(ServiceError)}
    return kinds.get(code, otherwise)(message)


def failure_of(code: str, message: str, otherwise: type[JobFailed]) -> JobFailed:
    """The error with this code; `otherwise` where there is none."""
    kinds = {kind.code: kind for kind in _all_kinds(JobFailed)}
    return kinds.get(code, otherwise)(message)


def _all_kinds(kind: type[AnyError]) -> list[type[AnyError]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _all_kinds(child))]
