"""Idempotency-Key: whether a request was sent before, in the words of the API."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import IdempotencyInProgress, IdempotencyMismatch
from shared.database.idempotency import Idempotency, InProgress, Mismatch, Replay

_log = logging.getLogger(__name__)


def fingerprint(kind: str, *asked: Any) -> str:
    """Digest of what the client asked for (JSON values), of whatever kind of resource."""
    return hashlib.sha256(json.dumps([kind, *asked], sort_keys=True).encode()).hexdigest()


def made_before(idempotency: Idempotency, owner: str, key: str | None, digest: str) -> str | None:
    """The id that this key made, or None when there is work to do; then `complete` or `abandon` it.

    Raises IdempotencyInProgress, IdempotencyMismatch, InvalidFields (the key itself).
    """
    if key is None:
        return None
    begun = idempotency.begin(owner, key, digest)
    if isinstance(begun, InProgress):
        raise IdempotencyInProgress
    if isinstance(begun, Mismatch):
        raise IdempotencyMismatch(
            "This Idempotency-Key was sent before with other fields or another file; use a new key."
        )
    return begun.resource_id if isinstance(begun, Replay) else None


@contextmanager
def undone(idempotency: Idempotency, owner: str, key: str | None) -> Iterator[None]:
    """The key may be used again where accepting breaks off."""
    try:
        yield
    except Exception:
        abandon(idempotency, owner, key)
        raise


def abandon(idempotency: Idempotency, owner: str, key: str | None, *, made: str | None = None) -> None:
    """The request made nothing, or what it made was taken back; never raises, as that would hide why."""
    if key is None:
        return
    try:
        idempotency.abandon(owner, key, made=made)
    except SQLAlchemyError:
        _log.exception("not_cleaned")
