"""Keeps a claim ours while it is worked on, and hears that the work is to be cancelled."""

import threading
from enum import StrEnum
from functools import partial
from typing import Protocol, TypeVar

import structlog

from shared.contract.names import RunStatus
from trainer.logs import brief

_log = structlog.get_logger(__name__)
RENEW_S = 0.7


class Claimed(Protocol):
    """A row that is ours."""

    @property
    def id(self) -> str: ...


C = TypeVar("C", bound=Claimed)
C_contra = TypeVar("C_contra", bound=Claimed, contravariant=True)


class Renewing(Protocol[C_contra]):
    """The table that the claim is of."""

    def renew(self, claim: C_contra, lease_s: float) -> StrEnum | bool | None:
        """Prolong the lease; the row's status where it has several, False or None if it is not ours any more."""
        ...


class Lease:
    """A thread that renews; what it heard at the last renewal is all that it knows."""

    def __init__(self, rows: Renewing[C], claim: C, lease_s: float, every_s: float = RENEW_S) -> None:
        self._renew, self._id, self._every_s = partial(rows.renew, claim, lease_s), claim.id, every_s
        self._status: StrEnum | bool | None = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def cancelling(self) -> bool:
        """Whether somebody wants the work to end."""
        return self._status is RunStatus.CANCELLING

    @property
    def lost(self) -> bool:
        """Whether it is another's by now, has ended or is gone."""
        return not self._status

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s) and not self.lost:
            try:
                self._status = self._renew()
            except Exception as error:
                # Nobody else can claim it while the database is away; if somebody does later, renewing will say so.
                _log.warning("lease_not_renewed", claim=self._id, error=brief(error))
