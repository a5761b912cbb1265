"""Errors across a pipe: what of them may be told, and the code that a child process named as the exception again."""

import errno
import os
from typing import TypeVar

from shared.contract.errors import JobFailed, ServiceError

Kind = TypeVar("Kind", bound=ServiceError)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
UNREADABLE = (
    "A picture of the dataset cannot be read any more; look at the dataset's findings, or upload it again."
)


def kind_of(error: BaseException) -> str:
    """An error without its text, which may name files: those of datasets are called after patients."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__}: {os.strerror(error.errno)}"
    return type(error).__name__


def error_of(code: str, message: str, otherwise: type[ServiceError]) -> ServiceError:
    """As `failure_of`, of all errors that there are: a volume may be refused for what it is."""
    kinds = {kind.code: kind for kind in _all_kinds(ServiceError)}
    return kinds.get(code, otherwise)(message)


def failure_of(code: str, message: str, otherwise: type[JobFailed]) -> JobFailed:
    """The error with this code; `otherwise` where there is none."""
    kinds = {kind.code: kind for kind in _all_kinds(JobFailed)}
    return kinds.get(code, otherwise)(message)


def _all_kinds(kind: type[Kind]) -> list[type[Kind]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _all_kinds(child))]
