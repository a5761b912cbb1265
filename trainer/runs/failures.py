"""Errors across a pipe: the code that a child process named, as the exception again."""

import errno

from shared.contract.errors import JobFailed

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def failure_of(code: str, message: str, otherwise: type[JobFailed]) -> JobFailed:
    """The error with this code; `otherwise` where there is none."""
    kinds = {kind.code: kind for kind in _all_kinds(JobFailed)}
    return kinds.get(code, otherwise)(message)


def _all_kinds(kind: type[JobFailed]) -> list[type[JobFailed]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _all_kinds(child))]
