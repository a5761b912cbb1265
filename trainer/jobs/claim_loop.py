"""A thread that does training runs, or evaluations, one after the other, as long as the database says some are due."""

import threading
import time
from typing import Generic, Protocol, TypeVar

import structlog

from trainer.logs import brief

_log = structlog.get_logger(__name__)
# A message only wakes the worker up; what it missed (a message of Redis' lost, a run of a dead worker) it finds itself.
LOOK_EVERY_S = 1.0
TROUBLE_S = 2.0
SWEEP_S = 600.0


C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
C_contra = TypeVar("C_contra", contravariant=True)


class Claims(Protocol[C_co]):
    """The table with the work."""

    def claim_next(self, worker: str, lease_s: float) -> C_co | None:
        """The oldest piece of work that is due is now ours; None if there is none."""
        ...


class Doing(Protocol[C_contra]):
    """Who does it."""

    def run(self, claim: C_contra) -> None:
        """Return when there is nothing left to do for it."""
        ...

    def sweep(self) -> None:
        """Remove what was left on this host."""
        ...


class ClaimWorker(Generic[C]):
    """The thread is called `name`; one piece of work at a time."""

    def __init__(self, name: str, claims: Claims[C], doing: Doing[C], worker_id: str, lease_s: float) -> None:
        self._claims, self._doing, self._worker_id, self._lease_s = claims, doing, worker_id, lease_s
        self._swept_at: float | None = None
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Look for work."""
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._due.set()

    @property
    def stopping(self) -> bool:
        """Whether the work under way is to be left."""
        return self._stop.is_set()

    def leave(self) -> None:
        """Begin to leave the work under way to another worker."""
        self._stop.set()
        self._due.set()

    def stop(self, timeout_s: float) -> None:
        """`leave`, and wait for it."""
        self.leave()
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self._once()
            except Exception as error:  # whatever it is, the next may go well
                _log.exception("worker_troubled", worker=self._thread.name, error=brief(error))
                self._stop.wait(TROUBLE_S)
                continue
            if not busy:
                self._due.wait(LOOK_EVERY_S)
                self._due.clear()

    def _once(self) -> bool:
        claim = self._claims.claim_next(self._worker_id, self._lease_s)
        if claim is None:
            self._sweep()
            return False
        self._doing.run(claim)
        return True

    def _sweep(self) -> None:
        now = time.monotonic()
        if self._swept_at is None or now - self._swept_at > SWEEP_S:
            self._swept_at = now
            self._doing.sweep()
